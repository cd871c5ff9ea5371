"""The double sampler's circuit decodes packed rows as the reference does, in every format that a row may have."""

from itertools import product
from typing import Any

import numpy as np
import pytest

from rtl_models.benches.bench import Configuration
from rtl_models.benches.double_sampler import CONFIGURATIONS, DoubleSamplerBench, row_parameters
from rtl_models.benches.units import BENCHES
from rtl_models.build import BuildError, Design, build
from rtl_models.elaborate import elaborate, instance, literal, sources
from rtl_models.verification import verify
from sim.datapath import TrainingDatapath
from sim.errors import InputError
from sim.formats import QFormat
from sim.packed_rows import PackedRows
from sim.row_formats import Base, RowFormat

pytestmark = pytest.mark.cosim

MANY, FEW = 10_000, 1_500
"""Beats of the six configurations that are checked longest, and of all others."""


@pytest.fixture(scope="module")
def benches() -> list[DoubleSamplerBench]:
    return [bench for bench in DoubleSamplerBench.benches(CONFIGURATIONS) if isinstance(bench, DoubleSamplerBench)]


def test_every_configuration_equals_the_reference(seed: int, benches: list[DoubleSamplerBench]) -> None:
    narrowest = sorted(range(len(benches)), key=lambda n: benches[n].fmt.lanes)
    transactions = [MANY if n in narrowest[:6] else FEW for n in range(len(benches))]
    results = verify("double_sampler", CONFIGURATIONS, transactions, seed)
    assert not [result.failure for result in results if result.failure]
    assert not {result.configuration: result.missed for result in results if result.missed}
    assert sum(result.transactions >= MANY for result in results) >= 6


def test_configurations_cover_what_a_row_format_offers(benches: list[DoubleSamplerBench]) -> None:
    formats = [bench.fmt for bench in benches]
    assert {(fmt.base, fmt.signed) for fmt in formats} == set(product(Base, (False, True)))
    assert {(fmt.base, bench.table_columns > 0) for fmt, bench in zip(formats, benches, strict=True)} == set(
        product(Base, (False, True))
    )
    assert {min(bench.table_columns, 2) for bench in benches} == {0, 1, 2}
    assert {1, 2, 3, 4, 8} <= {fmt.bits for fmt in formats}
    assert {1, 2, 3, 16} <= {fmt.samples for fmt in formats}
    assert {"smaller", "equal", "larger"} == {
        "equal" if a == b else "smaller" if a < b else "larger" for a, b in (bench.uses for bench in benches)
    }
    assert {bench.latency for bench in benches} >= {1, 2, 4, 5}


def test_every_entry_hits_just_the_bins_of_its_format(benches: list[DoubleSamplerBench]) -> None:
    """No bin that some beat of a narrow format hits is left out, none that stays is out of reach."""
    narrow = [bench for bench in benches if bench.fmt.stored_bits <= 8 and not bench.by_column]
    assert len(narrow) >= 6
    for bench in narrow:
        fmt = bench.fmt
        hits: set[tuple[str, Any]] = set()
        for entry in range(1 << fmt.stored_bits):
            row = entry.to_bytes(fmt.row_bytes(1), "little")
            rows = PackedRows(fmt, 1, np.frombuffer(row, np.uint8)[None])
            a, b = (int(rows.samples(which)[0, 0]) for which in bench.uses)
            hits |= set(bench._hits([entry], [a], [b]))
        points = bench.points()
        for point in {"entry", "sample", "level"} & set(points):
            assert {hit for name, hit in hits if name == point} == set(points[point])


def test_the_bench_names_every_port(benches: list[DoubleSamplerBench]) -> None:
    """No port of the unit is left undriven or unread."""
    bench = benches[0]
    sides = (("s_axis", bench.inputs), ("m_axis", bench.outputs))
    streams = {f"{side}_{name}" for side, names in sides for name in (*names, "tvalid", "tready")}
    table = {"table_write_i", "table_address_i", "table_data_i"}
    assert {port.name for port in bench.unit.ports} == {"clk_i", "rst_ni", *streams, *table}


def test_parameters_come_from_rows_and_datapath() -> None:
    rows = PackedRows.pack([[[0, 4, 1]], [[1, 4, 0]]], RowFormat(bits=3, lanes=2), np.arange(15).reshape(3, 5), (1, 0))
    unit = elaborate("double_sampler", [row_parameters(rows, 8)])[0]
    assert (unit.width("s_axis_tdata"), unit.width("m_axis_tdata")) == (2 * rows.fmt.stored_bits, 2 * 2 * 8)
    expected = {"DotSample": 1, "UpdateSample": 0, "TableColumns": 3, "Tables": rows.fmt.beats(3), "SampleBase": 1}
    assert expected.items() <= unit.constants.items()
    assert unit.constants["EntryWidth"] == rows.fmt.stored_bits


