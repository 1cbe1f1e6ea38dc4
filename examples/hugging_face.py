"""Audit a Hugging Face data set with gradient boosting: its stages are the epochs."""

import datasets
import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

import dataaudit

rng = np.random.default_rng(0)
kind = np.arange(600) % 3
dataset = datasets.Dataset.from_dict(
    {
        "length": (4.0 + kind + 0.3 * rng.normal(size=600)).tolist(),
        "width": (1.0 + kind + 0.3 * rng.normal(size=600)).tolist(),
        "species": kind.tolist(),
    }
).cast_column("species", datasets.ClassLabel(names=["setosa", "versicolor", "virginica"]))

audit = dataaudit.score(HistGradientBoostingClassifier(max_iter=20), dataset, progress=False)
print(audit.suspects(5))
assert audit.class_names == ("setosa", "versicolor", "virginica")
