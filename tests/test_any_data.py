"""Containers, labels and models that people have, in all combinations; the rows of docs/what-it-takes.md about data.

Every container holds the same three classes, with one wrong label in row `WRONG`.
"""

import warnings
from pathlib import Path

import datasets
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import BernoulliNB
from sklearn.pipeline import make_pipeline

import dataaudit
from dataaudit.data import as_examples
from dataaudit.data.containers import len_of
from dataaudit.errors import DataAuditError

datasets.disable_progress_bars()
PAGE = Path(__file__).parents[1] / "docs/what-it-takes.md"
N, WRONG = 30, 7
BEGIN, END = "<!-- data: written by tests/test_what_it_takes.py -->", "<!-- end of data -->"
TRUTH = np.arange(N) % 3
GIVEN = np.where(np.arange(N) == WRONG, (TRUTH + 1) % 3, TRUTH)
NAMES = np.array(["ant", "bee", "cat"])
ROWS = (np.random.default_rng(0).normal(size=(N, 6)) + 5 * np.eye(3, 6)[TRUTH]).astype(np.float32)
WORDS = np.array(["rain cloud wind", "goal match team", "bank loan price"])
TEXTS = [f"{WORDS[kind]} today {'abcdefg'[row % 7]} {'uvxyz'[row % 5]}" for row, kind in enumerate(TRUTH)]
COUNTS = np.maximum(np.round(ROWS), 0)


class Yielding:
    """Rows (x, y) by `len` and index alone."""

    def __init__(self, inputs, labels):
        self.rows = list(zip(inputs, labels, strict=True))

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, row):
        return self.rows[row]


class TorchRows(Yielding, torch.utils.data.Dataset):
    """The same, of torch's class."""


class Elsewhere:
    """A container of a package that is not installed here, as its objects say of themselves."""

    def __init__(self, labels):
        self.labels = labels


def of_package(name):
    """A maker of data sets whose type says that it is of a package."""
    kind = type("DataFrame", (Elsewhere,), {"__module__": f"{name}.core"})
    return lambda labels: kind(labels)


def picture(row):
    pixels = np.full((4, 4), row % 5)
    pixels[TRUTH[row]] += 200
    return Image.fromarray(pixels.astype(np.uint8))


FOLDER = []
"""Where the memory-mapped rows lie."""


@pytest.fixture(autouse=True, scope="module")
def _folder(tmp_path_factory):
    FOLDER.append(tmp_path_factory.mktemp("rows"))


def mapped(labels):
    path = Path(FOLDER[-1]) / "rows.npy"
    if not path.exists():
        np.save(path, ROWS)
    return np.load(path, mmap_mode="r"), labels


def table(labels, **columns):
    return pd.DataFrame({**columns, "label": plain(labels)})


def plain(labels):
    """Labels as columns of tables hold them."""
    return labels.tolist() if isinstance(labels, torch.Tensor) else labels


def hugging_face(labels, **columns):
    return datasets.Dataset.from_dict({**columns, "label": list(plain(labels))})


def doubled(batch):
    return {"x": [2 * np.asarray(row) for row in batch["vector"]], "label": batch["label"]}


NUMBERS = {name: ROWS[:, column] for column, name in enumerate("abcdef")}
READ_ONLY = ROWS.copy()
READ_ONLY.flags.writeable = False
IDS = [[1 + 10 * TRUTH[row], 2 + 10 * TRUTH[row], 3, *([4] * (row % 3))] for row in range(N)]

