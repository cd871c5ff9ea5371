"""Every unit that has a bench."""

from __future__ import annotations

from rtl_models.benches.bench import Bench, Configuration
from rtl_models.benches.dot_product import CONFIGURATIONS as DOT_PRODUCTS
from rtl_models.benches.dot_product import DotProductBench

BENCHES: dict[str, type[Bench]] = {bench.unit_name: bench for bench in (DotProductBench,)}
CONFIGURATIONS: dict[str, list[Configuration]] = {"dot_product": DOT_PRODUCTS}
