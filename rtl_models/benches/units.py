"""Every unit that has a bench."""

from __future__ import annotations

from rtl_models.benches import dot_product, double_sampler, generators, links, mac, model_update, requantizer
from rtl_models.benches.bench import Bench, Configuration

BENCHES: dict[str, type[Bench]] = {
    "dot_product": dot_product.DotProductBench,
    "double_sampler": double_sampler.DoubleSamplerBench,
    "lfsr": generators.LfsrBench,
    "link_absolute_table": links.AbsoluteTableBench,
    "link_affine": links.AffineBench,
    "link_centred_table": links.CentredTableBench,
    "mac": mac.MacBench,
    "model_update": model_update.ModelUpdateBench,
    "random_lanes": generators.RandomLanesBench,
    "requantizer": requantizer.RequantizerBench,
    "xorshift32": generators.Xorshift32Bench,
}
"""Bench of each unit, by the unit's name."""
CONFIGURATIONS: dict[str, list[Configuration]] = {
    "dot_product": dot_product.CONFIGURATIONS,
    "double_sampler": double_sampler.CONFIGURATIONS,
    "lfsr": generators.LFSR_CONFIGURATIONS,
    "link_absolute_table": links.TABLE_CONFIGURATIONS,
    "link_affine": links.AFFINE_CONFIGURATIONS,
    "link_centred_table": links.TABLE_CONFIGURATIONS,
    "mac": mac.CONFIGURATIONS,
    "model_update": model_update.CONFIGURATIONS,
    "random_lanes": generators.RANDOM_LANES_CONFIGURATIONS,
    "requantizer": requantizer.CONFIGURATIONS,
    "xorshift32": generators.XORSHIFT32_CONFIGURATIONS,
}
"""Configurations that are checked by default."""
