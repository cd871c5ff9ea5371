"""Generators as their definitions say, bit by bit; jumps as many steps; periods proved by arithmetic over GF(2)."""

from fractions import Fraction
from itertools import islice
from math import gcd

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim import random_bits
from sim.random_bits import (
    LANE_BITS,
    MAXIMAL_TAPS,
    Lfsr,
    RandomWords,
    Role,
    Xorshift32,
    generator_seed,
    lane_field,
    row_indices,
    splitmix64,
)

GENERATORS = [
    lambda position=0: Xorshift32(2463534242, position),
    lambda position=0: Lfsr(1, position=position),
    lambda position=0: Lfsr(0x1234567, width=37, leap=1, position=position),
    lambda position=0: Lfsr(2**64 - 1, width=64, leap=64, position=position),
    lambda position=0: Lfsr(77, width=48, taps=(48, 5), leap=7, position=position),
]
generators = pytest.mark.parametrize("make", GENERATORS, ids=["xorshift", "lfsr32", "lfsr37", "lfsr64", "lfsr48"])


def xorshift(state: int) -> int:
    """Marsaglia's three lines on an unsigned 32-bit integer."""
    state ^= state << 13 & 0xFFFFFFFF
    state ^= state >> 17
    state ^= state << 5 & 0xFFFFFFFF
    return state


def shift_once(bits: list[int], taps: tuple[int, ...]) -> list[int]:
    """One step of a Galois register, bit 0 first: shift towards bit 0; the bit that falls out is added at the taps."""
    return [bit ^ (bits[0] if place in taps else 0) for place, bit in enumerate([*bits[1:], 0], start=1)]


def test_xorshift_gives_the_published_sequence():
    """From the seed of Marsaglia's paper; its first output there is 723471715."""
    assert list(islice(Xorshift32(2463534242), 3)) == [723471715, 2497366906, 2064144800]
    state, generator = 2463534242, Xorshift32(2463534242)
    for _ in range(1000):
        state = xorshift(state)
        assert generator.next() == state


@pytest.mark.parametrize(("width", "leap"), [(32, 1), (32, 32), (33, 5), (47, 32), (64, 64)])
def test_lfsr_is_the_register_clocked_leap_times_a_word(width, leap):
    seed = (1 << width) - 12345
    generator, bits = Lfsr(seed, width, leap=leap), [seed >> place & 1 for place in range(width)]
    for _ in range(100):
        for _ in range(leap):
            bits = shift_once(bits, MAXIMAL_TAPS[width])
        assert generator.next() == sum(bit << place for place, bit in enumerate(bits[:32]))
        assert generator.state == sum(bit << place for place, bit in enumerate(bits))


@generators
def test_words_of_the_kernel_are_those_of_next(make):
    stepped, compiled = make(), make()
    expected = [stepped.next() for _ in range(300)]
    assert [*compiled.words(0), *compiled.words(1), *compiled.words(299)] == expected
    assert (compiled.state, compiled.position) == (stepped.state, stepped.position) == (stepped.state, 300)
    assert list(islice(make(), 300)) == expected


@generators
@given(position=st.integers(0, 100_000))
def test_a_jump_is_so_many_steps(make, position):
    stepped, jumped, started = make(), make(), make(position)
    stepped.words(position)
    jumped.jump(position)
    assert stepped.state == jumped.state == started.state
    assert stepped.next() == jumped.next()
    assert started.words(1)[0] == jumped.state & 0xFFFFFFFF


@generators
@given(first=st.integers(0, 2**61), second=st.integers(0, 2**61))
def test_jumps_add_up(make, first, second):
    twice, once = make(first), make(first + second)
    twice.jump(second)
    assert (twice.state, twice.position) == (once.state, once.position) == (once.state, first + second)


# Periods


SMALL_PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41)


