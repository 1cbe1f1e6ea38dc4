"""Work that linear models of many subsets share: rows gathered with their class sums, and outputs scored."""

from __future__ import annotations

import numba


@numba.njit(nogil=True)
def gather(features, labels, rows, out, sums):
    """Copy rows and add them up by class.

    Parameters
    ----------
    features
        float32 [n, d].
    labels
        int64 [n], 0..C-1.
    rows
        int64 [b].
    out
        float32 [b, d], written: ``features[rows]``.
    sums
        float64 [C, d]; the rows of each class are added.
    """
    for place in range(len(rows)):
        row = rows[place]
        label = labels[row]
        for j in range(features.shape[1]):
            value = features[row, j]
            out[place, j] = value
            sums[label, j] += value


@numba.njit(nogil=True)
def score_outputs(outputs, offsets, labels, rows, models, correct, probability):
    """Compare the outputs of several models with labels.

    Parameters
    ----------
    outputs
        float32 [b, m * C]: model after model, without their intercepts.
    offsets
        Intercepts, float32 [m * C].
    labels
        int64 [n], 0..C-1.
    rows
        Row of each output, int64 [b].
    models
        Column of `correct` and `probability` for each model, int64 [m].
    correct
        bool [n, M], written: whether the largest output, the first among equals, is the label's.
    probability
        float32 [n, M], written: the label's output, cut off to [0, 1].
    """
    classes = len(offsets) // len(models)
    for place in range(len(rows)):
        row = rows[place]
        label = labels[row]
        for m in range(len(models)):
            first = m * classes
            best, largest = 0, outputs[place, first] + offsets[first]
            given = largest
            for c in range(1, classes):
                value = outputs[place, first + c] + offsets[first + c]
                if value > largest:
                    best, largest = c, value
                if c == label:
                    given = value
            correct[row, models[m]] = best == label
            probability[row, models[m]] = min(max(given, 0.0), 1.0)


@numba.njit(nogil=True)
def collect(place, first, last, correct, probability, ends, kept_correct, kept_probability):
    """Line up what each model makes of the rows that it holds out, in rising order of rows.

    Parameters
    ----------
    place
        Place of each row in the permutation, int64 [n].
    first, last
        Model m holds out the places ``first[m] <= place < last[m]``, int64 [M].
    correct, probability
        From `score_outputs`, [n, M].
    ends
        Where each model's outcomes begin in the next two, int64 [M]; where they end when this returns.
    kept_correct, kept_probability
        bool and float32 [sum of last - first], written.
    """
    for row in range(len(place)):
        for m in range(len(first)):
            if first[m] <= place[row] < last[m]:
                kept_correct[ends[m]] = correct[row, m]
                kept_probability[ends[m]] = probability[row, m]
                ends[m] += 1
