"""The CPU sums against the float64 oracle on the same rounded rows, within one stated tolerance."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataaudit_kernels import rbf_cpu, reference
from dataaudit_kernels.packing import centre_of, pack, rounded, unit_of
from dataaudit_kernels.products import supported

PRECISIONS = ("float32", "bfloat16", "uint8")


def needs(precision):
    if precision not in supported():
        pytest.skip(f"this CPU has no {precision} products")


KINDS = ("normal", "duplicates", "far clusters", "one class", "class of one", "shifted mean", "all equal")


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 2, 63, 257, 800])
@pytest.mark.parametrize("d", [1, 20, 65])
def test_equals_the_oracle_on_the_rounded_rows(precision, kind, n, d, made, assert_close):
    needs(precision)
    x, labels, h = made(kind, n, d, np.random.default_rng(n * d))
    rows = rounded((x - centre_of(x)) / unit_of(h), precision).astype(np.float64) * unit_of(h)
    assert_close(rbf_cpu.rbf_sums(x, labels, h, precision=precision), rows, labels, h)


def test_rows_that_bfloat16_would_move_are_refused_by_name():
    """Packed, which every CPU can, whether it multiplies such numbers or not."""
    rows = np.random.default_rng(0).normal(size=(100, 5))
    rows[60:] += 10.0
    order = np.arange(99, -1, -1)
    pack(rows, order, "bfloat16", np.zeros(5), 1.0)
    rows[61] += 200.0
    with pytest.raises(ValueError, match=r"row 61 of x so far .* bfloat16 moves it .* pass precision='float32'"):
        pack(rows, order, "bfloat16", np.zeros(5), 1.0)
    pack(rows, order, "float32", np.zeros(5), 1.0)


@pytest.mark.parametrize("d", [784, 3072])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_wide_rows(precision, d, assert_close):
    needs(precision)
    rng = np.random.default_rng(d)
    x, labels, h = rng.integers(0, 256, size=(257, d)), rng.integers(3, size=257), 74 * np.sqrt(2 * d) / 2
    if precision == "uint8":
        rows = x - x.mean(0)
    else:
        rows = rounded((x - centre_of(x)) / unit_of(h), precision).astype(np.float64) * unit_of(h)
    assert_close(rbf_cpu.rbf_sums(x.astype(np.uint8), labels, h, precision=precision), rows, labels, h)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(("n", "m"), [(1, 1), (5, 900), (500, 3), (0, 4), (4, 0)])
def test_queries_against_references(precision, n, m):
    needs(precision)
    rng = np.random.default_rng(n + m)
    x, others = (rng.integers(0, 256, size=(size, 20)).astype(np.uint8) for size in (n, m))
    labels, theirs = rng.integers(3, size=n), rng.integers(4, size=m)
    got = rbf_cpu.rbf_sums(x, labels, 300.0, others, theirs, precision=precision)
    want = reference.rbf_sums(x, labels, 300.0, others, theirs)
    np.testing.assert_allclose(got, want, rtol=2e-2 if precision == "bfloat16" else 1e-5)


def test_ranks_survive_the_rounding():
    from scipy.stats import spearmanr

    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(1500, 64)), rng.integers(10, size=1500)
    want = reference.rbf_sums(x, labels, 5.6)
    for precision, allowed in (("float32", 1e-6), ("bfloat16", 3e-5)):
        if precision in supported():
            got = rbf_cpu.rbf_sums(x, labels, 5.6, precision=precision)
            assert all(1 - spearmanr(g, w).statistic <= allowed for g, w in zip(got, want, strict=True))


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_bits_do_not_depend_on_the_threads(threads):
    rng = np.random.default_rng(3)
    x, labels = rng.normal(size=(2000, 20)), rng.integers(4, size=2000)
    one = rbf_cpu.rbf_sums(x, labels, 3.0, threads=1)
    np.testing.assert_array_equal(one, rbf_cpu.rbf_sums(x, labels, 3.0, threads=threads))


def test_callers_may_run_at_once():
    rng = np.random.default_rng(4)
    x, labels = rng.normal(size=(1000, 20)), rng.integers(4, size=1000)
    want, found = rbf_cpu.rbf_sums(x, labels, 3.0), {}

    def call(number):
        found[number] = rbf_cpu.rbf_sums(x, labels, 3.0)

    callers = [threading.Thread(target=call, args=(number,)) for number in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    for number in range(4):
        np.testing.assert_array_equal(found[number], want)


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 120),
    d=st.integers(1, 40),
    classes=st.integers(1, 6),
    spread=st.floats(1e-6, 1e6),
    relative=st.floats(0.05, 30),
    seed=st.integers(0, 1000),
)
def test_any_rows_equal_the_oracle(n, d, classes, spread, relative, seed, assert_close):
    rng = np.random.default_rng(seed)
    x, labels = spread * rng.normal(size=(n, d)), rng.integers(-2, classes, size=n)
    h = relative * spread * np.sqrt(2 * d) / 2
    rows = rounded((x - centre_of(x)) / unit_of(h), "float32").astype(np.float64) * unit_of(h)
    assert_close(rbf_cpu.rbf_sums(x, labels, h), rows, labels, h)


def test_memory_that_is_not_there_is_asked_for_in_words(monkeypatch):
    from dataaudit_kernels import packing

    def refuse(*_, **__):
        raise MemoryError

    monkeypatch.setattr(packing.np, "empty", refuse)
    with pytest.raises(MemoryError, match="GiB free"):
        rbf_cpu.rbf_sums(np.zeros((3, 2)), np.zeros(3, int), 1.0)


def test_pixels_are_asked_for_by_name_only_for_pixels():
    with pytest.raises(ValueError, match="uint8 rows"):
        rbf_cpu.rbf_sums([[0.0], [1.0]], [0, 1], 1.0, precision="uint8")


def test_progress_comes_now_and_then():
    shares = []
    rbf_cpu.rbf_sums(np.random.default_rng(0).normal(size=(1000, 3)), np.zeros(1000, int), 1.0, advance=shares.append)
    assert len(shares) > 1


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2", True])
def test_threads_are_a_number(threads):
    with pytest.raises(ValueError, match="at least 1"):
        rbf_cpu.rbf_sums([[0.0], [1.0]], [0, 0], 1.0, threads=threads)


def test_strips_of_several_tasks():
    n = rbf_cpu.COLUMNS * rbf_cpu.TILE + 700
    rng = np.random.default_rng(9)
    x, labels, some = rng.normal(size=(n, 2)), rng.integers(3, size=n), rng.choice(n, 40, replace=False)
    want = np.array(reference.rbf_sums(x[some], labels[some], 0.5, x, labels)) - 1  # without the row itself
    np.testing.assert_allclose(np.array(rbf_cpu.rbf_sums(x, labels, 0.5))[:, some], want, rtol=1e-5)


@pytest.mark.skipif("uint8" not in supported(), reason="this CPU has no products of pixels")
def test_pixels_take_any_bandwidth():
    x = np.array([[1, 2], [1, 2], [3, 4]], np.uint8)
    np.testing.assert_array_equal(rbf_cpu.rbf_sums(x, [0, 0, 0], 1e-100, precision="auto"), [[1, 1, 0]] * 2)
