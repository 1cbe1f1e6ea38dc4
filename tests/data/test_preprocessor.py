import pickle

import numpy as np
import pandas as pd
import pytest
from datasets import ClassLabel, Dataset, Features, List, Value
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import dataaudit
from dataaudit.data import as_examples, inspect
from dataaudit.data.preprocessor import MISSING, MOST_CATEGORIES, as_categories
from dataaudit.errors import DataError, ModelError

N = 60


def columns():
    rng = np.random.default_rng(0)
    label = np.arange(N) % 2
    colour = np.where(label == 1, "red", "blue").astype(object)
    colour[3] = None
    # Seen once: unknown to the models that do not train on it.
    colour[10] = "green"
    size = rng.normal(size=N)
    size[5] = np.nan
    return {
        "size": size,
        "colour": colour,
        "flag": [None if row == 7 else bool(row % 3 == 0) for row in range(N)],
        "shape": rng.integers(0, 3, N),
        "label": label,
    }


def hugging_face():
    features = Features(
        size=Value("float32"),
        colour=Value("string"),
        flag=Value("bool"),
        shape=ClassLabel(names=["round", "square", "flat"]),
        label=ClassLabel(names=["no", "yes"]),
    )
    made = columns()
    made["size"] = [None if np.isnan(value) else value for value in made["size"]]
    return Dataset.from_dict({name: list(values) for name, values in made.items()}, features=features)


INPUTS = ["size", "colour", "flag", "shape"]
OPTIONS = {"label": "label", "inputs": INPUTS}
SHAPES = {"frame": lambda: pd.DataFrame(columns()), "Hugging Face": hugging_face}


def test_mixed_columns_are_a_frame_of_constant_types():
    examples = as_examples(hugging_face(), **OPTIONS)
    whole = examples.read(np.arange(N))
    assert list(whole.columns) == INPUTS
    # Whatever rows a block holds: some here have gaps, the others have none.
    for rows in ([3, 5, 7], [0, 1, 2], [10]):
        part = examples.read(np.array(rows))
        assert part.dtypes.equals(whole.dtypes)
        assert part.reset_index(drop=True).equals(whole.iloc[rows].reset_index(drop=True))
    assert whole["shape"].cat.categories.tolist() == ["round", "square", "flat"]
    assert whole["flag"].iloc[[0, 1]].tolist() == [1, 0]
    assert whole["size"].isna().sum() == whole["flag"].isna().sum() == whole["colour"].isna().sum() == 1


def test_missing_values_are_refused_unless_the_model_takes_them():
    examples = as_examples(hugging_face(), **OPTIONS)
    with pytest.raises(DataError, match="in rows 3, 5, 7;"):
        inspect(examples)
    assert inspect(examples, allow_missing=True).dtype == "table"


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("model", [HistGradientBoostingClassifier(max_iter=5), LogisticRegression()], ids=["hgb", "lr"])
def test_a_preprocessor_makes_mixed_columns_fit(shape, model):
    dataset = SHAPES[shape]()
    pipeline = make_pipeline(dataaudit.preprocessor(dataset, **OPTIONS), model)
    audit = dataaudit.score(pipeline, dataset, progress=False, **OPTIONS)
    known = [row for row in range(N) if row not in (3, 10)]
    assert (audit.suggested == audit.labels)[known].mean() > 0.9


def test_a_preprocessor_is_unfitted_can_be_cloned_and_pickled():
    made = dataaudit.preprocessor(pd.DataFrame(columns()), **OPTIONS)
    assert not hasattr(made, "transformers_")
    again = pickle.loads(pickle.dumps(clone(made)))
    frame = pd.DataFrame(columns())
    np.testing.assert_array_equal(again.fit_transform(frame), made.fit_transform(frame))


def test_numbers_are_imputed_and_standardised():
    frame = pd.DataFrame({"a": [1.0, np.nan, 3, 8], "empty": [np.nan] * 4, "label": [0, 1, 0, 1]})
    made = dataaudit.preprocessor(frame).fit_transform(frame[["a", "empty"]])
    filled = np.array([1.0, 3, 3, 8])
    np.testing.assert_allclose(made[:, 0], (filled - filled.mean()) / filled.std())
    assert (made[:, 1] == 0).all()


