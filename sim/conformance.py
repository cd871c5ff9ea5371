"""The conformance set: vectors that pin the arithmetic, for this package and for ports of it to other languages.

`sim/vectors/conformance.json` holds inputs and outputs of casts in every mode, quantization from reals, accumulators,
generators and engine epochs. `ARITHMETIC_VERSION` goes into every record of a
run; a test fails when the set changes and the version does not. To make a new version: raise the number, then run
`python -m sim.conformance`, which writes the file and prints its digest for `DIGESTS`.
"""

from __future__ import annotations

import hashlib
import json
from importlib import resources
from itertools import islice
from typing import Any

ARITHMETIC_VERSION = 1
"""Number of the arithmetic; results of two versions need not be equal."""

DIGESTS = {1: "eb36f12907f6d181cb05882530e5cac863d167b681b8e74212e71c2361f4f324"}
"""SHA-256 of the conformance set of each version."""


def conformance_set() -> dict[str, Any]:
    """Return the shipped conformance set.

    Example:
        >>> sorted(conformance_set())
        ['accumulators', 'arithmetic_version', 'casts', 'engine', 'generators', 'quantize']
    """
    text = (resources.files("sim") / "vectors" / "conformance.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def digest(vectors: dict[str, Any]) -> str:
    """Return the SHA-256 of a conformance set in canonical JSON.

    Example:
        >>> digest(conformance_set()) == DIGESTS[ARITHMETIC_VERSION]
        True
    """
    canonical = json.dumps(vectors, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def computed_set() -> dict[str, Any]:
    """Return the conformance set computed anew by the reference."""
    return {
        "arithmetic_version": ARITHMETIC_VERSION,
        "casts": _casts(),
        "quantize": _quantize(),
        "accumulators": _accumulators(),
        "generators": _generators(),
        "engine": _engine(),
    }


def _casts() -> list[dict[str, Any]]:
    """All values of 6 bits in every mode: cut, overflow and, for stochastic modes, all words of 3 bits."""
    from sim.modes import Overflow, Rounding
    from sim.reference import cast

    vectors = []
    for rounding in Rounding:
        for cut, width in ((-1, 6), (0, 5), (1, 5), (2, 3), (5, 2), (7, 2)):
            for overflow in (Overflow.WRAP, Overflow.SAT, Overflow.SAT_SYM):
                bits = 3 if rounding.is_stochastic else 0
                for centered in (True, False) if bits and cut > bits else (True,):
                    pairs = [(value, word) for value in range(-32, 32) for word in range(1 << bits)]
                    out = [cast(v, cut, width, True, rounding, overflow, w, bits, centered) for v, w in pairs]
                    vectors.append(
                        {"rounding": rounding, "overflow": overflow, "cut": cut, "source_width": 6, "width": width,
                         "random_bits": bits, "centered": centered, "out": out}
                    )  # fmt: skip
    return vectors


def _quantize() -> list[dict[str, Any]]:
    """Reals as hexadecimal floats, to sfix6_En2 and back; stochastic with the word 5 of 3 bits."""
    from sim.formats import QFormat
    from sim.modes import Rounding
    from sim.quantize import quantize
    from sim.random_bits import RandomWords

    reals = [0.0, 0.125, 0.375, -0.125, -0.375, 1 / 3, -1 / 3, 2.0**-60, -(2.0**-60), 7.8, 8.0, -8.2, 1e300, -1e300]
    target = QFormat(6, 2)
    return [
        {"rounding": rounding, "format": str(target), "word": word, "in": [x.hex() for x in reals],
         "out": quantize(reals, target, rounding, random=RandomWords([word], 3) if word else None).tolist()}
        for rounding in Rounding
        for word in ([5] if rounding.is_stochastic else [0])
    ]  # fmt: skip


def _accumulators() -> list[dict[str, Any]]:
    """Dot products of 20 words of 6 bits, drawn from a generator."""
    from sim.modes import Overflow
    from sim.random_bits import Xorshift32
    from sim.reference import accumulate

    words = (Xorshift32(1).words(40) % 64 - 32).tolist()
    a, b = words[:20], words[20:]
    vectors = []
    for overflow in (Overflow.WRAP, Overflow.SAT, Overflow.SAT_SYM):
        for width, lanes in ((10, 1), (10, 4), (12, 16), (17, 8)):
            total, totals = 0, []
            for start in range(0, 20, lanes):
                products = [x * y for x, y in zip(a[start : start + lanes], b[start : start + lanes], strict=True)]
                total = accumulate(total, products, width, overflow)
                totals.append(total)
            vectors.append(
                {"overflow": overflow, "width": width, "lanes": lanes, "a": a, "b": b, "total_after_beat": totals}
            )
    return vectors


def _generators() -> list[dict[str, Any]]:
    """First words, words after a jump, seeds and row numbers of each kind of generator."""
    from sim.random_bits import Lfsr, Role, Xorshift32, generator_seed, row_indices

    vectors = []
    for role in Role:
        seed = generator_seed(7, role, 1)
        far = 1_000_000
        for name, make in (
            ("xorshift32", lambda at, s=seed: Xorshift32(s, at)),
            ("lfsr32", lambda at, s=seed: Lfsr(s, 32, position=at)),
            ("lfsr48 leap 8", lambda at, s=seed: Lfsr(s, 48, leap=8, position=at)),
        ):
            vectors.append(
                {"generator": name, "run_seed": 7, "role": role.name, "index": 1, "seed": seed,
                 "words": list(islice(make(0), 8)), "position": far, "words_at_position": make(far).words(4).tolist(),
                 "row_indices_of_1000": row_indices(make(0), 1000, 8).tolist()}
            )  # fmt: skip
    return vectors


def _engine() -> list[dict[str, Any]]:
    """One short epoch of each link on datapaths of all kinds: every stage overflows, every random source is used."""
    import numpy as np
    from msgspec.structs import replace

    from sim.datapath import (
        Accumulation,
        Coefficient,
        Generator,
        Increment,
        Link,
        Model,
        RandomGenerator,
        TrainingDatapath,
    )
    from sim.engine import EpochJob, Registers, run
    from sim.modes import Overflow, Rounding
    from sim.random_bits import Xorshift32
    from sim.rows import RawRows

    preset = TrainingDatapath.preset
    paths = [
        replace(preset("halp8"), lanes=4),
        replace(preset("halp8_blocks"), lanes=4),
        replace(preset("halp8"), lanes=8, accumulator=Accumulation(width=14, overflow=Overflow.WRAP)),
        replace(preset("halp8"), lanes=4, model=Model(random_bits=4), biased_ok=True),
        replace(preset("halp8"), lanes=2, coefficient=Coefficient(width=4), increment=Increment(width=9, fraction=6)),
        replace(
            preset("halp8"),
            lanes=2,
            model=Model(rounding=Rounding.TIES_EVEN, random_bits=0, overflow=Overflow.SAT_SYM),
            coefficient=Coefficient(width=12, rounding=Rounding.STOCHASTIC),
            generator=RandomGenerator(kind=Generator.LFSR, width=40, leap=8),
        ),
        replace(preset("halp8"), lanes=16, generator=RandomGenerator(kind=Generator.LFSR)),
    ]
    rows, columns, steps = 6, 10, 12
    vectors = []
    for path in paths:
        for link in Link:
            draw = Xorshift32(99).words

            def words(bits: int, shape: Any, draw: Any = draw) -> Any:
                return (draw(int(np.prod(shape))) >> (32 - bits)).reshape(shape)

            def signed(bits: int, shape: Any, words: Any = words) -> Any:
                return words(bits, shape) - (1 << (bits - 1))

            links = path.link
            shapes: dict[Link, Any] = {
                Link.AFFINE: None,
                Link.CENTRED_TABLE: (1 << links.grid_bits, 1 << links.index_bits),
                Link.ABSOLUTE_TABLE: (1 << links.index_bits,),
            }
            shape = shapes[link]
            table_bits = links.table_bits - 1 if link is Link.ABSOLUTE_TABLE else links.slope_bits
            twin = signed(path.data.width, (rows, columns)) if path.lanes == 2 else None  # two samples of each row
            job = EpochJob(
                path,
                link,
                RawRows(signed(path.data.width, (rows, columns)), twin),
                indices=words(16, steps) % rows,
                z=signed(path.model.width, columns),
                h=signed(path.increment.width, columns) // 8,
                registers=Registers(40_000, 24, 50_000, 26),
                table=[] if shape is None else words(table_bits, shape),
                exponents=words(3, -(-columns // path.lanes)) % (path.exponents.maximum + 1),
                offsets=signed(12, rows),
                grid=words(links.grid_bits, rows) if link is Link.CENTRED_TABLE else [],
                targets=words(table_bits, rows) if link is Link.ABSOLUTE_TABLE else [],
                seed=5,
                first_step=1000,
            )
            result = run(job, "reference")
            arrays = ("indices", "z", "h", "table", "exponents", "offsets", "grid", "targets")
            registers = {name: getattr(job.registers, name) for name in Registers.__slots__}
            vectors.append(
                {"datapath": path.to_toml(), "link": link, "rows": job.rows.dot.tolist(),
                 "update_rows": [] if twin is None else twin.tolist(), "seed": 5, "first_step": 1000,
                 "registers": registers, **{name: np.asarray(getattr(job, name)).tolist() for name in arrays},
                 "out": {"z": result.z.tolist(), "counts": result.counts, "cycles": result.cycles,
                         "extremes": {node: list(ends) for node, ends in result.extremes.items()}}}
            )  # fmt: skip
    return vectors


def _write() -> None:
    vectors = computed_set()
    with resources.as_file(resources.files("sim") / "vectors" / "conformance.json") as path:
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(vectors, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"version {ARITHMETIC_VERSION}: {digest(vectors)}")  # noqa: T201  # a command: it prints


if __name__ == "__main__":
    _write()
