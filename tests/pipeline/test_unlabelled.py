"""Rows without a label: left out with a note, in their place everywhere, with a label suggested."""

import numpy as np
import pandas as pd
import pytest
import torch
from datasets import ClassLabel, Dataset, Features, List, Value
from sklearn.linear_model import LogisticRegression

import dataaudit
from dataaudit.errors import DataError, SettingError

N, NONE = 60, [0, 17, 59]
TRUTH = np.arange(N) % 3
ROWS = (np.random.default_rng(0).normal(size=(N, 5)) + 6 * np.eye(3, 5)[TRUTH]).astype(np.float32)
NAMES = np.array(["ant", "bee", "cat"])[TRUTH]
GAPS = [None if row in NONE else name for row, name in enumerate(NAMES)]
FEATURES = Features(x=List(Value("float32")), label=ClassLabel(names=["ant", "bee", "cat"]))


def hugging_face():
    labels = [-1 if row in NONE else int(label) for row, label in enumerate(TRUTH)]
    return Dataset.from_dict({"x": ROWS.tolist(), "label": labels}, features=FEATURES)


def score(model, dataset, **options):
    return dataaudit.score(model, dataset, progress=False, **options)


SETS = {
    "arrays": lambda: (ROWS, GAPS),
    "a table": lambda: pd.DataFrame(ROWS).rename(columns=str).assign(label=GAPS),
    "Hugging Face, -1": hugging_face,
    "rows": lambda: list(zip(ROWS, GAPS, strict=True)),
}


# Networks take no tables of columns.
@pytest.mark.parametrize(
    ("kind", "model"),
    [
        (kind, model)
        for kind in SETS
        for model in (None, LogisticRegression(), torch.nn.Linear(5, 3))
        if not (isinstance(model, torch.nn.Module) and kind == "a table")
    ],
)
def test_rows_without_a_label_keep_their_place_and_are_suggested_one(kind, model):
    recipe = (
        dataaudit.Recipe(epochs=30, batch_size=8, precision="float32") if isinstance(model, torch.nn.Module) else None
    )
    audit = score(model, SETS[kind](), recipe=recipe)
    assert audit.rows.tolist() == np.setdiff1d(np.arange(N), NONE).tolist()
    assert any(
        f"3 of {N} rows have no label and are left out: rows 0, 17, 59" in note for note in audit.settings["notes"]
    )
    suggested = audit.unlabelled(progress=False)
    assert suggested["row"].tolist() == NONE
    assert suggested["suggested"].tolist() == NAMES[NONE].tolist()
    assert (suggested["probability"] > 0.5).all()
    whole = audit.to_dataset()
    assert len(whole) == N
    label = whole.features["suggested_label"]
    found = [value if isinstance(value, str) else label.int2str(value) for value in whole[NONE]["suggested_label"]]
    assert found == NAMES[NONE].tolist()
    cleaned = audit.apply(pd.DataFrame({"row": [4], "decision": ["remove"]})).dataset
    assert len(cleaned[0] if isinstance(cleaned, tuple) else cleaned) == N - 1


def test_a_saved_audit_tells_them_of_its_data_set(tmp_path):
    score(None, (ROWS, GAPS)).save(tmp_path / "audit")
    audit = dataaudit.Audit.load(tmp_path / "audit")
    assert audit.unlabelled(dataset=(ROWS, GAPS), progress=False)["suggested"].tolist() == NAMES[NONE].tolist()
    assert audit.unlabelled(dataset=(ROWS, NAMES), progress=False).empty


def test_what_stands_for_no_label_is_the_callers_to_say(tmp_path):
    labels = np.where(np.isin(np.arange(N), NONE), "?", NAMES)
    assert len(score(None, (ROWS, labels)).class_names) == 4
    audit = score(None, (ROWS, labels), unlabelled=["?", "none"])
    assert audit.unlabelled(progress=False)["row"].tolist() == NONE
    audit.save(tmp_path / "audit")
    loaded = dataaudit.Audit.load(tmp_path / "audit")
    assert loaded.unlabelled(dataset=(ROWS, labels), progress=False)["row"].tolist() == NONE
    numbers = np.where(np.isin(np.arange(N), NONE), -1, TRUTH)
    assert score(None, (ROWS, numbers)).class_names == ("-1", "0", "1", "2")
    assert score(None, (ROWS, numbers), unlabelled=-1).class_names == ("0", "1", "2")
    assert score(None, hugging_face(), unlabelled="cat").unlabelled(progress=False)["row"].tolist() == sorted(
        {*NONE, *np.flatnonzero(TRUTH == 2).tolist()}
    )
    with pytest.raises(SettingError, match="unlabelled="):
        score(None, (ROWS, labels), unlabelled={"?": 1})


