"""Classifiers that people have: of any class with fit and predict_proba or decision_function."""

import inspect
import itertools

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.ensemble import IsolationForest, StackingClassifier, VotingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Perceptron, SGDClassifier
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import all_estimators

import dataaudit
from dataaudit.data import as_examples
from dataaudit.dynamics.recorder import Recorder
from dataaudit.errors import DataAuditError, ModelError
from dataaudit.learners.adapt import as_learner

HELD_OUT = {"scorers": "heldout_confidence", "holdout": dataaudit.Holdout(folds=2), "progress": False}


def rows(classes, n=60, wrong=4):
    """Separable rows, the first of them with a wrong label."""
    rng, truth = np.random.default_rng(0), np.arange(n) % classes
    labels = truth.copy()
    labels[:wrong] = (truth[:wrong] + 1) % classes
    return (rng.normal(size=(n, 5)) + 4 * np.eye(classes, 5)[truth]).astype(np.float32), labels


INPUTS, LABELS = rows(3)


def finds(audit, wrong=4):
    scores = audit.columns["heldout_confidence"]
    return np.median(scores[:wrong]) < np.median(scores[wrong:])


def held_out(model, data=(INPUTS, LABELS)):
    return finds(dataaudit.score(model, data, **HELD_OUT))


WHY_NOT = {
    "CategoricalNB": "Negative values.*MinMaxScaler",
    "ClassifierChain": "several labels.*pass the estimator within",
    "ComplementNB": "Negative values.*MinMaxScaler",
    "FixedThresholdClassifier": "binary.*pass the estimator within",
    "LabelPropagation": "NaN or infinite values of LabelPropagation.predict_proba for rows",
    "LabelSpreading": "NaN or infinite values of LabelSpreading.predict_proba for rows",
    "MultinomialNB": "Negative values.*MinMaxScaler",
    "MultiOutputClassifier": "several labels.*pass the estimator within",
    "OutputCodeClassifier": "only predicts.*predict_proba or decision_function",
    "RadiusNeighborsClassifier": "outlier_label",
    "SelfTrainingClassifier": "give it the estimator",
    "TunedThresholdClassifierCV": "binary.*pass the estimator within",
    "VotingClassifier": "voting='hard'.*voting='soft'",
}
"""Classifiers that do not take three classes of numbers with their defaults, and what the error says."""

WITHIN = {"estimator": GaussianNB(), "estimators": [("a", GaussianNB()), ("b", LogisticRegression())]}


def with_defaults(kind):
    """An object with its defaults, and what has none."""
    parameters = inspect.signature(kind).parameters.values()
    return kind(**{one.name: WITHIN[one.name] for one in parameters if one.default is one.empty and one.name in WITHIN})


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "kind"), all_estimators(type_filter="classifier"))
def test_every_classifier_of_scikit_learn_runs_or_says_why_not(name, kind):
    if name not in WHY_NOT:
        dataaudit.score(with_defaults(kind), (INPUTS, LABELS), **HELD_OUT)
        return
    with pytest.raises(ModelError, match=f"(?s){WHY_NOT[name]}"):
        dataaudit.score(with_defaults(kind), (INPUTS, LABELS), **HELD_OUT)


GRID = {"gaussiannb__var_smoothing": [1e-9, 1e-3]}
PIPELINE = make_pipeline(StandardScaler(), GaussianNB())


@pytest.mark.parametrize(
    "model",
    [
        GridSearchCV(PIPELINE, GRID, cv=2),
        RandomizedSearchCV(PIPELINE, GRID, n_iter=1, cv=2),
        StackingClassifier([("a", LogisticRegression()), ("b", GaussianNB())], cv=2),
        make_pipeline(StandardScaler(), StackingClassifier([("a", GaussianNB())], cv=2)),
        VotingClassifier([("a", LogisticRegression()), ("b", GaussianNB())], voting="soft"),
        CalibratedClassifierCV(PIPELINE, cv=2),
        SGDClassifier(loss="log_loss", class_weight="balanced"),
        SGDClassifier(loss="log_loss", early_stopping=True),
        Perceptron(class_weight="balanced"),
        OneVsRestClassifier(SGDClassifier(class_weight="balanced")),
        MLPClassifier((8,), early_stopping=True, max_iter=30, learning_rate_init=0.05),
        GaussianNB,
        lambda: make_pipeline(StandardScaler(), GaussianNB()),
    ],
    ids=lambda model: type(model).__name__,
)
@pytest.mark.filterwarnings("ignore:.*iterations", "ignore:.*Maximum")
def test_whatever_trains_by_fit_is_trained(model):
    assert held_out(model)