@pytest.mark.parametrize(
    ("columns", "tables", "held", "most"),
    [(4, 4, 3, 3), (4, 1, 3, 3), (3, 3, 1, 1), (3, 3, 0, 0), (65537, 65537, None, 65536)],
)
def test_rows_longer_than_the_tables_are_refused_in_one_line(
    columns: int, tables: int, held: int | None, most: int
) -> None:
    rows = PackedRows.pack(np.zeros((2, 1, columns), int), RowFormat(bits=1), np.zeros((tables, 2), int))
    with pytest.raises(
        InputError, match=f"^rows: got {columns} columns; allowed: at most {most}, which have level tab"
    ):
        row_parameters(rows, 8, held)


def test_rows_up_to_the_tables_are_taken() -> None:
    rows = PackedRows.pack(np.zeros((2, 1, 4), int), RowFormat(bits=1), np.zeros((1, 2), int))
    assert row_parameters(rows, 8)["TableColumns"] == row_parameters(rows, 8, 1)["TableColumns"] == 1  # one for all
    assert row_parameters(rows, 8, 4)["TableColumns"] == 4


@pytest.mark.parametrize("width", [2, 4, 8, 9, 24])
def test_every_datapath_has_a_double_sampler(width: int) -> None:
    """Samples are as wide as data words, of which the engine takes them; wider words come from a table."""
    path = TrainingDatapath().with_fields({"data.width": width})
    bench = BENCHES["double_sampler"].benches([Configuration("path", path)])[0]
    assert isinstance(bench, DoubleSamplerBench)
    assert bench.fmt.lanes == path.lanes
    assert bench.width == width
    assert bench.table_columns or QFormat(width, 0).low <= bench.fmt.low <= bench.fmt.high <= QFormat(width, 0).high


def test_the_circuit_takes_the_formats_that_python_takes() -> None:
    """What RowFormat refuses the circuit refuses; what it takes elaborates, with entries of as many bits."""
    taken, expected = [], []
    for bits, samples, base, signed in product((0, 1, 2, 8, 9), (0, 1, 2, 4, 5, 16, 17), Base, (False, True)):
        given = {"SampleBits": bits, "Samples": samples, "SampleBase": base, "SampleSigned": signed}
        given |= {"UpdateSample": 0, "DataWidth": 9, "Lanes": 2}
        try:
            fmt = RowFormat(bits=bits, samples=samples, base=base, signed=signed)
        except InputError:
            with pytest.raises(InputError, match=": got"):
                elaborate("double_sampler", [given])
        else:
            taken.append(given)
            expected.append(fmt.stored_bits)
    units = elaborate("double_sampler", taken)
    assert [unit.constants["EntryWidth"] for unit in units] == expected
    assert len(expected) >= 20


REFUSED = [
    ({"Lanes": 3}, "Lanes: got 3; allowed: a power of two to 256"),
    ({"DataWidth": 33}, "DataWidth: got 33; allowed: 2 to 32"),
    ({"DataWidth": 3}, "DataWidth: got 3; allowed: at least 4, the bits of a signed sample"),
    ({"SampleBits": 1, "SampleSigned": True}, "SampleBits: got 1; allowed: 1 to 8, 2 to 8 if signed"),
    ({"Samples": 31}, "Samples: got 31; allowed: 1 to 16, of at most 32 bits"),
    ({"Samples": 17, "SampleBase": Base.INDEPENDENT, "SampleBits": 1}, "Samples: got 17; allowed: 1 to 16, of at most"),
    ({"DotSample": 2}, "DotSample: got 2; allowed: below Samples"),
    ({"Samples": 1}, "UpdateSample: got 1; allowed: below Samples"),
    ({"TableColumns": 65537}, "TableColumns: got 65537; allowed: 0 to 65536"),
    ({"TableColumns": 1, "SampleSigned": True}, "TableColumns: got 1; allowed: 0 to 65536, 0 if samples are signed"),
    ({"RecordWidth": 0}, "RecordWidth: got 0; allowed: at least 1"),
    ({"SampleStages": 5}, "SampleStages: got 5; allowed: 0 to 4"),
    ({"WordStages": 0}, "WordStages: got 0; allowed: 1 to 4"),
]


@pytest.mark.parametrize(("parameters", "message"), REFUSED)
def test_a_parameter_out_of_range_stops_the_elaboration(parameters: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=f"double_sampler {message}"):
        elaborate("double_sampler", [parameters])


def test_verilator_stops_too() -> None:
    parameters, message = REFUSED[-1]
    ports = [(port.name, "") for port in elaborate("double_sampler", [{}])[0].ports]
    given = {name: literal(value) for name, value in parameters.items()}
    text = f"module refused;\n{instance('double_sampler', given, 'u_unit', ports)}\nendmodule\n"
    with pytest.raises(BuildError, match=message):
        build(Design("refused", sources(), text))