def test_predictions_may_be_those_of_all_rows():
    probabilities = np.eye(3)[TRUTH] * 0.94 + 0.02
    every = score(None, (ROWS, GAPS), predictions=probabilities)
    some = score(None, (ROWS, GAPS), predictions=np.delete(probabilities, NONE, axis=0))
    np.testing.assert_array_equal(every.columns["heldout_confidence"], some.columns["heldout_confidence"])


def test_predictions_that_are_off_by_rounding_are_taken():
    exact = np.eye(3)[TRUTH]
    rounded = np.where(exact > 0, 1 + 2e-6, -1e-6)
    one, other = (score(None, (ROWS, TRUTH), predictions=given) for given in (exact, rounded))
    np.testing.assert_allclose(one.columns["heldout_confidence"], other.columns["heldout_confidence"], atol=1e-5)
    with pytest.raises(DataError, match="negative"):
        score(None, (ROWS, TRUTH), predictions=np.where(exact > 0, 1.02, -0.01))


@pytest.mark.parametrize("length", [N, N - len(NONE)])
def test_known_scores_and_records_may_be_those_of_all_rows(tmp_path, length):
    labelled = np.setdiff1d(np.arange(N), NONE)
    of = labelled if length == N else np.arange(length)
    values, numbers = np.full(length, 9.0), np.full(length, -1)
    values[of], numbers[of] = np.arange(len(of)) / N, TRUTH[labelled]
    np.savez(tmp_path / "known.npz", scores=values, labels=numbers)
    for known in (values, tmp_path / "known.npz"):
        audit = score(None, (ROWS, GAPS), scorers="c_score", known_scores={"c_score": known})
        assert audit.columns["c_score"].tolist() == (np.arange(len(of)) / N).tolist()
    recorder, other = dataaudit.Recorder(length, 3), dataaudit.Recorder(len(of), 3)
    for epoch in range(3):
        logits = torch.tensor(np.eye(3)[TRUTH[labelled]] + np.random.default_rng(epoch).normal(size=(len(of), 3)))
        for each, rows in ((recorder, of), (other, np.arange(len(of)))):
            each.update(rows, logits, numbers[of])
            each.end_epoch()
            each.evaluate(rows, logits, numbers[of])
    one, two = (score(each, (ROWS, GAPS)) for each in (recorder, other))
    assert one.rows.tolist() == labelled.tolist()
    assert list(one.columns) == list(two.columns)
    for name, column in two.columns.items():
        np.testing.assert_array_equal(one.columns[name], column, err_msg=name)
    assert not any("never seen" in note for note in one.settings["notes"])
    np.testing.assert_array_equal(one.dynamics.correct_in(2), two.dynamics.correct_in(2))


def test_a_row_that_cannot_be_used_is_suggested_nothing():
    rows = ROWS.copy()
    rows[NONE[1]] = np.nan
    found = score(None, (rows, GAPS)).unlabelled(progress=False)
    assert found["row"].tolist() == NONE
    assert found["suggested"].tolist() == [NAMES[NONE[0]], "", NAMES[NONE[2]]]
    assert np.isnan(found["probability"]).tolist() == [False, True, False]


@pytest.mark.parametrize("model", [None, dataaudit.LinearProbe()])
def test_vectors_tell_labels_of_texts_and_images_without_one(tmp_path, model):
    pixels = np.random.default_rng(0).integers(0, 60, (N, 6, 6, 3))
    pixels[np.arange(N), :, :, TRUTH] += 190
    encoder = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    images = pixels.astype(np.uint8)
    audit = score(model, (images, GAPS), embed=encoder)
    assert audit.unlabelled(progress=False)["suggested"].tolist() == NAMES[NONE].tolist()
    assert np.array(audit.to_dataset()["suggested_label"])[NONE].tolist() == NAMES[NONE].tolist()
    audit.save(tmp_path / "audit")
    vectors = dataaudit.embed(images, encoder, progress=False)
    loaded = dataaudit.Audit.load(tmp_path / "audit")
    assert loaded.unlabelled(dataset=(vectors, GAPS), progress=False)["suggested"].tolist() == NAMES[NONE].tolist()
