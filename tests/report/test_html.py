import json
import os
import re
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dataaudit
from dataaudit.audit.report import page_of
from dataaudit.data import as_examples
from dataaudit.errors import ModelError, StorageError
from dataaudit.report import review
from dataaudit.report.html import LISTED, rendered, write_report
from dataaudit.report.page import Section
from dataaudit.report.review import SMALL, Card, Review, content, embedded


class Page(HTMLParser):
    """Texts and tags of a page; fails on tags that are not closed."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.open, self.text = [], [], ""
        self.feed(Path(path).read_text("utf-8"))
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "img", "rect", "line", "path", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data if "script" not in self.open and "style" not in self.open else ""


def embedded_data(path):
    """What the page's script reads."""
    return json.loads(
        re.search(r'<script type="application/json" id="data">(.*?)</script>', path.read_text("utf-8"))[1]
    )


def listed(path):
    """The part of a page in which examples stand for those without scripts."""
    return path.read_text("utf-8").split('<div class="listed">')[1].split('<section id="section-1"')[0]


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(0)
    images = rng.integers(256, size=(80, 1, 8, 8), dtype=np.uint8)
    names = np.array(["<script>alert(1)</script>", "b&b"])[np.arange(80) % 2]
    model = dataaudit.networks.build("mlp", (1, 8, 8), 2)
    recipe = dataaudit.Recipe(epochs=3)
    return images, names, dataaudit.score(model, (images, names), recipe=recipe, progress=False)


def test_a_page_with_pictures(pictures, tmp_path):
    _, _, audit = pictures
    path = audit.report(tmp_path / "report.html")
    page, data = Page(path), embedded_data(path)
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert listed(path).count("<img ") == LISTED
    assert all(image["src"].startswith("data:image/png;base64,") for image in images)
    assert [attributes for tag, attributes in page.tags if tag == "script"] == [
        {"type": "application/json", "id": "data"},
        {},
    ]
    assert "<script>alert(1)</script>" in page.text
    assert not [a for _, a in page.tags if str(a.get("src", a.get("href", "data:"))).startswith("http")]
    for name in audit.columns:
        assert name in page.text
    order = np.argsort(-audit.error_probability(), kind="stable")
    assert [card[0] for card in data["cards"]] == order.tolist()
    for index in order[:LISTED]:
        assert f"#{index}" in page.text
    assert data["about"]["header"]["class_names"] == list(audit.class_names)
    assert [item.name for item in tmp_path.iterdir()] == ["report.html"]


def test_a_page_shows_the_rows_that_are_asked_for(pictures, tmp_path):
    _, _, audit = pictures

    def shown(rows):
        cards = embedded_data(audit.report(tmp_path / "report.html", rows=rows))["cards"]
        return [(card[0], card[7], card[8]) for card in cards]

    assert shown([7, 3]) == [(7, None, None), (3, None, None)]
    assert [row for row, _, _ in shown(5)] == np.argsort(-audit.error_probability(), kind="stable")[:5].tolist()
    queue = pd.DataFrame({"row": [9, 2], "place": pd.array([1, pd.NA], "Int64"), "chance": [0.1, np.nan]})
    assert shown(queue) == [(9, 1, 0.1), (2, None, None)]
    if audit.noise_rate().known:
        assert [row for row, _, _ in shown("flagged")] == audit.mislabeled()["row"].tolist()
    else:
        with pytest.raises(ModelError, match="does not know how many"):
            shown("flagged")
    assert shown(audit.mislabeled(count=2).iloc[:0]) == []


def test_as_many_examples_as_fit_are_shown_and_the_page_says_so(pictures):
    cards = [Card(at, 0, 1, 0.5, shown="x" * 1000) for at in range(100)]
    page = replace(
        page_of(pictures[2], None), review=Review({"class_names": ["a", "b"]}, "m", cards, 100, True, "s", 20_000)
    )
    text = rendered(page)
    shown = text.count('"text":')
    assert 15 < shown < 20
    assert f"{shown} examples, the most suspicious first: of 100 that were asked for" in text


def test_a_page_without_the_data_set_says_so(pictures, tmp_path):
    page = Page(write_report(page_of(pictures[2], None), tmp_path / "report.html"))
    assert "not at hand" in page.text
    assert "img" not in [tag for tag, _ in page.tags]


def test_scores_that_are_missing_are_counted(pictures, tmp_path):
    audit = pictures[2]
    broken = {name: np.where(np.arange(80) < 5, np.nan, column) for name, column in audit.columns.items()}
    broken["nothing"] = np.full(80, np.nan)
    broken["bottomless"] = np.where(np.arange(80) < 7, -np.inf, 1.0)
    page = Page(write_report(page_of(replace(audit, columns=broken), None), tmp_path / "report.html"))
    assert "(5 without)" in page.text
    assert "(80 without)" in page.text
    assert "(7 without)" in page.text


