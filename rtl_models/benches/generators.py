"""The benches of the random generators and of the lanes' fields: streams, holds, seeds loaded at any time, seed 0."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from rtl_models.benches.bench import Configuration, Field, pack
from rtl_models.benches.clocked import ClockedBench, Row
from rtl_models.elaborate import Unit
from sim.datapath import Generator, RandomGenerator, TrainingDatapath
from sim.random_bits import (
    REPLACEMENT_SEED,
    WORD_BITS,
    Lfsr,
    LinearGenerator,
    Role,
    Xorshift32,
    generator_seed,
    lane_field,
)

DIRECTED = 97
"""Every so many cycles a seed of 0 is loaded."""
OPERATIONS = ("step", "hold", "load", "load while enabled", "load seed 0", "reset after steps")


def generator_parameters(generator: RandomGenerator) -> dict[str, Any]:
    """Return the parameters of a datapath's generators.

    Example:
        >>> generator_parameters(RandomGenerator("lfsr", 33))["LfsrTaps"]
        "33'h100080000"
    """
    register = generator.make(1, Role.UPDATE, 0)
    mask = register.mask if isinstance(register, Lfsr) else Lfsr(1).mask
    return {
        "GeneratorKind": generator.kind,
        "LfsrWidth": generator.width,
        "LfsrTaps": f"{generator.width}'h{mask:x}",
        "LfsrLeap": generator.leap,
    }


class GeneratorBench(ClockedBench):
    """Operations on one or several generators in step, in any order.

    Attributes:
        reset_seed: seed after a reset, of all generators.
        zero_seed: what stands for a seed of 0; 0 if none is loaded.
        loads: whether seeds can be loaded.
    """

    zero_seed: int = REPLACEMENT_SEED
    loads: bool = True

    order = (
        "Rows in order, the first with load_i: with load_i every register takes its seed, without it one step; "
        "the output is that after this."
    )

    def __init__(self, configuration: Configuration, unit: Unit) -> None:
        super().__init__(configuration, unit)
        self.reset_seed = unit.constants.get("ResetSeed", REPLACEMENT_SEED)

    @property
    def latency(self) -> int:
        """Cycles from a seed or a step to its word, which is a register."""
        return 1

    @property
    @abstractmethod
    def seed_bits(self) -> int:
        """Bits of a seed."""

    @property
    def count(self) -> int:
        """Number of generators."""
        return 1

    @abstractmethod
    def generator(self, seed: int) -> LinearGenerator:
        """Return the reference of one generator."""

    def output(self, words: Sequence[int]) -> int:
        """Return what the output port shows of the present words."""
        return words[0]

    def rows(self, random: Random, transactions: int) -> Iterator[Row]:
        """Yield long runs of steps, broken by holds, loads and resets."""
        generators: list[LinearGenerator] = []
        words: list[int] = []
        steps = 0
        mask, seen = (1 << self.output_bits) - 1, [0, 0]

        def start(seeds: Sequence[int]) -> None:
            nonlocal generators, words, steps
            generators = [self.generator(seed or self.zero_seed) for seed in seeds]
            words, steps = [g.next() for g in generators], 0

        for number in range(transactions):
            is_reset = number < 2 or random.random() < 0.005
            load, enable = random.random() < 0.02 and self.loads, random.random() < 0.8
            is_directed = number % DIRECTED == DIRECTED - 1 and self.loads and self.zero_seed  # too rare by chance
            load, seeds = load or bool(is_directed), []
            if load:
                seeds = [0 if is_directed and not n else self._seed(random) for n in range(self.count)]
            shown_seeds = pack(seeds, self.seed_bits) if load else random.getrandbits(self.count * self.seed_bits)
            hits: list[tuple[str, Any]] = []
            if is_reset:
                hits = [("operation", "reset after steps")] if steps else []
                start([self.reset_seed] * self.count)
            elif load:
                hits = [("operation", "load while enabled" if enable else "load")]
                hits += [("operation", "load seed 0")] if 0 in seeds else []
            else:
                hits = [("operation", "step" if enable else "hold")]
            output = self.output(words)
            for level, shown in enumerate((~output & mask, output)):
                fresh, seen[level] = shown & ~seen[level], seen[level] | shown
                hits += [("bits", (bit, level)) for bit in range(fresh.bit_length()) if fresh >> bit & 1]
            inputs = int(not is_reset), int(load), shown_seeds, int(enable)
            yield Row(inputs, (output,), f"{steps} steps after the last seed", hits)
            if not is_reset and load:
                start(seeds)
            elif not is_reset and enable:
                words, steps = [g.next() for g in generators], steps + 1

    def vectors(self, random: Random, count: int) -> Iterator[Row]:
        """Yield steps, and now and then a seed."""
        generators: list[LinearGenerator] = []
        for number in range(count):
            load, seeds = number == 0 or random.random() < 0.02, [0] * self.count
            if load:
                seeds = [self._seed(random) for _ in range(self.count)]
                generators = [self.generator(seed or self.zero_seed) for seed in seeds]
            words = [generator.next() for generator in generators]
            yield Row((int(load), pack(seeds, self.seed_bits)), (self.output(words),))

    def _seed(self, random: Random) -> int:
        ends = [1, (1 << self.seed_bits) - 1, 1 << (self.seed_bits - 1), *([0] if self.zero_seed else [])]
        return random.choice(ends) if random.random() < 0.4 else random.getrandbits(self.seed_bits)

    @property
    def output_bits(self) -> int:
        """Bits of the output port."""
        return self.unit.width(self.outputs[0])

    def points(self) -> dict[str, list[Any]]:
        """Return all operations, and each output bit seen at 0 and at 1."""
        bits = [(bit, value) for bit in range(self.output_bits) for value in (0, 1)]
        return {"operation": list(OPERATIONS), "bits": bits}

    def fields(self) -> list[Field]:
        """Return the output port."""
        return [Field(self.outputs[0], 0, 0, self.output_bits)]


class Xorshift32Bench(GeneratorBench):
    """Stimuli and reference of an xorshift32."""

    unit_name = "xorshift32"
    inputs = ("rst_ni", "load_i", "seed_i", "enable_i")
    untimed = ("load_i", "seed_i")
    outputs = ("word_o",)
    seed_bits = WORD_BITS

    @classmethod
    def unused(cls, datapath: TrainingDatapath) -> str:
        """Return why a datapath has no xorshift32."""
        return _other_kind(datapath, Generator.XORSHIFT32)

    def generator(self, seed: int) -> LinearGenerator:
        """Return the reference."""
        return Xorshift32(seed)


class LfsrBench(GeneratorBench):
    """Stimuli and reference of an lfsr."""

    unit_name = "lfsr"
    inputs = ("rst_ni", "load_i", "seed_i", "enable_i")
    untimed = ("load_i", "seed_i")
    outputs = ("word_o",)

    @classmethod
    def unused(cls, datapath: TrainingDatapath) -> str:
        """Return why a datapath has no lfsr."""
        return _other_kind(datapath, Generator.LFSR)

    @classmethod
    def parameters(cls, configuration: Configuration) -> dict[str, Any]:
        """Return the parameters of a datapath's generators."""
        given = generator_parameters(configuration.datapath.generator)
        return {**{name: given[f"Lfsr{name}"] for name in ("Width", "Taps", "Leap")}, **configuration.extra}

    @property
    def seed_bits(self) -> int:
        """Bits of the register."""
        return self.path.generator.width

    def generator(self, seed: int) -> LinearGenerator:
        """Return the reference."""
        source = self.path.generator
        return Lfsr(seed, source.width, source.taps or None, source.leap)


