"""Work that linear models of many subsets share: rows gathered with their class sums, and outputs scored."""

from __future__ import annotations

from dataaudit_kernels.compiled import compiled


@compiled()
def gather(features, labels, rows, out, sums):
    """Copy rows, ``out[:] = features[rows]``, and add them to the sums of their classes, float64 [C, d]."""
    for i in range(len(rows)):
        row = rows[i]
        label = labels[row]
        for j in range(features.shape[1]):
            value = features[row, j]
            out[i, j] = value
            sums[label, j] += value


@compiled()
def score_outputs(outputs, offsets, labels, rows, models, correct, probability):
    """Compare the outputs of several models, float32 [b, m * C] without their `offsets` [m * C], with labels.

    `rows` [b] are those of the outputs, and `models` [m] columns of what is written: `correct`, bool [n, M], whether
    the largest output, the first among equals, is the label's, and `probability`, float32 [n, M], the label's output,
    cut off to [0, 1].
    """
    classes = len(offsets) // len(models)
    for i in range(len(rows)):
        row = rows[i]
        label = labels[row]
        for m in range(len(models)):
            first = m * classes
            best, largest = 0, outputs[i, first] + offsets[first]
            given = largest
            for c in range(1, classes):
                value = outputs[i, first + c] + offsets[first + c]
                if value > largest:
                    best, largest = c, value
                if c == label:
                    given = value
            correct[row, models[m]] = best == label
            probability[row, models[m]] = min(max(given, 0.0), 1.0)


@compiled()
def collect(position, first, last, correct, probability, ends, kept_correct, kept_probability):
    """Line up the outcomes of each model for the rows that it holds out, in rising order of rows.

    Model m holds out the rows whose position [n] in the permutation is ``first[m] <= position < last[m]``; its outcomes
    are kept from ``ends[m]`` on, which is where they end when this returns.
    """
    for row in range(len(position)):
        for m in range(len(first)):
            if first[m] <= position[row] < last[m]:
                kept_correct[ends[m]] = correct[row, m]
                kept_probability[ends[m]] = probability[row, m]
                ends[m] += 1
