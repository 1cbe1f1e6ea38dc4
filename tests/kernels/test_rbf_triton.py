"""The Triton sums in the interpreter, against the float64 oracle on the same rounded rows."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from dataaudit_kernels import rbf_triton, reference, triton_pairs
from dataaudit_kernels.packing import centre_of, unit_of
from dataaudit_kernels.triton_plan import GRADIENT_PRECISIONS, PRECISIONS, Plan, Tile, tile_for
from dataaudit_kernels.triton_rows import rounded

KINDS = ("normal", "duplicates", "far clusters", "one class", "class of one", "shifted mean", "all equal")


def rounded_rows(x, h, precision):
    single = torch.from_numpy((x - centre_of(x)) / unit_of(h)).float()
    return rounded(single, precision).double().numpy() * unit_of(h)


@pytest.fixture
def small_plan(monkeypatch):
    """Tiles, programs and slabs so small that a few rows need many: returns a setter."""

    def set_plan(block, step, programs, slab):
        monkeypatch.setattr(rbf_triton, "plan_for", lambda *_: Plan(Tile(block, step, 4, 2), programs, slab))

    return set_plan


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n", "d"), [(1, 1), (2, 20), (63, 65), (257, 20)])
def test_equals_the_oracle_on_the_rounded_rows(precision, kind, n, d, made, assert_close):
    x, labels, h = made(kind, n, d, np.random.default_rng(n * d))
    got = rbf_triton.rbf_sums(x, labels, h, precision=precision)
    assert_close(got, rounded_rows(x, h, precision), labels, h)


@pytest.mark.parametrize(("precision", "far"), [("bfloat16", 300.0), ("float16", 3000.0), ("tf32", 3000.0)])
def test_rows_that_a_precision_would_move_are_refused_by_name(precision, far):
    x = np.random.default_rng(0).normal(size=(40, 5))
    x[7] += far
    with pytest.raises(ValueError, match=rf"row 7 of x so far .* {precision} moves it .* pass precision='float32'"):
        rbf_triton.rbf_sums(x, np.zeros(40, int), 1.6, precision=precision)
    assert np.isfinite(rbf_triton.rbf_sums(x, np.zeros(40, int), 1.6, precision="float32")).all()


@pytest.mark.parametrize("block", [16, 32])
@pytest.mark.parametrize(("programs", "slab"), [(1, 1), (3, 2), (7, 100), (500, 3)])
def test_any_layout_of_tiles(small_plan, block, programs, slab, made, assert_close):
    small_plan(block, 16, programs, slab)
    x, labels, h = made("normal", 201, 33, np.random.default_rng(block))
    rows = rounded_rows(x, h, "tf32x3")
    assert_close(rbf_triton.rbf_sums(x, labels, h), rows, labels, h)
    assert_close(rbf_triton.rbf_sums(x[:40], labels[:40], h, x, labels), rows[:40], labels[:40], h, rows, labels)


@pytest.mark.parametrize("classes", [1, 2, 30, 200])
def test_tiles_with_few_and_with_many_labels(small_plan, classes, assert_close):
    small_plan(16, 16, 5, 4)
    rng = np.random.default_rng(classes)
    x, labels = rng.normal(size=(201, 7)), rng.integers(classes, size=201)
    assert_close(rbf_triton.rbf_sums(x, labels, 2.0), rounded_rows(x, 2.0, "tf32x3"), labels, 2.0)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(("n", "m"), [(1, 1), (5, 300), (300, 3), (0, 4), (4, 0)])
def test_queries_against_references(precision, n, m):
    rng = np.random.default_rng(n + m)
    x, others = (rng.integers(0, 256, size=(size, 20)).astype(np.uint8) for size in (n, m))
    labels, theirs = rng.integers(3, size=n), rng.integers(4, size=m)
    got = rbf_triton.rbf_sums(x, labels, 300.0, others, theirs, precision=precision)
    want = reference.rbf_sums(x, labels, 300.0, others, theirs)
    tolerance = {"bfloat16": 2e-2, "tf32": 2e-3, "float16": 2e-3}.get(precision, 1e-5)
    np.testing.assert_allclose(got, want, rtol=tolerance)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_wide_pixels(precision, assert_close):
    rng = np.random.default_rng(0)
    x, labels, h = rng.integers(0, 256, size=(65, 3072)).astype(np.uint8), rng.integers(3, size=65), 74 * 39.2
    got = rbf_triton.rbf_sums(x, labels, h, precision=precision)
    assert_close(got, rounded_rows(x, h, precision), labels, h)


@pytest.mark.parametrize(("precision", "allowed"), [("tf32x3", 1e-6), ("float32", 1e-6), ("bfloat16", 3e-5)])
def test_ranks_survive_the_rounding(precision, allowed):
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(1500, 64)), rng.integers(10, size=1500)
    got = rbf_triton.rbf_sums(x, labels, 5.6, precision=precision)
    want = reference.rbf_sums(x, labels, 5.6)
    assert all(1 - spearmanr(g, w).statistic <= allowed for g, w in zip(got, want, strict=True))


@pytest.mark.parametrize("precision", GRADIENT_PRECISIONS)
def test_gradients_in_either_precision(precision, gradients, assert_close):
    rng = np.random.default_rng(1)
    layers, labels = gradients(rng, 130, [(10, 33, True), (4, 17, False)]), rng.integers(4, size=130)
    single = [layer._replace(delta=layer.delta.astype("f"), inputs=layer.inputs.astype("f")) for layer in layers]
    got = rbf_triton.gradient_rbf_sums(single, labels, 9.0, precision=precision)
    assert_close(got, reference.written_out(single), labels, 9.0)


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(1, 150),
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
    assert_close(rbf_triton.rbf_sums(x, labels, h), rounded_rows(x, h, "tf32x3"), labels, h)


def test_equal_bits_twice():
    rng = np.random.default_rng(3)
    x, labels = rng.normal(size=(700, 20)), rng.integers(4, size=700)
    np.testing.assert_array_equal(rbf_triton.rbf_sums(x, labels, 3.0), rbf_triton.rbf_sums(x, labels, 3.0))


@pytest.mark.parametrize("h", [1.5, 0.05])
def test_no_number_is_read_before_it_is_written(small_plan, monkeypatch, h):
    """Sums arrive at the kernels full of NaN, leave with NaN where a program has no share, and nobody adds that up."""
    small_plan(16, 16, 3, 2)
    arrived, left = {}, {}

    def watched(name, place):
        real = getattr(triton_pairs, name)

        class Watched:
            def __getitem__(self, grid):
                def launch(*arguments, **options):
                    arrived.setdefault(name, []).append(bool(torch.isnan(arguments[place]).all()))
                    real[grid](*arguments, **options)
                    left.setdefault(name, []).append(bool(torch.isnan(arguments[place]).any()))

                return launch

        monkeypatch.setattr(triton_pairs, name, Watched())

    watched("sum_pairs", 7)
    watched("sum_shifted", 8)
    rng = np.random.default_rng(5)
    x, labels = rng.normal(size=(150, 5)), rng.integers(3, size=150)
    assert np.isfinite(rbf_triton.rbf_sums(x, labels, h)).all()
    assert all(all(full) for full in arrived.values())
    assert set(arrived) == ({"sum_pairs"} if h > 1 else {"sum_pairs", "sum_shifted"})
    assert any(left["sum_pairs"])


def test_rows_beyond_half_precision_are_refused():
    with pytest.raises(ValueError, match="row 2 of x over 65504"):
        rbf_triton.rbf_sums([[0.0], [1.0], [1e6]], [0, 0, 1], 1.0, precision="float16")


def test_gradients_are_not_rounded_to_half_precision(gradients):
    layers = gradients(np.random.default_rng(0), 5, [(2, 3, True)])
    with pytest.raises(ValueError, match=r"tf32x3, float32"):
        rbf_triton.gradient_rbf_sums(layers, np.zeros(5, int), 1.0, precision="bfloat16")


def test_memory_that_is_not_there_is_asked_for_in_words(monkeypatch):
    def refuse(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(rbf_triton.torch, "zeros", refuse)
    with pytest.raises(MemoryError, match=r"GiB free.*rbf_cpu"):
        rbf_triton.rbf_sums(np.zeros((3, 2)), np.zeros(3, int), 1.0)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_without_a_device_it_is_refused_in_words(monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET")
    with pytest.raises(RuntimeError, match=r"0 CUDA devices; expected .*rbf_cpu"):
        rbf_triton.rbf_sums([[0.0], [1.0]], [0, 1], 1.0)


@pytest.mark.parametrize("capability", [80, 86, 89, 90, 100, 120])
def test_tiles_for_every_card(capability):
    for precision in PRECISIONS:
        tile = tile_for(precision, False, capability)
        assert tile.block % 16 == 0
        assert tile.step % 16 == 0


def test_kernels_compile_for_a_card_that_is_not_there():
    """One variant; benchmarks/kernels/compile.py does all."""
    code = (
        "from benchmarks.kernels.compile import Variant, compiled\n"
        "row = compiled(Variant('sum_pairs', 'bfloat16', False, True), 90)\n"
        "assert row['wrong'] == '', row\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, env=environment)
