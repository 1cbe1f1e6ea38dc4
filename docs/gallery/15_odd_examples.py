"""
Odd, doubled and between classes
================================

Not every odd example has a wrong label. An audit also finds rows that lie far from all others, rows that are nearly
equal, and rows between two classes. We copy a few digits, and make a few of noise, to have some of each.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import dataaudit

digits = load_digits()
rng = np.random.default_rng(0)
noise = rng.integers(0, 17, (5, 64))
inputs = np.concatenate([digits.data, digits.data[:5], noise]).astype(np.float32) / 16
labels = np.concatenate([digits.target, digits.target[:5], rng.integers(10, size=5)])
model = dataaudit.networks.build("mlp", input_shape=(64,), classes=10)
audit = dataaudit.score(model, (inputs, labels), progress=False)
outliers, doubles, between = audit.outliers(8), audit.duplicates(), audit.ambiguous(8)


def show(rows: np.ndarray, words: list[str]) -> None:
    """Draw eight digits with words below each."""
    axes = plt.subplots(1, 8, figsize=(9, 1.7), layout="constrained")[1]
    for ax, row, text in zip(axes, rows, words, strict=False):
        ax.imshow(inputs[row].reshape(8, 8), cmap="gray_r")
        ax.set(title=f"row {row}", xticks=[], yticks=[])
        ax.set_xlabel(text, fontsize=8)


# %%
# Outliers: the five rows of noise, and the oddest digits.

show(outliers["row"], [f"label {labels[row]}" for row in outliers["row"]])

# %%
# Duplicates: the digits that we copied. Rows of one group are equal, or nearly so.

show(doubles["row"], [f"group {group}" for group in doubles["group"]])

# %%
# Ambiguous rows: over the epochs, the network was undecided between two classes.

show(between["row"], [f"label {labels[row]}" for row in between["row"]])
between[["row", "given", "first", "second", "first_probability", "second_probability"]].head()
