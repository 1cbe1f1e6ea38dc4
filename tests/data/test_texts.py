import hashlib
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import torch
from datasets import ClassLabel, Dataset, Features, Value
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import dataaudit
from dataaudit.data import as_examples, inspect
from dataaudit.data.derived import inspect_usable
from dataaudit.data.texts import as_texts, digest_texts, holds_texts, unusable
from dataaudit.errors import DataError, ModelError

TEXTS = ["good film", "bad film", "good book", "bad book", "good play", "bad play", "a good one", "a bad one"] * 4
LABELS = ["yes", "no"] * 16


def hugging_face():
    features = Features(text=Value("string"), label=ClassLabel(names=["no", "yes"]))
    return Dataset.from_dict({"text": TEXTS, "label": [int(label == "yes") for label in LABELS]}, features=features)


SHAPES = {
    "list": lambda: (TEXTS, LABELS),
    "array": lambda: (np.array(TEXTS), LABELS),
    "objects": lambda: (np.array(TEXTS, dtype=object), LABELS),
    "series": lambda: (pd.Series(TEXTS), LABELS),
    "frame": lambda: pd.DataFrame({"text": TEXTS, "label": LABELS}),
    "Hugging Face": hugging_face,
}


def digest(texts):
    made = hashlib.blake2b(digest_size=16)
    digest_texts(made, np.array([*texts, None], dtype=object)[:-1])
    return made.hexdigest()


@pytest.mark.parametrize("shape", SHAPES)
def test_texts_are_read_as_strings(shape):
    options = {"label": "label"} if shape == "frame" else {}
    examples = as_examples(SHAPES[shape](), **options)
    block = examples.read(np.array([2, 0, 2]))
    assert block.dtype == object
    assert block.tolist() == ["good book", "good film", "good book"]
    assert all(type(text) is str for text in block)
    assert inspect(examples).dtype == "text"


def test_every_way_to_hold_texts_has_one_fingerprint():
    found = {
        inspect(as_examples(make(), **({"label": "label"} if name == "frame" else {}))).fingerprint
        for name, make in SHAPES.items()
    }
    assert len(found) == 1


@given(st.lists(st.text(), max_size=5), st.lists(st.text(), max_size=5))
def test_different_texts_have_different_digests(one, other):
    assert (digest(one) == digest(other)) == (one == other)


@given(st.lists(st.one_of(st.none(), st.text(max_size=3)), min_size=1, max_size=6))
def test_missing_and_blank_texts_are_unusable(values):
    texts = as_texts(values)
    assert unusable(texts).tolist() == [not value or not value.strip() or "\0" in value for value in values]


def test_a_long_text_gives_no_other_its_room():
    texts = ["a", "b" * 10**6] * 500
    tracemalloc.start()
    try:
        examples = as_examples((texts, [0, 1] * 500))
        # A fixed-width array would take 4 GB.
        assert tracemalloc.get_traced_memory()[1] < 10**7
    finally:
        tracemalloc.stop()
    assert examples.read(np.array([1]))[0] == texts[1]


def test_categories_are_no_texts():
    assert holds_texts(pd.Series(["a", None, "b"]))
    for column in (pd.Series(["a", "b"], dtype="category"), pd.Series([None, None]), pd.Series(["a", 1])):
        assert not holds_texts(column)


BAD = {
    "missing": [None, float("nan"), pd.NA],
    "empty": ["", "  \n"],
    "NUL": ["a\0b"],
    "lone surrogates": ["a\ud800"],
    "more than": ["a b " * 2_500_000],
    "no texts": [3, b"a"],
}
"""Texts that are named, by what is said of them."""

HOLDERS = {
    "list": lambda texts: (texts, LABELS),
    "objects": lambda texts: (np.array(texts, dtype=object), LABELS),
    "series": lambda texts: (pd.Series(texts, dtype=object), LABELS),
    "frame": lambda texts: pd.DataFrame({"text": pd.Series(texts, dtype=object), "label": LABELS}),
    "pairs": lambda texts: list(zip(texts, LABELS, strict=True)),
}


