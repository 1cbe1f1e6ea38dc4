"""Files of tables: what was written is read, and every row's line is the right one."""

import gzip
import io
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dataaudit.data.formats import FORMATS, TableFormat, read_table
from dataaudit.errors import DataError, SettingError

# Nothing that pandas would read as a number, a truth value or a gap.
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=6).map("§".__add__)


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(TEXTS | st.sampled_from(["a,b;c", 'a "quote"', "two\nlines"]), min_size=1, max_size=6),
    kind=st.sampled_from(FORMATS),
    packed=st.booleans(),
    piped=st.booleans(),
    delimiter=st.sampled_from([None, ";", "tab"]),
    encoding=st.sampled_from([None, "utf-16"]),
)
def test_a_table_is_read_as_it_was_written(tmp_path_factory, texts, kind, packed, piped, delimiter, encoding):
    assume(kind in ("csv", "tsv") or delimiter is None)
    assume(kind != "parquet" or encoding is None)
    frame = pd.DataFrame({"size": np.arange(len(texts)) * 0.5, "text": texts, "kind": 7})
    content = io.BytesIO()
    if kind == "parquet":
        frame.to_parquet(content)
    elif kind == "jsonl":
        content.write("".join(json.dumps(row) + "\n" for row in frame.to_dict("records")).encode(encoding or "utf-8"))
    else:
        sign = {None: {"csv": ",", "tsv": "\t"}[kind], "tab": "\t"}.get(delimiter, delimiter)
        content.write(frame.to_csv(index=False, sep=sign).encode(encoding or "utf-8"))
    stored = gzip.compress(content.getvalue()) if packed else content.getvalue()
    path = tmp_path_factory.mktemp("tables") / (f"data.{kind}" + (".gz" if packed else ""))
    path.write_bytes(stored)
    table = TableFormat(kind if piped else None, delimiter, encoding)
    read = read_table(io.BytesIO(stored) if piped else path, table)
    pd.testing.assert_frame_equal(read.reset_index(drop=True), frame, check_dtype=False)
    if kind != "parquet":
        lines = content.getvalue().decode(encoding or "utf-8").split("\n")
        assert read.index.name == "line"
        for line, size in zip(read.index, frame["size"], strict=True):
            assert lines[line - 1].startswith((f"{size}", f'{{"size": {size}'))


@pytest.mark.parametrize(
    ("name", "content", "table", "error", "message"),
    [
        ("a.csv", b"x,x,kind\n1,2,a\n", {}, DataError, "several columns called 'x'"),
        ("a.csv", b"x;kind\n1;a\n2;b\n", {}, DataError, "delimiter=';'"),
        ("a.csv", "x,kind\n1,é\n".encode("latin-1"), {}, DataError, r"no text in utf-8 .*encoding='latin-1'"),
        ("a.csv", b"", {}, DataError, "cannot be read"),
        ("a.csv.gz", gzip.compress(b"x,kind\n" * 99, mtime=0)[:-20], {}, DataError, "cannot be read"),
        ("a.jsonl", b'{"x": 1}\n\n{"x": \n', {}, DataError, "line 3 of"),
        ("a.jsonl", b"[1, 2]\n", {}, DataError, "line 1 of .*which is list in JSON"),
        ("a.parquet", b"PAR1", {}, DataError, "cannot be read"),
        ("a.txt", b"x,kind\n", {}, DataError, "format='csv'"),
        ("a.csv", b"x,kind\n", {"format": "xls"}, SettingError, "choose from: csv"),
        ("a.csv", b"x,kind\n", {"delimiter": "||"}, SettingError, "one character"),
        ("a.csv", b"x,kind\n", {"encoding": "utf-7777"}, SettingError, "an encoding that Python knows"),
        ("a.parquet", b"x,kind\n", {"delimiter": ";"}, SettingError, "drop delimiter="),
    ],
)
def test_what_is_no_such_table_is_refused(tmp_path, name, content, table, error, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(error, match=message):
        read_table(tmp_path / name, TableFormat(**table))
