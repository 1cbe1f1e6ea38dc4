"""What every implementation of the kernel sums must do; what is particular to one is tested beside it."""

import numpy as np
import pytest

from dataaudit_kernels import reference
from dataaudit_kernels.layers import GradientFactors


@pytest.mark.parametrize("h", [0.5, 0.3, 0.2, 0.12])
def test_values_below_the_range_of_float32_are_kept(kernels, h):
    rng = np.random.default_rng(1)
    x, labels = rng.normal(size=(300, 20)), rng.integers(3, size=300)
    got, want = kernels.rbf_sums(x, labels, h), reference.rbf_sums(x, labels, h)
    assert (want[0] < 1e-40).any()
    seen = want[0] > 1e-300
    np.testing.assert_allclose(got[0][seen], want[0][seen], rtol=1e-3)
    share, true_share = got[1][seen] / got[0][seen], want[1][seen] / want[0][seen]
    np.testing.assert_allclose(share, true_share, atol=1e-3)
    assert ((got[0] == 0) == (want[0] == 0)).mean() > 0.98


def far_from_their_class(rng, n=140):
    """Three clusters 30 apart; one row of each has another's label, and one lies between two clusters."""
    cluster = rng.integers(3, size=n)
    cluster[:3] = 0, 2, 1
    x, labels = rng.normal(size=(n, 4)), cluster.copy()
    x[:, 0] += 30.0 * cluster
    labels[:3] = 1, 1, 2
    x[3], labels[3] = (45, 20, 0, 0), 0
    return x, labels


@pytest.mark.parametrize("others", [False, True], ids=["within", "references"])
@pytest.mark.parametrize("classes", [3, 40])
def test_a_label_far_from_its_class_keeps_its_sum(kernels, others, classes, assert_close):
    rng = np.random.default_rng(9)
    x, labels = far_from_their_class(rng)
    labels += 3 * rng.integers(classes // 3, size=len(labels))
    their = (x[::2] + 0.1, labels[::2]) if others else ()
    got, want = kernels.rbf_sums(x, labels, 2.0, *their), reference.rbf_sums(x, labels, 2.0, *their)
    lost = (want[1] < 1e-40) & (want[1] > 1e-300)
    assert (lost & (want[0] > 1.0)).any()
    assert (lost & (want[0] < 1e-40)).any()
    for ours, theirs in zip(got, want, strict=True):
        seen = theirs > 1e-300
        np.testing.assert_allclose(ours[seen], theirs[seen], rtol=2e-6 * (1 + (60 / 2.0) ** 2))
        assert (ours[~seen] <= 1e-290).all()
    assert_close(got, x, labels, 2.0, *their)


def test_gradients_far_from_their_class_keep_their_sum(kernels):
    x, labels = far_from_their_class(np.random.default_rng(9))
    layers = [GradientFactors(x.astype("f"), np.ones((len(x), 1), "f"), False)]
    got, want = kernels.gradient_rbf_sums(layers, labels, 2.0)[1], reference.rbf_sums(x.astype("f"), labels, 2.0)[1]
    seen = want > 1e-300
    assert (want[seen] < 1e-40).any()
    np.testing.assert_allclose(got[seen], want[seen], rtol=2e-6 * (1 + (60 / 2.0) ** 2))


@pytest.mark.parametrize("dtype", ["u1", "f4", "f8", "i8"])
@pytest.mark.parametrize("h", [1e-160, 1e-155, 1e155, 1e-320])
def test_a_bandwidth_whose_square_is_out_of_range_is_refused(kernels, dtype, h):
    with pytest.raises(ValueError, match="whose square"):
        kernels.rbf_sums(np.arange(12).reshape(4, 3).astype(dtype), [0, 1, 0, 1], h)
    layers = [GradientFactors(np.ones((4, 2), "f"), np.ones((4, 1), "f"), True)]
    with pytest.raises(ValueError, match="whose square"):
        kernels.gradient_rbf_sums(layers, [0, 1, 0, 1], h)


@pytest.mark.parametrize("n", [1, 2, 63, 257])
@pytest.mark.parametrize("sizes", [[(10, 64, True)], [(10, 64, False)], [(3, 5, True), (7, 33, False), (1, 1, True)]])
@pytest.mark.parametrize("h", [1.0, 20.0])
def test_gradients_equal_those_written_out(kernels, n, sizes, h, gradients, assert_close):
    rng = np.random.default_rng(n)
    layers, labels = gradients(rng, n, sizes), rng.integers(4, size=n)
    single = [layer._replace(delta=layer.delta.astype("f"), inputs=layer.inputs.astype("f")) for layer in layers]
    got = kernels.gradient_rbf_sums(single, labels, h)
    assert_close(got, reference.written_out(single), labels, h)


def test_sums_of_values_near_one_keep_the_difference(kernels, gradients):
    rng = np.random.default_rng(2)
    layers, labels = gradients(rng, 400, [(10, 32, True)], spread=3.0), rng.integers(2, size=400)
    written = reference.written_out(layers)
    h = 50 * np.median(np.linalg.norm(written, axis=1))
    got = kernels.gradient_rbf_sums(layers, labels, h)[0]
    squared = ((written[:, None] - written) ** 2).sum(2) / h**2
    missing = -np.expm1(-squared).sum(1)
    assert np.median(missing) < 50
    np.testing.assert_allclose(399 - got, missing, rtol=1e-5)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f8", "u1", "i8", "u2", "?"])
@pytest.mark.parametrize("layout", ["C", "F", "strided", "read-only", "memory-mapped"])
def test_any_layout_and_type_of_rows(kernels, dtype, layout, tmp_path):
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
    np.testing.assert_allclose(kernels.rbf_sums(x, labels, h), want, rtol=1e-5)
    assert plain.tobytes() == np.ascontiguousarray(x).tobytes()


def test_a_far_row_does_not_spoil_the_others(kernels):
    rng = np.random.default_rng(6)
    x, labels = rng.normal(size=(300, 8)), rng.integers(2, size=300)
    alone = reference.rbf_sums(x, labels, 2.0)
    x[17] = 1e7
    labels[17] = 5
    got, want = kernels.rbf_sums(x, labels, 2.0), reference.rbf_sums(x, labels, 2.0)
    np.testing.assert_allclose(got, want, rtol=1e-5)
    assert np.isfinite(alone).all()


@pytest.mark.parametrize("scale", [1e-150, 1e-30, 1e30, 1e150])
def test_rows_of_any_scale(kernels, scale):
    rng = np.random.default_rng(7)
    x, labels = rng.normal(size=(100, 8)), rng.integers(2, size=100)
    want = reference.rbf_sums(x, labels, 2.0)
    np.testing.assert_allclose(kernels.rbf_sums(x * scale, labels, 2.0 * scale), want, rtol=1e-5)


def test_progress_adds_up_to_one(kernels):
    shares = []
    kernels.rbf_sums(np.random.default_rng(0).normal(size=(1000, 3)), np.zeros(1000, int), 1.0, advance=shares.append)
    assert sum(shares) == pytest.approx(1.0)
    assert min(shares) > 0


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ([], "no layers"),
        ([GradientFactors(np.zeros((3, 2)), np.zeros((4, 2)))], "one length"),
        ([GradientFactors(np.zeros((3, 2)), np.full((3, 2), np.nan))], "inputs of layer 0, rows 0"),
    ],
)
def test_wrong_factors_are_refused_in_words(kernels, layers, words):
    with pytest.raises(ValueError, match=words):
        kernels.gradient_rbf_sums(layers, np.zeros(3, int), 1.0)


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
    (dict(precision="float8"), "float32"),
]


