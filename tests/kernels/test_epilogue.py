"""The exponential inside the sums, one value at a time."""

import numba
import numpy as np

from dataaudit_kernels.epilogue import FAR, FAST, kernel_value


@numba.njit(fastmath=FAST)
def values(exponents):
    apart, one = np.empty_like(exponents), np.empty_like(exponents)
    for k in range(len(exponents)):
        apart[k], one[k] = kernel_value(exponents[k])
    return apart, one


def test_powers_of_two_are_those_of_float64_to_the_last_digits_of_float32():
    whole = np.arange(127, dtype=np.float32)
    ties = np.concatenate([np.nextafter(whole + 0.5, side) for side in (np.float32(0), FAR)] + [whole + 0.5])
    t = np.concatenate([whole, ties[ties <= 126], np.random.default_rng(0).uniform(0, 126, 100_000)]).astype(np.float32)
    apart, one = values(t)
    exact = np.exp2(-t.astype(np.float64))
    np.testing.assert_array_equal(one, t < 0.5)
    # Near values are kept as their distance from 1, whose own digits count.
    expected = np.where(t < 0.5, np.expm1(-t.astype(np.float64) * np.log(2)), exact)
    np.testing.assert_allclose(apart, expected, rtol=2.5e-7, atol=0)


def test_values_end_where_normal_numbers_do():
    last = np.nextafter(np.float32(126.5), np.float32(0))
    apart, one = values(np.array([126, last, 126.5, FAR], np.float32))
    np.testing.assert_allclose(apart[:2], np.exp2(-np.array([126, last], np.float64)), rtol=2.5e-7)
    assert apart[2:].tolist() == [0, 0]
    assert one.tolist() == [0, 0, 0, 0]
