import io

import numpy as np
import pandas as pd
import pytest
import torch
from datasets import ClassLabel, Dataset, Features, Image, List, Value
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import dataaudit
from dataaudit.data import as_examples, inspect
from dataaudit.data.derived import SubsetExamples, inspect_usable
from dataaudit.data.images import Resize
from dataaudit.data.inspection import readable
from dataaudit.data.labels import encode_labels
from dataaudit.data.unseen import as_unseen
from dataaudit.errors import DataError, RowError, SettingError
from dataaudit.testing import ExamplesContract

N = 24
LABELS = np.arange(N) % 2
TEXTS = [f"{'good' if label else 'bad'} thing {row % 5}" for row, label in enumerate(LABELS)]


def png(row, size=(5, 4), mode="L"):
    file = io.BytesIO()
    colour = 200 * int(LABELS[row]) + row
    Pillow.new(mode, size, colour if mode == "L" else (colour,) * 3).save(file, "png")
    return {"bytes": file.getvalue(), "path": None}


def pictures(bad=(), **changes):
    images = [{"bytes": b"no image", "path": None} if row in bad else png(row) for row in range(N)]
    for row, image in changes.items():
        images[int(row[1:])] = image
    features = Features(image=Image(), label=ClassLabel(names=["no", "yes"]))
    # Bytes are stored as they are, whether they decode or not.
    return Dataset.from_dict({"image": images, "label": LABELS}, features=features)


def texts():
    made = list(TEXTS)
    made[0], made[9], made[10] = None, " ", ""
    return made


class Opaque(torch.utils.data.Dataset):
    """Rows of which one cannot be read and one has no label."""

    def __len__(self):
        return N

    def __getitem__(self, row):
        if row == 3:
            raise OSError("gone")
        return torch.tensor([float(LABELS[row]), row]), None if row == 5 else int(LABELS[row])


def without(values, *rows):
    made = list(values)
    for row in rows:
        made[row] = None
    return made


def numbers():
    made = np.stack([LABELS * 9.0, np.arange(N)], 1)
    made[[2, 7], [0, 1]] = np.nan, np.inf
    return made


def lists():
    columns = {"x": without([[float(y), r] for r, y in enumerate(LABELS)], 0, 8), "label": list(map(str, LABELS))}
    return Dataset.from_dict(columns, features=LISTS)


TEXT_MODEL = make_pipeline(TfidfVectorizer(), LogisticRegression())
LISTS = Features(x=List(Value("float32")), label=Value("string"))
CASES = {
    "corrupt images": (
        lambda: pictures([0, 5, 6, 23]),
        torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(20, 2)),
        [0, 5, 6, 23],
    ),
    "null images": (lambda: pictures(r0=None, r9=None), LogisticRegression(), [0, 9]),
    "texts": (lambda: (texts(), LABELS), TEXT_MODEL, [0, 9, 10]),
    "texts in a frame": (lambda: pd.DataFrame({"text": texts(), "label": LABELS}), TEXT_MODEL, [0, 9, 10]),
    "texts of Hugging Face": (lambda: Dataset.from_dict({"text": texts(), "label": LABELS}), TEXT_MODEL, [0, 9, 10]),
    "numbers": (lambda: (numbers(), LABELS), LogisticRegression(), [2, 7]),
    "infinity alone": (lambda: (numbers(), LABELS), HistGradientBoostingClassifier(max_iter=2), [7]),
    "inputs without a model": (lambda: (numbers(), LABELS), None, [2, 7]),
    "labels": (lambda: (np.nan_to_num(numbers(), posinf=0), without(LABELS, 1, 4)), LogisticRegression(), [1, 4]),
    "labels and inputs": (lambda: (numbers(), without(LABELS, 1, 4)), dataaudit.LinearProbe(), [1, 2, 4, 7]),
    "labels in a frame": (
        lambda: pd.DataFrame({"a": np.arange(N), "label": pd.Series(without(LABELS, 0, 3), dtype="Int64")}),
        LogisticRegression(),
        [0, 3],
    ),
    "labels of Hugging Face": (
        lambda: Dataset.from_dict({"a": np.arange(N), "label": without(LABELS, 0, 3)}),
        LogisticRegression(),
        [0, 3],
    ),
    "lists": (
        lambda: lists(),
        LogisticRegression(),
        [0, 8],
    ),
    "torch": (Opaque, LogisticRegression(), [3, 5]),
}
NO_LABEL = {
    "labels": [1, 4],
    "labels and inputs": [1, 4],
    "labels in a frame": [0, 3],
    "labels of Hugging Face": [0, 3],
    "torch": [5],
}
"""Those of the rows that are left out which have no label."""


