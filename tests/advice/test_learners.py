"""Refusals of models, recipes and devices: whatever they advise works when it is followed."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import transformers
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neighbors import RadiusNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, OneHotEncoder, StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.svm import SVC

import dataaudit
from dataaudit import LinearProbe, NearestNeighbours, Recipe
from dataaudit.data import as_examples
from dataaudit.learners.adapt import as_learner
from dataaudit.learners.features import all_features
from dataaudit.learners.leave_one_out import leave_one_out
from dataaudit.learners.recipes import CropFlip
from dataaudit.learners.ridge import ridge_fit_predict
from tests.advice import learners_torch
from tests.advice.learners_torch import LABELS, ROWS, TEXTS, N, checked, linear, two
from tests.learners.tiny_models import bert_config, tokenizer

MODEL = LogisticRegression()
FITTED = LogisticRegression().fit(ROWS, LABELS)
SPARSE = scipy.sparse.csr_matrix((np.ones(N), (np.arange(N), LABELS)), shape=(N, 40_000_000))
THREE = np.arange(N) % 3
FEW = np.where(np.arange(N) < 3, 2, LABELS)
GAPS, FAR, BLURRED = ROWS.copy(), ROWS.astype(np.float64), ROWS + np.array([1e12, 0, 0])
GAPS[3, 1], FAR[3, 1] = np.nan, 1e60


def trained(model, dataset=(ROWS, LABELS), without=0, **more):
    """Logits of a learner of the model, trained on all rows but the last ones."""
    rows = np.arange(len(dataset[1]))
    return checked(model, dataset, **more).fit(rows[: len(rows) - without], 0, None, False).logits(rows)


def recorded(trained, evaluated=False, labels=LABELS):
    """What a call beside a recorder makes of the model that was trained; of one that was evaluated it needs none."""
    learner = as_learner(trained, as_examples((ROWS, labels)), None, "auto")
    return evaluated or learner.untrained()


def ridge(alpha, features):
    return ridge_fit_predict(features.astype(np.float32), np.array([0, 1] * 3), 2, alpha).fit(np.arange(1, 5))


def left_out(inputs):
    return leave_one_out(lambda rows: inputs[rows], LABELS, 2)(slice(0, N))


def joined(*data_sets, **more):
    return all_features(*map(as_examples, [*data_sets, *more.values()]))


class Answers:
    """A classifier that answers with a table, or with what `then` makes of it."""

    def __init__(self, then=None, told=None):
        self.then = then or (lambda table: table)
        if told:
            self.classes_ = told

    def fit(self, inputs, labels):
        return self

    def predict_proba(self, inputs):
        return self.then(np.full((len(inputs), 2), 0.5))


class Decides(Answers):
    predict_proba = None

    def decision_function(self, inputs):
        return self.then(np.full((len(inputs), 2), 0.5))


def radius(radius, outlier_label=None):
    return trained(RadiusNeighborsClassifier(radius, outlier_label=outlier_label), without=1)


def pairs(decision_function_shape):
    return checked(SVC(decision_function_shape=decision_function_shape), (ROWS, THREE))


def boosted(early_stopping_rounds=None):
    kind = pytest.importorskip("xgboost").XGBClassifier
    return trained(kind(n_estimators=2, early_stopping_rounds=early_stopping_rounds))


def searched(cv):
    return trained(GridSearchCV(GaussianNB(), {"var_smoothing": [1e-9]}, cv=cv))


def neighbours(k):
    return checked(NearestNeighbours(k))


def setfit(use_differentiable_head):
    kind, body = pytest.importorskip("setfit").SetFitModel, linear()
    return checked(kind(model_body=body, model_head=linear() if use_differentiable_head else MODEL), (TEXTS, LABELS))


def sentences():
    """A model of sentence-transformers, in the working folder."""
    kind = pytest.importorskip("sentence_transformers").SentenceTransformer
    transformers.BertModel(bert_config()).save_pretrained("sentences")
    tokenizer().save_pretrained("sentences")
    return {"model": kind("sentences", device="cpu")}


def embedded(model, by=None):
    """Scores by vectors of the model, where `by` says so, beside another model that tells classes apart."""
    given = {"model": model} if by is None else {"model": by(), "embed": model}
    return dataaudit.score(**given, dataset=(TEXTS, LABELS), scorers="heldout_confidence", progress=False)


SPARSELY = FunctionTransformer(scipy.sparse.csr_matrix)
PIPELINE = transformers.pipeline("text-classification", model=two(), tokenizer=tokenizer())
NAMED = pd.DataFrame({"kind": list("xy") * (N // 2), "size": ROWS[:, 0]})
RARE = NAMED[["kind"]].assign(kind=["x"] * (N - 1) + ["y"])
HOLES = pd.DataFrame(GAPS, columns=list("abc"))
ENCODED = make_pipeline(dataaudit.preprocessor((NAMED, LABELS)), MODEL)

CASES = {
    **learners_torch.CASES,
    "a recipe that is none": (checked, {"model": linear, "recipe": 3}),
    "a recipe of no name": (checked, {"model": linear, "recipe": "plian"}, {"choose from": {"recipe": "plain"}}),
    "a recipe without a model": (checked, {"model": None, "recipe": Recipe()}, {"torch module": {"model": linear}}),
    "a recipe of a probe": (checked, {"model": LinearProbe(), "recipe": Recipe()}),
    "a recipe of a classifier": (checked, {"model": GaussianNB(), "recipe": Recipe(learning_rate=0.5)}),
    "a device without a model": (checked, {"model": None, "device": "cuda"}),
    "a processor of a probe": (
        checked,
        {"model": LinearProbe(), "processor": print},
        {"transform=": {"processor": None, "transform": np.abs}},
    ),
    "no model": (checked, {"model": 3}),
    "a model's name": (
        checked,
        {"model": "prajjwal1/bert-tiny"},
        {"AutoModelForSequenceClassification": "it has to be fetched", "embed=": "it has to be fetched"},
    ),
    "a pipeline": (
        checked,
        {"model": PIPELINE, "dataset": (TEXTS, LABELS)},
        {"model=pipeline.model": {"model": PIPELINE.model, "processor": PIPELINE.tokenizer}},
    ),
    "a model of sentences": (
        embedded,
        sentences,
        {"embed=model": {"by": LinearProbe}},
    ),
    "no classifier": (
        checked,
        {"model": KMeans(2)},
        {"another classifier": {"model": MODEL}, "wrap": {"model": Answers()}},
    ),
    "a classifier of several labels": (
        checked,
        {"model": MultiOutputClassifier(MODEL)},
        {"estimator within": {"model": MODEL}},
    ),
    "decisions between pairs of classes": (pairs, {"decision_function_shape": "ovo"}),
    "a classifier that stays fitted": (
        checked,
        {"model": StackingClassifier([("a", FrozenEstimator(FITTED))])},
        {"unfitted": {"model": StackingClassifier([("a", MODEL)])}},
    ),
    "no probabilities, fitted too": (
        trained,
        {"model": VotingClassifier([("a", MODEL), ("b", GaussianNB())])},
        {
            "voting='soft'": {"model": VotingClassifier([("a", MODEL), ("b", GaussianNB())], voting="soft")},
            "another classifier": {"model": MODEL},
        },
    ),
    "predictions of NaN": (
        trained,
        {"model": Answers(lambda table: table * np.nan)},
        {"scale": {"model": make_pipeline(StandardScaler(), MODEL)}, "another classifier": {"model": MODEL}},
    ),
    "predictions that are no probabilities": (
        trained,
        {"model": Answers(lambda table: 4 * table)},
        {
            "return probabilities": {"model": Answers()},
            "decision_function": {"model": Decides(lambda table: 4 * table)},
        },
    ),
    "columns of unknown classes": (
        trained,
        {"model": Answers(lambda table: np.hstack([table, table]))},
        {
            "return one": {"model": Answers()},
            "classes_": {"model": Answers(lambda table: table[:, ::-1], told=[1, 0])},
        },
    ),
    "a model trained on other labels": (
        recorded,
        {"trained": LogisticRegression().fit(ROWS, np.array(["a", "b"])[LABELS])},
        {"fit it": {"trained": FITTED}},
    ),
    "a model that was not trained": (
        recorded,
        {"trained": MODEL},
        {"fit it": {"trained": FITTED}, "recorder.evaluate()": {"evaluated": True}},
    ),
    "a probe for a trained model": (
        recorded,
        {"trained": LinearProbe()},
        {"trained=": {"trained": FITTED}, "recorder.evaluate()": {"evaluated": True}},
    ),
    "a category that training lacks": (
        trained,
        {
            "model": make_pipeline(OneHotEncoder(sparse_output=False), MODEL),
            "dataset": (RARE, LABELS),
            "without": 1,
        },
        {
            "handle_unknown='ignore'": {
                "model": make_pipeline(OneHotEncoder(handle_unknown="ignore", sparse_output=False), MODEL)
            },
            "dataaudit.preprocessor": {"model": ENCODED, "dataset": (NAMED, LABELS)},
        },
    ),
    "words for a classifier of numbers": (
        trained,
        {"model": MODEL, "dataset": (NAMED, LABELS)},
        {"dataaudit.preprocessor": {"model": ENCODED}},
    ),
    "gaps": (
        trained,
        {"model": MODEL, "dataset": (HOLES, LABELS)},
        {"dataaudit.preprocessor": {"model": make_pipeline(dataaudit.preprocessor((HOLES, LABELS)), MODEL)}},
    ),
    "sparse rows for dense ones": (
        trained,
        {"model": make_pipeline(SPARSELY, GaussianNB())},
        {
            "takes sparse inputs": {"model": make_pipeline(SPARSELY, MODEL)},
            "TruncatedSVD": {"model": make_pipeline(SPARSELY, TruncatedSVD(2), GaussianNB())},
        },
    ),
    "negative values": (
        trained,
        {"model": MultinomialNB(), "dataset": (ROWS - 9, LABELS)},
        {
            "MinMaxScaler": {"model": make_pipeline(MinMaxScaler(clip=True), MultinomialNB())},
            "any numbers": {"model": MODEL},
        },
    ),
    "three classes for two": (
        trained,
        {"model": FixedThresholdClassifier(MODEL), "dataset": (ROWS, THREE)},
        {"estimator within": {"model": MODEL}},
    ),
    "nobody within a radius": (radius, {"radius": 1e-9}, {"radius=": {"radius": 99.0}}),
    "no estimator within": (
        trained,
        {"model": SelfTrainingClassifier()},
        {"give it": {"model": SelfTrainingClassifier(MODEL)}},
    ),
    "more folds than rows": (searched, {"cv": 99}),
    "more folds than rows of a class": (
        trained,
        {"model": CalibratedClassifierCV(GaussianNB(), cv=5), "dataset": (ROWS, FEW)},
        {
            "cv=": {"model": CalibratedClassifierCV(GaussianNB(), cv=2)},
            "few examples": {"dataset": (ROWS[3:], LABELS[3:])},
        },
    ),
    "early stopping": (boosted, {"early_stopping_rounds": 2}, {"early stopping": {"early_stopping_rounds": None}}),
    "a setting out of range": (
        trained,
        {"model": GaussianNB(var_smoothing=-1)},
        {"fails by itself": {"model": GaussianNB()}, "preprocessing": "no step helps this one"},
    ),
    "no head of scikit-learn": (
        setfit,
        {"use_differentiable_head": True},
        {"use_differentiable_head=False": {"use_differentiable_head": False}},
    ),
    "more neighbours than rows": (neighbours, {"k": N + 1}),
    "no neighbours": (neighbours, {"k": 0}),
    "no penalty": (LinearProbe, {"alpha": 0.0}),
    "no kind of probe": (LinearProbe, {"kind": "lasso"}, {"choose from": {"kind": "ridge"}}),
    "a penalty that vanishes": (
        ridge,
        {"alpha": 1e-300, "features": np.where(np.arange(6)[:, None] < 1, 2e9, 1).repeat(3, 1)},
        {"drop constant": {"features": ROWS[:6]}},
    ),
    "columns that float32 blurs": (
        joined,
        {"known": (BLURRED, LABELS)},
        {"subtract": {"known": (BLURRED - [1e12, 0, 0], LABELS)}, "standardise": {"known": (ROWS, LABELS)}},
    ),
    "no columns for a probe": (
        trained,
        {"model": LinearProbe(), "dataset": (ROWS[:, :0], LABELS)},
        {"inputs=": {"dataset": (ROWS, LABELS)}, "transform=": {"transform": lambda row: np.ones(2)}},
    ),
    "values beyond float32": (
        trained,
        {"model": LinearProbe(), "dataset": (FAR, LABELS)},
        {
            "drop those rows": {"dataset": (ROWS, LABELS)},
            "rescale": {"dataset": (np.sign(FAR) * np.log1p(np.abs(FAR)), LABELS)},
        },
    ),
    "sparse rows that take too much room": (
        checked,
        {"model": LinearProbe(), "dataset": (SPARSE, LABELS)},
        {"LogisticRegression()": {"model": MODEL}, "TruncatedSVD": {"dataset": (SPARSE[:, :2], LABELS)}},
    ),
    "new rows of another length": (
        joined,
        {"known": (ROWS, LABELS), "new": (ROWS[:, :2], LABELS)},
        {"resize or pad": {"new": (np.pad(ROWS[:, :2], [(0, 0), (0, 1)]), LABELS)}},
    ),
    "numbers whose mean is not finite": (
        left_out,
        {"inputs": np.full((N, 2), 1e308)},
        {"rescale": {"inputs": np.full((N, 2), 1.0)}},
    ),
    **{
        f"{name}={value!r} of a recipe": (Recipe, {name: value})
        for name, value in [
            ("epochs", 0),
            ("batch_size", 1.5),
            ("evaluations", 11),
            ("learning_rate", 0.0),
            ("momentum", -0.1),
            ("warmup", 2.0),
            ("decay", 0.0),
            ("milestones", (1.5,)),
            ("milestones", 0.5),
            ("augment", "flip"),
            ("schedule", "step"),
        ]
    },
    "no optimiser": (Recipe, {"optimizer": "adm"}, {"choose from": {"optimizer": "adamw"}}),
    "milestones out of order": (Recipe, {"schedule": "step", "milestones": (0.7, 0.3)}),
    "milestones of no steps": (Recipe, {"milestones": (0.3,)}),
    "no padding": (CropFlip, {"padding": -1}),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", CASES)
def test_what_is_advised_works(follow, kind):
    follow(*CASES[kind])


def test_no_advice_is_left_out(left):
    assert left("learners") == set()
