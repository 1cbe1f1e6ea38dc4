"""Names of rows: what a data set calls them, kept through a call, a folder and every table."""

import datasets
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import TensorDataset

import dataaudit
from dataaudit import Audit
from dataaudit.data import as_examples
from dataaudit.data.files import open_data
from dataaudit.data.identity import from_arrow, identity_of, spelled, to_arrow
from dataaudit.errors import DataError, SettingError

N = 24
LABELS = np.arange(N) % 2
NAMES = {
    "texts": [f"r{i}" for i in range(N)],
    "again": [f"r{i // 3}" for i in range(N)],
    "numbers": np.arange(N) * 7 - 3,
    "mixed": [i if i % 2 else f"r{i}" for i in range(N)],
    "dates": pd.date_range("2026-01-01", periods=N, tz="Europe/Rome"),
    "days": [day.date() for day in pd.date_range("2026-01-01", periods=N)],
    "months": pd.period_range("2026-01", periods=N, freq="M"),
    "spans": pd.to_timedelta(np.arange(N), unit="h"),
    "ranges": pd.interval_range(0, N),
    "kinds": pd.Categorical([f"k{i % 4}" for i in range(N)]),
    "fractions": np.arange(N) / 4,
}


def table(index=None):
    return pd.DataFrame(
        {"x": np.sin(np.arange(N)) * 9 + LABELS, "z": np.cos(np.arange(N)), "label": LABELS}, index=index
    )


def audited(frame, **options):
    return dataaudit.score(None, frame, "parzen/input", progress=False, **options)


@st.composite
def indexes(draw):
    levels = [pd.Index(NAMES[kind]) for kind in draw(st.lists(st.sampled_from(sorted(NAMES)), min_size=1, max_size=2))]
    order = np.array(draw(st.permutations(range(N))))
    if len(levels) == 1:
        return levels[0][order].rename(draw(st.sampled_from([None, "key", 0])))
    return pd.MultiIndex.from_arrays(levels, names=draw(st.sampled_from([(None, None), ("a", "b")])))[order]


@settings(max_examples=25, deadline=None)
@given(indexes())
def test_an_index_of_any_kind_is_kept_in_files(index):
    known = identity_of(index)
    assert not known.hasnans if known.nlevels == 1 else True
    again = from_arrow(*to_arrow(known))
    assert list(again.names) == list(known.names)
    assert list(again) == list(known)


@settings(max_examples=8, deadline=None)
@given(indexes(), st.lists(st.booleans(), min_size=N, max_size=N))
def test_every_named_row_is_the_right_one(index, kept):
    frame = table(index)
    frame = frame[np.array(kept) | (np.arange(N) < 8)]
    audit = audited(frame)
    own = list(identity_of(frame.index).names)
    for found in (audit.suspects(50), audit.outliers(50), audit.typical(50), audit.ambiguous(50)):
        named = list(found[own].itertuples(index=False, name=None))
        here = frame.iloc[found["row"]]
        assert named == [one if isinstance(one, tuple) else (one,) for one in here.index]
    assert list(audit.scores.droplevel("row").index) == list(frame.index)
    first = audit.suspects(1).iloc[0]
    looked_up = frame.loc[[first[own[0]]] if len(own) == 1 else [tuple(first[own])]]
    assert frame.iloc[first["row"]]["x"] in looked_up["x"].to_numpy()


def test_positions_need_no_names():
    audit = audited(table())
    assert audit.identity is None
    assert list(audit.suspects(1)) == ["row", "given", "suggested", "score", "margin"]
    assert audit.scores.index.name == "row"


def test_an_audit_is_shown_in_twelve_lines():
    frame = table(pd.Index(NAMES["texts"])).assign(id=np.arange(N))
    audit = dataaudit.score(None, frame, "consensus", progress=False)
    assert len(repr(audit).splitlines()) <= 12
    assert "and is left out" in audit._repr_html_()


