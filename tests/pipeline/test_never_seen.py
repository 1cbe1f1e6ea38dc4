"""Audits of records in which some rows were never seen: those rows are NaN, and take no part in anything."""

import datasets
import numpy as np
import pytest
import torch

import dataaudit.errors
from dataaudit import Recorder, score

N, CLASSES, EPOCHS = 240, 3, 4


def recorded(rows, logits, labels, n, evaluated=False):
    """Record of `rows`, that is of all but a few of `n`."""
    recorder = Recorder(n, CLASSES)
    for epoch in logits:
        recorder.update(torch.tensor(rows), epoch, torch.tensor(labels))
        recorder.end_epoch()
    if evaluated:
        recorder.evaluate(torch.tensor(rows), logits[-1], torch.tensor(labels))
    return recorder


@pytest.fixture(scope="module")
def run():
    """Labels with some errors, the rows that are drawn, and their logits by epoch."""
    rng = np.random.default_rng(0)
    true = rng.integers(0, CLASSES, N)
    labels = np.where(rng.random(N) < 0.1, (true + 1) % CLASSES, true)
    drawn = np.unique(rng.integers(0, N, N))
    logits = rng.normal(size=(EPOCHS, len(drawn), CLASSES)) + 3 * np.eye(CLASSES)[true[drawn]]
    return labels, drawn, torch.tensor(logits, dtype=torch.float32)


@pytest.mark.parametrize("evaluated", [False, True])
def test_scores_are_those_of_the_rows_that_were_seen(run, evaluated):
    labels, drawn, logits = run
    unseen = np.setdiff1d(np.arange(N), drawn)
    audit = score(recorded(drawn, logits, labels[drawn], N, evaluated), progress=False)
    alone = score(recorded(np.arange(len(drawn)), logits, labels[drawn], len(drawn), evaluated), progress=False)
    assert len(audit) == N
    for name, values in alone.columns.items():
        np.testing.assert_array_equal(audit.columns[name][drawn], values)
        assert np.isnan(audit.columns[name][unseen]).all()
    assert np.isnan(audit.dynamics.mean_confidence[unseen]).all()
    np.testing.assert_array_equal(audit.error_probability()[drawn], alone.error_probability())
    assert audit.noise_rate().pairs.equals(alone.noise_rate().pairs)
    assert len(alone.mislabeled()) > 0
    np.testing.assert_array_equal(audit.mislabeled()["row"], drawn[alone.mislabeled()["row"]])
    assert any(note.startswith(f"{len(unseen)} examples were never seen") for note in audit.settings["notes"])
    assert set(audit.suspects(N).tail(len(unseen))["given"]) == {""}


def test_what_else_an_audit_does_takes_them(run, tmp_path):
    labels, drawn, logits = run
    unseen = np.setdiff1d(np.arange(N), drawn)
    audit = score(recorded(drawn, logits, labels[drawn], N), progress=False)
    page = audit.report(tmp_path / "page.html")
    assert page.exists()
    audit.save(tmp_path / "audit")
    np.testing.assert_array_equal(dataaudit.Audit.load(tmp_path / "audit").labels, audit.labels)
    assert set(audit.ambiguous(N)["row"]) == set(drawn)
    weights = audit.weights("balanced", unscored="drop")
    assert (weights[unseen] == 0).all()
    assert (weights[drawn] > 0).all()
    inputs = np.random.default_rng(1).normal(size=(N, 4))
    duplicated = audit.duplicates(dataset=(np.repeat(inputs[: N // 2], 2, axis=0), labels))
    assert duplicated["label"].tolist() == [str(labels[row]) for row in duplicated["row"]]


def test_inputs_that_a_record_needs_nothing_of_may_be_of_any_kind(run):
    labels, drawn, logits = run
    tokens = [[1, 2, 3, 4][: 1 + row % 4] for row in range(N)]
    dataset = datasets.Dataset.from_dict({"steps": tokens, "labels": labels.tolist()})
    recorder = recorded(drawn, logits, labels[drawn], N)
    audit = score(recorder, dataset, progress=False)
    np.testing.assert_array_equal(audit.columns["consensus"], score(recorder, progress=False).columns["consensus"])
    np.testing.assert_array_equal(audit.labels, labels)
    assert any("lists of other lengths" in note for note in audit.settings["notes"])
    with pytest.raises(dataaudit.errors.DataError, match="lists of other lengths"):
        score(recorder, dataset, "knn_c_score/input", progress=False)