CONTAINERS = {
    "NumPy array": lambda y: (ROWS, y),
    "read-only array": lambda y: (READ_ONLY, y),
    "memory-mapped array": mapped,
    "masked array": lambda y: (np.ma.masked_array(ROWS, np.zeros(ROWS.shape, bool)), y),
    "`numpy.matrix`": lambda y: (ROWS.view(np.matrix), y),
    "array of objects": lambda y: (ROWS.astype(object), y),
    "nested lists": lambda y: (ROWS.tolist(), y),
    "torch tensor": lambda y: (torch.tensor(ROWS), y),
    "torch sparse tensor": lambda y: (torch.tensor(COUNTS).to_sparse(), y),
    "scipy csr matrix": lambda y: (sparse.csr_matrix(COUNTS), y),
    "scipy csc array": lambda y: (sparse.csc_array(COUNTS), y),
    "scipy coo matrix": lambda y: (sparse.coo_matrix(COUNTS), y),
    "list of arrays": lambda y: (list(ROWS), y),
    "list of (x, y)": lambda y: list(zip(ROWS, plain(y), strict=True)),
    "list of dictionaries": lambda y: [{"text": text, "label": label} for text, label in zip(TEXTS, y, strict=True)],
    "any object with rows (x, y)": lambda y: Yielding(ROWS, y),
    "torch `Dataset`": lambda y: TorchRows(torch.tensor(ROWS), plain(y)),
    "torch `Dataset` of texts": lambda y: TorchRows(TEXTS, plain(y)),
    "pandas DataFrame": lambda y: table(y, **NUMBERS),
    "pandas DataFrame, nullable": lambda y: table(y, **NUMBERS).convert_dtypes(),
    "pandas DataFrame, of Arrow": lambda y: table(y, **NUMBERS).convert_dtypes(dtype_backend="pyarrow"),
    "pandas DataFrame, column of arrays": lambda y: table(y, vector=list(ROWS)),
    "pandas DataFrame, arrays and numbers": lambda y: table(y, vector=list(ROWS[:, 1:]), a=ROWS[:, 0]),
    "pandas DataFrame of texts": lambda y: table(y, text=TEXTS),
    "pandas Series of lists": lambda y: (pd.Series(ROWS.tolist()), y),
    "polars DataFrame": lambda y: pl.DataFrame({**NUMBERS, "label": plain(y)}, strict=False),
    "polars Series of texts": lambda y: (pl.Series("text", TEXTS), y),
    "pyarrow Table": lambda y: pa.table({**NUMBERS, "label": plain(y)}),
    "pyarrow column of texts": lambda y: (pa.array(TEXTS), y),
    "Hugging Face `Dataset`": lambda y: hugging_face(y, vector=ROWS.tolist()),
    "Hugging Face, `with_format('torch')`": lambda y: hugging_face(y, vector=ROWS.tolist()).with_format("torch"),
    "Hugging Face, `with_format('polars')`": lambda y: hugging_face(y, vector=ROWS.tolist()).with_format("polars"),
    "Hugging Face, `set_transform`": lambda y: hugging_face(y, vector=ROWS.tolist()).with_transform(doubled),
    "Hugging Face `Column`": lambda y: (hugging_face(y, vector=ROWS.tolist())["vector"], y),
    "Hugging Face, index of pandas": lambda y: datasets.Dataset.from_pandas(
        table(y, **NUMBERS).set_index(np.arange(N) * 3 + 5)
    ),
    "Hugging Face, tokenised beforehand": lambda y: hugging_face(
        y, input_ids=IDS, attention_mask=[[1] * len(row) for row in IDS]
    ),
    "Hugging Face, images": lambda y: hugging_face(y, image=[picture(row) for row in range(N)]),
    "list of texts": lambda y: (TEXTS, y),
    "NumPy strings": lambda y: (np.array(TEXTS), y),
    "list of PIL images": lambda y: ([picture(row) for row in range(N)], y),
    "`xarray`": of_package("xarray"),
    "`dask`": of_package("dask"),
    "`DatasetDict` without `split=`": lambda y: datasets.DatasetDict(train=hugging_face(y, vector=ROWS.tolist())),
    "dictionary of columns": lambda y: {**NUMBERS, "label": y},
}
"""Makers of data sets with the labels [N] that they are given."""

SPELLED = NAMES[GIVEN]
MISSING = [None, "", *SPELLED[2:]]


def gaps(values):
    return [None, None, *np.asarray(values).tolist()[2:]]


