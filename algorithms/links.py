"""The link between dot product and coefficient: its registers, tables and records, from a curve and the scales.

With δ_x the worth of a data word's last bit, δ_z that of the model's and δ_c = δ_z·2^−(sh+sp)/δ_x that of the
coefficient, a dot product t is worth δ_x·δ_z·t, and c is α times a difference of Φ', in units of δ_c.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algorithms.curves import Curve, Floats
from sim.datapath import Link, TrainingDatapath
from sim.engine import Registers
from sim.errors import InputError
from sim.formats import QFormat
from sim.host import scale_register
from sim.modes import Overflow
from sim.quantize import INTERMEDIATE_BITS, quantize

SPAN = 8.0
"""Tables cover margins, and their changes, from −8 up to 8: the logistic curve is flat beyond."""
Words = NDArray[np.int64]


def grid(bits: int) -> Floats:
    """Return the 2^bits points of a table's axis, −8 first, 0 in the middle.

    Example:
        >>> grid(2)
        array([-8., -4.,  0.,  4.])
    """
    half = 1 << bits >> 1
    points: Floats = (np.arange(1 << bits) - half) * np.float64(SPAN / max(half, 1))
    return points


def secants(curve: Curve, margins: Floats, changes: Floats) -> Floats:
    """Return (Φ'(φ + Δ) − Φ'(φ))/Δ for margins φ and changes Δ, shape (φ, Δ); Φ'' where Δ = 0.

    Example:
        >>> from algorithms.curves import LOGISTIC
        >>> secants(LOGISTIC, np.array([0.0]), np.array([0.0, 8.0])).round(4)
        array([[0.25  , 0.0625]])
    """
    at = margins[:, None]
    apart = np.where(changes == 0.0, 1.0, changes)
    slopes = (curve.response(at + apart) - curve.response(at)) / apart
    return np.where(changes == 0.0, curve.slope(at), slopes)


@dataclass(frozen=True, eq=False)
class CentredLink:
    """c ∝ Φ'(φ_i + x_i·z) − Φ'(φ_i), for algorithms that subtract the gradient at a centre: HALP and LP-SVRG.

    A quadratic curve needs the affine link, any other a table of secant slopes. Only the index registers depend on δ_z.

    Attributes:
        curve: of the loss.
        datapath: widths of registers and tables.
        step: α.
        data_scale: δ_x.
    """

    curve: Curve
    datapath: TrainingDatapath
    step: float
    data_scale: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.curve.curvature):
            raise InputError(
                "loss: got one whose slope jumps; allowed: smooth losses where a centre's slope is subtracted"
            )
        _ = self.register  # a step that no register holds is refused before anything else is computed

    @property
    def factor(self) -> float:
        """Last bits of the coefficient for a last bit of the dot product and a slope of 1: α·δ_x²·2^(sh+sp)."""
        cuts = self.datapath.increment.fraction + self.datapath.product.cut
        return self.step * self.data_scale * self.data_scale * 2.0**cuts

    @cached_property
    def register(self) -> tuple[int, int]:
        """The multiplier m and the shift S of the largest slope's factor."""
        path = self.datapath
        bits = path.link.multiplier_bits if self.curve.is_quadratic else path.link.slope_bits
        return scale_register(self.curve.curvature * self.factor, bits, "step·(data scale)²·2^(sh + sp)")

    @cached_property
    def table(self) -> Words:
        """The slopes R, unsigned words, shape (2^grid_bits, 2^index_bits)."""
        path = self.datapath.link
        slopes = secants(self.curve, grid(path.grid_bits), grid(path.index_bits))
        exact = np.ldexp(np.maximum(slopes, 0.0) * self.factor, self.register[1])
        words = quantize(exact, QFormat(path.slope_bits, 0, signed=False), overflow=Overflow.SAT)
        return words.astype(np.int64)

    def record(self, scale: float, margins: Floats) -> dict[str, Any]:
        """Return the link's part of a job.

        Args:
            scale: δ_z.
            margins: φ of every sample at the centre, shape (N,).
        """
        if self.curve.is_quadratic:
            return {"link": Link.AFFINE, "registers": Registers(*self.register)}
        index = index_register(self.datapath, self.data_scale * scale)
        axis = grid(self.datapath.link.grid_bits)
        spacing = axis[1] - axis[0] if len(axis) > 1 else 1.0
        nearest = np.rint(margins / spacing) + len(axis) // 2
        return {
            "link": Link.CENTRED_TABLE,
            "registers": Registers(0, self.register[1], *index),
            "table": self.table,
            "grid": np.clip(nearest, 0, len(axis) - 1).astype(np.int64),
        }


@dataclass(frozen=True, eq=False)
class AbsoluteLink:
    """c ∝ Φ'(x_i·z) − y_i, for LP-SGD and ZipML: the affine link with an offset, or a table of Φ'.

    Attributes:
        curve: of the loss.
        datapath: widths of registers and tables.
        step: α.
        data_scale: δ_x.
        scale: δ_z.
        responses: y, shape (N,).
    """

    curve: Curve
    datapath: TrainingDatapath
    step: float
    data_scale: float
    scale: float
    responses: Floats = field(repr=False)

    @cached_property
    def record(self) -> dict[str, Any]:
        """The link's part of a job, the same in every epoch."""
        path = self.datapath
        cuts = path.increment.fraction + path.product.cut
        if self.curve.is_quadratic:
            offset = self.responses / (self.data_scale * self.scale)
            fmt = QFormat(path.accumulator.width, 0)
            if not float(np.abs(offset).max()) < fmt.high:
                raise InputError(
                    f"delta: got {self.scale}; allowed: a worth of the last bit at which the targets fit the "
                    f"accumulator's {fmt.width} bits"
                )
            factor = self.step * self.data_scale * self.data_scale * 2.0**cuts
            name = "step·(data scale)²·2^(sh + sp)"
            return {
                "link": Link.AFFINE,
                "registers": Registers(*scale_register(factor, path.link.multiplier_bits, name)),
                "offsets": -quantize(offset, fmt).astype(np.int64),
            }
        axis, fmt = grid(path.link.index_bits), QFormat(path.link.table_bits, 0)
        values = self.curve.response(axis)
        unit = 2.0 ** (path.link.table_bits - 2)  # |Φ'| and |y| are at most 1
        factor = self.step * self.data_scale * 2.0**cuts / (self.scale * unit)
        return {
            "link": Link.ABSOLUTE_TABLE,
            "registers": Registers(
                *scale_register(factor, path.link.multiplier_bits, "step·(data scale)·2^(sh + sp)/delta"),
                *index_register(path, self.data_scale * self.scale),
            ),
            "table": quantize(values * unit, fmt).astype(np.int64),
            "targets": quantize(self.responses * unit, fmt).astype(np.int64),
        }


def index_register(path: TrainingDatapath, worth: float) -> tuple[int, int]:
    """Return M and S1, which turn a dot product whose last bit is worth `worth` into a table index."""
    axis = grid(path.link.index_bits)
    factor = worth / (axis[1] - axis[0])
    if factor < 2.0**-INTERMEDIATE_BITS:  # no dot product reaches half an index: u is 0
        return 0, 0
    return scale_register(factor, path.link.multiplier_bits, "(data scale)·(model scale)/(spacing of the table)")
