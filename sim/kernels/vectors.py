"""Vectors in kernels: sixteen integers of 32 or 64 bits, in whatever vector instructions the processor has.

Written as a loop over numbers, a long chain of casts becomes vector code only if the compiler proves that no two arrays
overlap and that no number needs more bits than its array has; written in vectors it always does. Operators, comparisons
(1 where true), `min`, `max` work lane by lane. A number beside a vector stands in each lane, brought into the range of
its bits; shifts by more than the width shift by the width less one.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]  # published without types
from numba import extending
from numba.core import cgutils, errors, types

LANES = 16
"""Numbers in a vector."""
_in_kernels: Any = extending.intrinsic
_overload: Any = extending.overload
_Primitive: Any = extending.models.PrimitiveModel


def padded(count: int) -> int:
    """Return so many entries filled up to whole vectors."""
    return -(-count // LANES) * LANES


class Vector(types.Type):
    """The type of a vector whose lanes have a number of bits, 32 or 64."""

    def __init__(self, bits: int) -> None:
        self.bits = bits
        self.llvm = ir.VectorType(ir.IntType(bits), LANES)
        super().__init__(name=f"Vector({bits})")


@extending.register_model(Vector)
class _VectorModel(_Primitive):  # type: ignore[misc]  # a base without types
    def __init__(self, manager: Any, vector: Vector) -> None:
        super().__init__(manager, vector, vector.llvm)


def _constant(llvm: ir.VectorType, value: int) -> ir.Constant:
    return ir.Constant(llvm, [value] * LANES)


def _filled(context: Any, builder: ir.IRBuilder, value: Any, kind: Any, vector: Vector) -> Any:
    """Return a vector, or a number in each lane, brought into the range of the lanes."""
    if isinstance(kind, Vector):
        return value
    value = context.cast(builder, value, kind, types.int64)
    if vector.bits < 64:
        for sign, end in (("<", (1 << (vector.bits - 1)) - 1), (">", -(1 << (vector.bits - 1)))):
            limit = ir.Constant(value.type, end)
            value = builder.select(builder.icmp_signed(sign, value, limit), value, limit)
        value = builder.trunc(value, vector.llvm.element)
    undefined = ir.Constant(vector.llvm, ir.Undefined)
    first = builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, undefined, _constant(ir.VectorType(ir.IntType(32), LANES), 0))


def _loaded(context: Any, builder: ir.IRBuilder, array: Any, kind: Any, at: Any, vector: Vector) -> Any:
    """Return sixteen entries of an array, in lanes of another width."""
    values = builder.load(_place(context, builder, array, kind, at), align=1)
    if kind.dtype.bitwidth < vector.bits:
        return (builder.sext if kind.dtype.signed else builder.zext)(values, vector.llvm)
    return builder.trunc(values, vector.llvm) if kind.dtype.bitwidth > vector.bits else values


def _place(context: Any, builder: ir.IRBuilder, array: Any, kind: Any, at: Any) -> Any:
    """Return the pointer to sixteen entries of an array."""
    data = context.make_array(kind)(context, builder, array).data
    entries = ir.VectorType(ir.IntType(kind.dtype.bitwidth), LANES)
    return builder.bitcast(builder.gep(data, [at]), entries.as_pointer())


def _require_adjacent(kind: Any) -> None:
    """Refuse, when a kernel is compiled, an array whose entries may lie apart."""
    if isinstance(kind, types.Array) and kind.layout != "C":
        raise errors.NumbaTypeError(f"vectors: got {kind}; allowed: C arrays")


@_in_kernels
def lanes(typing: Any, value: Any, at: Any, like: Any) -> Any:
    """Return a vector as wide as the entries of the array `like`, from an array, a number, or a named tuple of either.

    An array gives its entries from `at` on: sixteen, so that it needs that many. A number stands in each lane.
    """
    vector = Vector(like.dtype.bitwidth)
    one = not isinstance(value, types.BaseNamedTuple)
    result = vector if one else types.NamedUniTuple(vector, len(value), value.instance_class)
    for kind in [value] if one else value:
        _require_adjacent(kind)

    def code(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        values, place, _ = arguments
        place = context.cast(builder, place, signature.args[1], types.intp)
        found = []
        members = [(values, value)] if one else zip(cgutils.unpack_tuple(builder, values), value, strict=True)
        for member, kind in members:
            if isinstance(kind, types.Array):
                found.append(_loaded(context, builder, member, kind, place, vector))
            else:
                found.append(_filled(context, builder, member, kind, vector))
        return found[0] if one else context.make_tuple(builder, result, found)

    return result(value, at, like), code


@_in_kernels
def store(typing: Any, vector: Any, array: Any, at: Any) -> Any:
    """Write a vector to sixteen entries of an array from `at` on; lanes lose the bits that entries have not."""
    _require_adjacent(array)

    def code(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        values, into, place = arguments
        place = context.cast(builder, place, signature.args[2], types.intp)
        entries = ir.VectorType(ir.IntType(array.dtype.bitwidth), LANES)
        if array.dtype.bitwidth < vector.bits:
            values = builder.trunc(values, entries)
        elif array.dtype.bitwidth > vector.bits:
            values = builder.sext(values, entries)
        builder.store(values, _place(context, builder, into, array, place), align=1)
        return context.get_dummy_value()

    return types.void(vector, array, at), code


@_in_kernels
def numbers(typing: Any, like: Any) -> Any:
    """Return the numbers of the lanes, 0 to 15, as wide as the entries of the array `like`."""
    vector = Vector(like.dtype.bitwidth)

    def code(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        return ir.Constant(vector.llvm, list(range(LANES)))

    return vector(like), code


@_in_kernels
def where(typing: Any, condition: Any, value: Any, other: Any) -> Any:
    """Return `value` in the lanes where a vector is not 0, `other` elsewhere."""

    def code(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        given = zip(arguments, signature.args, strict=True)
        chosen, *both = (_filled(context, builder, argument, kind, condition) for argument, kind in given)
        return builder.select(builder.icmp_signed("!=", chosen, _constant(condition.llvm, 0)), *both)

    return condition(condition, value, other), code


@_in_kernels
def prefetch(typing: Any, array: Any, at: Any) -> Any:
    """Ask for the memory of an entry of an array, to be read soon."""

    def code(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        place = context.cast(builder, arguments[1], signature.args[1], types.intp)
        pointer = builder.bitcast(_place(context, builder, arguments[0], array, place), ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [pointer, *(ir.Constant(number, value) for value in (0, 3, 1))])
        return context.get_dummy_value()

    return types.void(array, at), code


def _reduction(name: str) -> Any:
    @_in_kernels
    def reduced(typing: Any, vector: Any) -> Any:
        def code(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
            wide = ir.VectorType(ir.IntType(64), LANES)
            values = builder.sext(arguments[0], wide) if vector.bits < 64 else arguments[0]
            kind = ir.FunctionType(wide.element, [wide])
            function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.vector.reduce.{name}.v{LANES}i64")
            return builder.call(function, [values])

        return types.int64(vector), code

    return reduced


total, smallest, largest = (_reduction(name) for name in ("add", "smin", "smax"))
"""The sum of all lanes, the smallest, the largest: numbers of 64 bits."""


def _within(builder: ir.IRBuilder, amount: Any) -> Any:
    """Return shift amounts of at most the width less one: past it the compiler would do as it likes."""
    most = _constant(amount.type, amount.type.element.width - 1)
    return builder.select(builder.icmp_unsigned("<", amount, most), amount, most)


def _compared(sign: str) -> Callable[..., Any]:
    return lambda builder, x, y: builder.zext(builder.icmp_signed(sign, x, y), x.type)


def _chosen(sign: str) -> Callable[..., Any]:
    return lambda builder, x, y: builder.select(builder.icmp_signed(sign, x, y), x, y)


_OPERATORS: dict[Any, Callable[..., Any]] = {
    operator.add: ir.IRBuilder.add,
    operator.sub: ir.IRBuilder.sub,
    operator.mul: ir.IRBuilder.mul,
    operator.and_: ir.IRBuilder.and_,
    operator.xor: ir.IRBuilder.xor,
    operator.lshift: lambda builder, x, y: builder.shl(x, _within(builder, y)),
    operator.rshift: lambda builder, x, y: builder.ashr(x, _within(builder, y)),
    operator.ne: _compared("!="),
    operator.lt: _compared("<"),
    min: _chosen("<"),
    max: _chosen(">"),
}


def _install(function: Any, emit: Callable[..., Any]) -> None:
    @_in_kernels
    def lane_by_lane(typing: Any, left: Any, right: Any) -> Any:
        vector = left if isinstance(left, Vector) else right

        def code(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
            given = zip(arguments, signature.args, strict=True)
            return emit(builder, *(_filled(context, builder, argument, kind, vector) for argument, kind in given))

        return vector(left, right), code

    @_overload(function, strict=False)
    def of_vectors(left: Any, right: Any) -> Any:
        if isinstance(left, Vector) or isinstance(right, Vector):
            return lambda left, right: lane_by_lane(left, right)  # noqa: PLW0108 - numba takes a function alone
        return None


for _function, _emit in _OPERATORS.items():
    _install(_function, _emit)


@_overload(operator.neg, strict=False)
def _negated(value: Any) -> Any:
    return (lambda value: 0 - value) if isinstance(value, Vector) else None