def test_a_page_of_a_table_shows_its_values(tmp_path):
    frame = pd.DataFrame({"length": np.arange(40.0), "width": np.arange(40) % 7, "label": ["a", "b"] * 20})
    recipe = dataaudit.Recipe(epochs=2)
    model = dataaudit.networks.build("mlp", (2,), 2)
    audit = dataaudit.score(model, frame, recipe=recipe, progress=False)
    text = Page(audit.report(tmp_path / "report.html")).text
    assert "length" in text
    assert "width" in text


def test_what_is_shown_is_cut_where_it_is_very_long():
    assert content("x" * 100_001) == {"text": "x" * 100_000 + " … and 1 more characters"}
    assert content(np.arange(202.0))["values"][-2:] == [["199", "199"], ["", "and 2 more"]]
    assert content({"note": "a text"}) == {"text": "a text"}
    assert content({"income": 123456.5}) == {"values": [["income", "123456"]]}
    assert content({str(i): i for i in range(201)})["values"][-1] == ["", "and 1 more"]
    assert content("x" * 301, SMALL) == {"text": "x" * 300 + " … and 1 more characters"}
    assert len(content(np.arange(9.0), SMALL)["values"]) == 9
    assert content(np.zeros((32, 32, 3), np.uint8), SMALL)["image"].startswith("data:image/jpeg")
    assert content(np.zeros((32, 32), np.uint8), SMALL)["image"].startswith("data:image/png")


@given(value=st.recursive(st.text() | st.none() | st.integers(), st.lists))
def test_values_stand_in_a_page_whatever_they_are(value):
    spelled = embedded(value)
    assert not set(spelled) & set("<>&\u2028\u2029")
    assert json.loads(spelled.encode()) == value


def test_a_page_that_cannot_be_written_leaves_nothing(pictures, tmp_path, monkeypatch):
    audit = pictures[2]
    with pytest.raises(StorageError, match="cannot be written"):
        audit.report(tmp_path / "absent" / "report.html")
    for no_file in (".", "/"):
        with pytest.raises(StorageError, match="name of a file"):
            audit.report(no_file)
    with pytest.raises(StorageError, match="cannot be written"):
        audit.report(tmp_path)
    (tmp_path / "report.html").write_text("old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        audit.report(tmp_path / "report.html")
    assert [item.name for item in tmp_path.iterdir()] == ["report.html"]
    assert (tmp_path / "report.html").read_text() == "old"


def test_a_page_takes_the_place_of_a_link(pictures, tmp_path):
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "report.html").symlink_to(tmp_path / "precious")
    pictures[2].report(tmp_path / "report.html")
    assert (tmp_path / "precious").read_text() == "mine"
    assert not (tmp_path / "report.html").is_symlink()


def test_an_examples_object_can_be_shown(pictures, tmp_path):
    images, names, audit = pictures
    path = write_report(page_of(audit, as_examples((images, names)), 3, "Mine"), tmp_path / "report.html")
    assert listed(path).count("<img ") == 3
    assert Page(path).text.strip().startswith("Mine")


@dataclass(frozen=True)
class Words(Section):
    words: tuple[str, ...]
    template = "<ul>{% for word in section.words %}<li>{{ word }}</li>{% endfor %}</ul>"


def test_a_section_brings_its_values_and_its_template(pictures, tmp_path):
    page = page_of(pictures[2], None)
    words = Words("Own <title>", "A & note.", ("<script>alert(2)</script>", "b"))
    shown = Page(write_report(replace(page, sections=(*page.sections, words)), tmp_path / "report.html"))
    tags = [tag for tag, _ in shown.tags]
    assert "<li>&lt;script&gt;alert(2)&lt;/script&gt;</li><li>b</li>" in (tmp_path / "report.html").read_text("utf-8")
    assert tags.count("script") == 2
    for text in (words.title, words.note, *words.words):
        assert text in shown.text


def test_nearest_examples_stand_beside_as_many_as_there_is_room_for(pictures, monkeypatch):
    images, names, audit = pictures
    page = page_of(audit, as_examples((images, names)), 10)
    records = [record for record, _ in page.review.records()]
    assert page.review.alike == "by the last layer of the model"
    for record in records:
        beside = record[-1]
        assert [len(side) for side in beside] == [3, 3 if record[2] >= 0 else 0]
        assert {audit.labels[row] for row, _ in beside[0]} == {record[1]}
        assert record[0] not in [row for row, _ in beside[0]]
    room = len(embedded(records[0][-1])) + 1
    monkeypatch.setattr(review, "BESIDE", room)
    again = page_of(audit, as_examples((images, names)), 10).review
    assert [record[-1] is not None for record, _ in again.records()] == [True] * 2 + [False] * 8
    assert page_of(audit, None, 10).review.alike == ""