def is_prime(n: int) -> bool:
    """Miller-Rabin with these bases, which decide below 3·10^24."""
    if n in SMALL_PRIMES:
        return True
    odd, twos = n - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    roots = ([pow(base, odd << k, n) for k in range(twos)] for base in SMALL_PRIMES)
    return all(powers[0] == 1 or n - 1 in powers for powers in roots)


def prime_factors(n: int) -> set[int]:
    """Small primes by division, the others by Pollard's rho."""
    if n == 1 or is_prime(n):
        return {n} - {1}
    divisor = next((prime for prime in SMALL_PRIMES if n % prime == 0), 1)
    shift = 0
    while divisor in (1, n):
        shift += 1
        slow, fast, divisor = 2, 2, 1
        while divisor == 1:
            slow, fast = (slow**2 + shift) % n, ((fast**2 + shift) ** 2 + shift) % n
            divisor = gcd(slow - fast, n)
    return prime_factors(divisor) | prime_factors(n // divisor)


def times(a: int, b: int, modulus: int) -> int:
    """Product of polynomials over GF(2), bit k the coefficient of x^k."""
    result = 0
    while b:
        result ^= a if b & 1 else 0
        a, b = a << 1, b >> 1
        a ^= modulus if a.bit_length() == modulus.bit_length() else 0
    return result


def power_of_x(exponent: int, modulus: int) -> int:
    result, square = 1, 2
    while exponent:
        result = times(result, square, modulus) if exponent & 1 else result
        square, exponent = times(square, square, modulus), exponent >> 1
    return result


def polynomial(width: int) -> int:
    """The modulus of a Galois register: x^n + the sum of x^(n−t) over its taps t, where bit i stands for x^(n−1−i)."""
    return 1 << width | sum(1 << (width - tap) for tap in MAXIMAL_TAPS[width])


def test_factors_multiply_back():
    assert prime_factors(2**32 - 1) == {3, 5, 17, 257, 65537}
    assert prime_factors(2**59 - 1) == {179951, 3203431780337}
    assert prime_factors(2**61 - 1) == {2**61 - 1}
    assert prime_factors(2**62 - 1) == {3, 715827883, 2147483647}


@pytest.mark.parametrize("width", MAXIMAL_TAPS)
def test_one_shift_of_a_register_is_multiplication_by_x(width):
    for seed in (1, 2, 3, (1 << width) - 1, 0x9E3779B97F4A7C15 % (1 << width)):
        register = Lfsr(seed, width, leap=1)
        register.next()
        before, after = (int(f"{state:0{width}b}"[::-1], 2) for state in (seed, register.state))
        assert after == times(before, 2, polynomial(width))


@pytest.mark.parametrize("width", MAXIMAL_TAPS)
def test_every_tabulated_polynomial_is_primitive(width):
    """The order of x is 2^n − 1, no proper divisor of it: the register runs through all states but 0."""
    modulus, period = polynomial(width), (1 << width) - 1
    assert power_of_x(period, modulus) == 1
    assert all(power_of_x(period // prime, modulus) != 1 for prime in prime_factors(period))


def test_every_width_from_32_to_64_is_tabulated():
    assert list(MAXIMAL_TAPS) == list(range(32, 65))


def test_leaping_by_a_power_of_two_keeps_the_full_period():
    """2^n − 1 is odd, so that 1, 2, …, 64 steps a word visit all states too."""
    assert all(gcd(2**width - 1, 1 << k) == 1 for width in MAXIMAL_TAPS for k in range(7))


def test_xorshift_runs_through_all_states_but_zero():
    """Its map T on 32 bits: T^(2^32 − 1) = 1, and T^((2^32 − 1)/p) ≠ 1 for each prime p."""

    def after(steps: int) -> list[int]:
        """Where the unit vectors go, by repeated squaring of the map."""
        images, square = [1 << bit for bit in range(32)], [xorshift(1 << bit) for bit in range(32)]
        while steps:
            images = [apply(square, image) for image in images] if steps & 1 else images
            square, steps = [apply(square, column) for column in square], steps >> 1
        return images

    def apply(columns: list[int], state: int) -> int:
        result = 0
        for bit in range(32):
            result ^= columns[bit] if state >> bit & 1 else 0
        return result

    identity, period = after(0), 2**32 - 1
    assert after(period) == identity
    assert all(after(period // prime) != identity for prime in (3, 5, 17, 257, 65537))


# Lanes, rows, seeds


@pytest.mark.parametrize("bits", LANE_BITS)
def test_lane_fields_are_consecutive_slices_of_all_words(bits):
    """Lane j takes bits r·(j mod 32/r) and up of generator j div (32/r): the words side by side, cut every r bits."""
    words = Xorshift32(5).words(4)
    side_by_side = sum(int(word) << 32 * place for place, word in enumerate(words))
    for lane in range(4 * 32 // bits):
        assert lane_field(words, lane, bits) == side_by_side >> bits * lane & (1 << bits) - 1


class Given:
    """A generator of given words."""

    def __init__(self, words):
        self.given = np.array(words, np.int64)

    def words(self, count):
        return self.given[:count]


@given(st.integers(1, 2**31), st.lists(st.integers(0, 2**32 - 1) | st.sampled_from([0, 2**32 - 1]), min_size=1))
def test_row_index_is_the_word_as_a_fraction_of_the_rows(rows, words):
    indices = row_indices(Given(words), rows, len(words))
    assert indices.tolist() == [Fraction(word, 2**32) * rows // 1 for word in words]
    assert 0 <= indices.min() <= indices.max() < rows


def test_row_indices_take_one_word_each():
    generator = Xorshift32(9)
    assert row_indices(generator, 1000, 50).tolist() == [word * 1000 >> 32 for word in islice(Xorshift32(9), 50)]
    assert generator.position == 50


def test_splitmix64_gives_the_published_sequence():
    """The generator adds its constant to the state before each output; from state 1234567."""
    outputs = [splitmix64((1234567 + k * 0x9E3779B97F4A7C15) % 2**64) for k in range(3)]
    assert outputs == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def literal_seed(seed: int, role: int, index: int) -> int:
    """The high half of splitmix64(splitmix64(4·seed + ρ) + g), 0 replaced, in wrapping numpy arithmetic."""

    def mix(z: np.uint64) -> np.uint64:
        z = z + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))

    with np.errstate(over="ignore"):
        mixed = mix(mix(np.uint64(4 * seed + role)) + np.uint64(index))
    return int(mixed >> np.uint64(32)) or 0x9E3779B9


@settings(max_examples=300)
@given(st.integers(0, 2**62 - 1), st.sampled_from(list(Role)), st.integers(0, 2**20))
def test_generator_seed_is_its_formula_and_seeds_any_generator(seed, role, index):
    derived = generator_seed(seed, role, index)
    assert derived == literal_seed(seed, role, index)
    assert 0 < derived < 2**32


def test_a_seed_of_zero_is_replaced(monkeypatch):
    monkeypatch.setattr(random_bits, "splitmix64", lambda value: 0xFFFFFFFF)
    assert generator_seed(1, Role.UPDATE, 0) == 0x9E3779B9


def test_neighbouring_seeds_roles_and_generators_share_nothing():
    seeds = [generator_seed(seed, role, index) for seed in range(20) for role in Role for index in range(20)]
    assert len(set(seeds)) == len(seeds) == 1600


def test_roles_are_numbered_as_the_hardware_numbers_them():
    assert [role.value for role in (Role.UPDATE, Role.COEFFICIENT, Role.ROWS, Role.HOST)] == [0, 1, 2, 3]


def test_given_words_are_repeated_only_if_there_is_one():
    words, bits = RandomWords([3], 2).take(5)
    assert (words.tolist(), bits) == ([3] * 5, 2)
    assert RandomWords([[0, 1], [2, 3]], 2).take(4)[0].tolist() == [0, 1, 2, 3]
