"""Audits of rows some of which are far, equal or between classes."""

import numpy as np
import pytest

import dataaudit
from dataaudit import Audit, Recipe

CLASSES = np.array(["ant", "bee", "cat"])


def quietly(model, data, scorers="auto", **options):
    return dataaudit.score(model, data, scorers, progress=False, **options)


@pytest.fixture(scope="module")
def data(noisy):
    """`noisy` with a far row (0), an equal pair with two labels (1, 2) and one between two classes (3)."""
    inputs, labels, _ = noisy
    inputs, labels = inputs.copy(), labels.copy()
    inputs[0] = 40.0
    inputs[2] = inputs[1]
    labels[1], labels[2] = 0, 1
    inputs[3] = 2.5 * np.array([1, 1, 0, 0, 0, 0])
    return inputs, CLASSES[labels]


@pytest.fixture(scope="module")
def of_inputs(data):
    return quietly(None, data, "parzen/input")


@pytest.fixture(scope="module")
def of_network(data):
    from torch import nn

    recipe = Recipe(epochs=4, batch_size=32, precision="float32")

    def model():
        return nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 3))

    return quietly(model, data, ["label_quality", "knn_c_score/hidden"], recipe=recipe)


@pytest.fixture
def loaded(of_inputs, tmp_path):
    of_inputs.save(tmp_path / "audit")
    return Audit.load(tmp_path / "audit")
