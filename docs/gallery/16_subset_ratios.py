"""
C-scores by subset ratio, and who is learned first
==================================================

How regular an example is depends on how many others a model may learn from. The paper that consistency scores come from
takes the mean over nine subset ratios, and then looks at a training run: are regular examples learned first? Here both
are done in small; ``python -m benchmarks.paper all DIR`` makes all figures of the paper on data that you name.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import spearmanr
from sklearn.datasets import load_digits
from sklearn.naive_bayes import GaussianNB

import dataaudit

digits = load_digits()
data = (digits.data / 16).astype(np.float32), digits.target
ratios = np.arange(1, 10) / 10
by_ratio = []
for ratio in ratios:
    holdout = dataaudit.Holdout(ratio=ratio, runs=40, balanced=True)
    audit = dataaudit.score(GaussianNB(var_smoothing=0.01), data, "c_score", holdout=holdout, progress=False)
    by_ratio.append(audit.scores["c_score"])
by_ratio = np.array(by_ratio)
integral = by_ratio.mean(0)

# %%
# Examples of ten groups by their integral score: groups nearly keep their order, and the lowest ones fall as the
# training set grows, because the rules of other classes then win.

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
colours = plt.get_cmap("cool")(np.linspace(0, 1, 10))
groups = np.minimum((integral * 10).astype(int), 9)
left.hist(integral, 30, color="#4c78a8")
left.set(xlabel="integral C-score", ylabel="examples", yscale="log")
for group in np.unique(groups):
    right.plot(ratios, by_ratio[:, groups == group].mean(1), "o-", color=colours[group])
right.set(xlabel="subset ratio", ylabel="mean C-score of the group")

# %%
# One ratio can stand in for all nine: the one that ranks most like their mean.

agreement = [spearmanr(scores, integral).statistic for scores in by_ratio]
figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
ax.plot(ratios, agreement, "o-")
ax.set(xlabel="subset ratio", ylabel="Spearman with the integral")

# %%
# A network that trains on all examples learns those with low scores later, though it never left them out.

model = dataaudit.networks.build("mlp", input_shape=(64,), classes=10)
recipe = dataaudit.recipes.get("mnist")
run = dataaudit.score(model, data, ["learning_speed", "mean_margin"], recipe=recipe, progress=False)
learned = run.scores["learning_speed"]
figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
there = np.unique(groups)
ax.plot(there / 10 + 0.05, [learned[groups == group].mean() for group in there], "o-")
ax.set(xlabel="integral C-score of the group", ylabel="epochs in which they were right")

# %%
# So one run says much of what hundreds of runs say.

{name: round(float(spearmanr(run.scores[name], integral).statistic), 3) for name in run.scores}