def test_settings_that_forbid_batches_leave_a_model_without_epochs():
    examples = as_examples((INPUTS, LABELS))
    epochs = {
        options: as_learner(SGDClassifier(**dict([options])), examples, None, "auto").epochs
        for options in (("early_stopping", True), ("class_weight", "balanced"), ("penalty", "l1"))
    }
    assert [bool(number) for number in epochs.values()] == [False, False, True]


@pytest.mark.parametrize("search", [lambda model: GridSearchCV(model, {}, cv=2), lambda model: model])
def test_texts_and_missing_numbers_reach_the_pipeline_within(search):
    texts = np.array(["good fine", "bad poor", "good great", "poor worse"] * 10)
    labels = np.tile([0, 1], 20)
    labels[:4] = 1 - labels[:4]
    assert held_out(search(make_pipeline(TfidfVectorizer(), LogisticRegression())), (texts, labels))
    gaps = INPUTS.copy()
    gaps[::7, 1] = np.nan
    assert held_out(search(make_pipeline(SimpleImputer(), GaussianNB())), (gaps, LABELS))


class Means:
    """Nearest mean, of no class but its own; `answer` turns probabilities into what predict_proba gives."""

    def __init__(self, answer=lambda known, p: p, told=lambda known: None, scores=False):
        self.answer, self.told = answer, told
        if scores:
            self.decision_function = self._answer

    def fit(self, inputs, labels):
        self.known = np.unique(labels)
        self.means = np.stack([inputs[labels == label].mean(0) for label in self.known])
        if self.told(self.known) is not None:
            self.classes_ = self.told(self.known)

    def _answer(self, inputs):
        near = -((inputs[:, None] - self.means[None]) ** 2).sum(-1) / 2
        return self.answer(self.known, softmax(near, 1))


class Probable(Means):
    def predict_proba(self, inputs):
        return self._answer(inputs)


class Estimator(ClassifierMixin, BaseEstimator, Probable):
    """The same with scikit-learn's bases, and no classes_."""

    def __init__(self, answer=None, told=None):
        super().__init__(answer or (lambda known, p: p), told or (lambda known: None))


REVERSED = (lambda known, p: p[:, ::-1], lambda known: known[::-1])
TAKEN = {
    "as they are": Probable(),
    "scikit-learn's bases": Estimator,
    "names": Probable(told=lambda known: known.astype(str)),
    "floats": Probable(told=lambda known: known.astype(float)),
    "a list": Probable(told=list),
    "objects": Probable(told=lambda known: known.astype(object)),
    "another order": Probable(*REVERSED),
    "fewer columns": Probable(lambda known, p: p[:, 1:], lambda known: known[1:]),
    "a table": Probable(lambda known, p: __import__("pandas").DataFrame(p)),
    "a tensor": Probable(lambda known, p: __import__("torch").tensor(p)),
    "lists": Probable(lambda known, p: p.tolist()),
    "unnormalised": Probable(lambda known, p: p / 2),
    "rounded": Probable(lambda known, p: p * (1 + 1e-9)),
    "decision values": Means(lambda known, p: 100 * p, scores=True),
}


@pytest.mark.parametrize("case", TAKEN)
@pytest.mark.parametrize("labels", [LABELS, np.array(["no", "yes", "maybe"])[LABELS], LABELS * 10 - 5])
def test_columns_are_those_of_the_classes(case, labels):
    model = TAKEN[case]
    values = dataaudit.score(model, (INPUTS, labels), **HELD_OUT).columns["heldout_confidence"]
    if case == "fewer columns":
        # The class without a column is never believed in.
        assert (values[np.unique(labels, return_inverse=True)[1] == 0] < 1e-9).all()
    else:
        assert np.median(values[:4]) < np.median(values[4:])


TWO = rows(2)


@pytest.mark.parametrize(
    "answer",
    [lambda known, p: p[:, 1], lambda known, p: p[:, 1:], lambda known, p: p],
    ids=["one number", "one column", "two"],
)
@pytest.mark.parametrize("kind", [Probable, lambda answer: Means(answer, scores=True)], ids=["p", "d"])
def test_one_number_is_about_the_second_of_two_classes(answer, kind):
    centred = kind(lambda known, p: answer(known, p) - (0.5 if kind is not Probable else 0.0))
    assert held_out(centred, TWO)