LABELS = {
    "whole numbers": lambda: GIVEN,
    "whole numbers with gaps": lambda: GIVEN * 5 - 2,
    "bytes of one size": lambda: GIVEN.astype(np.uint8),
    "strings": lambda: SPELLED.tolist(),
    "NumPy strings": lambda: SPELLED,
    "variable-width strings of NumPy": lambda: SPELLED.astype(np.dtypes.StringDType()),
    "bytes": lambda: [name.encode() for name in SPELLED.tolist()],
    "NumPy bytes": lambda: np.char.encode(SPELLED),
    "strings with lone surrogates": lambda: [name + "\ud800" for name in SPELLED.tolist()],
    "booleans": lambda: GIVEN > 0,
    "categories": lambda: pd.Categorical(SPELLED, categories=["dog", *NAMES[::-1]]),
    "pandas strings": lambda: pd.Series(SPELLED, dtype="string"),
    "torch tensor": lambda: torch.tensor(GIVEN),
    "polars Series": lambda: pl.Series(GIVEN),
    "pyarrow array": lambda: pa.array(SPELLED),
    "Hugging Face `Column`": lambda: hugging_face(GIVEN)["label"],
    "one column [n, 1]": lambda: GIVEN[:, None],
    "masked array": lambda: np.ma.masked_array(GIVEN, np.arange(N) < 2),
    "nullable whole numbers": lambda: pd.array(gaps(GIVEN), dtype="Int64"),
    "floats with NaN": lambda: np.where(np.arange(N) < 2, np.nan, GIVEN),
    "strings with None": lambda: gaps(SPELLED),
    "-1 beside other numbers": lambda: np.where(np.arange(N) < 2, -1, GIVEN),
    "`'ant '` beside `'ant'`": lambda: ["ant ", *SPELLED.tolist()[1:]],
    "none at all": lambda: [None] * N,
    "one class": lambda: [0] * N,
    "fractions": lambda: GIVEN + 0.5,
    "infinity": lambda: np.where(np.arange(N) < 2, np.inf, GIVEN),
    "of several types": lambda: ["ant", *GIVEN.tolist()[1:]],
    "dates": lambda: pd.Series(pd.date_range("2020-01-01", periods=3)[GIVEN]),
    "too few": lambda: GIVEN[1:],
    "one-hot rows": lambda: np.eye(3)[GIVEN],
    "a dictionary": lambda: dict(enumerate(GIVEN.tolist())),
}
"""Makers of labels: whole columns, missing ones in the first two rows where there are any."""

QUICK = dataaudit.Recipe(epochs=1, batch_size=16, precision="float32")
MODELS = {
    "none": (lambda: None, {}),
    "probe": (dataaudit.LinearProbe, {}),
    "scikit-learn": (BernoulliNB, {}),
    "text pipeline": (lambda: make_pipeline(CountVectorizer(token_pattern=r"\w+"), BernoulliNB()), {}),
    "torch": (lambda: torch.nn.Sequential(torch.nn.Flatten(), torch.nn.LazyLinear(3)), {"recipe": QUICK}),
}
"""Models, and options that go with them."""


def scored(model, dataset, **options):
    """An audit by a model of the table, quickly."""
    make, own = MODELS[model]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dataaudit.score(make(), dataset, progress=False, **own, **options)


def check_parts(error):
    """Raise unless an error says three things."""
    for part in (error.arrived, error.expected, error.action):
        assert isinstance(part, str)
        assert part.strip()
        part.encode()


def made(container, labels):
    """A data set, or None where the container itself does not take such labels."""
    try:
        return CONTAINERS[container](LABELS[labels]())
    except (TypeError, ValueError, pa.ArrowException, pl.exceptions.PolarsError, OverflowError):
        return None


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_container_with_any_labels_is_read_or_refused(container):
    """All of them; what follows draws some to be audited."""
    for labels in LABELS:
        dataset = made(container, labels)
        if dataset is not None:
            examples, _ = said(lambda dataset=dataset: as_examples(dataset))
            assert examples is None or len(examples.labels) in (N, N - 2)


@settings(max_examples=100)
@given(
    st.sampled_from(list(CONTAINERS)), st.sampled_from(list(LABELS)), st.sampled_from(list(MODELS)),
    st.sampled_from(["raise", "drop"]),
)  # fmt: skip
def test_any_container_labels_and_model_work_or_say_why_not(container, labels, model, on_bad_rows):
    dataset = made(container, labels)
    if dataset is None:
        return
    try:
        audit = scored(model, dataset, on_bad_rows=on_bad_rows)
    except DataAuditError as error:
        check_parts(error)
        return
    left = audit.settings.get("dropped_rows", [])
    assert len(audit) + len(left) == N
    assert left in ([], [0, 1])
    assert np.isfinite(audit.columns[audit.default]).all()
    assert sorted(audit.ranking().tolist()) == list(range(len(audit)))
    for name in audit.class_names:
        name.encode()
    if model == "none" and len(audit.class_names) == 3:
        assert WRONG in audit.suspects(3)["row"].tolist()


