import numpy as np
import pytest
from scipy.spatial.distance import cdist

from dataaudit_kernels.reference import rbf_sums


@pytest.mark.parametrize("n", [1, 2, 63])
@pytest.mark.parametrize("d", [1, 20])
def test_equals_scipy(n, d):
    rng = np.random.default_rng(n + d)
    x, labels = rng.normal(size=(n, d)), rng.integers(3, size=n)
    kernel = np.exp(-cdist(x, x, "sqeuclidean") / 1.7**2) - np.eye(n)
    total, same = rbf_sums(x, labels, 1.7)
    np.testing.assert_allclose(total, kernel.sum(1), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(same, (kernel * (labels[:, None] == labels)).sum(1), rtol=1e-12, atol=1e-12)


def test_far_rows_count_nothing_and_duplicates_count_one():
    total, same = rbf_sums([[0.0], [0.0], [1e6]], [0, 1, 1], 1.0)
    assert total.tolist() == [1.0, 1.0, 0.0]
    assert same.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("x", "labels", "h"),
    [([0.0], [0], 1.0), ([[0.0]], [0, 1], 1.0), ([[np.nan]], [0], 1.0), ([[0.0]], [0], 0.0)],
)
def test_wrong_input_is_refused(x, labels, h):
    with pytest.raises(ValueError, match="expected"):
        rbf_sums(x, labels, h)
