"""
Review, and how many errors are left
====================================

An audit says where to look, and people decide. From their decisions come a corrected data set, and a bound on the
errors that are still in it. The bound holds with 95 % confidence, whatever the audit is worth.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import dataaudit

digits = load_digits()
inputs, labels = (digits.data / 16).astype(np.float32), digits.target.copy()
planted = np.random.default_rng(0).choice(len(labels), 90, replace=False)
labels[planted] = (labels[planted] + 1) % 10
audit = dataaudit.score(None, (inputs, labels), progress=False)

# %%
# The queue mixes likely errors with rows that are drawn at random by known chances. Here the truth stands for a person.

decided = audit.review(budget=400).table
true = digits.target[decided["row"]]
wrong = labels[decided["row"]] != true
decided["decision"] = np.where(wrong, "relabel", "keep")
decided["label"] = np.where(wrong, true.astype(str), "")
(_, corrected), changes = audit.apply(decided)
changes.head()

# %%
# The person may stop at any time. After each 25 looks we ask how many errors are left at most, and compare it with the
# truth, which only we know.

looks = np.arange(25, 401, 25)
at_most = [audit.reviewed(decided.iloc[:many]).remaining().at_most for many in looks]
left = len(planted) - wrong.cumsum()[looks - 1]
print(f"{(labels != digits.target).sum()} wrong labels before, {(corrected != digits.target).sum()} after")

figure, ax = plt.subplots(layout="constrained")
ax.plot(looks, at_most, "o-", label="at most (95 % confidence)")
ax.plot(looks, left, "s-", label="truth")
ax.set(xlabel="rows looked at", ylabel="wrong labels that are left", yscale="symlog")
ax.legend()
