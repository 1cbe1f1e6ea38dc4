"""Rounds of boosting as epochs: what a fitted model would say after each of them, without fitting it again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np

from dataaudit.data.kinds import is_a

DECISIONS, PROBABILITIES = "decision_function", "staged_predict_proba"


class Boosting(ABC):
    """How one package's boosting models are asked for their rounds."""

    method = DECISIONS
    """What `stages` gives: decision values, or probabilities."""

    @abstractmethod
    def owns(self, classifier: Any) -> bool:
        """Tell whether it is for this classifier."""

    @abstractmethod
    def rounds(self, classifier: Any) -> int:
        """Rounds that an unfitted classifier is set to; 0 where trees are no rounds, or say nothing by themselves."""

    @abstractmethod
    def stages(self, classifier: Any, inputs: Any) -> Iterator[Any]:
        """Decision values or probabilities, [b] or [b, k], after each round of a fitted classifier."""


class Staged(Boosting):
    """Models with ``staged_predict_proba``: scikit-learn's and CatBoost's."""

    method = PROBABILITIES

    def owns(self, classifier: Any) -> bool:
        """Tell whether it has stages."""
        return hasattr(classifier, "staged_predict_proba")

    def rounds(self, classifier: Any) -> int:
        """Number by any of its names."""
        parameters = classifier.get_params()
        names = ("n_estimators", "max_iter", "iterations", "num_boost_round", "num_trees")
        usual = 1000 if is_a(classifier, "catboost", "CatBoostClassifier") else 1
        return int(next((parameters[name] for name in names if parameters.get(name)), usual))

    def stages(self, classifier: Any, inputs: Any) -> Iterator[Any]:
        """Probabilities of every stage."""
        yield from classifier.staged_predict_proba(inputs)


class XGBoost(Boosting):
    """Models of XGBoost, whose margins are sums over trees."""

    def owns(self, classifier: Any) -> bool:
        """Tell whether it is an ``XGBClassifier``."""
        return is_a(classifier, "xgboost", "XGBClassifier")

    def rounds(self, classifier: Any) -> int:
        """Rounds of trees with margins."""
        known = classifier.objective in (None, "binary:logistic", "multi:softprob", "multi:softmax")
        count = int(classifier.get_num_boosting_rounds())
        return count if known and classifier.booster != "gblinear" and count > 1 else 0

    def stages(self, classifier: Any, inputs: Any) -> Iterator[Any]:
        """Margins after every round: those of its own trees are added to what was there."""
        import xgboost

        booster = classifier.get_booster()
        data = xgboost.DMatrix(
            inputs,
            missing=classifier.missing,
            enable_categorical=classifier.enable_categorical,
            nthread=classifier.n_jobs,
        )
        total = booster.predict(data, output_margin=True, iteration_range=(0, 1)).astype(np.float64)
        yield total
        # Without it each round would begin from the base score again.
        data.set_base_margin(np.zeros(total.size, np.float32))
        for number in range(1, booster.num_boosted_rounds()):
            total = total + booster.predict(data, output_margin=True, iteration_range=(number, number + 1))
            yield total


class LightGBM(Boosting):
    """Models of LightGBM, whose raw scores are sums over trees."""

    def owns(self, classifier: Any) -> bool:
        """Tell whether it is an ``LGBMClassifier``."""
        return is_a(classifier, "lightgbm", "LGBMClassifier")

    def rounds(self, classifier: Any) -> int:
        """Rounds of trees with raw scores; trees of a forest are no rounds."""
        parameters = classifier.get_params()
        known = parameters.get("objective") in (None, "binary", "multiclass", "softmax")
        kinds = {parameters.get(name) for name in ("boosting_type", "boosting", "boost")}
        count = int(parameters["n_estimators"])
        return count if known and not kinds & {"rf", "random_forest"} and parameters.get("sigmoid", 1) == 1 else 0

    def stages(self, classifier: Any, inputs: Any) -> Iterator[Any]:
        """Raw scores after every round: those of its own trees are added to what was there."""
        booster, total = classifier.booster_, 0.0
        for number in range(booster.current_iteration()):
            total = total + booster.predict(inputs, raw_score=True, start_iteration=number, num_iteration=1)
            yield total


KINDS: tuple[Boosting, ...] = (Staged(), XGBoost(), LightGBM())


def boosting_of(classifier: Any) -> Boosting | None:
    """How a classifier is asked for its rounds; None where it has none."""
    return next((kind for kind in KINDS if kind.owns(classifier) and kind.rounds(classifier)), None)
