"""Sums of blocks of pairs against the float64 oracle, and put together against all pairs."""

import numpy as np
import pytest

from dataaudit_kernels import rbf_blocks, rbf_cpu, reference
from dataaudit_kernels.layers import GradientFactors
from dataaudit_kernels.packing import centre_of, rounded, unit_of
from dataaudit_kernels.products import supported

SIZES = [(1, 1), (2, 63), (63, 2), (257, 130), (800, 65)]


@pytest.mark.parametrize("kind", ["normal", "duplicates", "far clusters", "one class", "class of one", "all equal"])
@pytest.mark.parametrize(("n", "m"), SIZES)
@pytest.mark.parametrize("d", [1, 20])
def test_equals_the_oracle_from_both_sides(kind, n, m, d, made, assert_close):
    x, labels, h = made(kind, n + m, d, np.random.default_rng(n * m))
    centre = centre_of(x)
    rows = rounded((x - centre) / unit_of(h), "float32").astype(np.float64) * unit_of(h)
    a, b = slice(None, n), slice(n, None)
    of_a, of_b = rbf_blocks.block_sums(x[a], labels[a], x[b], labels[b], h, centre=centre, precision="float32")
    assert_close(of_a, rows[a], labels[a], h, rows[b], labels[b])
    assert_close(of_b, rows[b], labels[b], h, rows[a], labels[a])


@pytest.mark.parametrize("precision", ["uint8", "bfloat16"])
def test_other_precisions(precision, assert_close):
    if precision not in supported():
        pytest.skip(f"this CPU has no {precision} products")
    rng = np.random.default_rng(0)
    x, labels, h = rng.integers(0, 256, size=(300, 65)), rng.integers(3, size=300), 600.0
    rows = x - x.mean(0)
    if precision == "bfloat16":
        rows = rounded((x - centre_of(x)) / unit_of(h), precision).astype(np.float64) * unit_of(h)
    pixels, centre = x.astype(np.uint8), centre_of(x)
    of_a, of_b = rbf_blocks.block_sums(
        pixels[:90], labels[:90], pixels[90:], labels[90:], h, centre=centre, precision=precision
    )
    assert_close(of_a, rows[:90], labels[:90], h, rows[90:], labels[90:])
    assert_close(of_b, rows[90:], labels[90:], h, rows[:90], labels[:90])


def test_rows_out_of_reach_of_float32_keep_their_sums():
    """Kernel values of 1e-100 between the sides; some rows of one side are near."""
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(70, 3)), rng.normal(size=(90, 3)) + 8.0
    b[:5] = a[:5]
    labels_a, labels_b = rng.integers(2, size=70), rng.integers(2, size=90)
    found = rbf_blocks.block_sums(a, labels_a, b, labels_b, 0.7)
    want = reference.rbf_sums(a, labels_a, 0.7, b, labels_b), reference.rbf_sums(b, labels_b, 0.7, a, labels_a)
    for ours, theirs in zip(found, want, strict=True):
        np.testing.assert_allclose(ours, np.stack(theirs), rtol=1e-3, atol=1e-290)
    assert (found[1][0] < 1e-40).sum() > 50


@pytest.mark.parametrize("sizes", [[(3, 17, True)], [(5, 4, False)], [(3, 17, True), (5, 4, False)]])
def test_gradients(sizes, gradients):
    layers = gradients(np.random.default_rng(2), 200, sizes)
    labels = np.random.default_rng(3).integers(3, size=200)

    def part(rows):
        return [GradientFactors(layer.delta[rows], layer.inputs[rows], layer.bias) for layer in layers]

    a, b = slice(None, 66), slice(66, None)
    found = rbf_blocks.gradient_block_sums(part(a), labels[a], part(b), labels[b], 6.0)
    rows = reference.written_out(layers)
    for ours, mine, other in zip(found, (a, b), (b, a), strict=True):
        want = reference.rbf_sums(rows[mine], labels[mine], 6.0, rows[other], labels[other])
        np.testing.assert_allclose(ours, np.stack(want), rtol=1e-4, atol=1e-30)


def test_blocks_add_up_to_all_pairs(made):
    x, labels, h = made("normal", 500, 20, np.random.default_rng(4))
    cuts, centre = [slice(0, 190), slice(190, 191), slice(191, 500)], centre_of(x)
    sums = np.zeros((2, 500))
    for place, a in enumerate(cuts):
        sums[:, a] += rbf_cpu.rbf_sums(x[a], labels[a], h)
        for b in cuts[place + 1 :]:
            of_a, of_b = rbf_blocks.block_sums(x[a], labels[a], x[b], labels[b], h, centre=centre)
            sums[:, a] += of_a
            sums[:, b] += of_b
    np.testing.assert_allclose(sums, rbf_cpu.rbf_sums(x, labels, h), rtol=1e-5)


def test_threads_change_no_bit(made):
    x, labels, h = made("normal", 1500, 20, np.random.default_rng(5))
    one, two = (
        rbf_blocks.block_sums(x[:600], labels[:600], x[600:], labels[600:], h, threads=threads) for threads in (1, 2)
    )
    for first, second in zip(one, two, strict=True):
        np.testing.assert_array_equal(first, second)


def test_what_does_not_fit_is_refused():
    rows, labels = np.zeros((3, 2)), np.zeros(3, int)
    with pytest.raises(ValueError, match="expected one width"):
        rbf_blocks.block_sums(rows, labels, np.zeros((3, 4)), labels, 1.0)
    with pytest.raises(ValueError, match="found a centre of shape"):
        rbf_blocks.block_sums(rows, labels, rows, labels, 1.0, centre=np.zeros(3))
    with pytest.raises(ValueError, match="NaN or infinity in x_b"):
        rbf_blocks.block_sums(rows, labels, rows * np.nan, labels, 1.0)
    layers = [GradientFactors(np.zeros((3, 2)), np.zeros((3, 4)), True)]
    with pytest.raises(ValueError, match="expected the same"):
        rbf_blocks.gradient_block_sums(layers, labels, [layers[0]._replace(bias=False)], labels, 1.0)