@pytest.mark.parametrize("case", CASES)
def test_bad_rows_are_dropped_and_told(case):
    make, model, bad = CASES[case]
    options = {"label": "label"} if case.endswith("frame") else {}
    scorers = "knn_c_score/input" if model is None else "auto"
    recipe = dataaudit.Recipe(epochs=1, batch_size=8) if isinstance(model, torch.nn.Module) else None
    audit = dataaudit.score(
        model, make(), scorers, on_bad_rows="drop", recipe=recipe, device="cpu" if recipe else "auto", progress=False,
        **options,
    )  # fmt: skip
    good = np.setdiff1d(np.arange(N), bad)
    assert audit.rows.tolist() == good.tolist()
    assert audit.rows.dtype == np.int64
    assert audit.labels.tolist() == LABELS[good].tolist()
    assert audit.settings["dropped_rows"] == bad
    none = audit.settings.get("unlabelled_rows", [])
    assert none == NO_LABEL.get(case, [])
    notes = " ".join(audit.settings["notes"])
    assert (f"{len(none)} of {N} rows have no label and are left out" in notes) == bool(none)
    assert (f"{len(bad) - len(none)} of {N} rows could not be used" in notes) == (len(none) < len(bad))
    assert audit.scores.index.tolist() == good.tolist()
    assert set(audit.suspects(N)["row"]) == set(good.tolist())
    assert audit.suspects(N)["row"].tolist() == audit.rows[audit.ranking()].tolist()


@pytest.mark.parametrize("case", [case for case in CASES if NO_LABEL.get(case) != CASES[case][2]])
def test_bad_rows_are_named_in_an_error_by_default(case):
    make, model, bad = CASES[case]
    bad = [row for row in bad if row not in NO_LABEL.get(case, [])]
    options = {"label": "label"} if case.endswith("frame") else {}
    scorers = "knn_c_score/input" if model is None else "auto"
    with pytest.raises(DataError, match=rf"\brows? (\d+, )*({bad[0]}|{bad[-1]})\b"):
        dataaudit.score(model, make(), scorers, progress=False, **options)


def test_nothing_is_dropped_where_nothing_is_wrong():
    audit = dataaudit.score(TEXT_MODEL, (TEXTS, LABELS), on_bad_rows="drop", progress=False)
    assert audit.rows.tolist() == list(range(N))
    assert "dropped_rows" not in audit.settings
    plain = dataaudit.score(TEXT_MODEL, (TEXTS, LABELS), progress=False)
    assert plain.settings["fingerprint"] == audit.settings["fingerprint"]
    np.testing.assert_array_equal(plain.columns["heldout_confidence"], audit.columns["heldout_confidence"])


def test_all_images_that_cannot_be_read_are_named_together():
    with pytest.raises(
        RowError, match=r"3 inputs that cannot be read, in rows 5, 6, 22; first: an image that does not"
    ):
        inspect(as_examples(pictures([5, 6, 22]), transform=lambda image: np.asarray(image)))


@given(st.sets(st.integers(0, 19)))
def test_halving_finds_every_bad_row(bad):
    class Rows:
        def read(self, indices):
            if bad & set(indices.tolist()):
                raise RowError("a", "b", "c")
            return indices

        def read_sparse(self, indices):
            return None

    found = []
    parts = readable(Rows(), np.arange(20), found)
    assert sorted(found) == sorted(bad)
    read = [row for indices, _ in parts for row in indices.tolist()]
    assert read == sorted(set(range(20)) - bad)