# A column of strings and numbers is a table: there is no text in a frame that is a number.
@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("said", BAD)
def test_texts_that_no_model_or_file_takes_are_named_and_left_out(said, holder):
    for bad in BAD[said] if (said, holder) != ("no texts", "frame") else []:
        for places in ([0], [5, 9]):
            texts = list(TEXTS)
            for place in places:
                texts[place] = bad
            options = {"label": "label"} if holder == "frame" else {}
            examples = as_examples(HOLDERS[holder](texts), **options)
            with pytest.raises(DataError, match=f"{said}.* in rows? {', '.join(map(str, places))};"):
                inspect(examples)
            kept, _ = inspect_usable(examples, False)
            assert kept.dropped.tolist() == places


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "model",
    [
        make_pipeline(TfidfVectorizer(), LogisticRegression()),
        make_pipeline(TfidfVectorizer(), MultinomialNB()),
        make_pipeline(FeatureUnion([("words", TfidfVectorizer())]), SGDClassifier(loss="log_loss")),
    ],
    ids=["plain", "naive Bayes", "partial_fit"],
)
def test_a_pipeline_that_starts_with_a_vectoriser_is_scored(shape, model):
    options = {"label": "label"} if shape == "frame" else {}
    audit = dataaudit.score(model, SHAPES[shape](), progress=False, **options)
    assert len(audit) == 32
    assert np.isfinite(audit.columns[audit.default]).all()


def test_a_wrong_label_among_texts_comes_first():
    labels = list(LABELS)
    labels[6] = "no"
    audit = dataaudit.score(make_pipeline(TfidfVectorizer(), LogisticRegression()), (TEXTS, labels), progress=False)
    assert audit.ranking()[0] == 6


@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(),
        make_pipeline(StandardScaler(), LogisticRegression()),
        dataaudit.LinearProbe(),
        dataaudit.NearestNeighbours(3),
        torch.nn.Linear(4, 2),
    ],
    ids=lambda model: type(model).__name__,
)
def test_a_model_of_numbers_refuses_texts_and_says_what_takes_them(model):
    with pytest.raises(DataError) as caught:
        dataaudit.score(model, hugging_face(), progress=False)
    assert "texts" in caught.value.arrived
    assert "dataaudit.embed makes of the texts" in caught.value.action
    assert "vectoriser" in caught.value.action


def test_distances_between_texts_are_those_of_their_words():
    audit = dataaudit.score(None, hugging_face(), "knn_c_score/input", progress=False)
    (graph,) = audit.settings["neighbours"]["knn_c_score/input"]
    assert "latent semantic analysis" in graph["inputs"]


def test_one_column_of_categories_goes_to_an_encoder():
    frame = pd.DataFrame({"colour": ["red", "blue", "red", "blue"] * 5, "label": [0, 1, 0, 1] * 5})
    audit = dataaudit.score(make_pipeline(OneHotEncoder(), LogisticRegression()), frame, progress=False)
    assert (audit.suggested == audit.labels).all()


def test_a_transform_still_turns_texts_into_numbers():
    audit = dataaudit.score(
        LogisticRegression(), (TEXTS, LABELS), transform=lambda text: [float("good" in text)], progress=False
    )
    assert (audit.suggested == audit.labels).all()


def test_texts_can_be_shown_and_reported(tmp_path):
    audit = dataaudit.score(make_pipeline(TfidfVectorizer(), LogisticRegression()), (TEXTS, LABELS), progress=False)
    assert "good film" in audit.report(tmp_path / "page.html").read_text("utf-8")


def test_a_failing_step_is_explained():
    model = make_pipeline(TfidfVectorizer(), HistGradientBoostingClassifier())
    with pytest.raises(ModelError, match="TruncatedSVD"):
        dataaudit.score(model, (TEXTS, LABELS), progress=False)
