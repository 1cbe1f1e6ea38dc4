"""
Scores that stand in for the C-score
====================================

The :ref:`C-score <term-c-score>` takes many trainings. Other scores take one, and put examples in nearly the same
order. How nearly was measured on 20000 images of Fashion-MNIST: the figure draws the results file of ``python -m
benchmarks.paper proxies``.

Many images have a C-score of exactly 1 there, and among those there is no order to agree with. The mean probability of
the label over the same models, the holdout probability, has no such ties.
"""

import matplotlib.pyplot as plt

from benchmarks.summary import tables

table = tables()["proxies"].raw().set_index("score")
names = ["c_score", "heldout_confidence", "label_quality", "consensus", "mean_margin", "density/gradient"]
names += ["learning_speed", "knn_c_score/hidden", "parzen/hidden", "knn_c_score/input", "relative_density/hidden"]
table = table.loc[names[::-1]]

figure, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
ax.plot(table["holdout_probability"], table.index, "o", label="with the holdout probability")
ax.plot(table["c_score"], table.index, "s", label="with the C-score, ties broken")
ax.set(xlabel="rank correlation (Spearman)", xlim=(0, 1.02))
ax.grid(alpha=0.3)
ax.legend(loc="lower left")

# %%
# What each costs, in trainings of the same network. The C-score takes many runs, each on 70 % of the data.

table["cost"][::-1].round(1).to_frame("trainings")
