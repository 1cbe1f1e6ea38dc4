from dataclasses import replace

import datasets
import numpy as np
import pandas as pd
import pytest
import torch
from datasets import ClassLabel, Dataset, DatasetDict, Features, List, Value
from sklearn.linear_model import LogisticRegression

import dataaudit
from dataaudit.audit.base import Audit
from dataaudit.errors import DataError, ModelError

N = 30
WRONG = [4, 11]
NAMES = ["cat", "dog", "eel"]


def points():
    rng = np.random.default_rng(0)
    truth = np.arange(N) % 3
    inputs = (np.eye(3)[truth] * 8 + rng.normal(size=(N, 3)) / 4).astype(np.float32)
    labels = truth.copy()
    labels[WRONG] = (labels[WRONG] + 1) % 3
    return inputs, labels, truth


def hugging_face(spelled="class"):
    inputs, labels, _ = points()
    feature = {"class": ClassLabel(names=NAMES), "text": Value("string"), "number": Value("int16")}[spelled]
    values = {"class": labels, "number": labels * 10, "text": [NAMES[label] for label in labels]}[spelled]
    features = Features(x=List(Value("float32")), name=Value("string"), label=feature)
    return Dataset.from_dict({"x": inputs, "name": [f"n{row}" for row in range(N)], "label": values}, features=features)


def audited(dataset, **options):
    """An audit whose judgement of labels is known: the label is wrong where the suggestion differs."""
    audit = dataaudit.score(LogisticRegression(), dataset, "heldout_confidence", progress=False, **options)
    differ = audit.suggested != audit.labels
    probability = np.where(differ, 0.875, 0.125)
    probability[0] = np.nan
    judged = replace(
        audit.label_errors,
        probability=probability,
        rival=np.where(differ, audit.suggested, audit.label_errors.rival),
        rate=len(WRONG) / N,
        lower=1 / N,
        upper=4 / N,
        unknown="",
    )
    return replace(audit, label_errors=judged)


def on_disk(folder, **options):
    hugging_face(**options).save_to_disk(folder)
    return datasets.load_from_disk(folder)


HF = {"label": "label", "inputs": "x"}


@pytest.mark.parametrize("spelled", ["class", "text", "number"])
def test_columns_are_added_beside_those_on_disk(tmp_path, spelled):
    dataset = on_disk(tmp_path / "data", spelled=spelled)
    audit = audited(dataset, **HF)
    made = audit.to_dataset()
    assert made.column_names == [
        *dataset.column_names, "audit_heldout_confidence", "suggested_label", "error_probability", "flagged",
    ]  # fmt: skip
    assert made.features["suggested_label"] == dataset.features["label"]
    np.testing.assert_array_equal(made["audit_heldout_confidence"], audit.columns["heldout_confidence"])
    truth = points()[2]
    expected = {"class": truth, "number": truth * 10, "text": [NAMES[label] for label in truth]}[spelled]
    assert list(made["suggested_label"]) == list(expected)
    assert np.flatnonzero(made["flagged"]).tolist() == WRONG
    assert made["error_probability"][:2] == [None, 0.125]
    assert made.cache_files == dataset.cache_files
    assert made.remove_columns(made.column_names[3:])[:] == dataset[:]


def test_a_split_of_a_dict_a_frame_and_arrays_become_data_sets():
    inputs, labels, truth = points()
    split = audited(DatasetDict(train=hugging_face()), split="train", **HF).to_dataset()
    assert split["name"][3] == "n3"
    frame = pd.DataFrame(inputs, columns=["a", "b", "c"]).assign(label=pd.Categorical.from_codes(labels, NAMES))
    made = audited(frame, label="label").to_dataset()
    assert made.column_names[:4] == ["a", "b", "c", "label"]
    assert list(made["suggested_label"]) == [NAMES[label] for label in truth]
    apart = audited((frame[["a", "b", "c"]], pd.Series(labels))).to_dataset()
    assert apart.column_names[:4] == ["a", "b", "c", "label"]
    assert list(apart["label"]) == labels.tolist()
    for arrays in ((inputs, labels), (torch.from_numpy(inputs), torch.from_numpy(labels)), (inputs.tolist(), labels)):
        made = audited(arrays).to_dataset()
        assert made.column_names[:2] == ["input", "label"]
        np.testing.assert_array_equal(made["input"], inputs)
        assert list(made["suggested_label"]) == truth.tolist()


def test_a_selection_keeps_its_rows():
    dataset = hugging_face().shuffle(seed=1).select(range(25))
    made = audited(dataset, **HF).to_dataset()
    assert made["name"][:] == dataset["name"][:]
    assert sorted(made.filter(lambda row: row["flagged"])["name"]) == ["n11", "n4"]


def test_an_audit_without_predictions_adds_scores_alone():
    audit = dataaudit.score(None, hugging_face(), "density/input", progress=False, **HF)
    made = audit.to_dataset()
    assert made.column_names == ["x", "name", "label", "audit_density_input", "suggested_label"]
    assert set(made["suggested_label"]) == {None}
    with pytest.raises(ModelError, match=r"nothing about other classes.*apply what people decide"):
        audit.clean()


