"""Rows, and blocks of them computed in this process as workers would."""

import numpy as np
import pytest

from dataaudit.cluster.engine import BlockJob
from dataaudit.cluster.schedule import BlockSchedule
from dataaudit.cluster.source import Source
from dataaudit.density.exact import ReferenceEngine
from dataaudit_kernels.packing import centre_of


@pytest.fixture
def rows():
    """150 rows of three classes, float32 [150, 5], and labels."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(150, 5)).astype(np.float32), rng.integers(3, size=150)


@pytest.fixture
def job():
    """Job over blocks of 40 rows."""

    def make(x, labels, engine=None, h=2.0):
        schedule, source = BlockSchedule(len(x), 40), Source.of(x)
        digests = tuple(source.digests(schedule))
        return BlockJob(engine or ReferenceEngine(), schedule, source, labels, h, centre_of(x), digests)

    return make