class RandomLanesBench(GeneratorBench):
    """Stimuli and reference of the lanes' fields."""

    unit_name = "random_lanes"
    inputs = ("rst_ni", "load_i", "seeds_i", "enable_i")
    untimed = ("load_i", "seeds_i")
    outputs = ("random_o",)
    seed_bits = WORD_BITS

    @classmethod
    def unused(cls, datapath: TrainingDatapath) -> str:
        """Return why a datapath has no random lanes."""
        if datapath.model.random_bits:
            return ""
        return "model.random_bits: got 0; allowed for random_lanes: at least 1"

    @classmethod
    def parameters(cls, configuration: Configuration) -> dict[str, Any]:
        """Return the parameters of a datapath's update."""
        path: TrainingDatapath = configuration.datapath
        return {
            "Lanes": path.lanes,
            "RandomBits": path.model.random_bits,
            **generator_parameters(path.generator),
        }

    @property
    def count(self) -> int:
        """Number of generators, as the package derives it."""
        return self.unit.constants["Generators"]

    def generator(self, seed: int) -> LinearGenerator:
        """Return the reference of one generator."""
        source = self.path.generator
        if source.kind is Generator.XORSHIFT32:
            return Xorshift32(seed)
        return Lfsr(seed, source.width, source.taps or None, source.leap)

    def output(self, words: Sequence[int]) -> int:
        """Return the fields of all lanes, lane 0 lowest."""
        bits = self.path.model.random_bits
        return pack([lane_field(words, lane, bits) for lane in range(self.path.lanes)], bits)

    def fields(self) -> list[Field]:
        """Return the field of each lane."""
        bits = self.path.model.random_bits
        return [Field(f"random_o, lane {lane}", 0, bits * lane, bits) for lane in range(self.path.lanes)]

    def _seed(self, random: Random) -> int:
        """Return a seed as a run would give it, or an end of the range."""
        if random.random() < 0.5:
            return generator_seed(random.getrandbits(40), Role.UPDATE, random.randrange(8))
        return super()._seed(random)


