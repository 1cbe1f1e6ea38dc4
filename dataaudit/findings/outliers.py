"""Distance of an example from all others, in units of how far these lie from each other."""

from __future__ import annotations

import numpy as np

from dataaudit.common.types import FloatArray, IntArray

NEAREST = 100
"""Neighbours that an outlier is to be far from: with fewer, a few outliers of one kind hide each other; see
benchmarks/findings/novelty.py."""


def mean_distance(distances: FloatArray, k: int) -> FloatArray:
    """Mean distance to the `k` nearest, float64 [n], from distances [n, depth]; to all where there are fewer."""
    return np.asarray(distances[:, :k].mean(1), np.float64)


def local_ratio(own: FloatArray, indices: IntArray, of_others: FloatArray) -> FloatArray:
    """Ratio of an example's mean distance to its neighbours and that of these to theirs, float64 [m].

    `own` is the mean distance of each example to its k nearest [m], `indices` these [m, k], `of_others` the mean
    distance of every example of the data set to its k nearest [n].
    """
    return ratio(own, np.median(of_others[indices], axis=1))


def ratio(value: FloatArray, usual: FloatArray) -> FloatArray:
    """value / usual, 1 where both are 0, infinity where only `usual` is."""
    value, usual = np.broadcast_arrays(value, usual)
    ratios = np.where(value > 0, np.inf, 1.0)
    np.divide(value, usual, out=ratios, where=usual > 0)
    return ratios


def usual_in_class(nearest: FloatArray, labels: IntArray, classes: int) -> FloatArray:
    """Median of `nearest` [n] over the other examples of the same label; over all others where there are none.

    An example does not count for what is usual around it: a class of two would else be its own measure.
    """
    usual = np.empty(len(nearest))
    for label in range(classes):
        members = np.flatnonzero(labels == label)
        if len(members) > 1:
            usual[members] = _median_of_others(nearest[members])
        elif len(members):
            usual[members] = np.median(np.delete(nearest, members))
    return usual


def _median_of_others(values: FloatArray) -> FloatArray:
    """Median of all values but the own one, float64 [n], n at least 2."""
    n = len(values)
    order = np.argsort(values, kind="stable")
    ranked, rank = values[order], np.arange(n)
    # Without the value at `rank`, the r-th of the others is the r-th or the next of all.
    low, high = (n - 2) // 2, (n - 1) // 2
    medians = np.empty(n)
    medians[order] = (ranked[low + (rank <= low)] + ranked[high + (rank <= high)]) / 2
    return medians


def reasons(times: FloatArray, depth: int) -> list[str]:
    """A sentence for each example: how far its `depth` nearest are, in what is usual in its class."""
    nearest = f"its {depth} nearest examples are" if depth > 1 else "its nearest example is"
    return [
        f"{nearest} {one:.1f} times as far as is usual in its class"
        if np.isfinite(one)
        else f"{nearest} apart from it, where all others of its class are equal"
        for one in times.tolist()
    ]
