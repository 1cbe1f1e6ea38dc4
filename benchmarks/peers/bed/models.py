"""Models and recipes of the bed by name, and roughly what they cost."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from torch import nn

import dataaudit
from benchmarks.peers.cases import small_transformer
from dataaudit import networks

Recipe = dataaudit.Recipe


def of_words(model: Any) -> Any:
    return make_pipeline(TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2)), model)


SKLEARN: dict[str, Callable[[], Any]] = {
    "logistic": lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)),
    "naive Bayes": GaussianNB,
    "discriminant": LinearDiscriminantAnalysis,
    "stump": lambda: DecisionTreeClassifier(max_depth=1, random_state=0),
    **{f"tree of depth {d}": partial(DecisionTreeClassifier, max_depth=d, random_state=0) for d in (2, 3, 4, 8)},
    "tree": lambda: DecisionTreeClassifier(random_state=0),
    **{f"forest of {n}": partial(RandomForestClassifier, n, random_state=0) for n in (3, 10, 100, 300)},
    "forest of 50, depth 2": lambda: RandomForestClassifier(50, max_depth=2, random_state=0),
    "extra trees of 10": lambda: ExtraTreesClassifier(10, random_state=0),
    **{
        f"boosting {n}": partial(HistGradientBoostingClassifier, max_iter=n, early_stopping=False, random_state=0)
        for n in (5, 60, 150, 300)
    },
    "deep boosting 100": lambda: GradientBoostingClassifier(n_estimators=100, max_depth=6, random_state=0),
    **{f"{k}-NN": partial(KNeighborsClassifier, k) for k in (1, 5, 50)},
    "15-NN by distance": lambda: KNeighborsClassifier(15, weights="distance"),
    "MLP classifier": lambda: MLPClassifier((100,), max_iter=100, random_state=0),
    "words": lambda: of_words(LogisticRegression(max_iter=1000)),
    "words naive Bayes": lambda: of_words(MultinomialNB()),
    "words tree": lambda: of_words(DecisionTreeClassifier(random_state=0)),
    "words forest of 10": lambda: of_words(RandomForestClassifier(10, random_state=0)),
}
"""Makers of unfitted classifiers."""

OWN: dict[str, Callable[[], Any]] = {
    "none": lambda: None,
    "probe": dataaudit.LinearProbe,
    "nearest 1": lambda: dataaudit.NearestNeighbours(1),
    "nearest 10": lambda: dataaudit.NearestNeighbours(10),
}
"""The library's own, and none."""

NETWORKS: dict[str, float] = {
    "linear": 0.01,
    "mlp": 0.04,
    "wide mlp": 0.12,
    "small_cnn": 0.15,
    "block_cnn": 5.0,
    "narrow resnet": 3.0,
    "transformer": 1.5,
}
"""Processor seconds of a pass over 1000 small images, roughly: cheap cases run first."""

RECIPES: dict[str, Any] = {
    "auto": None,
    "1 epoch": dataaudit.recipes.auto(epochs=1),
    "2 epochs": dataaudit.recipes.auto(epochs=2),
    "4 epochs": dataaudit.recipes.auto(epochs=4),
    **{f"plain {n}": Recipe(epochs=n, learning_rate=0.05) for n in (15, 30, 60, 100)},
    **{f"AdamW {n}": Recipe(epochs=n, optimizer="adamw", learning_rate=1e-3, batch_size=64) for n in (30, 60)},
}
"""Recipes; those called plain or AdamW have neither augmentation nor decay and memorise labels."""

EPOCHS = 14
"""Of `auto`, roughly."""


def is_network(name: str) -> bool:
    return name in NETWORKS


def model_of(name: str, inputs: Any, classes: int) -> tuple[Any, Any]:
    """What `dataaudit.score` takes, and its processor."""
    if name in SKLEARN:
        return SKLEARN[name](), None
    if name in OWN:
        return OWN[name](), None
    if name == "transformer":
        return small_transformer(inputs, classes, layers=1, units=64)
    shape = inputs.shape[1:]
    features = int(inputs[0].size)
    if name == "linear":
        return lambda: nn.Sequential(nn.Flatten(), nn.Linear(features, classes)), None
    if name == "wide mlp":
        return lambda: networks.MLP(features, classes, (1024, 512)), None
    if name == "narrow resnet":
        return lambda: networks.ResNet18(int(shape[0]), classes, width=8), None
    return networks.build(name, shape, classes), None


def peer_of(name: str, texts: bool) -> Any:
    """The scikit-learn model whose predictions cleanlab gets; None of networks, which would be trained five times."""
    if name in SKLEARN:
        return SKLEARN[name]()
    if name.startswith("nearest"):
        return KNeighborsClassifier(int(name.split()[1]))
    if name in OWN:
        return SKLEARN["words" if texts else "logistic"]()
    return None


def cost(model: str, recipe: str, rows: int, classes: int) -> float:
    """Processor seconds, roughly."""
    if is_network(model):
        epochs = EPOCHS if recipe == "auto" else int("".join(c for c in recipe if c.isdigit()))
        return NETWORKS[model] * (epochs + 1) * rows / 1000
    if "boosting" in model:
        stages = int(model.split()[-1])
        return (20 if model.startswith("deep") else 3) * stages / 1000 * classes * (1 + rows / 1000)
    if model.startswith("forest") or model.startswith("extra"):
        trees = int(model.split(",")[0].split()[-1])
        return trees / 10 * rows / 1000
    return rows / 2000
