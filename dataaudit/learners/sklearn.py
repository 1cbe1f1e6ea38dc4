"""Classifiers with fit and predict_proba, and pipelines: copies trained once, epoch by epoch where they have epochs."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.dummy import DummyClassifier
from sklearn.pipeline import Pipeline

from dataaudit.common.fingerprints import fingerprint_of
from dataaudit.common.types import AnyArray, FloatArray, IntArray
from dataaudit.data.columns import listed
from dataaudit.data.examples import Examples
from dataaudit.data.inspection import one_read
from dataaudit.data.kinds import is_table
from dataaudit.data.tables import as_numbers
from dataaudit.data.texts import is_text, joined_texts, refuse_texts
from dataaudit.errors import ModelError, SettingError
from dataaudit.learners.base import Fitted, Learner, Recording, Watch
from dataaudit.learners.boosting import boosting_of
from dataaudit.learners.class_outputs import outputs
from dataaudit.learners.classifier_epochs import Training
from dataaudit.learners.estimators import (
    blamed,
    check_unfitted,
    first_step,
    fresh,
    kind_taken,
    parameters_of,
    seeded,
    solver_rounds,
    takes_missing,
    takes_one_text,
    takes_sparse,
    training_kind,
)
from dataaudit.learners.recipes import PLAIN, Automatic, Recipe, of_length
from dataaudit.learners.skorch import is_net, net_inputs


class SklearnFitted(Fitted):
    """A trained classifier, with the steps before it; `known` and `told` as in `class_outputs.as_logits`."""

    def __init__(
        self, steps: Any, classifier: Any, learner: SklearnLearner, known: IntArray, told: IntArray | None = None
    ) -> None:
        self._steps, self.classifier, self._learner, self._known, self._told = steps, classifier, learner, known, told

    def on(self, examples: Examples) -> SklearnFitted:
        """The same model, for the rows of another data set with inputs of the same shape."""
        return SklearnFitted(self._steps, self.classifier, self._learner.on(examples), self._known, self._told)

    def logits(self, indices: IntArray, view: Any = None) -> FloatArray:
        """Logits float64 [b, C] of the rows `indices`: log-probabilities, or decision values."""
        inputs = self._learner.inputs(indices)
        if self._steps is not None:
            with blamed("a pipeline", "that refuses rows it was not fitted to"):
                inputs = self._steps.transform(inputs)
        with blamed(f"a {type(self.classifier).__name__}", "that does not predict these rows"):
            named = self._learner.examples.original(indices)
            return outputs(self.classifier, inputs, self._known, self._learner.classes, named, self._told)


class SklearnLearner(Learner):
    """A classifier of scikit-learn's protocol, or a pipeline, copied for every fit, bound to a data set.

    It is trained on labels 0..k-1 of the k classes of its rows. Boosting models have their rounds as epochs, nets of
    skorch their own. Models with ``partial_fit`` are trained batch by batch, with a prediction of every example after
    each epoch; of a recipe they take epochs and batch size.
    """

    def __init__(self, model: Any, examples: Examples, recipe: Recipe | Automatic | None) -> None:
        self.examples = examples
        self.classes = len(examples.class_names)
        self._model = model
        self._last = model.steps[-1][1] if isinstance(model, Pipeline) else model
        with blamed(f"a {self._name}", "whose settings do not go together"):
            self._kind = training_kind(self._last, self.classes)
            self._boosting = boosting_of(self._last)
            self._first = first_step(model)
            self._takes = kind_taken(self._first)
            self._sparse = takes_sparse(self._first)
            self._joins = takes_one_text(self._first)
        self.staged = self._boosting is not None
        self.recipe = of_length(PLAIN, recipe)
        by_batches = replace(self.recipe, epochs=PLAIN.epochs, batch_size=PLAIN.batch_size) == PLAIN
        if recipe is not None and (self._kind != "partial_fit" or not by_batches):
            raise SettingError(
                f"a recipe for {self._name}",
                "one for a torch model, or epochs and batch_size alone for a model with partial_fit",
                "set the estimator's own parameters instead, and leave recipe='auto'",
            )
        self._given = recipe is not None

    @property
    def _name(self) -> str:
        return type(self._last).__name__

    @property
    def epochs(self) -> int:
        """Rounds that a boosting model is set to, epochs of a net or of `partial_fit`, or 0."""
        if self._boosting is not None:
            return self._boosting.rounds(self._last)
        return {"partial_fit": self.recipe.epochs, "epochs": getattr(self._last, "max_epochs", 0)}.get(self._kind, 0)

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
        """True if the first step takes NaN."""
        return takes_missing(self._first)

    @property
    def description(self) -> dict[str, Any]:
        """Model and how it is trained, as JSON values."""
        notes = {
            "staged": "rounds of boosting are the epochs",
            "epochs": "epochs are the net's own; all rows are predicted after each",
            "partial_fit": f"partial_fit, {self.recipe.epochs} epochs in batches of {self.recipe.batch_size}",
            "plain": "no epochs: trained as a whole",
        }
        return {
            "model": self._name,
            "recipe": {"estimator": " ".join(str(self._model).split()), "epochs": self.epochs},
            "device": "cpu",
            "precision": "as the estimator computes",
            "engine": type(self._last).__module__.split(".")[0].replace("sklearn", "scikit-learn"),
            "notes": [notes[self._kind], *self._note_on_texts()],
        }

    def _note_on_texts(self) -> list[str]:
        first: Any = one_read(self.examples) if self._joins else None
        if not is_table(first):
            return []
        name = type(self._first).__name__
        return [f"texts of {listed(list(first))} joined, for a {name}, which takes one text a row"]

    def check(self, seed: int) -> None:
        """Make a copy and read two rows; the estimator looks at the rest itself when it fits."""
        with blamed(f"a {self._name}", "that cannot be copied"):
            copied = fresh(self._model, seed)
        check_unfitted(copied, self._name)
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
        return fingerprint_of([type(self._model), parameters_of(self._model), self._kind, self.recipe])

    def untrained(self) -> SklearnFitted:
        """The caller's own fitted estimator, for predictions."""
        from sklearn.exceptions import NotFittedError
        from sklearn.utils.validation import check_is_fitted

        told = getattr(self._last, "classes_", None)
        try:
            # One without classes_ may be fitted all the same: its columns are those of the data set, or it fails.
            if told is None and isinstance(self._last, BaseEstimator):
                check_is_fitted(self._last)
        except NotFittedError as error:
            raise ModelError(
                f"an unfitted {self._name} beside a full Recorder",
                "the trained model for scores of its predictions",
                "fit it first, or call recorder.evaluate() with its outputs",
            ) from error
        steps = self._model[:-1] if self._has_steps() else None
        positions = None if told is None else self._positions(np.asarray(told))
        return SklearnFitted(steps, self._last, self, np.arange(self.classes), positions)

    def _positions(self, told: AnyArray) -> IntArray:
        """Positions in the class names of the classes that a fitted estimator says, which it has from its caller."""
        names = {name: position for position, name in enumerate(self.examples.class_names)}
        spelled = [str(value) for value in told.tolist()]
        named = all(name in names for name in spelled)
        numbers = told.dtype.kind in "iu" and bool(np.isin(told, np.arange(self.classes)).all())
        if numbers and (len(told) == self.classes or not named):
            return told.astype(np.int64)
        if not named:
            raise ModelError(
                f"an estimator fitted to the classes {told[:8].tolist()}",
                f"class positions 0..{self.classes - 1}, as in audit.labels, or class names: {', '.join(names)}",
                "fit it to the labels of this data set",
            )
        return np.array([names[name] for name in spelled], np.int64)

    def _has_steps(self) -> bool:
        return isinstance(self._model, Pipeline) and len(self._model.steps) > 1

    def inputs(self, indices: IntArray) -> Any:
        """Inputs of the rows `indices`: a DataFrame, an array flattened to [b, d], a sparse matrix, or texts [b].

        Steps that take columns get texts as a DataFrame of one column, and those that take one text a row columns of
        texts joined; nets of skorch get arrays in their own shape.
        """
        if self._sparse and (rows := self.examples.read_sparse(indices)) is not None:
            return rows
        read = self.examples.read(indices)
        if is_net(self._first):
            refuse_texts(read, self.examples.source, f"a {type(self._first).__name__}")
            return net_inputs(as_numbers(read) if is_table(read) else np.asarray(read))
        if is_text(read):
            if self._takes == "columns":
                import pandas as pd

                return pd.DataFrame({self.examples.columns[0] if self.examples.columns else "text": read})
            if self._takes == "numbers":
                refuse_texts(read, self.examples.source, f"a {type(self._first).__name__}")
            return read
        if is_table(read) and self._joins:
            return joined_texts(read, type(self._first).__name__)
        return read if is_table(read) else np.asarray(read).reshape(len(indices), -1)

    def _targets(self, indices: IntArray) -> tuple[IntArray, IntArray]:
        """Classes that are there [k] and labels 0..k-1, for some take no others; batches may lack any: all of them."""
        labels = self.examples.labels[indices]
        if self._kind == "partial_fit":
            return np.arange(self.classes), labels
        known, targets = np.unique(labels, return_inverse=True)
        return known, targets.astype(np.int64)

    def fit(
        self, indices: IntArray, seed: int, recorder: Recording | None, progress: bool, watch: Watch | None = None
    ) -> SklearnFitted:
        """Train a copy on `indices`; epochs that are not rounds of boosting can be watched."""
        known, targets = self._targets(indices)
        with seeded(seed), blamed(f"a {self._name}", "that refuses these data"):
            model, inputs = fresh(self._model, seed), self.inputs(indices)
            steps, classifier = None, model
            if isinstance(model, Pipeline):
                classifier = model.steps[-1][1]
                if self._has_steps():
                    steps = model[:-1]
                    inputs = steps.fit_transform(inputs, targets)
            if len(known) == 1:
                # Many refuse to be fitted to one class, of which any would be certain.
                return SklearnFitted(steps, DummyClassifier().fit(inputs, targets), self, known)
            training = Training(classifier, inputs, targets, indices, recorder, known, self.classes)
            fitted = SklearnFitted(steps, classifier, self, known)
            see = (lambda epoch: None) if watch is None else (lambda epoch: watch(epoch, fitted))
            if self._kind == "partial_fit":
                training.by_batches(self.recipe, seed, progress, see)
            elif self._kind == "epochs":
                training.by_epochs(self.epochs, progress, see)
            else:
                classifier.fit(inputs, targets)
                if self._boosting is not None:
                    training.read_rounds(self._boosting, self.epochs, progress)
        return fitted
