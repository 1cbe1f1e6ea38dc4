"""Weights of an audit, through a plain loop, through scikit-learn, and for another data set."""

from dataclasses import replace

import numpy as np
import pytest
import sklearn
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

import dataaudit
from dataaudit import CurriculumSampler, Recorder, SmallLoss, errors


@pytest.fixture(scope="module")
def audit(noisy):
    inputs, labels, _ = noisy
    network = lambda: nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 3))  # noqa: E731
    recipe = dataaudit.Recipe(epochs=4, batch_size=32, precision="float32")
    return dataaudit.score(network, (inputs, labels), recipe=recipe, progress=False)


def test_weights_of_every_built_in_strategy(audit, noisy):
    inputs, labels, wrong = noisy
    recorder = Recorder(300, 3)
    recorder.update(np.arange(300), torch.tensor(inputs[:, :3]), labels)
    recorder.end_epoch()
    for name in dataaudit.strategies.names():
        options = {"recorder": recorder, "gradual": 1} if name == "small_loss" else {}
        found = audit.weights(name, 1, 10, **options)
        assert found.shape == (300,)
        assert found.dtype == np.float32
        assert (found >= 0).all()
        assert found.mean() == pytest.approx(1.0, abs=1e-5)
        if name not in ("hard_to_easy", "balanced"):
            assert found[wrong].mean() < 0.5 < found[~wrong].mean()


def test_suspects_are_the_default_and_follow_error_probability(audit):
    expected = 1 - audit.error_probability()
    np.testing.assert_allclose(audit.weights(), expected / expected.mean(), rtol=1e-6)
    np.testing.assert_allclose(audit.weights(normalise=False), expected, rtol=1e-6)


def test_the_score_is_chosen_by_name(audit):
    for by in (None, "el2n", "mean_margin"):
        dropped = np.flatnonzero(audit.weights("drop_least_regular", by=by, share=0.1) == 0)
        assert set(dropped) == set(audit.ranking(by)[:30])
    with pytest.raises(errors.SettingError, match="score 'margin'"):
        audit.weights("drop_least_regular", by="margin")


def test_losses_are_means_over_the_epochs_seen(audit):
    np.testing.assert_allclose(audit._scored("el2n").losses, audit.dynamics.cumulative_loss / 4)


def test_a_saved_audit_gives_the_same_weights(audit, tmp_path):
    again = dataaudit.Audit.load(audit.save(tmp_path / "audit"))
    for name in ("suspects", "easy_to_hard", "self_paced", "balanced"):
        np.testing.assert_array_equal(again.weights(name, 2, 6), audit.weights(name, 2, 6))


def test_weights_for_another_data_set_are_refused(audit, noisy):
    inputs, labels, _ = noisy
    assert audit.weights("suspects", dataset=(inputs, labels)).shape == (300,)
    moved = inputs.copy()
    moved[7] += 1
    for other, message in (
        ((inputs[:299], labels[:299]), "a data set of 299 rows"),
        ((inputs, np.roll(labels, 1)), "other labels in rows"),
        ((moved, labels), "fingerprint"),
    ):
        with pytest.raises(errors.DataError, match=message):
            audit.weights("suspects", dataset=other)
        with pytest.raises(errors.DataError, match=message):
            audit.schedule("easy_to_hard", 3, dataset=other)
    with pytest.raises(errors.DataError, match=r"shape \(300,\); expected shape \(299,\)"):
        CurriculumSampler(audit.weights(), dataset=range(299))


def test_an_audit_of_scores_alone_has_no_suspects(audit):
    audit = replace(audit, label_errors=None, dynamics=None)
    with pytest.raises(errors.ModelError, match="without probabilities of error"):
        audit.weights("suspects")
    with pytest.raises(errors.ModelError, match="without training losses"):
        audit.weights("self_paced", 0, 2)
    assert (audit.weights("easy_to_hard", 0, 2, start=0.1) > 0).sum() == 30


