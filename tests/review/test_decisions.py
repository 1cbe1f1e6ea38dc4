"""Decisions in tables and files: what is written comes back, and what cannot be is refused."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from dataaudit import Decisions
from dataaudit.errors import DataAuditError, DataError
from dataaudit.review.rows import COLUMNS, WORDS

NAMES = ("cat", "dog", "1")
texts = st.text(max_size=8).filter(lambda text: "\x00" not in text)
keys = st.one_of(
    st.none(), st.text(min_size=1, max_size=8), st.integers(-9, 9), st.lists(st.integers(0, 5), min_size=1, max_size=3)
)


@st.composite
def tables(draw):
    count = draw(st.integers(0, 6))
    records = []
    for row in range(count):
        word = draw(st.sampled_from(["", *WORDS]))
        given_label, other = draw(st.permutations(NAMES))[:2]
        placed = draw(st.booleans())
        records.append(
            {
                "row": row * 7,
                "key": draw(keys),
                "unit": draw(texts),
                "given": given_label,
                "suggested": draw(st.sampled_from(["", *NAMES])),
                "decision": word,
                "label": other if word == "relabel" else "",
                "reviewer": draw(texts),
                "time": draw(texts),
                "seconds": draw(st.one_of(st.none(), st.floats(0, 1e6))),
                "place": row + 1 if placed else None,
                "chance": draw(st.floats(1e-9, 1)) if placed else None,
            }
        )
    return pd.DataFrame(records, columns=list(COLUMNS))


@settings(max_examples=25, deadline=None)
@given(tables(), st.one_of(st.none(), st.text(max_size=5)))
def test_what_is_written_comes_back(tmp_path_factory, table, fingerprint):
    made = Decisions.of(table, fingerprint, NAMES)
    path = made.write(tmp_path_factory.mktemp("decisions") / "decisions.jsonl")
    back = Decisions.read(path)
    pd.testing.assert_frame_equal(back.table, made.table)
    assert (back.fingerprint, back.class_names) == (fingerprint, NAMES)
    assert back.decided == (table["decision"] != "").sum()


@settings(max_examples=25, deadline=None)
@given(tables())
def test_what_a_data_frame_writes_as_csv_comes_back(tmp_path_factory, table):
    # Of this one character pandas makes no cell that any reader takes for one.
    made = Decisions.of(table.replace("\r", "", regex=True), class_names=NAMES).table
    path = tmp_path_factory.mktemp("decisions") / "decisions.CSV"
    made.to_csv(path, index=False)
    back = Decisions.read(path)
    keys = [None if key is None or key == "" else str(key) for key in made["key"]]
    pd.testing.assert_frame_equal(back.table, made.assign(key=pd.Series(keys, dtype=object)))
    assert (back.fingerprint, back.class_names) == (None, ())


def test_a_csv_file_of_a_spreadsheet_is_read_cell_by_cell(tmp_path):
    path = tmp_path / "d.csv"
    lines = ["row,note,label,decision", '3.0,"two\r\nlines",01,relabel', "", "17,,NA,relabel", "5,,,"]
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    table = Decisions.read(path).table
    assert table["row"].tolist() == [3, 17, 5]
    assert table["label"].tolist() == ["01", "NA", ""]
    assert table["decision"].tolist() == ["relabel", "relabel", ""]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "columns ; expected the columns row and decision"),
        ("row,label\n3,cat\n", "'row', 'label'; expected .*; pass a decision file.*, or add a column row .* decision"),
        ("row;decision\n3;keep\n", "commas between cells"),
        ("row,decision\n3\n", "line 2 .* 1 cells; expected 2"),
        ('row,decision\n3,"keep\n', "line 2 "),
        ("row,decision,row\n3,keep,3\n", "each name once"),
        ("row,decision\nthree,keep\n", "row 'three'"),
        ("row,decision\n1.5,keep\n", r"row 1\.5"),
        ("row,decision\n,keep\n", "row ''"),
        ("row,decision\n3,kep\n", "did you mean 'keep'"),
        ("row,decision,place,chance\n3,keep,1,often\n", "chance 'often'"),
        ("row,decision\n3,keep\n3,remove\n", "two decisions about row 3"),
        (b"row,decision\n3,k\xe9\n", "no text in UTF-8"),
    ],
)
def test_csv_files_of_something_else_are_refused(tmp_path, content, message):
    path = tmp_path / "d.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataAuditError, match=message):
        Decisions.read(path)


HEADER = {"format": "dataaudit decisions", "version": 1, "fingerprint": "f", "class_names": list(NAMES)}
ROW = {"row": 3, "given": "cat", "decision": "keep"}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "first line is not that of a decision file"),
        ([{**HEADER, "version": 2}], "version 1"),
        ([{**HEADER, "more": 1}], "first line"),
        ([{**HEADER, "class_names": [1]}], "first line"),
        ([HEADER, '{"row": NaN}'], "line 2 .* not JSON"),
        ([HEADER, "[" * 100000], "line 2 .* not JSON"),
        ([HEADER, {"decision": "keep"}], "line 2 .* entries 'decision'"),
        ([HEADER, ROW, ROW], "two decisions about row 3"),
        ([HEADER, {**ROW, "row": -1}], "row -1"),
        ([HEADER, {**ROW, "row": 1.5}], r"row 1\.5"),
        ([HEADER, {**ROW, "row": True}], "row True"),
        ([HEADER, {**ROW, "row": 10**30}], "row 10{30}"),
        ([HEADER, {**ROW, "key": {"../etc": 1}}], "key"),
        ([HEADER, {**ROW, "key": [[1]]}], "key"),
        ([HEADER, {**ROW, "given": "cow"}], "given 'cow'"),
        ([HEADER, {**ROW, "chance": 1.5, "place": 1}], "chance"),
        ([HEADER, {**ROW, "chance": 0, "place": 1}], "chance"),
    ],
)
def test_files_that_nobody_wrote_so_are_refused(tmp_path, lines, message):
    path = tmp_path / "decisions.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), "utf-8")
    with pytest.raises(DataAuditError, match=message):
        Decisions.read(path)


def test_a_table_may_leave_columns_out_and_have_others():
    frame = pd.DataFrame({"row": [5, 2], "score": [0.5, 0.25], "suggested": ["dog", "cat"], "decision": "relabel"})
    made = Decisions.of(frame, class_names=NAMES).table
    assert made["label"].tolist() == ["dog", "cat"]
    blank = Decisions.of(pd.DataFrame({"row": [1, 2], "decision": ["", np.nan], "label": [None, np.nan]}))
    assert blank.decided == 0
    numbers = pd.DataFrame({"row": [1, 2], "decision": ["relabel", "keep"], "label": [1.0, np.nan]})
    assert Decisions.of(numbers, class_names=NAMES).table["label"].tolist() == ["1", ""]


def of(reviewer, said, **columns):
    rows = list(said)
    words = [said[row] for row in rows]
    table = {
        "row": rows,
        "given": "cat",
        "decision": ["relabel" if word in NAMES else word for word in words],
        "label": [word if word in NAMES else "" for word in words],
        "reviewer": reviewer,
    }
    return Decisions.of(pd.DataFrame({**table, **columns}), "f", NAMES)


def test_files_of_several_reviewers_merge():
    ann = of("ann", {0: "keep", 1: "dog", 2: "", 3: "keep", 4: "dog"})
    bob = of("bob", {0: "keep", 1: "keep", 2: "dog", 4: "dog"})
    merged = ann.merge(bob)
    assert merged.table["row"].tolist() == [0, 1, 3, 4, 0, 1, 2, 4]
    assert merged.conflicts()[["row", "reviewer", "decision"]].values.tolist() == [
        [1, "ann", "relabel"],
        [1, "bob", "keep"],
    ]
    agreed = merged.agreement().iloc[0]
    assert (agreed["first"], agreed["second"], agreed["rows"]) == ("ann", "bob", 3)
    assert agreed["same"] == pytest.approx(2 / 3)
    assert agreed["kappa"] == pytest.approx(cohen_kappa_score(["keep", "dog", "dog"], ["keep", "keep", "dog"]))
    with pytest.raises(DataError, match=r"row 1 on which reviewers differ.*resolve\(\)"):
        merged.single()
    cyd = of("cyd", {1: "dog"})
    settled = merged.merge(cyd).resolve().table.set_index("row")
    assert settled.loc[[0, 1, 2, 3, 4], "decision"].tolist() == ["keep", "relabel", "relabel", "keep", "relabel"]
    assert merged.resolve().table.set_index("row").loc[1, "decision"] == "unsure"
    assert merged.merge(cyd).resolve("unsure").table.set_index("row").loc[1, "label"] == ""
    assert len(ann.merge(ann)) == len(ann)


def test_of_decisions_that_say_the_same_the_one_with_a_place_stays():
    queued = of("ann", {0: "keep", 1: "dog"}, place=[1, 2], chance=[0.5, 0.25])
    chosen = of("ann", {1: "dog"})
    assert chosen.merge(queued).table["place"].tolist() == [1, 2]