def test_flagged_rows_are_dropped_and_nothing_is_copied(tmp_path):
    dataset = on_disk(tmp_path / "data")
    made = audited(dataset, **HF).clean()
    assert made["name"][:] == [f"n{row}" for row in range(N) if row not in WRONG]
    assert made.cache_files == dataset.cache_files


@pytest.mark.parametrize("spelled", ["class", "text", "number"])
def test_flagged_rows_are_relabelled(tmp_path, spelled):
    dataset = on_disk(tmp_path / "data", spelled=spelled)
    made = audited(dataset, **HF).clean("relabel")
    assert made.features == dataset.features
    assert made.column_names == dataset.column_names
    truth = points()[2]
    expected = {"class": truth, "number": truth * 10, "text": [NAMES[label] for label in truth]}[spelled]
    assert list(made["label"]) == list(expected)
    assert made.cache_files == dataset.cache_files


def test_rows_without_another_label_are_left_out():
    audit = audited(hugging_face(), **HF)
    rival = np.where(np.arange(N) == WRONG[0], -1, audit.label_errors.rival)
    made = replace(audit, label_errors=replace(audit.label_errors, rival=rival)).clean("relabel")
    assert "n4" not in made["name"][:]
    assert len(made) == N - 1


def test_every_row_is_weighed():
    made = audited(hugging_face(), **HF).clean("weight")
    assert made.features["weight"] == Value("float32")
    expected = [0.125 if row in WRONG else 1.0 if row == 0 else 0.875 for row in range(N)]
    assert list(made["weight"]) == expected


def test_an_audit_from_disk_asks_for_its_data(tmp_path):
    audited(hugging_face(), **HF).save(tmp_path / "audit")
    audit = Audit.load(tmp_path / "audit")
    for act in (audit.to_dataset, audit.clean):
        with pytest.raises(DataError, match=r"loaded from disk.*pass dataset="):
            act()
    made = audit.clean(dataset=hugging_face(), **HF)
    assert len(made) == N - 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.select(range(20)), "a data set of 20 rows; expected the 30 that were audited"),
        (lambda d: d.map(lambda row: {"label": 1}), "other labels|one class"),
        (lambda d: d.map(lambda row: {"x": [v + 1 for v in row["x"]]}), "fingerprint .*; expected the audited one"),
        (lambda d: d.select([1, 0, *range(2, 30)]), "other labels in rows 0, 1"),
        (lambda d: d.cast_column("label", ClassLabel(names=["a", "b", "c"])), "other class names"),
    ],
)
def test_a_changed_data_set_is_refused(change, message):
    audit = audited(hugging_face(), **HF)
    for act in (audit.to_dataset, lambda *data, **options: audit.clean("drop", *data, **options)):
        with pytest.raises(DataError, match=message):
            act(change(hugging_face()), **HF)


def test_arrays_that_were_written_to_are_refused():
    inputs, labels, _ = points()
    audit = audited((inputs, labels))
    inputs[3, 0] += 1
    with pytest.raises(DataError, match="fingerprint"):
        audit.clean()
    inputs[3, 0] -= 1
    labels[3] = (labels[3] + 1) % 3
    with pytest.raises(DataError, match="other labels in row 3"):
        audit.to_dataset()


def test_a_frame_that_was_written_to_is_refused():
    inputs, labels, _ = points()
    frame = pd.DataFrame(inputs, columns=["a", "b", "c"]).assign(label=labels)
    audit = audited(frame)
    frame.loc[3, "b"] = 9.0
    with pytest.raises(DataError, match="fingerprint"):
        audit.clean()


def test_columns_that_are_there_already_are_named():
    audit = audited(hugging_face(), **HF)
    again = audit.to_dataset()
    with pytest.raises(DataError, match="has 'audit_heldout_confidence', 'suggested_label'"):
        audit.to_dataset(again, **HF)


def test_a_torch_data_set_has_no_columns():
    inputs, labels, _ = points()
    dataset = torch.utils.data.TensorDataset(torch.from_numpy(inputs), torch.from_numpy(labels))
    with pytest.raises(DataError, match=r"without columns \(torch Dataset\).*audit\.rows"):
        audited(dataset).to_dataset()


def test_where_the_number_of_errors_is_not_known_nothing_is_flagged_or_cleaned():
    dataset = hugging_face()
    audit = dataaudit.score(LogisticRegression(), dataset, "heldout_confidence", progress=False, **HF)
    unknown = replace(audit.label_errors, rate=float("nan"), lower=0.0, upper=1.0, unknown="the model is too weak")
    audit = replace(audit, label_errors=unknown)
    made = audit.to_dataset()
    assert made["flagged"][:] == made["error_probability"][:] == [None] * N
    for policy in ("drop", "relabel", "weight"):
        with pytest.raises(ModelError, match=r"too weak.*apply what people decide"):
            audit.clean(policy)
    assert len(audit.apply(audit.mislabeled(count=3).assign(decision="remove")).dataset) == N - 3
    for strategy in ("suspects", "drop_least_regular"):
        with pytest.raises(ModelError, match=r"how many labels are wrong, for the strategy.*the model is too weak"):
            audit.weights(strategy, **({"share": None} if strategy != "suspects" else {}))
    assert audit.weights("drop_least_regular", share=0.1).sum() > 0
