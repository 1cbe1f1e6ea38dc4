"""
Probabilities of errors
=======================

``audit.error_probability()`` says how probable it is that each given label is :ref:`wrong <term-label-error>`. The
probabilities add up to the estimated number of errors, and follow the order of the :ref:`consensus <term-consensus>`.

Here every tenth label of the digits is exchanged; these errors are planted.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import dataaudit
from benchmarks.summary import tables

digits = load_digits()
inputs, labels = (digits.data / 16).astype(np.float32), digits.target.copy()
labels[::10] = (labels[::10] + 1) % 10
wrong = labels != digits.target
audit = dataaudit.score(None, (inputs, labels), progress=False)
probability = np.asarray(audit.error_probability())
rate = audit.noise_rate()
print(f"{wrong.sum()} are wrong; the probabilities add up to {probability.sum():.0f}")

# %%
# Most labels are nearly certain, either way. Those between are for people to look at.

figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
ax.hist([probability[~wrong], probability[wrong]], 20, stacked=True, label=["right", "wrong (planted)"])
ax.set(xlabel="probability that the label is wrong", ylabel="examples", yscale="log")
ax.legend()

# %%
# Of a list one wants to know how much of it is wrong. The precision that was expected of what ``mislabeled()`` flags,
# and the true one, in the cases of ``python -m benchmarks.peers.bed.probabilities``: each point is a data set with
# known errors. Points below the line are lists that held fewer errors than was expected.

cases = tables()["probabilities"].raw().query("flags >= 20")
figure, ax = plt.subplots(figsize=(5, 4.5), layout="constrained")
for kind, marker in zip(cases["stratum"].unique(), "osD^vP", strict=False):
    own = cases[cases["stratum"] == kind]
    ax.plot(own["expected"], own["precision"], marker, label=kind, alpha=0.6, markersize=5)
ax.axline((0, 0), slope=1, color="black", linewidth=1)
ax.set(xlabel="expected precision of the flagged rows", ylabel="true precision", xlim=(0, 1.02), ylim=(0, 1.02))
ax.legend(fontsize=8)