WORD_PIPELINE = "text pipeline"
PEOPLE = {"none": "none", "probe": "`LinearProbe`", "scikit-learn": "scikit-learn", "torch": "torch"}
"""Models by their columns on the page."""


def said(work):
    """What a piece of work gives, or None and what its error advises."""
    try:
        return work(), ""
    except DataAuditError as error:
        check_parts(error)
        return None, error.action


def read_as(examples):
    """Kind of inputs that a model is given."""
    block = examples.read(np.arange(2))
    if isinstance(block, pd.DataFrame):
        return "table"
    if examples.read_sparse(np.arange(2)) is not None:
        return "sparse rows"
    return "texts" if block.dtype == object else "pixels" if block.ndim == 4 else "rows of numbers"


def container_row(container):
    """Line of the page about a container: how it is read, which models take it, and what `apply` makes of it."""
    dataset = CONTAINERS[container](SPELLED.tolist())
    examples, advice = said(lambda: as_examples(dataset))
    if examples is None:
        return f"| {container} | refused: {advice} | | | | | |"
    kind = read_as(examples)
    audits = {
        model: said(lambda m=model: scored(WORD_PIPELINE if (kind, m) == ("texts", "scikit-learn") else m, dataset))[0]
        for model in PEOPLE
    }
    audit = next(audit for audit in audits.values() if audit is not None)
    assert WRONG in audit.suspects(4)["row"].tolist()
    cleaned = audit.apply(pd.DataFrame({"row": [WRONG], "decision": ["remove"]})).dataset
    parts = cleaned if isinstance(cleaned, tuple) else (cleaned,)
    assert type(cleaned) is type(dataset) or isinstance(dataset, Yielding)
    assert all(len_of(part) == N - 1 for part in parts)
    given = " of ".join(filter(None, ["pair" if isinstance(cleaned, tuple) else "", type(parts[0]).__name__]))
    cells = ["yes" if audit is not None else "no" for audit in audits.values()]
    return f"| {container} | {kind} | {' | '.join(cells)} | {given} |"


def label_row(labels):
    """Line of the page about labels: the classes that they are taken for, what is left out, and what is said."""
    examples, advice = said(lambda: as_examples((ROWS, LABELS[labels]())))
    if examples is None:
        return f"| {labels} | refused: {advice} | | |"
    audit = scored("none", (ROWS, LABELS[labels]()))
    assert tuple(audit.class_names) == tuple(examples.class_names)
    left = audit.settings.get("unlabelled_rows", [])
    notes = [note for note in audit.settings["notes"] if "look alike" in note]
    names = ", ".join(f"`{name}`" for name in audit.class_names)
    return f"| {labels} | {names} | {len(left) or ''} | {'; '.join(notes)} |"


def lines():
    """Everything that the page says about data."""
    models = " | ".join(PEOPLE.values())
    head = [f"| data | read as | {models} | `apply()` gives |", "|---" * (len(PEOPLE) + 3) + "|"]
    middle = ["", "| labels | classes | left out | noted |", "|---|---|---|---|"]
    return [*head, *map(container_row, CONTAINERS), *middle, *map(label_row, LABELS)]


def on_page():
    text = PAGE.read_text("utf-8")
    return text[text.index(BEGIN) + len(BEGIN) : text.index(END)].strip("\n").splitlines()


def test_the_page_has_a_line_for_everything():
    firsts = [line.split(" | ")[0].removeprefix("| ") for line in on_page() if line.startswith("| ")]
    assert firsts == ["data", *CONTAINERS, "labels", *LABELS]


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_container_does_what_the_page_says(container):
    assert container_row(container) in on_page()


@pytest.mark.parametrize("labels", LABELS)
def test_labels_are_what_the_page_says(labels):
    assert label_row(labels) in on_page()
