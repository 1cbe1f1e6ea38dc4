"""Consistency scores by holdout: stored, resumed, with their uncertainty, and a cheap proxy beside them."""

import sys
import tempfile
from pathlib import Path

from scipy.stats import spearmanr
from sklearn.datasets import load_digits
from sklearn.naive_bayes import GaussianNB

import dataaudit

runs = int(sys.argv[1]) if len(sys.argv) > 1 else 20

digits = load_digits()
data = digits.data / 16, digits.target

with tempfile.TemporaryDirectory() as folder:
    holdout = dataaudit.Holdout(ratio=0.5, runs=runs, store=Path(folder) / "runs")
    audit = dataaudit.score(GaussianNB(var_smoothing=0.01), data, "c_score", holdout=holdout)
    print(audit.uncertainty().iloc[audit.ranking()[:5]])
    print(f"reliability {audit.reliability['c_score']:.3f} after {runs} runs")

    more = dataaudit.Holdout(ratio=0.5, runs=runs + 5, store=Path(folder) / "runs")
    audit = dataaudit.score(GaussianNB(var_smoothing=0.01), data, "c_score", holdout=more)
    print(f"{audit.settings['holdout']['read_from_store']} runs were read, 5 made")

density = dataaudit.score(None, data, "parzen/input").scores["parzen/input"]
agreement = spearmanr(density, audit.scores.c_score, nan_policy="omit").statistic
print(f"Spearman with the Parzen posterior of the pixels: {agreement:.3f}")
