"""Figures of a page: what they show is what Python says."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import dataaudit
from dataaudit.audit.report import page_of
from dataaudit.data import as_examples
from dataaudit.report.charts import Axes, map_of, span
from dataaudit.report.html import rendered
from dataaudit.report.sections import Confusion


@pytest.fixture(scope="module")
def audited(noisy):
    inputs, labels, _ = noisy
    names = np.array(["ant", "bee", "cow"])[labels]
    model = dataaudit.networks.build("mlp", (6,), 3)
    return dataaudit.score(model, (inputs, names), recipe=dataaudit.Recipe(epochs=4, batch_size=32), progress=False)


def numbers(browsed, selector):
    return [float(cell.text) for cell in browsed.all(selector) if cell.text]


def test_figures_of_the_page_are_those_of_the_audit(audited, opened_page):
    browsed = opened_page(audited)
    rate = audited.noise_rate()
    assert browsed.text(".headline") == str(rate).splitlines()[0] + "."
    cells = np.array(numbers(browsed, ".confusion td"))
    assert cells.sum() == pytest.approx(rate.pairs["count"].sum(), abs=0.1 * len(cells) + 0.05 * 9)
    assert rate.pairs["count"].sum() == pytest.approx(rate.rate * len(audited))
    first = rate.pairs.iloc[0]
    assert browsed.text(".pairs li").startswith(
        f"{first['given']} → {first['suggested']}: {first['count']:.1f} examples"
    )

    scores = pd.DataFrame({"label": audited.labels, "score": audited.columns[audited.default]})
    by_class = scores.groupby("label")["score"].agg(["size", "mean", lambda values: values.std(ddof=0)])
    flagged = audited.mislabeled()["given"].value_counts()
    for row in browsed.all("#section-3 tbody tr"):
        name, *shown = row.text.split()
        size, mean, deviation = by_class.loc[audited.class_names.index(name)]
        assert list(map(float, shown)) == [
            size,
            flagged.get(name, 0),
            float(f"{mean:.3g}"),
            float(f"{deviation:.3g}"),
        ]
    first = audited.mislabeled().iloc[0]
    assert f"#{first['row']}" in browsed.text(".example h3")
    assert browsed.text(".example .given") == first["given"]
    assert browsed.text(".example .suggested") == first["suggested"]
    assert f"{len(audited.mislabeled()):,} of the 300 examples" in browsed.text("header")
    assert not browsed.complaints()


def test_groups_of_a_class_are_its_highest_middle_and_lowest(audited, noisy):
    page = page_of(audited, as_examples(noisy[:2]))
    strips = next(section for section in page.sections if section.title.startswith("Typical"))
    values = audited.columns[re.search("By (.*?):", strips.note)[1]]
    for name, groups in strips.classes:
        members = np.sort(values[audited.labels == audited.class_names.index(name)])
        shown = [[values[row] for row, _ in group] for group in groups]
        assert shown[0] == members[::-1][:4].tolist()
        assert shown[2] == members[:4].tolist()
        assert shown[1] == members[len(members) // 2 - 2 : len(members) // 2 + 2].tolist()


def test_an_audit_that_knows_nothing_has_a_page_that_says_so(noisy):
    audit = dataaudit.score(None, noisy[:2], "parzen/input", progress=False)
    text = rendered(page_of(audit, None))
    assert "How many labels are wrong is not known" in text
    assert "Data map" not in text
    assert "Not looked for here" in text


def test_labels_and_scores_that_are_not_known_are_left_out(audited):
    labels = np.where(np.arange(300) < 7, -1, audited.labels)
    columns = {name: np.where(np.arange(300) % 5, values, np.nan) for name, values in audited.columns.items()}
    text = rendered(page_of(replace(audited, labels=labels, columns=columns, _examples=None), None))
    assert "Class by class" in text
    assert ">nan<" not in text
    empty = replace(audited, columns={name: np.full(300, np.nan) for name in columns}, _examples=None)
    assert "300 without" in rendered(page_of(empty, None))


def test_lines_leave_gaps_and_crowds_count_what_is_known():
    axes = Axes("epoch", "share", (0.0, 3.0), (0.0, 1.0))
    axes.line(np.arange(4.0), np.array([0.0, np.nan, 0.5, 1.0]), 2)
    way = re.search('curve-2" d="(.*?)"', axes.drawing("said"))[1]
    assert way.count("M") == 2
    assert way.count("L") == 1
    x, y = np.array([0.0, 1.0, np.nan, 1.0]), np.array([0.0, 1.0, 2.0, np.nan])
    drawn = map_of(x, y, np.array([True, False, False, False]), "x", "y", "a <b> & c")
    assert drawn.count('class="plain"') == drawn.count('class="marked"') == 1
    assert "a &lt;b&gt; &amp; c" in drawn
    assert span(np.full(3, np.nan)) == (0.0, 1.0)
    assert span(np.full(3, 2.0)) == (1.5, 2.5)


def test_cells_of_a_confusion_are_darker_the_more_they_count():
    counts = np.array([[0.0, 8.0, 0.01], [2.0, 0.0, 30.2], [0.0, 0.0, 0.0]])
    rows = dict(Confusion("", "", ("a", "b", "c"), counts, ()).cells())
    assert [text for text, _, _ in rows["a"]] == ["", "8.0", ""]
    assert [text for text, _, _ in rows["b"]] == ["2.0", "", "30"]
    assert rows["b"][2][1] > rows["a"][1][1] > rows["b"][0][1] > rows["a"][2][1] == 0


def test_the_call_on_the_page_can_be_made_again(audited, noisy):
    code = page_of(audited, None).code
    inputs, labels, _ = noisy
    names = {
        "model": dataaudit.networks.build("mlp", (6,), 3),
        "dataset": (inputs, np.array(["ant", "bee", "cow"])[labels]),
    }
    exec(code.replace("import dataaudit", "").rsplit("audit.report", 1)[0], {"dataaudit": dataaudit, **names}, names)
    again = names["audit"]
    assert again.settings["recipe"] == audited.settings["recipe"]
    np.testing.assert_array_equal(again.ranking(), audited.ranking())
