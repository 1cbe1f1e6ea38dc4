"""
Real errors in figures
======================

Errors of people are harder to find than planted ones. The benchmarks of this repository measure both, and this page
draws what they wrote down about real errors.

Each image was labelled by many people. "one annotator" takes one of their votes. "careless" and "very careless" make
slips more frequent. The labels of the news come from rules.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import dataaudit

# In a clone of the repository.
results = Path(dataaudit.__file__).parents[1] / "benchmarks" / "peers" / "results"
names = {
    "cifar10_human": "images",
    "cifar10_human features": "features of images",
    "yoruba_news": "Yoruba news",
    "hausa_news": "Hausa news",
}
case = ["data", "noise", "rows", "model"]


def read(name: str) -> pd.DataFrame:
    """Rows of a table that are about real errors."""
    table = pd.read_csv(results / name)
    return table[table["data"].isin(names)]


def label_rows(ax: plt.Axes, cases: pd.DataFrame) -> np.ndarray:
    """Name the cases on the left, and return their places."""
    words = [", ".join(map(str, (names[data], *others))) for data, *others in cases.index]
    ax.set_yticks(range(len(cases)), [text.replace("_", " ") for text in words], fontsize=8)
    ax.set_ylabel("data, labels, rows, model")
    return np.arange(len(cases))


# %%
# Average precision is 1 when all errors are ranked first. cleanlab makes several scores from several models, and each
# case shows the best of them.

table = read("label_errors.csv")
ours = table[table["score"] == "consensus (default)"].groupby(case)["average_precision"].median()
each = table[table["tool"] == "cleanlab"].groupby([*case, "trained", "score"])
peers = each["average_precision"].median().groupby(case).max()
shown = pd.DataFrame({"ours": ours, "peers": peers}).dropna().sort_values("ours")

figure, ax = plt.subplots(figsize=(8, 6), layout="constrained")
rows = label_rows(ax, shown)
ax.hlines(rows, shown.min(axis=1), shown.max(axis=1), color="silver")
ax.plot(shown["ours"], rows, "o", label="dataaudit, default score")
ax.plot(shown["peers"], rows, "s", mfc="none", label="cleanlab, best score")
ax.set_xlabel("average precision")
ax.legend()

# %%
# How many labels are wrong? A bar is an audit's interval. On Hausa news the estimates are far too
# low, and the wide bars warn of it.

decisions = read("label_error_decisions.csv").query("tool == 'dataaudit'")
counts = decisions.groupby(case).nth(0).set_index(case).sort_values("rate")
figure, ax = plt.subplots(figsize=(8, 6), layout="constrained")
rows = label_rows(ax, counts)
ax.hlines(rows, counts["lower"], counts["upper"], lw=6, alpha=0.4, label="95 % interval")
ax.plot(counts["estimated"], rows, "o", label="estimate")
ax.plot(counts["rate"], rows, "kx", label="truth")
ax.set_xlabel("share of wrong labels")
ax.legend()
