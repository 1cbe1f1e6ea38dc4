"""Scikit-learn classifiers and pipelines: clones trained once, epoch by epoch where they have epochs."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from dataaudit.common.fingerprints import fingerprint_of
from dataaudit.common.progress import progress_bar
from dataaudit.common.types import FloatArray, IntArray
from dataaudit.data.examples import Examples
from dataaudit.data.kinds import is_table
from dataaudit.data.texts import is_text, refuse_texts
from dataaudit.errors import ModelError, SettingError
from dataaudit.learners.base import Fitted, Learner, Recording, Watch
from dataaudit.learners.estimators import (
    check_unfitted,
    first_step,
    kind_taken,
    outputs,
    remedy,
    solver_rounds,
    staged_outputs,
    training_kind,
)
from dataaudit.learners.recipes import PLAIN, Automatic, Recipe, of_length


class SklearnFitted(Fitted):
    """A trained classifier, with the steps before it."""

    def __init__(self, steps: Any, classifier: Any, learner: SklearnLearner) -> None:
        self._steps, self.classifier, self._learner = steps, classifier, learner

    def on(self, examples: Examples) -> SklearnFitted:
        """The same model, for the rows of another data set with inputs of the same shape."""
        return SklearnFitted(self._steps, self.classifier, self._learner.on(examples))

    def logits(self, indices: IntArray, view: Any = None) -> FloatArray:
        """Logits float64 [b, C] of the rows `indices`: log-probabilities, or decision values."""
        inputs = self._learner.inputs(indices)
        if self._steps is not None:
            try:
                inputs = self._steps.transform(inputs)
            except (ValueError, TypeError) as error:
                raise ModelError(
                    f"a pipeline that refuses rows it was not fitted to: {error}",
                    "steps that take every row of the data set",
                    remedy(error),
                ) from error
        return outputs(self.classifier, inputs, self._learner.classes)


class SklearnLearner(Learner):
    """A scikit-learn classifier or pipeline, cloned for every fit, bound to a data set.

    Boosting models with ``staged_predict_proba`` have their stages as epochs. Models with ``partial_fit`` are trained
    batch by batch, with a prediction of every example after each epoch; of a recipe they take epochs and batch size.
    """

    def __init__(self, model: Any, examples: Examples, recipe: Recipe | Automatic | None) -> None:
        self.examples = examples
        self.classes = len(examples.class_names)
        self._model = model
        self._last = model.steps[-1][1] if isinstance(model, Pipeline) else model
        if not isinstance(model, BaseEstimator) or not is_classifier(model):
            raise ModelError(
                f"a {type(model).__name__}",
                "a classifier",
                "pass a scikit-learn classifier, or a pipeline that ends in one",
            )
        self._kind = training_kind(self._last, self.classes)
        self.staged = self._kind == "staged"
        self._first = first_step(model)
        self._takes = kind_taken(self._first)
        self.recipe = of_length(PLAIN, recipe)
        by_batches = replace(self.recipe, epochs=PLAIN.epochs, batch_size=PLAIN.batch_size) == PLAIN
        if recipe is not None and (self._kind != "partial_fit" or not by_batches):
            raise SettingError(
                f"a recipe for {type(self._last).__name__}",
                "one for a torch model, or epochs and batch_size alone for a model with partial_fit",
                "set the estimator's own parameters instead, and leave recipe=None",
            )
        self._given = recipe is not None

    @property
    def epochs(self) -> int:
        """Stages that a boosting model is set to, epochs of `partial_fit`, or 0."""
        if self.staged:
            parameters = self._last.get_params()
            return int(parameters.get("n_estimators", parameters.get("max_iter", 1)))
        return self.recipe.epochs if self._kind == "partial_fit" else 0

    @property
    def work(self) -> int | None:
        """Columns times classes times rounds of training; None of texts, and of a model of unknown cost."""
        rounds = self.epochs if self.staged else solver_rounds(self._last, self.classes)
        if rounds is None:
            return None
        shape = np.shape(self.inputs(np.zeros(1, np.int64)))
        return None if len(shape) < 2 else int(shape[1]) * self.classes * rounds

    @property
    def allows_missing(self) -> bool:
        """True if the first step takes NaN, by its own tags; a column transformer decides for itself."""
        return hasattr(self._first, "transformers") or bool(get_tags(self._first).input_tags.allow_nan)

    @property
    def description(self) -> dict[str, Any]:
        """Model and how it is trained, as JSON values."""
        notes = {
            "staged": "boosting stages are the epochs",
            "partial_fit": f"partial_fit, {self.recipe.epochs} epochs in batches of {self.recipe.batch_size}",
            "plain": "no epochs: trained as a whole",
        }
        return {
            "model": type(self._last).__name__,
            "recipe": {"estimator": " ".join(str(self._model).split()), "epochs": self.epochs},
            "device": "cpu",
            "precision": "as the estimator computes",
            "engine": "scikit-learn",
            "notes": [notes[self._kind]],
        }

    def check(self, seed: int) -> None:
        """Make a clone and read two rows; scikit-learn looks at the rest itself when it fits."""
        check_unfitted(self._fresh(seed), type(self._last).__name__)
        self.inputs(np.arange(min(2, len(self.examples)), dtype=np.int64))

    def from_scratch(self) -> SklearnLearner:
        """This learner, for clones are unfitted; one with `partial_fit` and no recipe is trained by its own ``fit``."""
        if self._kind != "partial_fit" or self._given:
            return self
        other = copy.copy(self)
        other._kind = "plain"
        return other

    @property
    def identity(self) -> str:
        """Digest of the estimator's class and parameters, epochs and batches."""
        parameters = dict(sorted(self._model.get_params().items()))
        return fingerprint_of([type(self._model), parameters, self._kind, self.recipe])

    def untrained(self) -> SklearnFitted:
        """The caller's own fitted estimator, for predictions."""
        from sklearn.exceptions import NotFittedError
        from sklearn.utils.validation import check_is_fitted

        try:
            check_is_fitted(self._last)
        except NotFittedError as error:
            raise ModelError(
                f"an unfitted {type(self._last).__name__} beside a full Recorder",
                "the trained model for scores of its predictions",
                "fit it first, or call recorder.evaluate() with its outputs",
            ) from error
        known = np.asarray(self._last.classes_)
        if not (known.dtype.kind in "iu" and np.isin(known, np.arange(self.classes)).all()):
            raise ModelError(
                f"an estimator fitted to the classes {known[:8].tolist()}",
                f"class positions 0..{self.classes - 1}, as in audit.labels",
                "fit it to encoded labels",
            )
        return SklearnFitted(self._model[:-1] if self._has_steps() else None, self._last, self)

    def _has_steps(self) -> bool:
        return isinstance(self._model, Pipeline) and len(self._model.steps) > 1

    def _fresh(self, seed: int) -> Any:
        model = clone(self._model)
        unseeded = [
            name
            for name, value in model.get_params(deep=True).items()
            if (name == "random_state" or name.endswith("__random_state")) and value is None
        ]
        return model.set_params(**{name: seed % 2**32 for name in unseeded})

    def inputs(self, indices: IntArray) -> Any:
        """Inputs of the rows `indices`: a DataFrame, an array flattened to [b, d], or texts [b].

        Steps that take columns get texts as a DataFrame of one column.
        """
        read = self.examples.read(indices)
        if is_text(read):
            if self._takes == "columns":
                import pandas as pd

                return pd.DataFrame({self.examples.columns[0] if self.examples.columns else "text": read})
            if self._takes == "numbers":
                refuse_texts(read, self.examples.source, f"a {type(self._first).__name__}")
            return read
        return read if is_table(read) else np.asarray(read).reshape(len(indices), -1)

    def fit(
        self, indices: IntArray, seed: int, recorder: Recording | None, progress: bool, watch: Watch | None = None
    ) -> SklearnFitted:
        """Train a clone on `indices`; only models with `partial_fit` have epochs to watch."""
        model = self._fresh(seed)
        inputs, labels = self.inputs(indices), self.examples.labels[indices]
        steps, classifier = None, model

        def see(epoch: int) -> None:
            if watch is not None:
                watch(epoch, SklearnFitted(steps, classifier, self))

        try:
            if isinstance(model, Pipeline):
                classifier = model.steps[-1][1]
                if self._has_steps():
                    steps = model[:-1]
                    inputs = steps.fit_transform(inputs, labels)
            if self._kind == "partial_fit":
                self._fit_by_batches(classifier, inputs, indices, seed, recorder, progress, see)
            else:
                classifier.fit(inputs, labels)
        except ModelError:
            raise
        except (ValueError, TypeError) as error:
            raise ModelError(
                f"a {type(self._last).__name__} that refuses these data: {error}",
                "an estimator that fits the inputs",
                remedy(error),
            ) from error
        if recorder is not None and self.staged:
            with progress_bar("reading stages", self.epochs, progress) as advance:
                for logits in staged_outputs(classifier, inputs, self.classes):
                    recorder.update(indices, logits, labels)
                    recorder.end_epoch()
                    advance(1)
        return SklearnFitted(steps, classifier, self)

    def _fit_by_batches(
        self,
        classifier: Any,
        inputs: Any,
        indices: IntArray,
        seed: int,
        recorder: Recording | None,
        progress: bool,
        see: Callable[[int], None],
    ) -> None:
        labels, order = self.examples.labels[indices], np.random.default_rng(seed)
        every = np.arange(self.classes)
        take = inputs.iloc if hasattr(inputs, "iloc") else inputs
        size = self.recipe.batch_size
        with progress_bar("training", self.recipe.epochs, progress) as advance:
            try:
                for epoch in range(1, self.recipe.epochs + 1):
                    shuffled = order.permutation(len(labels))
                    for start in range(0, len(labels), size):
                        batch = shuffled[start : start + size]
                        classifier.partial_fit(take[batch], labels[batch], classes=every)
                    if recorder is not None:
                        for start in range(0, len(labels), 4096):
                            part = slice(start, start + 4096)
                            logits = outputs(classifier, take[part], self.classes)
                            recorder.update(indices[part], logits, labels[part])
                        recorder.end_epoch()
                    see(epoch)
                    advance(1)
            except KeyboardInterrupt:
                if recorder is not None:
                    recorder.discard_epoch()
                raise
