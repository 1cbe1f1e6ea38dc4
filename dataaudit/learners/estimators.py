"""Estimators by their attributes, whatever their package: inputs, kind of training, copies, errors."""

from __future__ import annotations

import copy
import inspect
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.ensemble._forest import BaseForest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model._base import LinearClassifierMixin
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.model_selection._search import BaseSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from dataaudit.data.kinds import is_a
from dataaudit.errors import DataAuditError, ModelError
from dataaudit.learners.boosting import boosting_of
from dataaudit.learners.class_outputs import METHODS, output_method
from dataaudit.learners.skorch import is_net

SOLVER_STEPS = 20
"""Rounds over the data that linear models are taken to need."""

AROUND_ONE = (
    BaseSearchCV,
    CalibratedClassifierCV,
    FixedThresholdClassifier,
    FrozenEstimator,
    OneVsRestClassifier,
    TunedThresholdClassifierCV,
)
"""Estimators that hand inputs on to the one within them as they are."""

AROUND_SEVERAL = (StackingClassifier, VotingClassifier)


def first_step(model: Any) -> Any:
    """First step that does anything, of pipelines and searches within too; another estimator itself."""
    while isinstance(model, (Pipeline, *AROUND_ONE)):
        if isinstance(model, AROUND_ONE):
            inner = model.estimator
        else:
            inner = next((step for _, step in model.steps if step not in (None, "passthrough")), None)
        if inner is None:
            break
        model = inner
    return model


def inner_steps(step: Any) -> list[Any]:
    """First steps of all that a union, a vote or a stack hands its inputs to."""
    parts = step.estimators if isinstance(step, AROUND_SEVERAL) else getattr(step, "transformer_list", ())
    return [first_step(part) for _, part in parts if part not in ("drop", "passthrough")]


def takes_missing(step: Any) -> bool:
    """True if a first step takes NaN, by its own tags; a column transformer decides for itself."""
    inner = inner_steps(step)
    if inner:
        return all(takes_missing(part) for part in inner)
    tags = tags_of(step)
    return hasattr(step, "transformers") or (tags is not None and bool(tags.input_tags.allow_nan))


def takes_sparse(step: Any) -> bool:
    """True if a first step takes sparse matrices, by its own tags; those without any get dense rows."""
    inner = inner_steps(step)
    if inner:
        return all(takes_sparse(part) for part in inner)
    tags = tags_of(step)
    return False if tags is None else bool(tags.input_tags.sparse)


def kind_taken(step: Any) -> str:
    """Inputs that a first step takes where data are texts: "texts" [b], "columns" of them, or "numbers" alone.

    Steps of other packages get texts: they say themselves what they cannot take.

    Examples
    --------
    >>> from sklearn.feature_extraction.text import TfidfVectorizer
    >>> from sklearn.preprocessing import OneHotEncoder, StandardScaler
    >>> [kind_taken(step) for step in (TfidfVectorizer(), OneHotEncoder(), StandardScaler())]
    ['texts', 'columns', 'numbers']
    """
    inner = inner_steps(step)
    if inner:
        kinds = {kind_taken(part) for part in inner}
        return kinds.pop() if len(kinds) == 1 else "texts"
    known = tags_of(step)
    if known is None or known.input_tags.string:
        return "texts"
    # An imputer fills gaps of strings too.
    if hasattr(step, "transformers") or known.input_tags.categorical or type(step).__name__ == "SimpleImputer":
        return "columns"
    own = type(step).__module__.startswith("sklearn.") and type(step).__name__ != "FunctionTransformer"
    return "numbers" if own else "texts"


def takes_one_text(step: Any) -> bool:
    """True if a first step takes one text a row, as scikit-learn's vectorisers do, and no columns, by its own tags.

    Examples
    --------
    >>> from sklearn.feature_extraction.text import TfidfVectorizer
    >>> from sklearn.preprocessing import OneHotEncoder
    >>> [takes_one_text(step) for step in (TfidfVectorizer(), OneHotEncoder())]
    [True, False]
    """
    inner = inner_steps(step)
    if inner:
        return all(takes_one_text(part) for part in inner)
    known = tags_of(step)
    return known is not None and bool(known.input_tags.string) and not known.input_tags.two_d_array


PREPROCESSOR = (
    "pass make_pipeline(dataaudit.preprocessor(dataset, label), model), which encodes categories and fills gaps"
)
REMEDIES = {
    "unknown categories": "pass OneHotEncoder(handle_unknown='ignore'), for a class or a fold may lack a category, or "
    "start the pipeline with dataaudit.preprocessor(dataset, label)",
    "could not convert string": PREPROCESSOR,
    "NaN": PREPROCESSOR,
    "sparse": "take a classifier that takes sparse inputs, or make them dense with TruncatedSVD before it",
    "Negative values": "put MinMaxScaler(clip=True) before it in a pipeline, or take a classifier of any numbers",
    "Only binary": "pass the estimator within it, which takes several classes",
    "No neighbors found": "pass a larger radius=, or outlier_label='most_frequent'",
    "__sklearn_tags__": "give it the estimator that it needs",
    "n_splits": "pass cv=2",
    "fold cross-validation": "pass a lower cv=, or leave classes of few examples out",
    "early stopping": "leave its early stopping out: it is given no data to stop by",
    "same dtype": "convert the inputs to the module's own type, such as float32",
}
"""What to do about errors whose words hold these."""


def remedy(error: Exception) -> str:
    """Remedy for an estimator that refuses rows, from its own words."""
    words = str(error).lower()
    usual = "look why model.fit(inputs, labels) fails by itself, or put a preprocessing step before it in a pipeline"
    return next((advice for part, advice in REMEDIES.items() if part.lower() in words), usual)


