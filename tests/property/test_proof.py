"""The reference runs on bit-vectors too, and a solver proves it for every input of a width.

`sim.reference` uses integer operators and a select only. Here the same source makes SMT terms of 24 bits, in which no
intermediate of a 16-bit value wraps, and the solver looks for an input where the definition fails. There is none.
"""

import pytest
import z3

from sim.modes import Overflow, Rounding
from sim.reference import accumulate, apply_overflow, cast, round_shift, select_other
from tests.definitions import CIRCUIT_OVERFLOWS, DETERMINISTIC

BITS = 24
CUTS = range(1, 7)


def term(value):
    """A number or a term as a bit-vector of 24 bits."""
    return value if z3.is_bv(value) else z3.BitVecVal(value, BITS)


select_other.register(z3.BoolRef, lambda condition, yes, no: z3.If(condition, term(yes), term(no)))


def any_integer(name, bits, signed=True):
    """Any integer of so many bits, as a term of 24 bits."""
    extend = z3.SignExt if signed else z3.ZeroExt
    return extend(BITS - bits, z3.BitVec(name, bits))


X = any_integer("x", 16)


def counterexample(claim):
    """An input for which the claim fails, or None if the solver has proved that there is none."""
    solver = z3.Solver()
    solver.add(z3.Not(claim))
    answer = solver.check()
    assert answer != z3.unknown
    return solver.model() if answer == z3.sat else None


def distance(a, b):
    return z3.If(a > b, a - b, b - a)


def nearest(result, cut, tie):
    """No integer is closer to x·2^−cut, and one of two equally close ones satisfies `tie`."""
    twice, step = 2 * distance(X, result << cut), 1 << cut
    return z3.And(twice <= step, z3.Implies(twice == step, tie))


def definition(rounding, result, cut):
    """What it means that x·2^−cut rounds to this result, in units of x."""
    grid, step, odd = result << cut, 1 << cut, result & 1 == 1
    neighbour, exact = distance(X, grid) < step, grid == X
    outward = z3.If(X < 0, grid < X, grid > X)
    return {
        Rounding.TO_NEG: z3.And(neighbour, grid <= X),
        Rounding.TO_POS: z3.And(neighbour, grid >= X),
        Rounding.TO_ZERO: z3.And(neighbour, z3.Not(outward)),
        Rounding.TO_AWAY: z3.And(neighbour, z3.Or(exact, outward)),
        Rounding.TIES_EVEN: nearest(result, cut, z3.Not(odd)),
        Rounding.TIES_ODD: nearest(result, cut, odd),
        Rounding.TIES_AWAY: nearest(result, cut, outward),
        Rounding.TIES_ZERO: nearest(result, cut, z3.Not(outward)),
        Rounding.TIES_POS: nearest(result, cut, grid > X),
        Rounding.TIES_NEG: nearest(result, cut, grid < X),
        Rounding.TRN_MAG: z3.If(X < 0, z3.And(grid > X, grid <= X + step), z3.And(X - step < grid, grid <= X)),
        Rounding.JAM: z3.And(odd, grid - step <= X, grid + step > X),
        Rounding.JAM_UNBIASED: z3.And(neighbour, z3.Or(exact, odd), z3.Implies(X & (step - 1) == 0, exact)),
    }[rounding]


@pytest.mark.parametrize("rounding", DETERMINISTIC)
def test_every_16_bit_integer_is_rounded_as_defined(rounding):
    for cut in CUTS:
        assert counterexample(definition(rounding, round_shift(X, cut, rounding), cut)) is None


def test_a_wrong_tie_rule_is_refuted_by_a_tie():
    for cut in CUTS:
        found = counterexample(definition(Rounding.TIES_AWAY, round_shift(X, cut, Rounding.TIES_EVEN), cut))
        x = found.eval(X, model_completion=True).as_long()
        assert x % (1 << cut) == 1 << (cut - 1)


@pytest.mark.parametrize("centered", [True, False])
def test_every_16_bit_integer_with_every_word_of_four_bits_is_rounded_as_defined(centered):
    """The result is the floor of x·2^−cut + U; U is the word, and half a step more if centered and short of bits."""
    word, bits = any_integer("word", 4, signed=False), 4
    for cut in CUTS:
        result = round_shift(X, cut, Rounding.STOCHASTIC, word, bits, centered)
        fine = bits + 1  # all in units of x·2^−5
        lifted = (X << fine) + (2 * word + (1 if centered and bits < cut else 0) << cut)
        assert counterexample(z3.And(result << cut + fine <= lifted, lifted < result + 1 << cut + fine)) is None


@pytest.mark.parametrize("overflow", CIRCUIT_OVERFLOWS)
def test_every_cast_to_a_byte_is_the_congruent_or_the_closest_code(overflow):
    """Rounded as defined where that fits; else congruent modulo 256, or no other code is closer."""
    low = -127 if overflow is Overflow.SAT_SYM else -128
    other = any_integer("other", 8)
    for cut in CUTS:
        rounded = round_shift(X, cut, Rounding.TIES_EVEN)
        result = cast(X, cut, 8, True, Rounding.TIES_EVEN, overflow)
        if overflow is Overflow.WRAP:
            brought = (result - rounded) & 255 == 0
        else:
            brought = z3.Implies(other >= low, distance(result, rounded) <= distance(other, rounded))
        assert counterexample(z3.And(low <= result, result <= 127, brought)) is None


@pytest.mark.parametrize("overflow", [Overflow.SAT, Overflow.SAT_SYM])
def test_one_saturating_beat_is_the_exact_sum_where_it_fits_and_else_the_end_it_passed(overflow):
    """For every 16-bit accumulator and every four products of 16 bits."""
    low, high = -(1 << 15) + (overflow is Overflow.SAT_SYM), (1 << 15) - 1
    products = [any_integer(f"p{lane}", 16) for lane in range(4)]
    exact, result = X + sum(products), accumulate(X, products, 16, overflow)
    kept = z3.Implies(z3.And(low <= exact, exact <= high), result == exact)
    ended = z3.And(z3.Implies(exact < low, result == low), z3.Implies(exact > high, result == high))
    assert counterexample(z3.And(kept, ended)) is None


def test_an_exponent_shifts_the_exact_sum_of_a_beat():
    products = [any_integer("p0", 16), any_integer("p1", 16)]
    result = accumulate(X, products, 20, Overflow.SAT, exponent=3)
    exact = X + 8 * (products[0] + products[1])
    assert counterexample(z3.Implies(exact == apply_overflow(exact, 20, True, Overflow.WRAP), result == exact)) is None


def test_wrapping_is_associative_and_saturation_is_not():
    """The theorem behind the fast path of WRAP, and why SAT has none."""
    first, second = any_integer("first", 12), any_integer("second", 12)
    for overflow, associative in ((Overflow.WRAP, True), (Overflow.SAT, False)):
        in_two_beats = accumulate(accumulate(X, [first], 16, overflow), [second], 16, overflow)
        in_one_beat = accumulate(X, [first, second], 16, overflow)
        assert (counterexample(in_two_beats == in_one_beat) is None) == associative