def _other_kind(datapath: TrainingDatapath, kind: Generator) -> str:
    """Return why a datapath has no generator of a kind, nothing if it has."""
    found = datapath.generator.kind
    return "" if found is kind else f"generator.kind: got {found}; allowed for {kind}: {kind}"


def _path(lanes: int, bits: int, **generator: Any) -> TrainingDatapath:
    """Return a datapath with these lanes, random bits and generators."""
    path = TrainingDatapath(lanes=lanes, generator=RandomGenerator(**generator), biased_ok=True)
    return path.replace(model=path.model.replace(random_bits=bits))


def _reset_seed(seed: int) -> dict[str, int | str]:
    return {"ResetSeed": f"{WORD_BITS}'d{seed}"}


_LFSR: dict[str, Any] = {"kind": Generator.LFSR}
XORSHIFT32_CONFIGURATIONS = [
    Configuration("xorshift32", _path(1, 32)),
    Configuration("reset_to_1", _path(1, 32), _reset_seed(1)),
    Configuration("reset_to_top_bit", _path(1, 32), _reset_seed(1 << 31)),
    Configuration("reset_to_ones", _path(1, 32), _reset_seed((1 << 32) - 1)),
    Configuration("reset_to_alternating", _path(1, 32), _reset_seed(0x5555_5555)),
    Configuration("reset_to_a_run", _path(1, 32), _reset_seed(generator_seed(1, Role.UPDATE, 0))),
]
LFSR_CONFIGURATIONS = [
    Configuration("32_bits", _path(1, 32, **_LFSR)),
    Configuration("32_bits_one_step", _path(1, 32, **_LFSR, leap=1)),
    Configuration("33_bits", _path(1, 32, **_LFSR, width=33, leap=33), _reset_seed((1 << 32) - 1)),
    Configuration("48_bits", _path(1, 32, **_LFSR, width=48, leap=17)),
    Configuration("64_bits_64_steps", _path(1, 32, **_LFSR, width=64, leap=64), _reset_seed(1)),
    Configuration("40_bits_own_taps", _path(1, 32, **_LFSR, width=40, taps=(40, 39, 3), leap=5)),
]
RANDOM_LANES_CONFIGURATIONS = [
    Configuration("16_lanes_of_16", _path(16, 16)),
    Configuration("16_lanes_of_8", _path(16, 8)),
    Configuration("4_lanes_of_32", _path(4, 32)),
    Configuration("64_lanes_of_1", _path(64, 1)),
    Configuration("1_lane_of_4", _path(1, 4)),
    Configuration("32_lanes_of_2_lfsr", _path(32, 2, **_LFSR)),
    Configuration("8_lanes_of_16_lfsr_41", _path(8, 16, **_LFSR, width=41, leap=40)),
]
