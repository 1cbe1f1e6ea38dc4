"""Neighbours that are saved with an audit answer later questions."""

import numpy as np
import pandas as pd
import pytest

import dataaudit
from dataaudit import Audit
from dataaudit.errors import DataError, SettingError


def _refused(*arguments, **options):
    raise AssertionError("searched again")


QUESTIONS = {
    "outliers": lambda audit, **options: audit.outliers(20, "input", **options),
    "duplicates": lambda audit, **options: audit.duplicates(**options),
    "ambiguous": lambda audit, **options: audit.ambiguous(20, "input", **options),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_saved_neighbours_answer_without_a_search_or_the_data(data, of_inputs, tmp_path, monkeypatch, question):
    expected = QUESTIONS[question](of_inputs)
    loaded = Audit.load(of_inputs.save(tmp_path / "audit", neighbours=True))
    monkeypatch.setattr("dataaudit.neighbours.compute.neighbour_graph", _refused)
    for options in ({}, {"dataset": data}):
        found = QUESTIONS[question](loaded, **options)
        pd.testing.assert_frame_equal(found, expected)
        assert found.attrs == expected.attrs


def test_hidden_neighbours_that_were_found_are_saved(of_network, tmp_path):
    loaded = Audit.load(of_network.save(tmp_path / "audit", neighbours=True))
    pd.testing.assert_frame_equal(loaded.outliers(9, "hidden"), of_network.outliers(9, "hidden"))
    assert Audit.load(loaded.save(tmp_path / "again", neighbours=True)).outliers(9)["row"].tolist()[0] == 0


def test_neighbours_that_nobody_found_are_not_saved(loaded, data, tmp_path):
    with pytest.raises(DataError, match="neighbours=True for an audit without its data set"):
        loaded.save(tmp_path / "other", neighbours=True)
    loaded.duplicates(dataset=data)
    again = Audit.load(loaded.save(tmp_path / "other", neighbours=True))
    assert again.duplicates()["row"].tolist()[:2] == [1, 2]
    with pytest.raises(DataError, match="without its data set"):
        again.outliers(3)
    with pytest.raises(SettingError, match="neighbours='yes'"):
        again.save(tmp_path / "other", neighbours="yes")


@pytest.mark.parametrize("n", [2, 3])
def test_neighbours_of_few_rows_come_back(n, tmp_path):
    audit = dataaudit.score(None, (np.arange(6.0).reshape(6, 1)[:n], [0, 1, 0][:n]), "density/input", progress=False)
    loaded = Audit.load(audit.save(tmp_path / "audit", neighbours=True))
    assert loaded.outliers(9)["row"].tolist() == audit.outliers(9)["row"].tolist()


def test_a_report_of_a_loaded_audit_shows_what_saved_neighbours_say(of_inputs, data, tmp_path):
    loaded = Audit.load(of_inputs.save(tmp_path / "audit", neighbours=True))
    page = loaded.report(tmp_path / "page.html").read_text()
    assert "Not looked for here" not in page
    assert (
        "Not looked for here" in Audit.load(of_inputs.save(tmp_path / "bare")).report(tmp_path / "b.html").read_text()
    )
