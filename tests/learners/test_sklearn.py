import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Perceptron, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC

from dataaudit.data import as_examples
from dataaudit.dynamics.recorder import Recorder
from dataaudit.errors import ModelError, SettingError
from dataaudit.learners.base import SMALLEST
from dataaudit.learners.recipes import Recipe
from dataaudit.learners.sklearn import SklearnLearner
from dataaudit.testing import LearnerContract

MODELS = {
    "plain": RandomForestClassifier(n_estimators=5),
    "decision": LinearSVC(),
    "staged": GradientBoostingClassifier(n_estimators=3, subsample=0.7),
    "staged pipeline": make_pipeline(StandardScaler(), HistGradientBoostingClassifier(max_iter=3)),
    "partial_fit": GaussianNB(),
    "partial_fit pipeline": make_pipeline(StandardScaler(), SGDClassifier(loss="log_loss")),
    "partial_fit decision": Perceptron(),
}


@pytest.fixture(params=MODELS)
def kind(request):
    return request.param


class TestContract(LearnerContract):
    @pytest.fixture(autouse=True)
    def _given(self, kind, blobs):
        self.model, self.blobs = MODELS[kind], blobs

    def learner(self):
        return SklearnLearner(self.model, self.blobs, None)

    def labels(self):
        return self.blobs.labels


def test_stages_are_the_models_own(blobs):
    model = GradientBoostingClassifier(n_estimators=4)
    learner = SklearnLearner(model, blobs, None)
    recorder, rows = Recorder(90, 3), np.arange(90)
    fitted = learner.fit(rows, 0, recorder, False)
    assert not hasattr(model, "classes_")
    inputs = blobs.read(rows)
    stages = np.stack(list(fitted.classifier.staged_predict_proba(inputs)))
    given = stages[:, rows, blobs.labels]
    np.testing.assert_allclose(recorder.dynamics().mean_confidence, given.mean(0), rtol=1e-5)
    np.testing.assert_allclose(fitted.logits(rows), np.log(np.clip(stages[-1], SMALLEST, None)))


def test_partial_fit_follows_the_recipes_epochs_and_batches(blobs):
    calls = []

    class Counting(GaussianNB):
        def partial_fit(self, X, y, classes=None, sample_weight=None):
            calls.append(len(X))
            return super().partial_fit(X, y, classes=classes)

    learner = SklearnLearner(Counting(), blobs, Recipe(epochs=2, batch_size=40))
    recorder = Recorder(90, 3)
    learner.fit(np.arange(90), 0, recorder, False)
    assert calls == [40, 40, 10] * 2
    assert recorder.epochs == 2


def test_classes_that_were_never_seen_get_the_smallest_logit(blobs):
    learner = SklearnLearner(LogisticRegression(), blobs, None)
    fitted = learner.fit(np.flatnonzero(blobs.labels != 1), 0, None, False)
    logits = fitted.logits(np.arange(90))
    assert logits.shape == (90, 3)
    assert np.isfinite(logits).all()
    assert (logits.argmin(1) == 1).all()


def test_binary_decision_values_become_two_logits():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 2))
    examples = as_examples((x, (x[:, 0] > 0).astype(int)))
    fitted = SklearnLearner(LinearSVC(), examples, None).fit(np.arange(40), 0, None, False)
    logits = fitted.logits(np.arange(40))
    np.testing.assert_allclose(logits[:, 1] - logits[:, 0], fitted.classifier.decision_function(x))


def test_tables_with_categories_and_missing_values_go_through_a_pipeline():
    frame = pd.DataFrame({"a": [1.0, np.nan, 3.0, 4.0] * 5, "b": list("xyxy") * 5, "label": [0, 1] * 10})
    columns = make_column_transformer((OneHotEncoder(), ["b"]), ("passthrough", ["a"]))
    model = make_pipeline(columns, HistGradientBoostingClassifier(max_iter=2))
    learner = SklearnLearner(model, as_examples(frame, label="label"), None)
    assert learner.allows_missing
    learner.check(0)
    assert np.isfinite(learner.fit(np.arange(20), 0, None, False).logits(np.arange(20))).all()
    assert not SklearnLearner(LogisticRegression(), as_examples(frame, label="label"), None).allows_missing
    with pytest.raises(ModelError, match=r"dataaudit\.preprocessor"):
        SklearnLearner(LogisticRegression(), as_examples(frame, label="label"), None).fit(np.arange(20), 0, None, False)


@pytest.mark.parametrize(
    ("model", "recipe", "error", "message"),
    [
        (LinearRegression(), None, ModelError, "a classifier"),
        (SVC(decision_function_shape="ovo"), None, ModelError, 'decision_function_shape="ovr"'),
        (SGDClassifier, None, ModelError, "a classifier"),
        (RandomForestClassifier(), Recipe(epochs=3), SettingError, "epochs and batch_size alone"),
        (GaussianNB(), Recipe(learning_rate=0.5), SettingError, "epochs and batch_size alone"),
    ],
)
def test_what_cannot_be_done_is_refused(blobs, model, recipe, error, message):
    with pytest.raises(error, match=message):
        SklearnLearner(model, blobs, recipe)


def test_a_first_step_that_passes_through_is_looked_past(blobs):
    model = Pipeline([("nothing", "passthrough"), ("model", HistGradientBoostingClassifier(max_iter=1))])
    learner = SklearnLearner(model, blobs, None)
    assert learner.allows_missing
    assert np.isfinite(learner.fit(np.arange(90), 0, None, False).logits(np.arange(90))).all()


def test_a_fitted_estimator_predicts_as_it_is(blobs):
    rows = np.arange(90)
    fitted = LogisticRegression().fit(blobs.read(rows), blobs.labels)
    logits = SklearnLearner(fitted, blobs, None).untrained().logits(rows)
    np.testing.assert_allclose(logits, np.log(fitted.predict_proba(blobs.read(rows))), rtol=1e-6)
    with pytest.raises(ModelError, match="unfitted"):
        SklearnLearner(LogisticRegression(), blobs, None).untrained()
    named = LogisticRegression().fit(blobs.read(rows), np.array(["a", "b", "c"])[blobs.labels])
    with pytest.raises(ModelError, match="class positions"):
        SklearnLearner(named, blobs, None).untrained()


@pytest.mark.parametrize("model", [HistGradientBoostingClassifier(max_iter=2), RandomForestClassifier(n_estimators=2)])
def test_the_only_class_seen_is_certain(model):
    """Histogram boosting gives two columns for it, a forest one."""
    inputs = np.arange(12, dtype=np.float32).reshape(6, 2)
    learner = SklearnLearner(model, as_examples((inputs, np.array([0, 0, 0, 2, 1, 0]))), None)
    logits = learner.fit(np.array([0, 1, 2]), 0, None, False).logits(np.arange(6))
    assert logits.shape == (6, 3)
    np.testing.assert_array_equal(logits[:, 0], 0.0)
    np.testing.assert_allclose(logits[:, 1:], np.log(SMALLEST))
