"""ZipML on the bit-true engine: rows of few bits, drawn afresh every epoch, under LP-SGD and under HALP."""

from __future__ import annotations

from algorithms.engine_host import EngineHost, Words
from algorithms.halp import halp_on
from algorithms.low_precision import lp_sgd_on
from algorithms.points import Parameters, Points, SampleLevels, Sampling
from algorithms.problems import Problem
from algorithms.zipml.epochs import Epochs
from algorithms.zipml.sampling import Sampler
from sim.datapath import TrainingDatapath
from sim.engine import EpochJob
from sim.errors import InputError
from sim.packed_rows import PackedRows

ENGINE_SAMPLINGS = (Sampling.DOUBLE, Sampling.NAIVE)


class SampledHost(EngineHost):
    """A host whose problem is that of the real rows, and whose engine gets fresh samples of them every epoch.

    Args:
        algorithm: its name, for errors.
        problem: what to minimise.
        datapath: the arithmetic; without `sample_bits`, samples have as many bits as its data words.
        parameters: step size, lengths, seed, sampling, sample bits, levels.

    Raises:
        InputError: for a sampling that the engine does not have, or bits outside 2 to 8 or the data words.
    """

    store: PackedRows

    def __init__(
        self, algorithm: str, problem: Problem, datapath: TrainingDatapath | None, parameters: Parameters
    ) -> None:
        self._prepare(algorithm, problem, datapath, parameters)
        path, sampling = self.path, parameters.sampling
        if sampling not in ENGINE_SAMPLINGS:
            allowed = ", ".join(ENGINE_SAMPLINGS)
            raise InputError(f"sampling: got {sampling}; allowed: {allowed} with {algorithm}, which runs on the engine")
        bits = path.data.width if parameters.sample_bits is None else parameters.sample_bits
        optimal = parameters.levels is SampleLevels.OPTIMAL
        lowest, highest = (1, 8) if optimal else (2, min(8, path.data.width))
        if not lowest <= bits <= highest:
            name = "data.width" if parameters.sample_bits is None else "sample_bits"
            raise InputError(f"{name}: got {bits}; allowed: {lowest} to {highest} bits a sample with {algorithm}")
        count = 1 if sampling is Sampling.NAIVE else 2
        rows, words = problem.rows, path.data_format

        def sampler() -> Sampler:
            if optimal:
                return Sampler.with_levels(rows, bits, words, samples=count, lanes=path.lanes)
            return Sampler.uniform(rows, bits, samples=count, lanes=path.lanes)

        self.epochs = Epochs.of(rows, parameters.seed, sampler, "engine", bits, count, optimal, words, path.lanes)
        self.sampler, self.drawn = self.epochs.sampler, 0
        if not problem.features.any():
            raise InputError("features: got only zeros; allowed: at least one value that is not 0")
        self.problem, self.data_scale = problem, float(self.sampler.step.item())
        self.noise = self.epochs.noise

    def job(self, z: Words, h: Words, record: dict[str, object], exponents: Words | None = None) -> EpochJob:
        """Return the next epoch's inner loop, on fresh samples."""
        self.store = self.epochs.packed(self.drawn)
        self.drawn += 1
        return super().job(z, h, record, exponents)

    def row_bytes(self, rows: int) -> int:
        """Return the bytes of a number of packed rows."""
        return rows * self.sampler.fmt.row_bytes(self.problem.shape[1])

    def outer_bytes(self) -> int:
        """Return the bytes of all rows in float64, from which full gradients are made."""
        return self.problem.features.nbytes


def zipml(problem: Problem, datapath: TrainingDatapath | None, parameters: Parameters) -> Points:
    """Yield the points of ZipML: LP-SGD on two independent roundings of each row, one a dot and one an update row.

    Source: H. Zhang et al., ZipML, arXiv 1611.05402. With naive sampling one rounding serves for both, which is wrong.

    Args:
        problem: what to minimise; it is solved on the real rows.
        datapath: the arithmetic, without block exponents.
        parameters: step size, lengths, δ, seed, sampling, sample bits, levels.

    Raises:
        InputError: without a datapath or δ, or where bits or scales do not fit.
    """
    return lp_sgd_on(SampledHost("zipml", problem, datapath, parameters), "zipml")


def halp_zipml(problem: Problem, datapath: TrainingDatapath | None, parameters: Parameters) -> Points:
    """Yield the points of HALP whose inner loop reads ZipML's samples and whose outer gradient the real rows.

    At the optimum the full gradient is 0, and with it every step: the roundings of the rows change how fast the offset
    moves, not where it ends, even if one rounding serves for both rows. In neither paper.

    Args:
        problem: what to minimise; it is solved on the real rows.
        datapath: the arithmetic.
        parameters: step size, lengths, μ, seed, sampling, sample bits, levels.

    Raises:
        InputError: without a datapath or μ, or where bits or scales do not fit.
    """
    return halp_on(SampledHost("halp_zipml", problem, datapath, parameters))
