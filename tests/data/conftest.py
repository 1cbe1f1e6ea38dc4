"""One small data set in every shape that the adapters take."""

import datasets
import numpy as np
import pandas as pd
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def numbers():
    """Seven rows of three numbers with the labels 0 1 2 0 1 2 0: inputs float32 [7, 3], labels int64 [7]."""
    return np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32), np.arange(7) % 3


@pytest.fixture(scope="session")
def frame(numbers):
    inputs, labels = numbers
    return pd.DataFrame(inputs, columns=["a", "b", "c"]).assign(label=np.array(["x", "y", "z"])[labels])


@pytest.fixture
def image_set():
    """Make a Hugging Face data set of PIL images with two classes."""

    def make(images):
        features = datasets.Features(image=datasets.Image(), label=datasets.ClassLabel(names=["no", "yes"]))
        labels = [row % 2 for row in range(len(images))]
        return datasets.Dataset.from_dict({"image": images, "label": labels}, features=features)

    return make


@pytest.fixture(scope="session")
def gray():
    """Six grey images of 4 x 5 pixels; image i has the value 10 i everywhere."""
    return [Image.new("L", (5, 4), 10 * row) for row in range(6)]
