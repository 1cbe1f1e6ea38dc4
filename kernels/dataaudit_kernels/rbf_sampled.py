"""Kernel sums of more rows than all pairs can be taken of: exact within a class, sampled between classes.

    one pass over the rows, by class: finite? norms, moments            sampled_source, taylor
    sample for the tolerance, on some rows                              agreement
    for each class, block by block:
        sums over its own rows: all pairs, or a sample of the class     rbf_cpu, sampled_estimate
        sums over all other rows: the shared sample without its own     sampled_estimate

Memory beyond the arguments: about 160 bytes a row; the samples (12 bytes a value of the shared one and of one class's,
and 256 a member); moments (8 (d + r^2) bytes a class of over 512 rows, at most 256 MiB + 8 C d); one class that is
summed exactly (at most 512 MiB); blocks of a few MiB a thread. Rows are read by position, a block at a time, three
times over.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from dataaudit_kernels.agreement import SCORES
from dataaudit_kernels.arrays import Advance, Floats, Integers
from dataaudit_kernels.rbf_cpu import rbf_sums, workers
from dataaudit_kernels.sampled_parts import SampledSums
from dataaudit_kernels.sampled_source import Source, as_rows
from dataaudit_kernels.sampled_work import FIRST, SURVEYED, Work
from dataaudit_kernels.validation import check_bandwidth, check_labels

Neighbours = tuple[NDArray[np.integer[Any]], Floats]

NEAR = 2**20
"""Values of neighbours that are looked at together."""


def sampled_sums(
    x: ArrayLike | Any,
    labels: ArrayLike,
    bandwidth: float,
    neighbours: Neighbours | None = None,
    *,
    tolerance: float | None = 1e-3,
    sample: int = 65536,
    exact_class: int | None = None,
    control: bool = True,
    seed: int = 0,
    threads: int | None = None,
    advance: Advance | None = None,
) -> SampledSums:
    """Estimates of `dataaudit_kernels.reference.rbf_sums`, in memory that the number of rows hardly enters.

    Parameters
    ----------
    x
        Rows [n, d] of real numbers: an array, a memory-mapped one, or anything with a shape, a type and rows at
        positions. It is never copied whole.
    labels, bandwidth
        As there.
    neighbours
        Near rows of each, itself not among them, none twice, and how far they are, in float64; [n, depth] each. They
        are summed exactly, and only the others are sampled, without control variates. No sum is less than theirs.
    tolerance
        Largest estimated 1 - Spearman between a density score by these sums and by exact ones; None for a sample of
        the size `sample`.
    sample
        Most members of the sample.
    exact_class
        Largest class of which all pairs are summed; four samples if None. Larger ones are sampled.
    control
        Whether control variates are used, where there are no neighbours.
    seed
        Of the samples.
    threads
        Numba's number (all cores, NUMBA_NUM_THREADS) if None.
    advance
        Called now and then with the share of the work done since the last call.

    Returns
    -------
    SampledSums
        All pairs are summed, with errors of 0, where that is no more work than the sample. Beside neighbours, errors
        are those of the part that is sampled.
        The precision is float32: sums have a relative error of up to 2e-6 (1 + R^2 / h^2), R the distance of rows from
        the centre. Standard errors do not hold it: of a tight cluster far from the bulk, sum pairs by themselves, or
        all by `dataaudit_kernels.reference.rbf_sums`, in float64.

    Raises
    ------
    ValueError
        If shapes do not match, values are not finite, rows are over 1e15 bandwidths apart, the bandwidth is not
        positive, rows change while they are read, or neighbours are those of other rows.

    Examples
    --------
    >>> estimates = sampled_sums([[0.0], [1.0], [1.0]], [0, 0, 1], 1.0)
    >>> estimates.same.round(4).tolist(), estimates.sample
    ([0.3679, 0.3679, 0.0], 3)
    """
    h = check_bandwidth(bandwidth)
    rows = as_rows(x)
    n = len(rows)
    given = check_labels(labels, n, "labels")
    if neighbours is not None:
        indices, distances = neighbours
        inside = not indices.size or 0 <= indices.min() <= indices.max() < n
        if indices.shape != distances.shape or len(indices) != n or not inside:
            raise ValueError(
                f"found a graph of shapes {indices.shape} and {distances.shape} for {n} rows; expected positions of "
                "rows and their distances, [n, depth]; pass the graph of these rows"
            )
    step = advance or (lambda share: None)
    count, most = workers(threads), min(sample, n)
    if n <= 2 * min(sample, FIRST if tolerance is not None else sample):
        return _at_least_near(_all_pairs(rows, given, h, threads, step), given, h, neighbours)
    with threadpool_limits(1, "blas"):
        work = Work(Source(rows, h), given, h, exact_class, control, seed, count, neighbours)
        work.survey(step)
        size, part = most, 1 - SURVEYED
        if tolerance is not None:
            size = work.size_for(tolerance, most) if neighbours is None else min(FIRST, most)
        while 2 * size < n:
            estimates = work.sums(size, part, step)
            reached = 1 - min(estimates.agreement.values())
            if tolerance is None or reached <= tolerance or size >= most:
                return _at_least_near(estimates, given, h, neighbours)
            # Rows that were not tried rank worse than those that were; what is done again is no progress.
            grown = int(1.2 * size * reached / tolerance)
            size, part = min(most, grown if neighbours is None else max(2 * size, min(8 * size, grown))), 0.0
    everything = _all_pairs(rows, given, h, threads, lambda share: step(part * share))
    return _at_least_near(everything, given, h, neighbours)


def _all_pairs(rows: Any, labels: Integers, h: float, threads: int | None, advance: Advance) -> SampledSums:
    total, same = rbf_sums(np.asarray(rows), labels, h, threads=threads, advance=advance)
    n = len(labels)
    counts = np.unique(labels, return_inverse=True, return_counts=True)
    members = n - counts[2][counts[1]] if n else np.zeros(0, np.int64)
    largest = int(counts[2].max(initial=0))
    return SampledSums(total, same, np.zeros(n), np.zeros(n), members, dict.fromkeys(SCORES, 1.0), n, largest, 0)


def _at_least_near(sums: SampledSums, labels: Integers, h: float, neighbours: Neighbours | None) -> SampledSums:
    """Sums that are no less than what neighbours add up to in float64: float32 may round the same pairs to less."""
    if neighbours is None:
        return sums
    indices, distances = neighbours
    total, same = sums.total.copy(), sums.same.copy()
    step = max(1, NEAR // max(1, indices.shape[1]))
    for start in range(0, len(labels), step):
        part = slice(start, start + step)
        near = np.exp(-((distances[part] / h) ** 2))
        own = np.where(labels[indices[part]] == labels[part, None], near, 0.0).sum(1)
        missing = np.maximum(own - same[part], 0.0)
        same[part] = np.maximum(own, same[part])
        total[part] = np.maximum(near.sum(1), total[part] + missing)
    return replace(sums, total=total, same=same)
