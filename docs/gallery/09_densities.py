"""
Densities in three spaces
=========================

How crowded is it around an example? It depends on where we look: among the inputs, in the last hidden layer of a
trained network, or among the gradients of its loss.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import dataaudit

digits = load_digits()
inputs, labels = (digits.data / 16).astype(np.float32), digits.target.copy()
planted = np.random.default_rng(0).choice(len(labels), 90, replace=False)
labels[planted] = (labels[planted] + 1) % 10
wrong = np.isin(np.arange(len(labels)), planted)

model = dataaudit.networks.build("mlp", input_shape=(64,), classes=10)
scores = ["density/input", "density/hidden", "density/gradient", "parzen/input", "parzen/hidden"]
audit = dataaudit.score(model, (inputs, labels), scores, progress=False)

# %%
# The density of inputs and of hidden layers knows no labels. Gradients do: wrong labels lie where few others are.

figure, axes = plt.subplots(1, 3, figsize=(10, 3.6), layout="constrained")
for ax, name in zip(axes, scores, strict=False):
    values = audit.scores[name]
    ax.hist([values[~wrong], values[wrong]], 30, stacked=True, label=["right label", "planted error"])
    ax.set(xlabel=name, ylabel="examples")
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)

# %%
# So the density of gradients finds wrong labels. Among inputs and in hidden layers we ask instead which share of the
# density has the same label: that is the Parzen posterior.

figure, ax = plt.subplots(layout="constrained")
for name in scores[2:]:
    ax.plot(np.arange(1, 301), wrong[audit.ranking(name)[:300]].cumsum(), label=name)
ax.set(xlabel="rows looked at", ylabel="planted errors found")
ax.legend()

# %%
# The examples that lie loneliest among the inputs are odd digits, whatever their labels are.

figure, axes = plt.subplots(2, 6, figsize=(8, 3.4), layout="constrained")
for ax, row in zip(axes.flat, audit.ranking("density/input"), strict=False):
    ax.imshow(digits.images[row], cmap="gray_r")
    ax.set(xlabel=f"row {row}", xticks=[], yticks=[])