def test_names_are_saved_and_shown(tmp_path):
    audit = audited(table(pd.Index(NAMES["texts"])))
    again = Audit.load(audit.save(tmp_path / "audit"))
    pd.testing.assert_frame_equal(again.suspects(9), audit.suspects(9))
    row, name = audit.suspects(1).iloc[0][["row", "index"]]
    assert f"#{row} · <bdi>index {name}</bdi>" in audit.report(tmp_path / "report.html").read_text("utf-8")


@pytest.mark.parametrize("kind", ["table", "hugging_face"])
def test_a_key_names_rows_and_is_no_input(kind):
    frame = table().assign(code=NAMES["numbers"])
    dataset = frame if kind == "table" else datasets.Dataset.from_pandas(frame).select(range(N)[::-1])
    examples = as_examples(dataset, key="code")
    assert examples.columns == ("x", "z")
    assert list(examples.identity) == list(NAMES["numbers"] if kind == "table" else NAMES["numbers"][::-1])
    audit = audited(dataset, key="code")
    assert audit.settings["data"]["key"] == "code"


def test_rows_that_are_dropped_keep_the_names_of_others():
    frame = table(pd.Index(NAMES["texts"], name="id")).assign(label=[None, *map(str, LABELS[1:])])
    audit = dataaudit.score(None, frame, "parzen/input", on_bad_rows="drop", progress=False)
    assert set(audit.suspects(N)["id"]) == set(NAMES["texts"][1:])


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (pd.Index([None, *NAMES["texts"][1:]]), "missing values in row 0"),
        (pd.Index(NAMES["texts"], name="score"), "'score', which is a column"),
        (pd.Index(NAMES["texts"], name="parzen/input"), "is a column of an audit's tables"),
        (pd.Index([complex(i) for i in range(N)], dtype=object), "of complex"),
        (pd.MultiIndex.from_arrays([NAMES["texts"]] * 2, names=["a", "a"]), "a name of its own"),
    ],
)
def test_names_that_cannot_be_used_are_refused(index, message):
    with pytest.raises(DataError, match=message):
        audited(table(index))


def test_files_are_the_names_of_images(tmp_path):
    for number in range(6):
        folder = tmp_path / f"c{number % 2}"
        folder.mkdir(exist_ok=True)
        Image.new("L", (8, 8), number).save(folder / f"{number}.png")
    examples = open_data(tmp_path)
    for row in range(6):
        kind, file = spelled(examples.identity, row).split("/")
        assert (kind, int(file.removesuffix(".png"))) == (
            examples.class_names[examples.labels[row]],
            int(examples.read(np.array([row])).max()),
        )


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.sampled_from(["plain", "two\nlines", "", 'a "quote"']), min_size=4, max_size=12),
    st.sampled_from(["", "\n", " \t\n"]),
)
def test_lines_are_the_names_of_rows_of_a_text_file(tmp_path_factory, texts, blank):
    path = tmp_path_factory.mktemp("csv") / "data.csv"
    frame = pd.DataFrame({"x": np.arange(len(texts)) * 0.5, "text": texts, "label": np.arange(len(texts)) % 2})
    assume(any(texts))  # A column without a single value is refused.
    content = frame.to_csv(index=False)
    path.write_text(content.replace("\n", f"\n{blank}", 1), "utf-8")
    lines = path.read_text("utf-8").split("\n")
    for row, line in enumerate(open_data(path, label="label").identity):
        assert lines[line - 1].startswith(f"{row * 0.5},")


def test_columns_that_number_rows_are_left_out_unless_they_are_named():
    order = np.random.default_rng(0).permutation(N)
    frame = table().assign(id=np.arange(N) * 3.5, count=order + 1, zip=order * 17 + 5)
    examples = as_examples(frame)
    assert examples.columns == ("x", "z", "zip")
    assert [note.split(" is ")[0] for note in examples.notes[:2]] == ["column 'id'", "column 'count'"]
    assert "'zip'" in examples.notes[2]
    assert audited(frame).settings["notes"][:3] == list(examples.notes)
    assert as_examples(frame, inputs=["x", "count"]).columns == ("x", "count")
    assert as_examples(frame, exclude="zip").columns == ("x", "z")
    assert as_examples(datasets.Dataset.from_pandas(frame), exclude=["zip", "x"]).columns == ("z",)
    with pytest.raises(SettingError, match="in exclude= and in inputs="):
        as_examples(frame, inputs=["x"], exclude=["x"])


