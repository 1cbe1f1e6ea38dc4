import numpy as np
import pytest
from scipy.spatial.distance import pdist

from dataaudit.density.bandwidth import SAMPLE, find, mean_distance
from dataaudit.density.sums import multiple_of
from dataaudit.errors import DataError, SettingError
from dataaudit.representations.base import GradientFactors
from dataaudit_kernels.reference import written_out


def test_few_examples_give_the_exact_mean():
    x = np.random.default_rng(0).normal(size=(50, 7)) + 100
    mean, stderr = mean_distance(x, seed=0)
    assert mean == pytest.approx(pdist(x).mean(), rel=1e-10)
    assert stderr == 0
    assert find(x, "1x", 0).value == pytest.approx(pdist(x).mean() / 2)
    assert find(x, "0.25x", 0).value == pytest.approx(pdist(x).mean() / 8)
    assert find(x, 3.0, 0).value == 3.0


def test_a_sample_covers_the_truth_as_often_as_its_standard_error_says():
    x = np.random.default_rng(1).standard_t(4, size=(4000, 3))
    truth = pdist(x).mean()
    found = [mean_distance(x, seed) for seed in range(60)]
    covered = np.mean([abs(mean - truth) < 1.96 * stderr for mean, stderr in found])
    assert 0.85 <= covered <= 1.0
    assert np.std([mean for mean, _ in found]) == pytest.approx(np.mean([stderr for _, stderr in found]), rel=0.3)
    assert mean_distance(x, 3) == mean_distance(x, 3)
    assert len(x) > SAMPLE


def test_gradients_in_factors_are_as_far_apart_as_those_written_out():
    rng = np.random.default_rng(2)
    layers = [
        GradientFactors(rng.normal(size=(40, p)), rng.normal(size=(40, q)), bias)
        for p, q, bias in ((3, 5, True), (2, 4, False))
    ]
    written = written_out([layer for layer in layers])
    assert mean_distance(layers, 0)[0] == pytest.approx(pdist(written).mean(), rel=1e-9)


@pytest.mark.parametrize("x", [np.full((5, 3), 7.1e3), np.zeros((1, 2))])
def test_equal_examples_have_no_distance(x):
    with pytest.raises(DataError, match="all equal"):
        find(x, "1x", 0)
    assert find(x, 2.0, 0).value == 2.0


@pytest.mark.parametrize("wrong", [0, -1.0, np.inf, np.nan, "x", "0x", "-1x", "wide", None, True, [1.0]])
def test_wrong_bandwidths_are_refused(wrong):
    with pytest.raises(SettingError, match="above 0"):
        multiple_of(wrong)
