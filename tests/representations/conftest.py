"""Data that tests of stored representations share."""

from functools import partial

import numpy as np
import pytest

from dataaudit.pipeline.evidence_sources import space_collector
from dataaudit.representations import store
from dataaudit.representations.collect import represent


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=400)
    return (rng.normal(size=(400, 6)) + y[:, None]).astype(np.float32), y


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of a few rows, as of any cache: calls have no option for them, and a file of many blocks takes 100 MB."""
    monkeypatch.setattr(store, "BLOCK", 1000)
    monkeypatch.setattr(space_collector, "represent", partial(represent, batch_size=50))
