"""
Densities and neighbours
========================

Where an example lies says something too, without any training. A :ref:`density <term-density>` is large where many
examples are near. Divided by labels it tells regular examples from others: those in the midst of their own class,
those between two classes, those far from everything, and those in the midst of another class.

Two classes in the plane, with a few labels exchanged and a few points far away, both planted.
"""

import matplotlib.pyplot as plt
import numpy as np

import dataaudit

rng = np.random.default_rng(0)
labels = np.repeat([0, 1], 150)
points = rng.normal(size=(300, 2)) + 3.2 * labels[:, None]
points[:4] = rng.uniform(-6, 9, (4, 2)) * [1, -1]
labels[[20, 60, 200, 250]] ^= 1
points = points.astype(np.float32)

names = ["density/input", "class_density/input", "relative_density/input", "parzen/input"]
audit = dataaudit.score(None, (points, labels), names, progress=False)

# %%
# - ``density``: how many examples of any label are near. It finds what lies far away, and no
#   :ref:`wrong labels <term-label-error>`.
# - ``class_density``: how many of the same label.
# - ``relative_density``: the second minus those of other labels.
# - ``parzen``: the share of the same label among what is near. It finds exchanged labels.

figure, axes = plt.subplots(2, 2, figsize=(9, 7), layout="constrained", sharex=True, sharey=True)
for ax, name in zip(axes.flat, names, strict=True):
    rank = audit.scores[name].rank(pct=True)
    for label, marker in enumerate("os"):
        rows = labels == label
        dots = ax.scatter(*points[rows].T, c=rank[rows], marker=marker, cmap="viridis", vmin=0, vmax=1, s=25)
    ax.set(title=name, xticks=[], yticks=[])
figure.colorbar(dots, ax=axes, label="rank: low is irregular")
