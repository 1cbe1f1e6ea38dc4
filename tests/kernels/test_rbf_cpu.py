"""The CPU sums against the float64 oracle on the same rounded rows, within one stated tolerance."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataaudit_kernels import rbf_cpu, reference
from dataaudit_kernels.layers import LinearGradient
from dataaudit_kernels.packing import centre_of, rounded, unit_of
from dataaudit_kernels.products import supported

PRECISIONS = ("float32", "bfloat16", "uint8")


def needs(precision):
    if precision not in supported():
        pytest.skip(f"this CPU has no {precision} products")


def assert_close(got, rows, labels, h, references=None, reference_labels=None):
    """|error| <= 2e-6 (1 + R^2/h^2) S + 1e-30 n for both sums."""
    want = reference.rbf_sums(rows, labels, h, references, reference_labels)
    other = rows if references is None else references
    radius = np.linalg.norm(np.concatenate([rows, other]), axis=1).max()
    for ours, theirs in zip(got, want, strict=True):
        allowed = 2e-6 * (1 + radius**2 / h**2) * theirs + 1e-30 * len(other)
        assert ours.dtype == np.float64
        assert (np.abs(ours - theirs) <= allowed).all()


def made(kind, n, d, rng):
    """Rows and labels; bandwidth by the paper's rule for normal rows."""
    labels = rng.integers(5, size=n)
    x = rng.normal(size=(n, d))
    if kind == "duplicates":
        x[n // 2 :] = x[: n - n // 2]
    elif kind == "far clusters":
        x[: n // 3] += 40.0
    elif kind == "one class":
        labels[:] = 3
    elif kind == "class of one":
        labels[:] = 0
        labels[n // 2] = 9
    elif kind == "shifted mean":
        x += 5.0
    elif kind == "all equal":
        x[:] = x[0]
    return x, labels, np.sqrt(2 * d) / 2


KINDS = ("normal", "duplicates", "far clusters", "one class", "class of one", "shifted mean", "all equal")


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 2, 63, 257, 800])
@pytest.mark.parametrize("d", [1, 20, 65])
def test_equals_the_oracle_on_the_rounded_rows(precision, kind, n, d):
    needs(precision)
    x, labels, h = made(kind, n, d, np.random.default_rng(n * d))
    rows = rounded((x - centre_of(x)) / unit_of(h), precision).astype(np.float64) * unit_of(h)
    assert_close(rbf_cpu.rbf_sums(x, labels, h, precision=precision), rows, labels, h)


@pytest.mark.parametrize("d", [784, 3072])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_wide_rows(precision, d):
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


@pytest.mark.parametrize("h", [0.5, 0.3, 0.2, 0.12])
def test_values_below_the_range_of_float32_are_kept(h):
    rng = np.random.default_rng(1)
    x, labels = rng.normal(size=(300, 20)), rng.integers(3, size=300)
    got, want = rbf_cpu.rbf_sums(x, labels, h), reference.rbf_sums(x, labels, h)
    assert (want[0] < 1e-40).any()
    seen = want[0] > 1e-300
    np.testing.assert_allclose(got[0][seen], want[0][seen], rtol=1e-3)
    share, true_share = got[1][seen] / got[0][seen], want[1][seen] / want[0][seen]
    np.testing.assert_allclose(share, true_share, atol=1e-3)
    assert ((got[0] == 0) == (want[0] == 0)).mean() > 0.98


def gradients(rng, n, sizes, spread=0.0):
    layers = []
    for p, q, bias in sizes:
        delta = rng.normal(size=(n, p)) * np.exp(spread * rng.normal(size=(n, 1)))
        layers.append(LinearGradient(delta, rng.normal(size=(n, q)), bias))
    return layers


@pytest.mark.parametrize("n", [1, 2, 63, 257])
@pytest.mark.parametrize("sizes", [[(10, 64, True)], [(10, 64, False)], [(3, 5, True), (7, 33, False), (1, 1, True)]])
@pytest.mark.parametrize("h", [1.0, 20.0])
def test_gradients_equal_those_written_out(n, sizes, h):
    rng = np.random.default_rng(n)
    layers, labels = gradients(rng, n, sizes), rng.integers(4, size=n)
    single = [layer._replace(delta=layer.delta.astype("f"), inputs=layer.inputs.astype("f")) for layer in layers]
    got = rbf_cpu.gradient_rbf_sums(single, labels, h)
    assert_close(got, reference.written_out(single), labels, h)


def test_sums_of_values_near_one_keep_the_difference():
    rng = np.random.default_rng(2)
    layers, labels = gradients(rng, 400, [(10, 32, True)], spread=3.0), rng.integers(2, size=400)
    written = reference.written_out(layers)
    h = 50 * np.median(np.linalg.norm(written, axis=1))
    got = rbf_cpu.gradient_rbf_sums(layers, labels, h)[0]
    squared = ((written[:, None] - written) ** 2).sum(2) / h**2
    missing = -np.expm1(-squared).sum(1)
    assert np.median(missing) < 50
    np.testing.assert_allclose(399 - got, missing, rtol=1e-5)


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
def test_any_rows_equal_the_oracle(n, d, classes, spread, relative, seed):
    rng = np.random.default_rng(seed)
    x, labels = spread * rng.normal(size=(n, d)), rng.integers(-2, classes, size=n)
    h = relative * spread * np.sqrt(2 * d) / 2
    rows = rounded((x - centre_of(x)) / unit_of(h), "float32").astype(np.float64) * unit_of(h)
    assert_close(rbf_cpu.rbf_sums(x, labels, h), rows, labels, h)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f8", "u1", "i8", "u2", "?"])
@pytest.mark.parametrize("layout", ["C", "F", "strided", "read-only", "memory-mapped"])
def test_any_layout_and_type_of_rows(dtype, layout, tmp_path):
    rng = np.random.default_rng(5)
    plain = rng.integers(0, 2 if dtype == "?" else 100, size=(130, 12)).astype(dtype)
    x = plain
    if layout == "F":
        x = np.asfortranarray(plain)
    elif layout == "strided":
        x = np.repeat(np.repeat(plain, 2, 0), 3, 1)[::2, ::3]
    elif layout == "read-only":
        x.flags.writeable = False
    elif layout == "memory-mapped":
        np.save(tmp_path / "x.npy", plain)
        x = np.load(tmp_path / "x.npy", mmap_mode="r")
    labels = rng.integers(3, size=130)
    h = 1.0 if dtype == "?" else 80.0
    want = reference.rbf_sums(plain, labels, h)
    np.testing.assert_allclose(rbf_cpu.rbf_sums(x, labels, h), want, rtol=1e-5)
    assert plain.tobytes() == np.ascontiguousarray(x).tobytes()


def test_a_far_row_does_not_spoil_the_others():
    rng = np.random.default_rng(6)
    x, labels = rng.normal(size=(300, 8)), rng.integers(2, size=300)
    alone = reference.rbf_sums(x, labels, 2.0)
    x[17] = 1e7
    labels[17] = 5
    got, want = rbf_cpu.rbf_sums(x, labels, 2.0), reference.rbf_sums(x, labels, 2.0)
    np.testing.assert_allclose(got, want, rtol=1e-5)
    assert np.isfinite(alone).all()


@pytest.mark.parametrize("scale", [1e-150, 1e-30, 1e30, 1e150])
def test_rows_of_any_scale(scale):
    rng = np.random.default_rng(7)
    x, labels = rng.normal(size=(100, 8)), rng.integers(2, size=100)
    want = reference.rbf_sums(x, labels, 2.0)
    np.testing.assert_allclose(rbf_cpu.rbf_sums(x * scale, labels, 2.0 * scale), want, rtol=1e-5)


BAD = [
    (dict(x=[[0.0], [np.nan], [np.inf]]), "rows 1, 2"),
    (dict(x=[[0.0]] * 4), "labels of shape"),
    (dict(x=[0.0, 1.0, 2.0]), r"shape \(3,\)"),
    (dict(x=np.zeros((3, 0))), "d > 0"),
    (dict(x=[["a"]] * 3), "real numbers"),
    (dict(x=[[1j]] * 3), "real numbers"),
    (dict(x=[[0.0], [1.0], [1e30]]), "row 2 of x over 1e15 bandwidths"),
    (dict(labels=[0.5, 1.0, 2.0]), "whole numbers"),
    (dict(bandwidth=0.0), "above 0"),
    (dict(bandwidth=-1.0), "above 0"),
    (dict(bandwidth=float("nan")), "above 0"),
    (dict(bandwidth="wide"), "above 0"),
    (dict(references=[[1.0]]), "expected both"),
    (dict(references=[[1.0, 2.0]], reference_labels=[0]), r"\[n, 1\]"),
    (dict(precision="float8"), "auto, float32"),
    (dict(precision="uint8"), "uint8 rows"),
]


@pytest.mark.parametrize(("change", "words"), BAD)
def test_wrong_input_is_refused_in_words(change, words):
    arguments = dict(x=[[0.0], [1.0], [2.0]], labels=[0, 0, 1], bandwidth=1.0) | change
    with pytest.raises(ValueError, match=words) as caught:
        rbf_cpu.rbf_sums(**arguments)
    assert "expected" in str(caught.value)


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ([], "no layers"),
        ([LinearGradient(np.zeros((3, 2)), np.zeros((4, 2)))], "one length"),
        ([LinearGradient(np.zeros((3, 2)), np.full((3, 2), np.nan))], "inputs of layer 0, rows 0"),
    ],
)
def test_wrong_factors_are_refused_in_words(layers, words):
    with pytest.raises(ValueError, match=words):
        rbf_cpu.gradient_rbf_sums(layers, np.zeros(3, int), 1.0)


def test_memory_that_is_not_there_is_asked_for_in_words(monkeypatch):
    from dataaudit_kernels import packing

    def refuse(*_, **__):
        raise MemoryError

    monkeypatch.setattr(packing.np, "empty", refuse)
    with pytest.raises(MemoryError, match="GiB free"):
        rbf_cpu.rbf_sums(np.zeros((3, 2)), np.zeros(3, int), 1.0)


def test_progress_adds_up_to_one():
    shares = []
    rbf_cpu.rbf_sums(np.random.default_rng(0).normal(size=(1000, 3)), np.zeros(1000, int), 1.0, advance=shares.append)
    assert sum(shares) == pytest.approx(1.0)
    assert len(shares) > 1
