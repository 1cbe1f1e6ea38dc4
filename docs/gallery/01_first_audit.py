"""
First audit
===========

We plant wrong labels among scikit-learn's digits, train a small network once, and look at the most suspicious examples.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import dataaudit

digits = load_digits()
inputs, labels = (digits.data / 16).astype(np.float32), digits.target.copy()
planted = np.random.default_rng(0).choice(len(labels), 90, replace=False)
labels[planted] = (labels[planted] + 1) % 10

model = dataaudit.networks.build("mlp", input_shape=(64,), classes=10)
audit = dataaudit.score(model, (inputs, labels), progress=False)
print(audit.noise_rate())

# %%
# The likeliest errors come first. Each has a suggested label, and the probability that the given one is wrong.

flagged = audit.mislabeled()
flagged[["row", "given", "suggested", "probability", "reason"]].head()

# %%
# These are the first ten, with the label that was given and the one that is suggested.

figure, axes = plt.subplots(2, 5, figsize=(8, 4), layout="constrained")
for ax, error in zip(axes.flat, flagged.itertuples(), strict=False):
    ax.imshow(digits.images[error.row], cmap="gray_r")
    ax.set(title=f"{error.given} → {error.suggested}", xlabel=f"row {error.row}", xticks=[], yticks=[])

# %%
# A person who looks at rows in the order of the audit meets the planted errors early.

found = np.isin(audit.ranking(), planted).cumsum()
figure, ax = plt.subplots(layout="constrained")
ax.plot(np.arange(1, len(found) + 1), found, label="in the order of the audit")
ax.plot([0, len(found)], [0, len(planted)], "--", label="in any order")
ax.set(xlabel="rows looked at", ylabel="planted errors found", xlim=(0, 400))
ax.legend()

# %%
# The default score of all examples. Where the audit suggests another label, the score is low.

audit.plot.scores()
