"""Ten million vectors a unit: the circuits against the engine's kernels, over all configurations."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from rtl_models.benches.bench import Bench
from rtl_models.benches.double_sampler import DoubleSamplerBench
from rtl_models.benches.units import BENCHES, CONFIGURATIONS
from rtl_models.bulk import Bulk
from sim.datapath import Link, TrainingDatapath
from sim.engine import EpochJob, EpochResult, Registers, StageTrace, reference, run
from sim.formats import QFormat
from sim.packed_rows import PackedRows
from sim.random_bits import Role
from sim.reference import select_other
from sim.rows import RawRows
from tests.cosim.bulk_words import packed, unpacked

pytestmark = pytest.mark.cosim

VECTORS = 10**7
RESET = 2
"""Cycles of reset before the first beat."""
select_other.register(np.ndarray, np.where)  # the reference's source runs on whole arrays, too: it knows the flags
Words = NDArray[np.int64]
Ports = dict[str, NDArray[np.integer]]
Check = Callable[[Ports], int]
"""Compares the outputs of a run; returns how many vectors they were."""


def corners(random: np.random.Generator, shape: tuple[int, ...], width: int, low: int | None = None) -> Words:
    """Return words, half of them anywhere, half of them at ends, one from an end, or small."""
    bottom, top = -(1 << (width - 1)) if low is None else low, (1 << (width - 1)) - 1
    special = np.clip([bottom, bottom + 1, -1, 0, 1, 2, top - 1, top], bottom, top)
    chosen = random.integers(0, 2 * len(special), shape, np.uint8)
    anywhere = random.integers(bottom, top, shape, endpoint=True)
    return np.where(chosen < len(special), special[chosen % len(special)], anywhere)


def magnitudes(random: np.random.Generator, count: int, width: int) -> Words:
    """Return words of all sizes: uniform in the number of their bits."""
    sizes = random.integers(1, width, count, endpoint=True)
    return random.integers(-(1 << (width - 1)), (1 << (width - 1)) - 1, count, endpoint=True) >> (width - sizes)


def epoch(
    path: TrainingDatapath,
    random: np.random.Generator,
    steps: int,
    beats: int,
    *,
    rows: RawRows | None = None,
    z: Words | None = None,
    **fields: object,
) -> tuple[EpochJob, EpochResult]:
    """Return a job of `steps` different rows of `beats` beats, and its result with all stages."""
    columns = beats * path.lanes
    job = EpochJob(
        path,
        fields.pop("link", Link.AFFINE),
        rows or RawRows(corners(random, (steps, columns), path.data.width)),
        indices=np.arange(steps),
        z=corners(random, (columns,), path.model.width) if z is None else z,
        h=fields.pop("h", np.zeros(columns, np.int64)),
        registers=fields.pop("registers", Registers()),
        exponents=random.integers(0, path.exponents.maximum, beats, endpoint=True),
        seed=int(random.integers(1 << 30)),
        **fields,
    )
    return job, run(job, trace=range(steps))


def before(job: EpochJob, result: EpochResult) -> Words:
    """Return the model words that each step started from, shape (steps, columns)."""
    assert result.trace is not None
    return np.concatenate([job.z[None], result.trace.model[:-1]])


def by_beat(words: Words, lanes: int) -> Words:
    """Return words of shape (steps, columns) as one row a beat."""
    return words.reshape(-1, lanes)


def allowed(path: TrainingDatapath, words: Words) -> Words:
    """Return model words without the code that SAT_SYM does not have, which no job holds."""
    low = -(1 << (path.model.width - 1))
    return np.maximum(words, low + (path.model.overflow == "SAT_SYM"))


def stream(ports: Ports, beats: int, latency: int, lead: int = RESET) -> Ports:
    """Return the ports of a run that offers a beat in every cycle after `lead` others, and takes every output."""
    valid = np.zeros(lead + beats + latency, np.uint8)
    valid[lead : lead + beats] = 1
    resets = np.ones(len(valid), np.uint8)
    resets[:RESET] = 0
    wide = {name: _placed(array, len(valid), lead) for name, array in ports.items()}
    return {**wide, "s_axis_tvalid": valid, "m_axis_tready": np.ones(1, np.uint8), "rst_ni": resets}


def _placed(array: NDArray[np.integer], cycles: int, lead: int) -> NDArray[np.integer]:
    if len(array) == 1:
        return array
    out = np.zeros((cycles, *array.shape[1:]), array.dtype)
    out[lead : lead + len(array)] = array
    return out


def mac(bench: Bench, random: np.random.Generator, vectors: int) -> tuple[Ports, Check]:
    """Rows of pairs, each a sum of its own; h and the coefficient are 0, so that z stays."""
    constants, rest = bench.unit.constants, 64
    a, b = (constants[f"{name}Width"] + 1 - constants[f"{name}Signed"] for name in "AB")
    path = bench.path.with_fields({"lanes": 1, "data.width": a, "model.width": b, "link.multiplier_bits": 2})
    steps = -(-vectors // rest)
    x = corners(random, (steps, rest), a, None if constants["ASigned"] else 0)
    z = corners(random, (rest,), b, None if constants["BSigned"] else 0)
    job, result = epoch(path, random, steps, rest, rows=RawRows(x), z=allowed(path, z))
    assert result.trace is not None
    totals = result.trace.accumulator
    earlier = np.concatenate([np.zeros((steps, 1), np.int64), totals[:, :-1]], 1)
    flags = np.maximum.accumulate(totals != earlier + x * job.z, 1)
    pairs = steps * rest
    clear = np.zeros((steps, rest), np.uint8)
    clear[:, 0] = 1
    cycles = RESET + pairs + bench.latency
    resets = np.ones(cycles, np.uint8)
    resets[:RESET] = 0
    ports = {"clear_i": clear.reshape(-1), "a_i": x.reshape(-1), "b_i": np.tile(job.z, steps)}
    ports = {name: _placed(array, cycles, RESET) for name, array in ports.items()}
    ports |= {"enable_i": _placed(np.ones(pairs, np.uint8), cycles, RESET), "rst_ni": resets}

    def check(outputs: Ports) -> int:
        shown = slice(RESET + bench.latency, None)
        sums = unpacked(outputs["sum_o"][shown], 0, 1, path.accumulator.width)[:, 0]
        np.testing.assert_array_equal(sums, totals.reshape(-1))
        np.testing.assert_array_equal(outputs["overflow_o"][shown], flags.reshape(-1))
        return pairs

    return ports, check


def dot_product(bench: Bench, random: np.random.Generator, vectors: int) -> tuple[Ports, Check]:
    """Rows of eight beats through a model that moves."""
    path, beats = bench.path.with_fields({"link.multiplier_bits": 2}), 8
    lanes, steps, constants = path.lanes, vectors // 8, bench.unit.constants
    z = allowed(path, corners(random, (beats * lanes,), path.model.width))
    h = corners(random, (beats * lanes,), path.increment.width)
    registers = Registers(1, int(random.integers(0, path.accumulator.width)))
    job, result = epoch(path, random, steps, beats, z=z, h=h, registers=registers)
    assert result.trace is not None
    records = random.integers(0, 1 << min(constants["RecordWidth"], 62), steps * beats)[:, None]
    x, model = by_beat(job.rows.dot.astype(np.int64), lanes), by_beat(before(job, result), lanes)
    exponents = np.tile(job.exponents, steps)[:, None]
    last = np.zeros((steps, beats), np.uint8)
    last[:, -1] = 1
    ports = stream(
        {
            "s_axis_tdata": packed([(x, path.data.width), (model, path.model.width)]),
            "s_axis_tuser": packed([(exponents, constants["ExponentWidth"]), (records, constants["RecordWidth"])]),
            "s_axis_tlast": last.reshape(-1),
        },
        steps * beats,
        bench.latency,
    )
    totals = result.trace.accumulator
    earlier = np.concatenate([np.zeros((steps, 1), np.int64), totals[:, :-1]], 1)
    exact = earlier + ((x * model).sum(1).reshape(steps, beats) << job.exponents)
    counts = np.minimum((totals != exact).sum(1), (1 << constants["CountWidth"]) - 1)
    assert (totals != exact).sum() == result.counts["accumulator"]

    def check(outputs: Ports) -> int:
        shown = RESET + bench.latency + np.arange(steps) * beats + beats - 1
        np.testing.assert_array_equal(np.flatnonzero(outputs["m_axis_tvalid"]), shown)
        sums = unpacked(outputs["m_axis_tdata"][shown], 0, 1, path.accumulator.width)[:, 0]
        np.testing.assert_array_equal(sums, totals[:, -1])
        user = outputs["m_axis_tuser"][shown]
        np.testing.assert_array_equal(unpacked(user, 0, 1, constants["CountWidth"], False)[:, 0], counts)
        carried = unpacked(user, constants["CountWidth"], 1, constants["RecordWidth"], False)[:, 0]
        np.testing.assert_array_equal(carried, records[beats - 1 :: beats, 0])
        return steps * beats

    return ports, check


def model_update(bench: Bench, random: np.random.Generator, vectors: int) -> tuple[Ports, Check]:
    """Any coefficient at every step: the dot rows are 0, so that c is the sample's offset."""
    path = bench.path.with_fields({"accumulator.width": bench.path.coefficient.width, "link.multiplier_bits": 2})
    lanes, beats, constants = path.lanes, 16, bench.unit.constants
    steps = -(-vectors // (beats * lanes))
    x = corners(random, (steps, beats * lanes), path.data.width)
    c = corners(random, (steps,), path.coefficient.width)
    h = magnitudes(random, beats * lanes, path.increment.width)
    z = allowed(path, corners(random, (beats * lanes,), path.model.width))
    rows = RawRows(np.zeros_like(x), x)
    job, result = epoch(path, random, steps, beats, rows=rows, z=z, h=h, registers=Registers(1, 0), offsets=c)
    trace = result.trace
    assert trace is not None
    flags = _update_flags(job, before(job, result), trace, x)
    assert [int(flags[:, part : part + lanes].sum()) for part in (0, lanes)] == [
        result.counts[stage] for stage in ("increment", "model")
    ]
    exponents = np.tile(job.exponents, steps)[:, None]
    coefficients = np.repeat(trace.coefficient, beats)[:, None]
    fields = by_beat(trace.random, lanes)
    words = packed([(fields, max(path.model.random_bits, 1))])
    gradient = np.tile(by_beat(h, lanes), (steps, 1))
    words_in = [(by_beat(x, lanes), path.data.width), (by_beat(before(job, result), lanes), path.model.width)]
    ports = stream(
        {
            "s_axis_tdata": packed([*words_in, (gradient, path.increment.width)]),
            "s_axis_tuser": packed([(exponents, constants["ExponentWidth"]), (coefficients, path.coefficient.width)]),
            "s_axis_tkeep": packed([(np.full((1, 1), -1), lanes)]),
            "s_axis_tlast": np.zeros(1, np.uint8),
        },
        steps * beats,
        bench.latency,
    )
    ports["random_i"] = _placed(words, len(ports["rst_ni"]), RESET + constants["EarlyStages"])

    def check(outputs: Ports) -> int:
        shown = slice(RESET + bench.latency, None)
        assert outputs["m_axis_tvalid"][shown].all()
        assert outputs["random_next_o"].sum() == steps * beats * path.model.rounding.is_stochastic
        model = unpacked(outputs["m_axis_tdata"][shown], 0, lanes, path.model.width)
        np.testing.assert_array_equal(model, by_beat(trace.model, lanes))
        np.testing.assert_array_equal(unpacked(outputs["m_axis_tuser"][shown], 0, 2 * lanes, 1, False), flags)
        return steps * beats * lanes

    return ports, check


def _update_flags(job: EpochJob, z: Words, trace: StageTrace, x: Words) -> NDArray[np.bool_]:
    """Return the flags of increments and of model words by the reference, one row a beat."""
    path, places = job.datapath, np.repeat(job.exponents, job.datapath.lanes)
    over = np.zeros((2, *x.shape), bool)
    for exponent in np.unique(places).tolist():
        at = np.s_[:, places == exponent]
        _, exact, a, moved, updated = reference.update(
            path, trace.coefficient[:, None], x[at], job.h[at[1]], z[at], exponent, trace.random[at]
        )
        np.testing.assert_array_equal(a, trace.increment[at])
        np.testing.assert_array_equal(updated, trace.model[at])
        over[0][at], over[1][at] = a != exact, updated != moved
    return np.concatenate([by_beat(part, path.lanes) for part in over], 1)


def link(bench: Bench, random: np.random.Generator, vectors: int) -> tuple[Ports, Check]:
    """Dot products of all sizes under registers of one run; the dot rows are 0, so that v is the sample's offset."""
    kind, constants = bench.link, bench.unit.constants
    path, links, largest = bench.path.with_fields({"lanes": 1}), bench.path.link, constants["MaxShift"]
    bits = {Link.AFFINE: links.multiplier_bits, Link.CENTRED_TABLE: links.slope_bits}.get(kind, links.multiplier_bits)
    registers = Registers(
        0 if kind is Link.CENTRED_TABLE else int(random.integers(1, 1 << links.multiplier_bits)),
        min(int(random.integers(0, bits + 8)), largest),
        0 if kind is Link.AFFINE else int(random.integers(1, 1 << links.multiplier_bits)),
        0 if kind is Link.AFFINE else min(int(random.integers(links.multiplier_bits, path.accumulator.width)), largest),
    )
    v = magnitudes(random, vectors, path.accumulator.width)
    fields: dict[str, object] = {"link": kind, "registers": registers, "offsets": v}
    record, width = np.zeros(vectors, np.int64), 0
    entries = 1 << links.index_bits
    if kind is Link.CENTRED_TABLE:
        record, width = random.integers(0, 1 << links.grid_bits, vectors), max(links.grid_bits, 1)
        table = random.integers(0, 1 << links.slope_bits, (1 << links.grid_bits, entries))
        fields |= {"grid": record, "table": table}
    elif kind is Link.ABSOLUTE_TABLE:
        record, width = corners(random, (vectors,), links.table_bits), links.table_bits
        fields |= {"targets": record, "table": corners(random, (entries,), links.table_bits)}
    rows = RawRows(np.zeros((vectors, 1), np.int8))
    job, result = epoch(path, random, vectors, 1, rows=rows, z=np.zeros(1, np.int64), **fields)
    trace = result.trace
    assert trace is not None
    lead = RESET + (0 if kind is Link.AFFINE else job.table.size)
    total = v // 2 + random.integers(-2, 3, vectors)  # any two numbers with the sum v
    low, high = -(1 << (path.accumulator.width - 1)), (1 << (path.accumulator.width - 1)) - 1
    total = np.clip(total, np.maximum(low, v - high), np.minimum(high, v - low))
    user = [((v - total)[:, None], path.accumulator.width)] + ([(record[:, None], width)] if width else [])
    ports = stream({"s_axis_tdata": total, "s_axis_tuser": packed(user)}, vectors, bench.latency, lead)
    cycles = len(ports["rst_ni"])
    single = {
        "multiplier_i": registers.multiplier,
        "shift_i": registers.shift,
        "index_multiplier_i": registers.index_multiplier,
        "index_shift_i": registers.index_shift,
    }
    ports |= {p.name: np.array([single[p.name]]) for p in bench.unit.ports if p.name in single}
    if kind is not Link.AFFINE:
        writes = _placed(np.ones(job.table.size, np.uint8), cycles, RESET)
        addresses = _placed(np.arange(job.table.size), cycles, RESET)
        ports |= {"table_write_i": writes, "table_address_i": addresses}
        ports["table_data_i"] = _placed(job.table.reshape(-1), cycles, RESET)
    words = np.zeros(vectors, np.int64)
    if path.coefficient.rounding.is_stochastic:
        words = path.generator.make(job.seed, Role.COEFFICIENT, 0).words(vectors).astype(np.int64)
    ports["random_i"] = _placed(words, cycles, lead + constants["EarlyStages"])
    exact_index, index, value = trace.index, trace.index, np.zeros(1, np.int64)
    if kind is not Link.AFFINE:
        exact_index, index = reference.table_index(path, registers, v)
        entry = index + entries // 2
        value = job.table[record, entry] if kind is Link.CENTRED_TABLE else job.table[entry]
    exact, c = reference.coefficient(path, kind, registers, v, value, record, words)
    np.testing.assert_array_equal(index, trace.index)
    np.testing.assert_array_equal(c, trace.coefficient)
    over = {"coefficient": c != exact, "index": index != exact_index}
    assert {stage: int(flags.sum()) for stage, flags in over.items()} == {stage: result.counts[stage] for stage in over}

    def check(outputs: Ports) -> int:
        shown = slice(lead + bench.latency, None)
        assert outputs["m_axis_tvalid"][shown].all()
        found = unpacked(outputs["m_axis_tdata"][shown], 0, 1, path.coefficient.width)[:, 0]
        np.testing.assert_array_equal(found, c)
        user = outputs["m_axis_tuser"][shown]
        np.testing.assert_array_equal(user & 1, over["coefficient"])
        if kind is not Link.AFFINE:
            np.testing.assert_array_equal(user >> 1 & 1, over["index"])
            np.testing.assert_array_equal(unpacked(user, 2, 1, links.index_bits)[:, 0], index)
        return vectors

    return ports, check


def double_sampler(bench: Bench, random: np.random.Generator, vectors: int) -> tuple[Ports, Check]:
    """Rows of any bits in all columns that a level table has, or of eight beats."""
    assert isinstance(bench, DoubleSamplerBench)
    fmt, by_column, width = bench.fmt, bench.by_column, bench.width
    beats = bench.longest if by_column else 8
    columns = bench.table_columns if by_column else beats * fmt.lanes
    count, size = vectors // columns, fmt.lanes * fmt.stored_bits
    bits = random.integers(0, 2, (count, 8 * fmt.row_bytes(columns)), np.uint8)
    bits[:, columns * fmt.stored_bits :] = 0
    table = corners(random, (bench.table_columns, fmt.levels), width)
    rows = PackedRows(fmt, columns, np.packbits(bits, axis=1, bitorder="little"), table, bench.uses)
    entries = bits[:, : beats * size].reshape(count * beats, size)
    entries = np.packbits(np.pad(entries, ((0, 0), (0, -size % 64))), axis=1, bitorder="little").view(np.uint32)
    record = random.integers(0, 1 << bench.record_width, count * beats)
    last = np.tile(np.arange(beats) == beats - 1, count).astype(np.uint8)
    data = entries.view(np.uint64)[:, 0] if size <= 64 else entries[:, : -(-size // 32)]
    ports = {"s_axis_tdata": data, "s_axis_tuser": record, "s_axis_tlast": last}
    lead = RESET + table.size
    ports = stream(ports, count * beats, bench.latency, lead)
    addresses = np.arange(bench.table_columns)[:, None] << fmt.bits | np.arange(fmt.levels)
    writes = {"table_write_i": np.ones(table.size, np.uint8), "table_address_i": addresses, "table_data_i": table}
    ports |= {name: _placed(array.reshape(-1), len(ports["rst_ni"]), RESET) for name, array in writes.items()}
    expected = np.stack(rows.arrays(QFormat(width, 0)))

    def check(outputs: Ports) -> int:
        shown = slice(lead + bench.latency, None)
        assert outputs["m_axis_tvalid"][shown].all()
        words = unpacked(outputs["m_axis_tdata"][shown], 0, 2 * fmt.lanes, width)
        words = words.reshape(count, beats, 2, fmt.lanes).transpose(2, 0, 1, 3).reshape(2, count, -1)
        np.testing.assert_array_equal(words[:, :, :columns], expected)
        np.testing.assert_array_equal(outputs["m_axis_tuser"][shown], record)
        np.testing.assert_array_equal(outputs["m_axis_tlast"][shown], last)
        return count * columns

    return ports, check


STIMULI = {
    "mac": (mac, 1 << 15),
    "dot_product": (dot_product, 1 << 15),
    "model_update": (model_update, 1 << 16),
    "link_affine": (link, 1 << 16),
    "link_centred_table": (link, 1 << 16),
    "link_absolute_table": (link, 1 << 16),
    "double_sampler": (double_sampler, 1 << 17),
}
"""What makes the inputs of one call, and how many vectors a configuration gets in it."""


@pytest.mark.parametrize("unit", STIMULI)
def test_ten_million_vectors_equal_the_kernel(unit: str, seed: int) -> None:
    benches = BENCHES[unit].benches(CONFIGURATIONS[unit])
    bulk = Bulk(f"{unit}_bulk", [bench.unit for bench in benches])
    random = np.random.default_rng(seed)
    make, vectors = STIMULI[unit]
    compared = dict.fromkeys((bench.configuration.name for bench in benches), 0)
    while sum(compared.values()) < VECTORS:
        runs = [make(bench, random, vectors) for bench in benches]
        cycles = max(len(ports["rst_ni"]) for ports, _ in runs)
        inputs = [{name: _stretched(array, cycles) for name, array in ports.items()} for ports, _ in runs]
        for bench, (ports, check), outputs in zip(benches, runs, bulk.run(inputs), strict=True):
            own = len(ports["rst_ni"])
            compared[bench.configuration.name] += check({name: array[:own] for name, array in outputs.items()})
    assert min(compared.values()) >= VECTORS // len(benches) // 2


def _stretched(array: NDArray[np.integer], cycles: int) -> NDArray[np.integer]:
    """Return an array of as many rows as the longest of the run; what is added is not looked at."""
    if len(array) in (1, cycles):
        return array
    return np.pad(array, ((0, cycles - len(array)), *((0, 0) for _ in array.shape[1:])))
