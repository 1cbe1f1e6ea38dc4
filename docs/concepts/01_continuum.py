"""
From regular to wrong: the continuum
====================================

In every class most examples are alike, some are unusual, a few are the only ones of their kind, and some have a
:ref:`wrong label <term-label-error>`. Between these there are no borders: it is one continuum, from examples that any
model gets right to examples that a model can only learn by heart.

The consistency score (:ref:`C-score <term-c-score>`) is a place on it. Train many models, each on a random part of the
data, and ask each about the examples it has not seen. The C-score of an example is the share of models that are right
about it. It is 1 where all others tell its label, and 0 where they tell another one.

Here sixty models of handwritten digits are trained on half of the data each.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.naive_bayes import GaussianNB

import dataaudit

digits = load_digits()
data = digits.data / 16, digits.target
holdout = dataaudit.Holdout(ratio=0.5, runs=60)
audit = dataaudit.score(GaussianNB(var_smoothing=0.01), data, "c_score", holdout=holdout, progress=False)
scores = audit.scores["c_score"]

# %%
# One class, from the most irregular example to the most regular one.

eights = [row for row in audit.ranking() if digits.target[row] == 8]
shown = [eights[len(eights) * step // 10] for step in range(10)]
figure, axes = plt.subplots(1, 10, figsize=(9, 1.5), layout="constrained")
for ax, row in zip(axes, shown, strict=True):
    ax.imshow(digits.images[row], cmap="gray_r")
    ax.set(xticks=[], yticks=[], xlabel=f"{scores[row]:.2f}")
figure.suptitle("C-scores of eights")

# %%
# How the C-scores of all digits are spread. Most lie near 1. A wrong label is one reason for a low score; a rare way
# of writing is another. A low score alone does not say which: that is what :doc:`the consensus
# </concepts/05_consensus>` and :doc:`the probabilities </concepts/06_probabilities>` are for.

figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
ax.hist(scores, 40)
ax.set(xlabel="C-score", ylabel="examples")
