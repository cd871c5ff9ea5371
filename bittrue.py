"""bittrue: bit-true simulation, training and checking of low-precision datapaths.

    import bittrue as bt

    fmt = bt.QFormat(8, 7)
    raw = bt.quantize([0.3, -0.7], fmt)
    path = bt.TrainingDatapath.preset("halp8")

The names below are the public library; `bittrue` on the command line is the same library as a program.
"""

from __future__ import annotations

import importlib
from typing import Any

from algorithms.checks import check_algorithm
from algorithms.data import DATA_SETS, Loss, Settings, load, load_problem, prepare, problem_of
from algorithms.multiclass import OneVsRest, Softmax
from algorithms.points import Option
from algorithms.problems import LeastSquares, LeastSquaresSvm, Logistic, Problem, SmoothedHinge
from algorithms.samples import DataSpec, HeldOut, Samples, Scaling, load_samples
from algorithms.trace import EpochRecord, State, Trace
from algorithms.training import algorithm_names, train
from algorithms.zipml.levels import column_levels, levels_of, mean_variance
from algorithms.zipml.sampling import HostWords, Sampler
from reports import rtl_backend
from rtl_models.reference_models import DotProductModel, GeneratorModel, MacModel, RequantizerModel, Scoreboard
from sim import engine
from sim.accumulate import Accumulator, dot, matmul
from sim.checks import Check, check_datapath
from sim.conformance import ARITHMETIC_VERSION, conformance_set
from sim.cost import Cost, estimate
from sim.datapath import (
    Accumulation,
    Coefficient,
    Data,
    Exponents,
    Generator,
    Increment,
    Link,
    Links,
    Model,
    Product,
    RandomGenerator,
    TrainingDatapath,
    preset_names,
)
from sim.engine import EpochJob, EpochResult, Registers
from sim.errors import InputError
from sim.formats import QFormat
from sim.modes import Overflow, Rounding
from sim.packed_rows import PackedRows
from sim.profile import NodeProfile, Profile
from sim.proposal import Proposal, propose
from sim.quantize import Requantizer, dequantize, quantize, requantize
from sim.random_bits import Lfsr, RandomWords, Role, Xorshift32
from sim.ranges import RangeAnalysis, analyse
from sim.row_formats import RowFormat
from sim.rows import RawRows
from sim.statistics import Statistics

rtl_backend.register()

__version__ = "0.1.0"

__all__ = [
    "ARITHMETIC_VERSION",
    "DATA_SETS",
    "Accumulation",
    "Accumulator",
    "Check",
    "Coefficient",
    "Cost",
    "Data",
    "DataSpec",
    "DotProductModel",
    "EpochJob",
    "EpochRecord",
    "EpochResult",
    "Exponents",
    "Generator",
    "GeneratorModel",
    "HeldOut",
    "HostWords",
    "Increment",
    "InputError",
    "LeastSquares",
    "LeastSquaresSvm",
    "Lfsr",
    "Link",
    "Links",
    "Logistic",
    "Loss",
    "MacModel",
    "Model",
    "NodeProfile",
    "OneVsRest",
    "Option",
    "Overflow",
    "PackedRows",
    "Problem",
    "Product",
    "Profile",
    "Proposal",
    "QFormat",
    "RandomGenerator",
    "RandomWords",
    "RangeAnalysis",
    "RawRows",
    "Registers",
    "Requantizer",
    "RequantizerModel",
    "Role",
    "Rounding",
    "RowFormat",
    "Sampler",
    "Samples",
    "Scaling",
    "Scoreboard",
    "Settings",
    "SmoothedHinge",
    "Softmax",
    "State",
    "Statistics",
    "Trace",
    "TrainingDatapath",
    "Xorshift32",
    "algorithm_names",
    "analyse",
    "check_algorithm",
    "check_datapath",
    "column_levels",
    "conformance_set",
    "dequantize",
    "dot",
    "engine",
    "estimate",
    "levels_of",
    "load",
    "load_problem",
    "load_samples",
    "matmul",
    "mean_variance",
    "prepare",
    "preset_names",
    "problem_of",
    "propose",
    "quantize",
    "requantize",
    "testing",  # noqa: F822  # __getattr__ loads it
    "train",
]


def __getattr__(name: str) -> Any:
    """Load `bt.testing` when it is first used: it needs hypothesis, which takes its time."""
    if name == "testing":
        return importlib.import_module("sim.testing")
    raise AttributeError(f"module 'bittrue' has no attribute {name!r}")


def main() -> None:
    """Run the command line."""
    from reports.command_line import main as run

    run()


if __name__ == "__main__":
    main()