@pytest.mark.parametrize(("change", "words"), BAD)
def test_wrong_input_is_refused_in_words(kernels, change, words):
    arguments = dict(x=[[0.0], [1.0], [2.0]], labels=[0, 0, 1], bandwidth=1.0) | change
    with pytest.raises(ValueError, match=words) as caught:
        kernels.rbf_sums(**arguments)
    assert "expected" in str(caught.value)


def test_gradients_beyond_the_range_are_refused(kernels):
    rng = np.random.default_rng(8)
    layers = [GradientFactors(1e10 * rng.normal(size=(6, 2)), 1e10 * rng.normal(size=(6, 3)), True)]
    with pytest.raises(ValueError, match="over 1e15 bandwidths long"):
        kernels.gradient_rbf_sums(layers, np.zeros(6, int), 1.0)


@pytest.mark.parametrize("dtype", ["u1", "f4"])
def test_a_bandwidth_that_reaches_nobody_but_duplicates(kernels, dtype):
    x = np.array([[1, 2], [1, 2], [3, 4]], dtype)
    found = kernels.rbf_sums(x, [0, 0, 0], 1e-10)
    np.testing.assert_array_equal(found, [[1, 1, 0]] * 2)


def test_long_floats_are_taken_or_refused(kernels):
    x = np.array([[0.0], [1.0]], np.longdouble)
    np.testing.assert_allclose(kernels.rbf_sums(x, [0, 0], 1.0)[0], np.exp(-1.0), rtol=1e-6)
    x[1] = np.longdouble("1e400")
    with pytest.raises(ValueError, match="rows 1"):
        kernels.rbf_sums(x, [0, 0], 1.0)


@pytest.mark.parametrize("pair", [dict(references=[[1.0]]), dict(reference_labels=[0])])
def test_references_come_with_labels(pair):
    with pytest.raises(ValueError, match="expected both"):
        reference.rbf_sums([[0.0], [1.0]], [0, 0], 1.0, **pair)
