"""What is learned from rows of texts, sparse matrices and mixed tables is learned once, and kept with the audit."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import dataaudit
from dataaudit.data import as_examples
from dataaudit.errors import DataError
from dataaudit.representations import input as representations
from dataaudit.representations.learned import Learned

N = 80
WORDS = [["rain", "wind", "cloud", "storm"], ["goal", "match", "team", "score"]]


def texts():
    rng = np.random.default_rng(0)
    return [" ".join(rng.choice(WORDS[row % 2], 5)) + f" {row % 7}" for row in range(N)]


def wide():
    rng = np.random.default_rng(0)
    return sparse.random(N, 600, 0.05, "csr", random_state=0) + sparse.csr_matrix(
        (np.ones(N), (np.arange(N), 300 * (np.arange(N) % 2) + rng.integers(0, 300, N))), (N, 600)
    )


def mixed():
    rng = np.random.default_rng(0)
    return pd.DataFrame({"kind": rng.choice(["a", "b", "c"], N), "size": rng.normal(size=N), "side": np.arange(N) % 2})


LABELS = np.arange(N) % 2


@pytest.fixture
def learnings(monkeypatch):
    """How often something is learned."""
    count, learn = [], representations._learn

    def counted(*arguments):
        count.append(arguments)
        return learn(*arguments)

    monkeypatch.setattr(representations, "_learn", counted)
    return count


@pytest.mark.parametrize("rows", [texts, wide, mixed])
def test_later_questions_start_from_what_the_audit_learned(rows, learnings):
    given = rows()
    audit = dataaudit.score(None, (given, LABELS), progress=False)
    assert len(learnings) == 1
    duplicates, outliers = audit.duplicates(), audit.outliers()
    new = audit.score_new(given[:3], LABELS[:3], progress=False)
    assert len(learnings) == 1
    other = dataaudit.score(None, (given, LABELS), progress=False)
    pd.testing.assert_frame_equal(other.outliers(), outliers)
    pd.testing.assert_frame_equal(other.duplicates(), duplicates)
    pd.testing.assert_frame_equal(other.score_new(given[:3], LABELS[:3], progress=False), new)


def test_a_loaded_audit_learns_once_from_the_data_set_that_is_passed(tmp_path, learnings):
    dataaudit.score(None, (texts(), LABELS), progress=False).save(tmp_path / "audit")
    learnings.clear()
    audit = dataaudit.Audit.load(tmp_path / "audit")
    for _ in range(2):
        audit.duplicates(dataset=(texts(), LABELS))
    assert len(learnings) == 1
    with pytest.raises(DataError, match="fingerprint"):
        audit.duplicates(dataset=(["changed", *texts()[1:]], LABELS))


def test_rows_that_were_changed_since_are_refused_not_answered_from_what_is_kept():
    given = mixed()
    audit = dataaudit.score(None, (given, LABELS), progress=False)
    audit.outliers()
    given.loc[3, "size"] = 1000.0
    with pytest.raises(DataError, match="fingerprint"):
        audit.outliers()


def test_vectors_that_take_too_much_room_are_computed_again(monkeypatch):
    from dataaudit.representations import learned

    monkeypatch.setattr(learned, "KEPT", 0)
    examples, calls = as_examples((texts(), LABELS)), []

    def of(others):
        calls.append(others)
        return np.ones((len(others), 2), np.float32)

    found = Learned(examples, of, "")
    for expected in (1, 2, 3):
        assert found.vectors(examples).shape == (N, 2)
        assert len(calls) == expected


def test_what_is_kept_is_not_sent_to_other_processes():
    examples = as_examples((texts(), LABELS))
    representations.input_rows(examples)
    assert examples.kept
    assert pickle.loads(pickle.dumps(examples)).kept == {}


def test_an_audit_of_texts_can_be_sent_to_another_process():
    audit = dataaudit.score(None, (texts(), LABELS), progress=False)
    expected = audit.outliers()
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(audit)).outliers(), expected)


def test_two_audits_of_the_same_examples_share_nothing_that_a_model_gave():
    rows = np.random.default_rng(0).normal(size=(N, 4)).astype(np.float32)
    examples, recipe = as_examples((rows, LABELS)), dataaudit.Recipe(epochs=1)

    def audit(dataset, seed):
        model = dataaudit.networks.build("mlp", (4,), 2)
        return dataaudit.score(model, dataset, "confidence", recipe=recipe, seed=seed, progress=False)

    first = audit(examples, 0)
    of_first = first.outliers(by="hidden")
    second = audit(examples, 1)
    pd.testing.assert_frame_equal(second.outliers(by="hidden"), audit((rows, LABELS), 1).outliers(by="hidden"))
    pd.testing.assert_frame_equal(first.outliers(by="hidden"), of_first)