def test_a_schedule_gives_the_weights_of_each_epoch(audit):
    weights = audit.schedule("easy_to_hard", 5, by="el2n", normalise=False, start=0.1)
    for epoch in range(5):
        expected = audit.weights("easy_to_hard", epoch, 5, by="el2n", normalise=False, start=0.1)
        np.testing.assert_array_equal(weights(epoch), expected)
    with pytest.raises(errors.SettingError, match="epoch=5 of total_epochs=5"):
        weights(5)
    with pytest.raises(errors.SettingError, match="option 'begin'"):
        audit.schedule("easy_to_hard", 5, begin=0.1)
    with pytest.raises(errors.SettingError, match="total_epochs=None"):
        audit.schedule("suspects", None)
    with pytest.raises(errors.SettingError, match=r"score \['el2n'\]"):
        audit.weights(by=["el2n"])


def trained(audit, noisy, weigh, epochs=6):
    """A network trained in a plain loop, by a sampler, and how well it knows the true classes."""
    inputs, labels, wrong = noisy
    torch.manual_seed(0)
    x, y = torch.tensor(inputs), torch.tensor(labels)
    model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 3))
    optimizer = torch.optim.AdamW(model.parameters(), 0.01)
    recorder = Recorder(300, 3)
    sampler = CurriculumSampler(weigh(audit, recorder, epochs), seed=3)
    seen = []
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        for batch in torch.tensor(list(sampler)).split(30):
            logits = model(x[batch])
            optimizer.zero_grad()
            nn.functional.cross_entropy(logits, y[batch]).backward()
            optimizer.step()
            recorder.update(batch, logits, y[batch])
            seen.append(batch)
        recorder.end_epoch()
    return wrong[torch.cat(seen[-10:])].mean(), np.concatenate(seen), recorder.latest_losses()


def test_a_plain_loop_with_the_losses_of_its_own_recorder(audit, noisy):
    wrong = noisy[2]

    def small_loss(audit, recorder, epochs):
        return audit.schedule(SmallLoss(recorder, gradual=2), epochs)

    share, seen, losses = trained(audit, noisy, small_loss)
    assert share < 0.01 < wrong.mean()
    assert wrong[seen[:300]].any()
    again = trained(audit, noisy, small_loss)
    np.testing.assert_array_equal(again[1], seen)
    np.testing.assert_array_equal(again[2], losses)


def test_a_pipeline_by_its_step_s_name(audit, noisy):
    inputs, labels, wrong = noisy
    weights = audit.weights("suspects")
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    pipeline.fit(inputs, labels, logisticregression__sample_weight=weights)
    expected = LogisticRegression().fit(StandardScaler().fit_transform(inputs), labels, sample_weight=weights)
    np.testing.assert_allclose(pipeline[-1].coef_, expected.coef_)
    plain = make_pipeline(StandardScaler(), LogisticRegression()).fit(inputs, labels)
    assert not np.allclose(plain[-1].coef_, expected.coef_, rtol=0.05)
    # Less trust in wrong labels: fewer of them are learned.
    given = np.arange(300)[wrong], labels[wrong]
    assert pipeline.predict_proba(inputs)[given].mean() < plain.predict_proba(inputs)[given].mean()


def test_metadata_routing_reaches_a_pipeline_in_a_search(audit, noisy):
    inputs, labels, _ = noisy
    weights = audit.weights("suspects")
    with sklearn.config_context(enable_metadata_routing=True):
        classifier = LogisticRegression().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(scaler, classifier)
        pipeline.fit(inputs, labels, sample_weight=weights)
        search = GridSearchCV(pipeline, {"logisticregression__C": [0.01, 1.0]}, cv=3)
        search.fit(inputs, labels, sample_weight=weights)
    expected = LogisticRegression().fit(StandardScaler().fit_transform(inputs), labels, sample_weight=weights)
    np.testing.assert_allclose(pipeline[-1].coef_, expected.coef_)
    assert search.best_score_ > 0.97
