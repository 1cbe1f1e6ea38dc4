"""Several columns of texts for pipelines of scikit-learn: joined for what takes one text a row, else as they are."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union

import dataaudit
from dataaudit.errors import DataError

N, WRONG = 36, 7
TRUTH = np.arange(N) % 3
GIVEN = np.where(np.arange(N) == WRONG, (TRUTH + 1) % 3, TRUTH)
QUESTIONS = [f"{['rain', 'goal', 'bank'][kind]} q{row}" for row, kind in enumerate(TRUTH)]
ANSWERS = [f"{['wind', 'team', 'loan'][kind]} a{row % 5}" for row, kind in enumerate(TRUTH)]
TABLE = pd.DataFrame({"question": QUESTIONS, "answer": ANSWERS, "label": GIVEN})
JOINED = [f"{one}\n{other}" for one, other in zip(QUESTIONS, ANSWERS, strict=True)]


def score(first, dataset, **options):
    model = make_pipeline(first, LogisticRegression())
    return dataaudit.score(model, dataset, "heldout_confidence", progress=False, **options)


def notes_on_texts(audit):
    return [note for note in audit.settings["notes"] if "joined" in note]


@pytest.mark.parametrize("first", [TfidfVectorizer(), make_union(TfidfVectorizer(), TfidfVectorizer(min_df=2))])
@pytest.mark.parametrize("dataset", [TABLE, (list(zip(QUESTIONS, ANSWERS, strict=True)), GIVEN)], ids=["table", "list"])
def test_what_takes_one_text_a_row_gets_them_joined_which_is_noted(first, dataset):
    audit = score(first, dataset)
    alike = score(first, (JOINED, GIVEN))
    np.testing.assert_array_equal(audit.columns["heldout_confidence"], alike.columns["heldout_confidence"])
    assert len(notes_on_texts(audit)) == 1
    assert not notes_on_texts(alike)
    assert audit.ranking()[0] == WRONG


def test_what_takes_columns_gets_them_by_name():
    first = make_column_transformer((TfidfVectorizer(), "question"), (TfidfVectorizer(), "answer"))
    audit = score(first, TABLE)
    assert audit.ranking()[0] == WRONG
    assert not notes_on_texts(audit)


def test_columns_of_other_values_are_refused_and_each_advice_works():
    mixed = TABLE.assign(size=np.arange(N, dtype=float))
    with pytest.raises(DataError, match="column 'size', which holds no texts") as caught:
        score(TfidfVectorizer(), mixed, label="label")
    assert "inputs=" in caught.value.action
    assert score(TfidfVectorizer(), mixed, label="label", inputs=["question", "answer"]).ranking()[0] == WRONG
    by_column = make_column_transformer((TfidfVectorizer(), "question"), ("passthrough", ["size"]))
    assert len(score(by_column, mixed, label="label")) == N