def test_a_saved_audit_knows_its_rows_and_its_data(tmp_path):
    dataset = Dataset.from_dict({"text": texts(), "label": LABELS})
    made = dataaudit.score(TEXT_MODEL, dataset, on_bad_rows="drop", progress=False)
    made.save(tmp_path / "audit")
    audit = dataaudit.Audit.load(tmp_path / "audit")
    assert audit.rows.tolist() == made.rows.tolist()
    for one in (audit, made):
        whole = one.to_dataset(dataset)
        assert len(whole) == N
        assert whole["audit_heldout_confidence"][9] is None
        np.testing.assert_array_equal(whole[:]["audit_heldout_confidence"][8], one.columns["heldout_confidence"][7])
        decided = pd.DataFrame({"row": [8], "decision": ["remove"]})
        assert len(one.apply(decided, dataset).dataset) == N - 1
        assert set(one.clean(dataset=dataset)["text"]) <= {TEXTS[row] for row in audit.rows}
    with pytest.raises(DataError, match="row 9; expected rows that were audited"):
        made.apply(pd.DataFrame({"row": [9], "decision": ["remove"]}))
    with pytest.raises(DataError, match="a data set of 20 rows"):
        audit.to_dataset(dataset.select(range(20)))


def test_reports_show_the_rows_that_were_kept(tmp_path):
    made = list(TEXTS)
    made[0] = None
    labels = LABELS.copy()
    labels[12] = 1
    audit = dataaudit.score(TEXT_MODEL, (made, labels), on_bad_rows="drop", progress=False)
    assert audit.suspects(1)["row"].tolist() == [12]
    assert TEXTS[12] in audit.report(tmp_path / "page.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"on_bad_rows": "skip"}, "on_bad_rows='skip'; expected 'raise' or 'drop'"),
        ({"on_bad_rows": "drop", "predictions": np.full((N, 2), 0.5)}, "beside predictions="),
    ],
)
def test_settings_that_do_not_fit_are_refused(options, message):
    with pytest.raises(SettingError, match=message):
        dataaudit.score(None, (numbers(), LABELS), **options)


def test_what_is_left_must_have_two_classes():
    with pytest.raises(DataError, match="12 of 24 rows that can be used, of 1 classes"):
        dataaudit.score(TEXT_MODEL, ([text if "good" in text else "" for text in TEXTS], LABELS), on_bad_rows="drop")
    with pytest.raises(DataError, match="no row that can be read, of 24"):
        inspect_usable(as_examples(pictures(range(N)), lenient=True), False)
    with pytest.raises(DataError, match="no label in any of 2 rows"):
        encode_labels([None, None])


def test_labels_beside_missing_ones_name_their_own_rows():
    with pytest.raises(DataError, match=r"label 0\.5 in row 3;"):
        encode_labels([1.0, None, 0.0, 0.5])
    assert encode_labels(["b", None, "a"])[0].tolist() == [1, -1, 0]
    with pytest.raises(DataError, match=r"label inf in row 3;"):
        encode_labels([1.0, None, 0.0, np.inf])
    assert encode_labels([1.0, None, 0.0, np.inf], lenient=True)[0].tolist() == [1, -1, 0, -2]


@pytest.mark.parametrize("container", ["Hugging Face", "torch"])
def test_images_of_several_sizes_say_how_to_resize(container):
    dataset = pictures(r7=png(7, size=(9, 9)))
    if container == "torch":
        pairs = [(dataset[row]["image"], int(LABELS[row])) for row in range(N)]

        class Images(torch.utils.data.Dataset):
            __len__ = pairs.__len__
            __getitem__ = pairs.__getitem__

        dataset = Images()
    for mode in ("raise", "drop"):
        with pytest.raises(DataError) as caught:
            dataaudit.score(LogisticRegression(), dataset, on_bad_rows=mode, progress=False)
        assert "(1, 9, 9) (uint8) in row 7, after (1, 4, 5)" in caught.value.arrived
        assert "resize=32" in caught.value.action
    for options in ({"transform": Resize(8, mode="L")}, {"resize": 8}):
        audit = dataaudit.score(LogisticRegression(), dataset, **options, progress=False)
        assert len(audit) == N


def test_modes_are_made_one_by_resizing():
    dataset = pictures(r1=png(1, mode="RGB"), r2=png(2, size=(2, 7)))
    block = as_examples(dataset, transform=Resize((6, 3))).read(np.arange(N))
    assert block.shape == (N, 3, 6, 3)
    assert block.dtype == np.uint8
    assert (block[1] == 201).all()


