"""
The consensus
=============

No single score is best everywhere. Training :ref:`dynamics <term-dynamics>` suffer where a model learns errors by
heart, neighbours where classes overlap, :ref:`held-out predictions <term-held-out-prediction>` where data are few. The
default score, the :ref:`consensus <term-consensus>`, takes what there is together, and weighs each by how well it
tells the labels at hand.

The figure draws ``python -m benchmarks.peers.label_errors``: for each data set with :ref:`errors <term-label-error>`
that people or rules made, the average precision of the consensus beside all scores that stand alone.
"""

import matplotlib.pyplot as plt
import numpy as np

import dataaudit
from benchmarks.summary import tables

table = tables()["label-errors"].raw()
real = table[
    table["noise"].isin(["careless", "one_annotator", "very_careless", "real"]) & (table["tool"] == "dataaudit")
]
case = ["data", "noise", "rows", "model"]
cells = real.groupby([*case, "score"], sort=False)["average_precision"].median().unstack()
default = cells.pop("consensus (default)")
order = np.argsort(default.to_numpy())

figure, ax = plt.subplots(figsize=(9, 6.5), layout="constrained")
for place, row in enumerate(order):
    single = cells.iloc[row].dropna()
    ax.plot(single, np.full(len(single), place), ".", color="tab:gray", label="single scores" if not place else None)
ax.plot(default.iloc[order], range(len(order)), "D", label="consensus")
ax.set(xlabel="average precision", yticks=range(len(order)))
ax.set_yticklabels([f"{d} {n}, {r} rows, {m}" for d, n, r, m in default.index[order]], fontsize=8)
ax.legend(loc="lower right")

# %%
# What an audit's consensus was taken over stands in its settings.

vectors = np.random.default_rng(0).normal(size=(300, 8)) + np.arange(300)[:, None] % 3
audit = dataaudit.score(None, (vectors.astype(np.float32), np.arange(300) % 3), progress=False)
audit.settings["consensus"]
