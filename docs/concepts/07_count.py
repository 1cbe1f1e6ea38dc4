"""
When to believe the count, and what can go wrong
================================================

``audit.noise_rate()`` is an estimate with an :ref:`interval <term-interval>`. The interval is wide where the evidence
is poor, and where it is too poor the count is not known, which the audit says, with its reason. Believe a count when

- it is known, and its interval is narrow enough for what you want to decide;
- the model is better than chance: look at ``audit.settings["agreement"]`` and at the notes of ``print(audit)``;
- the labels were not learned by heart: let something that never saw them stand beside the model, as the default does;
- some rows were looked at: ``audit.review()`` and ``audit.reviewed()`` give bounds that hold whatever the model is
  worth.

The figure draws ``python -m benchmarks.peers.bed.counts``, data sets with known errors. Lines are intervals, dots the
truth, of the cases whose count is known.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import dataaudit
from benchmarks.summary import tables

cases = tables()["counts"].raw().dropna(subset=["rate"])
kinds = ["clean", "other", "real", "small", "weak", "memorising"]
figure, axes = plt.subplots(1, 6, figsize=(9, 3.6), sharey=True, layout="constrained")
for ax, kind in zip(axes, kinds, strict=True):
    own = cases[cases["stratum"] == kind].sort_values("true")
    held, place = own["holds"].astype(bool), np.arange(len(own))
    ax.vlines(place, own["lower"], own["upper"], color="tab:gray", linewidth=1)
    ax.plot(place[held], own["true"][held], ".", label="held")
    ax.plot(place[~held], own["true"][~held], "x", color="tab:red", label="missed")
    ax.set(title=f"{kind}\n{held.mean():.0%} held", xticks=[])
axes[0].set(ylabel="share of wrong labels", ylim=(-0.01, 1))
axes[-1].legend(fontsize=8)

# %%
# What can go wrong, and how the audit says so. Labels that have nothing to do with the inputs:

digits = load_digits()
inputs = (digits.data / 16).astype(np.float32)
rng = np.random.default_rng(0)
print(dataaudit.score(None, (inputs, rng.permutation(digits.target)), progress=False).noise_rate().reason)

# %%
# Data that cannot be used are refused before anything is trained: what arrived, what was expected, what to do.

try:
    dataaudit.score(None, (inputs, digits.target[:-1]), progress=False)
except dataaudit.errors.DataError as error:
    print(error)

# %%
# What was noticed without being an error is a note, here two spellings of one class.

kinds = np.array(["ant", "bee", "cat"])[np.arange(90) % 3].astype(object)
kinds[0] = "ant "
vectors = rng.normal(size=(90, 4)) + np.arange(90)[:, None] % 3
print(*dataaudit.score(None, (vectors, kinds), progress=False).settings["notes"], sep="\n")
