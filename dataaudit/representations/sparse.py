"""Sparse rows in few dimensions: leading singular vectors of the matrix, as of the words of texts."""

from __future__ import annotations

import numpy as np

from dataaudit.common.types import AnyArray
from dataaudit.data.examples import Examples

DIMENSIONS = 512
"""Most columns that are taken as they are, and most dimensions of others."""

SAMPLE = 20000
"""Most rows that dimensions are learned from."""

AXES = 2**27
"""Most numbers that the dimensions of all columns take."""

DESCRIBED = "a sparse matrix, by its leading singular vectors"
"""Record of the vectors, for an audit's settings."""


def is_wide(examples: Examples) -> bool:
    """Tell whether inputs are a sparse matrix of more columns than are taken as they are."""
    first = examples.read_sparse(np.zeros(1, np.int64))
    return first is not None and first.shape[1] > DIMENSIONS


def axes_of(examples: Examples) -> AnyArray:
    """Dimensions of sparse rows, float32 [columns, d], learned from some of them."""
    from sklearn.utils.extmath import randomized_svd

    chosen = np.sort(np.random.default_rng(0).permutation(len(examples))[:SAMPLE])
    known = examples.read_sparse(chosen).astype(np.float32)
    size = min(DIMENSIONS, max(16, AXES // known.shape[1]), *known.shape)
    return np.asarray(randomized_svd(known, size, n_iter=2, random_state=0)[2].T)


def vectors(examples: Examples, axes: AnyArray) -> AnyArray:
    """Sparse rows as vectors float32 [n, d] in the dimensions `axes`."""
    every = examples.read_sparse(np.arange(len(examples), dtype=np.int64)).astype(np.float32)
    return np.ascontiguousarray(every @ axes, np.float32)
