"""Tables with categories and gaps without a model, and beside a pipeline that takes them."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import dataaudit
from dataaudit.errors import DataError

N, WRONG = 200, [0, 1, 2, 3, 4, 5]


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    kind = np.arange(N) % 2
    frame = pd.DataFrame({"size": rng.normal(size=N) + 5 * kind, "colour": np.array(["red", "blue"])[kind]})
    frame["shape"] = rng.choice(list("abc"), N)
    frame["label"] = np.where(np.isin(np.arange(N), WRONG), 1 - kind, kind)
    frame.loc[9, "size"] = np.nan
    frame.loc[10, "shape"] = None
    frame.loc[11, "size"] = 90.0
    return frame.set_axis([f"r{row}" for row in range(N)])


@pytest.fixture(scope="module", params=["none", "pipeline"])
def audit(request, frame):
    model = make_pipeline(dataaudit.preprocessor(frame, label="label"), LogisticRegression())
    return dataaudit.score(None if request.param == "none" else model, frame, label="label", progress=False)


def test_planted_errors_are_found(audit):
    assert set(audit.mislabeled(count=6)["row"]) == set(WRONG)
    assert set(audit.mislabeled(count=6)["index"]) == {f"r{row}" for row in WRONG}


def test_findings_and_new_rows_are_answered(audit, frame):
    assert audit.outliers(1)["index"].tolist() == ["r11"]
    twins = pd.concat([frame, frame.iloc[[20]].rename({"r20": "twin"})])
    found = dataaudit.score(None, twins, "parzen/input", label="label", progress=False).duplicates(0.0)
    assert {"r20", "twin"} <= set(found["index"])
    assert len(audit.ambiguous(3, by="input")) == 3
    new = pd.DataFrame({"size": [0.0, 500.0, None], "colour": ["red", "red", "green"], "shape": ["a", "a", None]})
    novelty = audit.score_new(new, progress=False)["novelty"]
    assert novelty.iloc[0] < 3 < novelty.iloc[1]


def test_what_was_prepared_is_noted(frame):
    notes = dataaudit.score(None, frame, label="label", progress=False).settings["notes"]
    assert notes == [
        "1 numeric column standardised, 2 columns of categories one-hot encoded; gaps filled by medians and marked: 1"
    ]


def test_free_text_among_columns_is_refused_with_what_helps(frame):
    frame = frame.assign(remark=[f"remark {row}" for row in range(N)])
    with pytest.raises(DataError, match="200 different texts") as refused:
        dataaudit.score(None, frame, label="label", progress=False)
    assert "exclude='remark'" in refused.value.action
    assert len(dataaudit.score(None, frame, label="label", exclude="remark", progress=False)) == N