REFUSED = {
    "one column": (Probable(lambda known, p: p[:, :1]), r"Probable.predict_proba of shape \(\d+, 1\).*3 classes"),
    "too many columns": (Probable(lambda known, p: np.hstack([p, p])), "column for each class"),
    "rows": (Probable(lambda known, p: p[1:]), "column for each class"),
    "unknown classes": (Probable(told=lambda known: known + 7), "column for each class"),
    "words for classes": (Probable(told=lambda known: ["a", "b", "c"]), "does not predict these rows"),
    "NaN": (
        Probable(lambda known, p: np.where(p > 0.9, np.nan, p)),
        "NaN or infinite values of Probable.predict_proba",
    ),
    "no probabilities": (Probable(lambda known, p: 2 * p), "values of Probable.predict_proba outside"),
    "an error of its own": (Probable(lambda known, p: {}["x"]), "does not predict these rows: KeyError"),
    "an outlier detector": (IsolationForest(), "expected a classifier"),
    "clusters": (KMeans(3), "expected a classifier"),
    "a mixture": (GaussianMixture(3), "expected a classifier"),
    "no method": (type("Fits", (), {"fit": lambda self, x, y: self})(), "predict_proba or decision_function"),
    "no copy": (type("Holds", (Probable,), {"held": None, "__reduce__": lambda self: 1 / 0})(), "cannot be copied"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_understood_is_refused_by_name(case):
    model, words = REFUSED[case]
    with pytest.raises(ModelError, match=f"(?s){words}") as caught:
        dataaudit.score(model, (INPUTS, LABELS), **HELD_OUT)
    assert "learning_rate" not in str(caught.value)


def test_a_callers_object_stays_as_it_is_and_draws_alike():
    class Draws(Probable):
        def fit(self, inputs, labels):
            super().fit(inputs + np.random.normal(size=inputs.shape), labels)  # noqa: NPY002

    model = Draws()
    learner = as_learner(model, as_examples((INPUTS, LABELS)), None, "auto")
    every = np.arange(60)
    first, second = (learner.fit(every, 3, None, False).logits(every) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert not hasattr(model, "known")


@pytest.mark.parametrize("model", [LogisticRegression(), Probable(), make_pipeline(StandardScaler(), GaussianNB())])
def test_rows_of_one_class_make_it_certain(model):
    learner = as_learner(model, as_examples((INPUTS, LABELS)), None, "auto")
    if learner.epochs:
        learner = learner.from_scratch()
    logits = learner.fit(np.flatnonzero(LABELS == 1), 0, None, False).logits(np.arange(5))
    assert (softmax(logits, 1)[:, 1] > 1 - 1e-9).all()


@pytest.mark.parametrize("spelled", [np.array(["a", "b", "c"]), np.array([3, 5, 9]), np.arange(3)])
def test_a_fitted_classifier_knows_the_callers_labels(spelled):
    labels = spelled[LABELS]
    fitted = LogisticRegression().fit(INPUTS, labels)
    recorder = Recorder(60, 3)
    recorder.update(np.arange(60), np.eye(3)[LABELS], LABELS)
    recorder.end_epoch()
    audit = dataaudit.score(recorder, (INPUTS, labels), "confidence", trained=fitted, progress=False)
    expected = fitted.predict_proba(INPUTS)[np.arange(60), LABELS]
    np.testing.assert_allclose(audit.columns["confidence"], expected, atol=1e-6)


def xgboost(**options):
    model = pytest.importorskip("xgboost").XGBClassifier(**options)
    return model, lambda fitted, k: fitted.predict_proba(INPUTS, iteration_range=(0, k))


def lightgbm(**options):
    model = pytest.importorskip("lightgbm").LGBMClassifier(**{"min_child_samples": 2, **options})
    return model, lambda fitted, k: fitted.predict_proba(INPUTS, num_iteration=k)


def catboost(**options):
    model = pytest.importorskip("catboost").CatBoostClassifier(**options)
    return model, lambda fitted, k: fitted.predict_proba(INPUTS, ntree_end=k)


BOOSTING = [xgboost, lightgbm, catboost]


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("package", BOOSTING)
def test_rounds_of_boosting_are_epochs_of_one_fit(package, classes, monkeypatch, tmp_path, capfd):
    monkeypatch.chdir(tmp_path)
    model, after = package(n_estimators=4)
    kind, fits = type(model), []
    train = kind.fit
    monkeypatch.setattr(kind, "fit", lambda self, *given, **named: fits.append(1) or train(self, *given, **named))
    seen = []

    class Watching(Recorder):
        def update(self, indices, logits, labels):
            seen.append(softmax(np.asarray(logits), 1))
            super().update(indices, logits, labels)

    labels = LABELS % classes
    learner = as_learner(model, as_examples((INPUTS, labels)), None, "auto")
    recorder = Watching(60, classes)
    fitted = learner.fit(np.arange(60), 2**32 - 1, recorder, False)
    assert (learner.epochs, recorder.epochs, len(fits)) == (4, 4, 1)
    for number, probabilities in enumerate(seen, 1):
        np.testing.assert_allclose(probabilities, after(fitted.classifier, number), atol=1e-6)
    np.testing.assert_allclose(softmax(fitted.logits(np.arange(60)), 1), seen[-1], atol=1e-6)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("package", BOOSTING)
def test_boosting_takes_tables_gaps_and_classes_that_a_part_lacks(package):
    import pandas as pd

    model, _ = package(n_estimators=2)
    table = pd.DataFrame(INPUTS, columns=list("abcde")).assign(label=np.array(["x", "y", "z"])[LABELS])
    table.loc[::9, "b"] = np.nan
    learner = as_learner(model, as_examples(table, label="label"), None, "auto")
    assert learner.allows_missing
    logits = learner.fit(np.flatnonzero(LABELS != 0), 0, None, False).logits(np.arange(60))
    assert (softmax(logits, 1)[:, 0] < 1e-9).all()
    assert held_out(model, table)


@pytest.mark.parametrize(
    ("package", "options", "trains"),
    [
        (xgboost, {"booster": "gblinear"}, True),
        (lightgbm, {"boosting_type": "rf", "bagging_freq": 1, "bagging_fraction": 0.6}, True),
        (xgboost, {"early_stopping_rounds": 2}, False),
        (xgboost, {"max_depth": -3}, False),
        (lightgbm, {"num_leaves": 0}, False),
        (catboost, {"depth": 99}, False),
    ],
)
def test_trees_that_are_no_rounds_and_settings_that_fail(package, options, trains):
    model, _ = package(n_estimators=3, **options)
    if trains:
        assert as_learner(model, as_examples((INPUTS, LABELS)), None, "auto").epochs == 0
        assert held_out(model)
        return
    with pytest.raises(ModelError, match=type(model).__name__):
        dataaudit.score(model, (INPUTS, LABELS), progress=False)


def net(classes=3, **options):
    skorch = pytest.importorskip("skorch")
    import torch

    torch.manual_seed(0)
    binary = classes == 1
    kind = skorch.NeuralNetBinaryClassifier if binary else skorch.NeuralNetClassifier
    loss = {} if binary else {"criterion": torch.nn.CrossEntropyLoss}
    return kind(
        torch.nn.Linear, module__in_features=5, module__out_features=classes, max_epochs=4, lr=0.5, **loss, **options
    )


@pytest.mark.parametrize(("outputs", "data"), [(3, (INPUTS, LABELS)), (1, TWO), (3, (INPUTS.astype(float), LABELS))])
def test_epochs_of_a_net_are_recorded_while_it_trains(outputs, data, capfd):
    audit = dataaudit.score(net(outputs), data, progress=False)
    assert audit.dynamics.epochs == 4
    assert audit.dynamics.mean_confidence[4:].mean() > audit.dynamics.mean_confidence[:4].mean()
    assert capfd.readouterr().out == ""


def test_a_net_is_watched_without_a_difference_and_may_stop_early():
    from skorch.callbacks import EarlyStopping

    learner = as_learner(net(module__bias=True), as_examples((INPUTS, LABELS)), None, "auto")
    every, recorder = np.arange(60), Recorder(60, 3)
    watched, alone = (learner.fit(every, 1, one, False).logits(every) for one in (recorder, None))
    np.testing.assert_array_equal(watched, alone)
    assert recorder.epochs == learner.epochs == 4
    stopping = as_learner(net(callbacks=[EarlyStopping(patience=1, threshold=9.0)]), learner.examples, None, "auto")
    stopping.fit(every, 1, shorter := Recorder(60, 3), False)
    assert 0 < shorter.epochs < 4


def test_all_these_errors_have_three_parts():
    for model, _ in itertools.islice(REFUSED.values(), 6):
        with pytest.raises(DataAuditError) as caught:
            dataaudit.score(model, (INPUTS, LABELS), **HELD_OUT)
        assert all((caught.value.arrived, caught.value.expected, caught.value.action))
