"""Random draws by weight that are a function of seed and epoch alone."""

from __future__ import annotations

import numpy as np

from dataaudit.common.types import FloatArray, IntArray


def uniforms(seed: int, epoch: int, count: int) -> FloatArray:
    """Uniform numbers in (0, 1), float64 [count], from the counter-based generator Philox with the key (seed, epoch).

    Fewer numbers are the first of more. Only raw integers are NumPy's: its distributions may change between versions.
    """
    raw = np.random.Philox(key=np.array([seed, epoch], np.uint64)).random_raw(count)
    # 52 bits: with 53, the largest plus a half would round to 1.
    whole: FloatArray = (np.asarray(raw, np.uint64) >> np.uint64(12)).astype(np.float64)
    return (whole + 0.5) * 2.0**-52


def scaled(weights: FloatArray) -> FloatArray:
    """Weights times the power of two that brings the largest into [0.5, 1): their sum is finite, and no digit changes.

    NaN stays NaN. A weight 1e307 times smaller than the largest may become 0.
    """
    return np.asarray(np.ldexp(weights, -np.frexp(np.nanmax(weights, initial=0.0))[1]), np.float64)


def draw(weights: FloatArray, count: int, replacement: bool, seed: int, epoch: int) -> IntArray:
    """Draw `count` positions one after another, each by weight among those that can still come, int64 [count].

    With replacement, by inverting the cumulative weights. Without, each comes once, the smallest keys -log(u_i) / w_i
    in their order: that of sequential draws (Efraimidis and Spirakis, *Weighted random sampling with a reservoir*,
    Information Processing Letters 2006). Memory: 32 bytes an example or a draw, whichever are more.

    >>> draw(np.array([1.0, 0.0, 2.0]), 2, False, seed=0, epoch=0).tolist()
    [2, 0]
    """
    if replacement:
        bounds = np.cumsum(scaled(weights))
        drawn = np.searchsorted(bounds, uniforms(seed, epoch, count) * bounds[-1], side="right")
        # A product that rounds up to the last bound lies beyond every position.
        return np.asarray(np.minimum(drawn, np.flatnonzero(weights)[-1]), np.int64)
    with np.errstate(divide="ignore", over="ignore"):
        # Only the smallest numbers divide to infinity; they come last, in their order.
        keys = -np.log(uniforms(seed, epoch, len(weights))) / (weights / weights.max())
    keys[weights == 0] = np.inf
    # The second key keeps a weight of 0 behind one that is all but 0.
    return np.lexsort((weights == 0, keys))[:count].astype(np.int64)
