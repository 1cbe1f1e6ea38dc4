"""Figures of an audit's page as matplotlib axes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dataaudit.audit import report_sections as sections
from dataaudit.common.guest import settled
from dataaudit.errors import SettingError
from dataaudit.report import plots
from dataaudit.report.sections import Few

if TYPE_CHECKING:
    from dataaudit.audit.findings import Findings

OF_EPOCHS = (
    "training dynamics",
    "an audit of two training epochs or more",
    "score with a torch module and recipe=Recipe(epochs=10), or pass a Recorder of such epochs",
)
"""What figures of training show, what they need, and how to get it."""


class Plots:
    """Figures of an audit, those of its page; each method draws on `ax`, or on new axes, and returns them.

    They need the extra ``plots``. A figure for which the audit has no evidence is a `SettingError`.
    """

    def __init__(self, audit: Findings) -> None:
        self._audit = audit

    @settled()
    def confusion(self, ax: Any = None) -> Any:
        """Draw the estimated number of wrong labels by given and suggested label, as `noise_rate` says."""
        self._audit._known_errors()
        made = self._first(
            sections.confusion(self._audit), "errors by pair", "classes that are confused", "draw scores()"
        )
        return plots.confusion(made, plots.axes_for(ax))

    @settled()
    def scores(self, score: str | None = None, ax: Any = None) -> Any:
        """Draw the histogram of a score, by default the one that ranks; examples with another suggestion stand out."""
        name = self._audit._named(score)
        whole = sections.spread(self._audit)
        return plots.spread(replace(whole, columns={name: whole.columns[name]}), plots.axes_for(ax))

    @settled()
    def classes(self, ax: Any = None) -> Any:
        """Draw quantiles of the default score class by class, the hardest on top."""
        return plots.classes(sections.listed(self._audit, self._by_class()), plots.axes_for(ax))

    @settled()
    def difficulty(self, ax: Any = None) -> Any:
        """Draw mean against deviation of the default score, a dot a class."""
        found = sections.difficulty(self._audit, self._by_class())
        made = self._first(found, "classes by difficulty", "three classes with scores", "draw classes()")
        return plots.points(made, plots.axes_for(ax))

    @settled()
    def data_map(self, ax: Any = None) -> Any:
        """Draw confidence against variability, a dot an example."""
        made = self._first(sections.data_map(self._audit), *OF_EPOCHS)
        return plots.crowd(made, plots.axes_for(ax))

    @settled()
    def learning_curves(self, ax: Any = None) -> Any:
        """Draw the share of examples that are right, epoch by epoch, by fifths of a score."""
        made = self._first(sections.curves(self._audit), *OF_EPOCHS)
        return plots.curves(made, plots.axes_for(ax))

    @settled()
    def strips(self, ax: Any = None) -> Any:
        """Draw typical, middle and rare examples of each class; the audit needs its data set."""
        found = sections.strips(self._audit, self._audit._examples)
        made = self._first(found, "examples", "a data set at hand", "score again, or write report() with dataset=")
        return plots.strips(made, plots.axes_for(ax))

    @settled()
    def ambiguous(self, ax: Any = None) -> Any:
        """Draw the examples that are most between two classes over the epochs of training."""
        return self._findings("Ambiguous", *OF_EPOCHS, ax)

    @settled()
    def outliers(self, ax: Any = None) -> Any:
        """Draw the examples that are furthest from everything, where the page shows them."""
        return self._findings(
            "Outliers",
            "outliers",
            "neighbours among the inputs, or at most 3000 examples at hand",
            "look at the table of outliers(), with dataset= where the audit was loaded",
            ax,
        )

    @settled()
    def duplicates(self, ax: Any = None) -> Any:
        """Draw examples that are nearly the same, where the page shows some."""
        return self._findings(
            "Duplicates",
            "duplicates",
            "some, among at most 3000 examples at hand",
            "look at the table of duplicates(), with dataset= where the audit was loaded",
            ax,
        )

    def _findings(self, title: str, missing: str, expected: str, action: str, ax: Any) -> Any:
        found = sections.findings(self._audit, self._audit._examples)
        wanted = [part for part in found if isinstance(part, Few) and part.title.startswith(title)]
        return plots.few(self._first(wanted, missing, expected, action), plots.axes_for(ax))

    def _by_class(self) -> sections.ClassScores:
        found = sections.ClassScores(self._audit, self._audit.default)
        if not found.count.any():
            raise SettingError(
                f"an audit without a value of {self._audit.default}",
                "scores of some examples",
                "score again with scorers='auto'",
            )
        return found

    def _first(self, found: list[Any], missing: str, expected: str, action: str) -> Any:
        if not found:
            raise SettingError(f"a figure of {missing}, which this audit has none of", expected, action)
        return found[0]