def test_a_category_that_was_never_seen_is_none_of_them():
    frame = pd.DataFrame({"a": [1.0, 2, 3, 4], "kind": list("xyxy"), "label": [0, 1, 0, 1]})
    made = dataaudit.preprocessor(frame).fit(frame)
    other = pd.DataFrame({"a": [1.0], "kind": ["new"]})
    assert made.transform(other)[0, 1:].tolist() == [0, 0]


def test_many_categories_stay_bounded():
    frame = pd.DataFrame({"a": np.arange(500.0), "kind": [f"k{row}" for row in range(500)], "label": [0, 1] * 250})
    made = dataaudit.preprocessor(frame, label="label").fit_transform(frame)
    assert made.shape == (500, 1 + MOST_CATEGORIES)


@pytest.mark.parametrize("gap", [None, np.nan, pd.NA, pd.NaT])
def test_every_mark_of_a_missing_value_is_one_category(gap):
    made = as_categories(pd.DataFrame({"a": pd.Series(["x", gap, "y"], dtype=object), "b": [True, False, True]}))
    assert made.tolist() == [["x", "True"], [MISSING, "False"], ["y", "True"]]


def test_a_class_label_among_numbers_is_a_category():
    features = Features(size=Value("float32"), shape=ClassLabel(names=["r", "s", "f"]), label=Value("string"))
    dataset = Dataset.from_dict({"size": [1, 2, 3], "shape": [0, 1, 2], "label": ["a", "b", "a"]}, features=features)
    options = {"label": "label", "inputs": ["size", "shape"]}
    made = dataaudit.preprocessor(dataset, **options).fit_transform(as_examples(dataset, **options).read(np.arange(3)))
    np.testing.assert_array_equal(made[:, 1:], np.eye(3))


@pytest.mark.parametrize(
    ("dataset", "options", "message"),
    [
        (
            pd.DataFrame({"a": [1.0, 2], "day": pd.to_datetime(["2020-01-01"] * 2), "label": [0, 1]}),
            {},
            "columns that are neither numbers nor categories: 'day'.*exclude=",
        ),
        (pd.DataFrame({"a": [1.0, 2], "b": [{}, {}], "label": [0, 1]}), {}, "neither numbers nor categories: 'b'"),
        (pd.DataFrame({"text": ["a", "b"], "label": [0, 1]}), {}, "one column of texts.*vectoriser"),
        ((np.zeros((4, 2, 2)), [0, 1, 0, 1]), {}, r"inputs of shape \(2, 2\)"),
        (
            Dataset.from_dict(
                {"x": [[[1.0]], [[2.0]]], "label": [0, 1]},
                features=Features(x=List(List(Value("float32"))), label=Value("int64")),
            ),
            {},
            r"inputs of shape \(1, 1\)",
        ),
        (pd.DataFrame({"a": [1.0, 2], "b": [1.0, 2]}), {}, "no label column"),
    ],
)
def test_what_a_preprocessor_cannot_take_is_said(dataset, options, message):
    with pytest.raises(DataError, match=message):
        dataaudit.preprocessor(dataset, **options)


def test_an_encoder_that_meets_an_unseen_category_says_what_to_do():
    frame = pd.DataFrame(columns())
    encoder = make_column_transformer((OneHotEncoder(), ["colour"]), (SimpleImputer(), ["size"]))
    with pytest.raises(ModelError, match=r"handle_unknown='ignore'") as caught:
        dataaudit.score(make_pipeline(encoder, LogisticRegression()), frame, progress=False, **OPTIONS)
    assert "unknown categories" in caught.value.arrived


def test_categories_without_a_preprocessor_say_what_to_do():
    frame = pd.DataFrame(columns()).drop(index=[3, 5, 7])
    with pytest.raises(ModelError, match=r"dataaudit\.preprocessor"):
        dataaudit.score(RandomForestClassifier(), frame, progress=False, **OPTIONS)


def test_numbers_beside_texts_are_not_taken_unasked():
    dataset = Dataset.from_dict({"idx": [0, 1, 2, 3], "text": list("abcd"), "label": [0, 1, 0, 1]})
    with pytest.raises(DataError, match=r"several possible inputs \('idx', 'text'\)"):
        as_examples(dataset)
    assert as_examples(dataset, inputs="text").read(np.array([1])).tolist() == ["b"]


def test_a_gap_is_no_word():
    filled = as_categories(pd.DataFrame({"colour": ["missing", None, "red"]}))
    assert len(set(filled[:, 0])) == 3
