import numpy as np
import pytest

from dataaudit.data import as_examples


@pytest.fixture(scope="session")
def blobs():
    """Three separable classes, 90 rows of 6 numbers."""
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 3
    inputs = (rng.normal(size=(90, 6)) + 2.5 * np.eye(3, 6)[labels]).astype(np.float32)
    return as_examples((inputs, labels))