def training_kind(classifier: Any, classes: int) -> str:
    """Kind of training: "staged" boosting, by "partial_fit", by "epochs" of its own, or "plain"; others are refused."""
    name, tags = type(classifier).__name__, tags_of(classifier)
    kind = None if tags is None else tags.estimator_type
    # Some have a method only once they are fitted, but their class knows of it.
    able = output_method(classifier) or any(hasattr(type(classifier), method) for method in METHODS)
    if kind not in (None, "classifier") or isinstance(classifier, type) or not able:
        raise ModelError(
            f"a {name}{', which only predicts' if kind == 'classifier' else ''}",
            "a classifier: fit(inputs, labels), and predict_proba or decision_function",
            "take another classifier, or wrap this one, and pass it or a pipeline that ends in it",
        )
    if tags is not None and not tags.target_tags.single_output:
        raise ModelError(
            f"a {name}, for examples with several labels",
            "a classifier of one label an example",
            "pass the estimator within it",
        )
    if classes > 2 and getattr(classifier, "decision_function_shape", "ovr") != "ovr":
        raise ModelError(
            f"a {name} with decision values for pairs of classes",
            "one decision value a class",
            'pass decision_function_shape="ovr"',
        )
    if boosting_of(classifier) is not None:
        return "staged"
    if is_net(classifier):
        return "plain" if classifier.callbacks == "disable" else "epochs"
    return "partial_fit" if takes_batches(classifier) else "plain"


def takes_batches(classifier: Any) -> bool:
    """Tell whether a classifier trains by ``partial_fit(inputs, labels, classes=...)``, with settings that allow it."""
    train = getattr(classifier, "partial_fit", None)
    if train is None or "classes" not in inspect.signature(train).parameters:
        return False
    settings = [(name.rpartition("__")[2], value) for name, value in parameters_of(classifier).items()]
    whole = (("early_stopping", True), ("class_weight", "balanced"))
    return not any(
        name == setting and isinstance(value, type(wanted)) and value == wanted
        for name, value in settings
        for setting, wanted in whole
    )


def solver_rounds(classifier: Any, classes: int) -> int | None:
    """Trees of a forest, or steps of a linear model's solver; None for any other model."""
    if isinstance(classifier, BaseForest):
        # A tree looks at all classes at once.
        return max(1, int(classifier.get_params(deep=False)["n_estimators"]) // classes)
    linear = isinstance(classifier, LinearClassifierMixin) and not type(classifier).__name__.endswith("CV")
    return SOLVER_STEPS if linear else None


def check_unfitted(model: Any, name: str) -> None:
    """Raise a `ModelError` if a classifier inside is kept as it was fitted: it may have seen the labels."""
    for parameter, part in parameters_of(model).items():
        inner = getattr(part, "estimator", None) if type(part).__name__ == "FrozenEstimator" else None
        if (inner is not None and is_classifier(inner)) or (isinstance(part, str) and part == "prefit"):
            raise ModelError(
                f"a {name} with a classifier that stays as it was fitted ({parameter})",
                "one that is fitted anew to the rows it is given",
                "pass the unfitted classifier",
            )


def tags_of(estimator: Any) -> Any:
    """Scikit-learn's tags of an estimator; None of a class that has none."""
    known = hasattr(estimator, "__sklearn_tags__") and not isinstance(estimator, type)
    return get_tags(estimator) if known else None


def parameters_of(estimator: Any) -> dict[str, Any]:
    """Parameters of an estimator and of those within it; attributes where it does not say."""
    named = estimator.get_params(deep=True) if hasattr(estimator, "get_params") else vars(estimator)
    return dict(sorted(named.items()))


QUIET: tuple[tuple[str, str, dict[str, Any], tuple[str, ...]], ...] = (
    ("catboost", "CatBoost", {"logging_level": "Silent"}, ("verbose", "silent", "verbose_eval")),
    ("catboost", "CatBoost", {"allow_writing_files": False}, ()),
    ("lightgbm", "LGBMModel", {"verbosity": -1}, ("verbose",)),
)
"""Settings by which other packages print and write nothing, unless the caller made them, by one of these names."""


RANDOM = ("random_state",)
"""Last part of the names of seeds."""


def fresh(model: Any, seed: int) -> Any:
    """Copy of an estimator to train: `seed` where no random state is set, and quiet."""
    copied = clone(model) if isinstance(model, BaseEstimator) else copy.deepcopy(model)
    if not hasattr(copied, "set_params"):
        return copied
    given = parameters_of(copied)
    unset = [name for name, value in given.items() if name.rpartition("__")[2] in RANDOM and value is None]
    copied.set_params(**{name: seed % 2**32 for name in unset})
    for part in (copied, *given.values()):
        for module, kind, settings, others in (*QUIET, ("catboost", "CatBoost", {"random_seed": seed % 2**31}, RANDOM)):
            if is_a(part, module, kind) and not {*settings, *others} & set(part.get_params()):
                part.set_params(**settings)
    return copied


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Global generators of Python, NumPy and torch seeded, for estimators that draw from them, and then as before."""
    python, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng(devices=[]):
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(legacy)  # noqa: NPY002


@contextmanager
def blamed(name: str, what: str) -> Iterator[None]:
    """Whatever an estimator raises, as a `ModelError` that says whose error it is."""
    try:
        yield
    except (DataAuditError, MemoryError):
        raise
    except Exception as error:  # A caller's estimator raises whatever it likes.
        kind = "" if isinstance(error, (ValueError, TypeError)) else f"{type(error).__name__}: "
        words = f"{name} {what}: {kind}{error}"
        words = f"{name} {what}: {kind}{error}"
        raise ModelError(words, "an estimator that takes the inputs", remedy(error)) from error
