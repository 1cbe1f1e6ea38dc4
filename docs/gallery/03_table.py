"""
A table of numbers, words and gaps
==================================

A DataFrame needs no model. Numbers are brought to one scale, words become categories, and gaps are filled. The table
here is made: people choose one of three plans by their age, their use and their region.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import dataaudit

rng = np.random.default_rng(0)
plans = np.array(["basic", "family", "business"])
kind = rng.integers(3, size=1500)
table = pd.DataFrame(
    {
        "age": np.array([25, 45, 40])[kind] + 7 * rng.normal(size=1500),
        "hours": np.array([8, 14, 30])[kind] + 5 * rng.normal(size=1500),
        "region": np.where(rng.random(1500) < 0.7, np.array(["north", "south", "west"])[kind], "east"),
        "plan": plans[kind],
    }
)
table.loc[rng.choice(1500, 100, replace=False), "hours"] = np.nan
planted = rng.choice(1500, 75, replace=False)
table.loc[planted, "plan"] = plans[(kind[planted] + 1) % 3]

audit = dataaudit.score(None, table, label="plan", progress=False)
flagged = audit.mislabeled()
print(audit.noise_rate())
hits = flagged["row"].isin(planted).sum()
print(f"{hits} of {len(flagged)} flagged rows are among the {len(planted)} planted errors")

# %%
# A flagged row, its neighbours and the other columns tell why it is suspected.

flagged[["row", "given", "suggested", "probability"]].join(table, on="row").head()

# %%
# Rows by two of their columns. Flagged rows lie among those of another plan.

figure, ax = plt.subplots(layout="constrained")
for plan in plans:
    ax.plot("age", "hours", ".", data=table[table["plan"] == plan], ms=4, label=plan)
ax.plot("age", "hours", "o", data=table.loc[flagged["row"]], mfc="none", mec="black", label="flagged")
ax.set(xlabel="age in years", ylabel="hours of use")
ax.legend()

# %%
# Between which plans the labels are wrong.

audit.plot.confusion()