@settings(max_examples=8, deadline=None)
@given(order=st.permutations(range(N)), kind=st.sampled_from(sorted(NAMES)), splits=st.booleans())
@example(order=list(range(N))[::-1], kind="again", splits=True)
def test_a_frame_with_the_audits_columns_keeps_its_index(order, kind, splits):
    frame = table(pd.Index(NAMES[kind], name="id")).assign(other=range(N)).iloc[order]
    # Hugging Face has no column for the others.
    if splits and kind in ("texts", "again", "numbers", "fractions"):
        dataset = datasets.DatasetDict(train=datasets.Dataset.from_pandas(frame.reset_index()))
        audit = audited(dataset, split="train", key="id", inputs=["x", "z"])
    else:
        audit = audited(frame, inputs=["x", "z"])
    made = audit.to_frame()
    assert list(made.index) == list(frame.index)
    assert made["other"].tolist() == list(order)
    scores = audit.scores.droplevel("row")["parzen/input"]
    assert made["audit_parzen_input"].tolist() == pytest.approx(scores.tolist(), nan_ok=True)


@pytest.mark.parametrize("policy", ["drop", "relabel", "weight"])
@pytest.mark.parametrize("kind", ["frame", "splits", "arrays", "lists", "pair", "torch"])
def test_what_came_in_comes_out(kind, policy):
    n, rng = 240, np.random.default_rng(0)
    labels = np.arange(n) % 2
    frame = pd.DataFrame(
        rng.normal(size=(n, 2)) + 6.0 * labels[:, None], pd.Index(np.arange(n) // 2, name="id"), ["x", "z"]
    )
    frame = frame.assign(label=labels, other="kept")
    options, wrong, names = {}, [3, 8], ["other", "label"]
    columns = frame[["x", "z"]].to_numpy(np.float32)
    if kind == "frame":
        dataset, options = frame, {"inputs": ["x", "z"]}
    elif kind == "splits":
        plain = datasets.Dataset.from_pandas(frame, preserve_index=False)
        dataset = datasets.DatasetDict(train=plain, test=plain.select(range(4)))
        options = {"split": "train", "inputs": ["x", "z"]}
    elif kind == "torch":
        dataset = TensorDataset(torch.tensor(columns), torch.tensor(labels))
    else:
        beside = {"arrays": labels, "lists": labels.tolist(), "pair": frame["label"]}[kind]
        dataset = (frame[["x", "z"]] if kind == "pair" else columns, beside)
    audit = dataaudit.score(None, dataset, "consensus", progress=False, **options)
    decision = "remove" if policy == "drop" else "relabel"
    decided = pd.DataFrame({"row": wrong, "decision": decision, "suggested": [str(1 - labels[row]) for row in wrong]})
    made = audit.clean(policy) if policy == "weight" else audit.apply(decided).dataset
    expected, rows = labels.copy(), np.setdiff1d(np.arange(n), wrong if policy == "drop" else [])
    expected[wrong if policy == "relabel" else []] ^= 1
    if kind == "frame":
        assert list(made.index) == list(frame.index[rows])
        given = made["label"]
        assert list(made) == [*frame, *(["weight"] if policy == "weight" else [])]
        assert frame["label"].tolist() == labels.tolist()
    elif kind == "splits":
        assert type(made) is datasets.DatasetDict
        assert made["test"].to_dict() == dataset["test"].to_dict()
        given = made["train"]["label"]
        assert set(names) <= set(made["train"].column_names)
    elif kind == "torch":
        given = [int(made[i][1]) for i in range(len(made))]
        assert torch.equal(made[2][0], dataset[int(rows[2])][0])
    else:
        inputs, given = made[:2]
        assert (type(inputs), type(given)) == tuple(map(type, dataset))
        np.testing.assert_array_equal(inputs, np.asarray(dataset[0])[rows])
    assert list(given) == expected[rows].tolist()