@pytest.mark.parametrize("settings", [{"size": 0}, {"size": True}, {"size": (3,)}, {"size": 3, "mode": "P"}])
def test_resizing_checks_its_settings(settings):
    with pytest.raises(SettingError):
        Resize(**settings)


def test_resizing_takes_images_alone():
    with pytest.raises(DataError, match="a ndarray"):
        Resize(2)(np.zeros((3, 3)))


@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(),
        GradientBoostingClassifier(n_estimators=3),
        HistGradientBoostingClassifier(max_iter=3),
        dataaudit.LinearProbe(),
        dataaudit.LinearProbe("logistic"),
        dataaudit.NearestNeighbours(3),
        torch.nn.Linear(2, 3),
    ],
    ids=str,
)
def test_a_class_that_is_there_once_stops_no_model(model):
    rng = np.random.default_rng(0)
    labels = np.array([0, 1] * 12 + [2])
    inputs = (rng.normal(size=(25, 2)) + 3 * labels[:, None]).astype(np.float32)
    recipe = dataaudit.Recipe(epochs=2, batch_size=8) if isinstance(model, torch.nn.Module) else None
    audit = dataaudit.score(model, (inputs, labels), recipe=recipe, progress=False)
    assert np.isfinite(audit.columns[audit.default]).all()


def test_equal_labels_are_refused():
    with pytest.raises(DataError, match=r"one class \('1'\) in all 24 examples.*another column of labels"):
        dataaudit.score(LogisticRegression(), (np.zeros((N, 2)), np.ones(N, int)))


class TestContract(ExamplesContract):
    def examples(self):
        whole = as_examples((np.arange(N * 2.0).reshape(N, 2), LABELS))
        return SubsetExamples(SubsetExamples(whole, np.arange(1, N)), np.array([0, 2, 5, 8, 9]))

    def test_rows_are_those_of_the_whole(self):
        examples = self.examples()
        assert examples.rows.tolist() == [1, 3, 6, 9, 10]
        assert examples.read(np.array([2]))[0].tolist() == [12, 13]
        assert len(examples.dropped) == N - 5


def test_a_class_label_of_minus_one_is_no_label():
    features = Features(x=List(Value("float32")), label=ClassLabel(names=["cat", "dog"]))
    dataset = Dataset.from_dict({"x": [[0.0], [1.0], [2.0], [3.0]], "label": [0, 1, -1, 0]}, features=features)
    examples = as_examples(dataset, label="label", inputs="x")
    assert examples.labels.tolist() == [0, 1, 0]
    assert examples.rows.tolist() == [0, 1, 3]
    assert as_examples(([[0.0], [1.0], [2.0]], [0, 1, -1])).class_names == ("-1", "0", "1")


def test_rows_that_are_left_keep_columns_transform_and_origin_of_the_whole():
    frame = pd.DataFrame({"a": [1.0, 2.0, np.nan, 4.0], "other": list("wxyz"), "label": [0, 1, 0, 1]})
    whole = as_examples(frame, label="label", inputs="a", transform=lambda row: np.array([row["a"], 1.0]))
    kept, _ = inspect_usable(whole, allow_missing=False)
    assert kept.dropped.tolist() == [2]
    assert (kept.columns, kept.label_column) == (("a",), "label")
    assert kept.transform is whole.transform
    assert kept.origin is whole.origin
    new, labels = as_unseen(frame[["a", "other"]].iloc[:2], None, kept)
    assert new.read(np.arange(2)).tolist() == [[1.0, 1.0], [2.0, 1.0]]
    assert labels is None


def test_rows_of_a_data_set_keep_what_it_says_of_itself():
    frame = pd.DataFrame({"a": np.arange(N) * 2.0, "kind": np.array(["x", "y"])[LABELS]})
    whole = as_examples(frame, label="kind")
    kept = SubsetExamples(whole, np.arange(3, N))
    assert kept.columns == whole.columns == ("a",)
    assert kept.label_column == whole.label_column == "kind"
    assert kept.class_names == whole.class_names
    assert kept.source == whole.source
