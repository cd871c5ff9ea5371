"""Every unit that has a bench."""

from __future__ import annotations

from rtl_models.benches import dot_product, mac
from rtl_models.benches.bench import Bench, Configuration

BENCHES: dict[str, type[Bench]] = {
    "dot_product": dot_product.DotProductBench,
    "mac": mac.MacBench,
}
"""Bench of each unit, by the unit's name."""
CONFIGURATIONS: dict[str, list[Configuration]] = {
    "dot_product": dot_product.CONFIGURATIONS,
    "mac": mac.CONFIGURATIONS,
}
"""Configurations that are checked by default."""
