"""
A million rows
==============

Without a model, one ridge regression is fitted to all rows, and a formula tells what it would be without each of them.
So a million rows take seconds. The default score takes longer, because it looks for the neighbours of each row too.
"""

import matplotlib.pyplot as plt
import numpy as np

import dataaudit

rng = np.random.default_rng(0)
n, classes, columns = 1_000_000, 5, 16
labels = rng.integers(classes, size=n)
centres = rng.normal(size=(classes, columns)).astype(np.float32)
inputs = centres[labels] + rng.normal(size=(n, columns)).astype(np.float32)
planted = rng.random(n) < 0.03
labels[planted] = (labels[planted] + 1) % classes

audit = dataaudit.score(None, (inputs, labels), "heldout_confidence", progress=False)
print(f"{audit.timings['total']:.1f} seconds; {planted.mean():.1%} of the labels are planted errors")
print(audit.noise_rate())

# %%
# Most planted errors have low scores. Their count is less sure by one score alone: here it is estimated too high.

values = audit.scores["heldout_confidence"]
figure, ax = plt.subplots(layout="constrained")
ax.hist([values[~planted], values[planted]], 60, stacked=True, label=["right label", "planted error"])
ax.set(xlabel="heldout_confidence", ylabel="examples", yscale="log")
ax.legend()

# %%
# How many of the planted errors are among the first rows of the ranking, and which share of those rows they are.

found = planted[audit.ranking()].cumsum()
looks = np.arange(1000, 100_001, 1000)
figure, ax = plt.subplots(layout="constrained")
ax.plot(looks, found[looks - 1] / found[-1], label="share of the planted errors that is found")
ax.plot(looks, found[looks - 1] / looks, "--", label="share of the rows that is a planted error")
ax.set(xlabel="rows looked at", ylabel="share", ylim=(0, 1.02))
ax.legend()
