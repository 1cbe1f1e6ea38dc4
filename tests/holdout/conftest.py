"""A small data set with a wrong label in ten, and a Ray that the tests share."""

import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB

import dataaudit


@pytest.fixture(scope="session")
def blobs():
    """120 rows of three classes, every tenth label wrong: (inputs, labels)."""
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 3
    inputs = rng.normal(size=(120, 4)) + 2.5 * np.eye(3, 4)[labels]
    labels[::10] = (labels[::10] + 1) % 3
    return inputs, labels


@pytest.fixture
def scored():
    """``dataaudit.score`` with the options of a `Holdout`."""

    def score(model, data, names="c_score", seed=0, recipe=None, **options):
        holdout = dataaudit.Holdout(**options)
        return dataaudit.score(model, data, names, seed=seed, recipe=recipe, holdout=holdout, progress=False)

    return score


@pytest.fixture
def bayes():
    return GaussianNB()


@pytest.fixture(scope="module")
def local_ray():
    """A Ray of two CPUs for the tests of a module; other modules begin one of their own kind."""
    import logging

    import ray

    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    yield ray
    ray.shutdown()
