"""
Consistency scores
==================

The consistency score of an example is the share of models that are right about it, when they were trained on random
subsets without it. It needs many training runs, so we take a fast model.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.naive_bayes import GaussianNB

import dataaudit

digits = load_digits()
data = digits.data / 16, digits.target
holdout = dataaudit.Holdout(ratio=0.5, runs=60)
audit = dataaudit.score(GaussianNB(var_smoothing=0.01), data, "c_score", holdout=holdout, progress=False)
table = audit.uncertainty()
table.head()

# %%
# Most digits are regular. A score near 0 or 1 is known after a few runs, and those between are less certain.

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
left.hist(audit.scores["c_score"], 30)
left.set(xlabel="C-score", ylabel="examples")
right.plot(audit.scores["c_score"], table["stderr"], ".", alpha=0.3)
right.set(xlabel="C-score", ylabel="standard error")

# %%
# Digits with low, middling and high scores.

order = audit.ranking()
middle = len(order) // 10
groups = {"low": order[:8], "middle": order[middle : middle + 8], "high": order[-8:]}
figure, axes = plt.subplots(3, 8, figsize=(9, 4.4), layout="constrained")
for row, (name, members) in zip(axes, groups.items(), strict=True):
    row[0].set_ylabel(f"{name} C-score")
    for ax, member in zip(row, members, strict=True):
        ax.imshow(digits.images[member], cmap="gray_r")
        ax.set(xticks=[], yticks=[], title=digits.target[member], xlabel=f"{audit.scores['c_score'][member]:.2f}")

# %%
# A cheap score, by nearest neighbours in closed form, agrees with the C-score in part.

cheap = dataaudit.score(None, data, "knn_c_score/input", progress=False).scores["knn_c_score/input"]
figure, ax = plt.subplots(layout="constrained")
ax.plot(cheap, audit.scores["c_score"], ".", alpha=0.3)
ax.set(xlabel="expected score of nearest neighbours", ylabel="C-score of naive Bayes")
