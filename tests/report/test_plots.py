"""Figures as matplotlib axes, with the values of the page."""

import numpy as np
import pytest

import dataaudit
from dataaudit.errors import SettingError
from dataaudit.report import plots
from dataaudit.report.sections import Confusion

matplotlib = pytest.importorskip("matplotlib", reason="matplotlib is not installed: nothing is drawn")


@pytest.fixture(autouse=True)
def figures():
    """Drawn without a window, and closed."""
    matplotlib.use("agg")
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")


@pytest.fixture(scope="module")
def audited(noisy):
    inputs, labels, _ = noisy
    names = np.array(["ant", "$bee", "cow"])[labels]
    model = dataaudit.networks.build("mlp", (6,), 3)
    return dataaudit.score(model, (inputs, names), recipe=dataaudit.Recipe(epochs=3, batch_size=32), progress=False)


def test_axes_hold_what_the_audit_says(audited, figures):
    plot = audited.plot
    own = figures.subplots()[1]
    assert plot.confusion(own) is own
    image = own.images[0].get_array()
    assert image.sum() == pytest.approx(audited.noise_rate().pairs["count"].sum())
    bars = [patch.get_height() for patch in plot.scores().patches]
    assert max(bars) <= len(audited)
    assert sum(part.get_height() for part in plot.scores("mean_confidence").patches) >= len(audited)
    assert len(plot.difficulty().collections[0].get_offsets()) == 3
    drawn = np.concatenate([line.get_xydata() for line in plot.data_map().lines])
    dynamics = audited.dynamics
    expected = np.stack([dynamics.variability, dynamics.mean_confidence], 1)
    np.testing.assert_array_equal(np.sort(drawn, 0), np.sort(expected, 0))
    lines = plot.learning_curves().lines
    assert len(lines) == 5
    assert np.mean([line.get_ydata()[-1] for line in lines]) == pytest.approx(dynamics.correct_in(3).mean())
    assert [text.get_text() for text in plot.classes().get_yticklabels()].count(r"\$bee") == 1
    for number in figures.get_fignums():
        figures.figure(number).canvas.draw()


def test_counts_are_read_on_cells_of_any_shade_and_names_have_room(figures):
    counts = np.array([[0.0, 8.0], [30.2, 0.0]])
    drawn = plots.confusion(Confusion("", "", ("a", "b"), counts, ()), plots.axes_for())
    assert [(cell.get_text(), cell.get_color()) for cell in drawn.texts] == [("8.0", "black"), ("30.2", "white")]
    assert drawn.figure.get_layout_engine() is not None


def test_examples_are_drawn_by_class_and_by_what_was_found(audited, figures):
    plot = audited.plot
    texts = [one.get_text() for one in plot.strips().texts]
    assert [text for text in texts if text in ("typical", "middle", "rare")] == ["typical", "middle", "rare"]
    assert {"ant", r"\$bee", "cow"} <= set(texts)
    assert len(texts) == 3 + 3 + 3 * 3 * 4
    rows = audited.outliers(8)["row"]
    assert sum(any(text.get_text().startswith(f"#{row} ") for row in rows) for text in plot.outliers().texts) == 8
    assert len(plot.ambiguous().texts) == 16
    for number in figures.get_fignums():
        figures.figure(number).canvas.draw()
    pictures = np.random.default_rng(0).integers(256, size=(24, 1, 8, 8), dtype=np.uint8)
    pictures[1] = pictures[0]
    audit = dataaudit.score(None, (pictures, np.arange(24) % 2), "parzen/input", progress=False)
    assert len(audit.plot.duplicates().images) == 2
    first = audit.plot.strips().images[0]
    top = np.lexsort((audit.columns["parzen/input"],))[::-1]
    np.testing.assert_array_equal(first.get_array(), pictures[next(at for at in top if at % 2 == 0), 0])


def test_a_figure_of_a_score_names_it(noisy):
    plot = dataaudit.score(None, noisy[:2], "parzen/input", progress=False).plot
    with pytest.raises(SettingError, match="score 'unknown'"):
        plot.scores("unknown")
    assert plot.scores().get_xlabel() == "parzen/input"
