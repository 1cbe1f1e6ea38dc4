"""The result: what every example scored, how it came about, and what to look at first."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dataaudit.audit.exports import Exports
from dataaudit.audit.findings import Findings
from dataaudit.audit.label_errors import LabelDecisions
from dataaudit.audit.weights import TrainingWeights
from dataaudit.common.types import FloatArray, IntArray
from dataaudit.dynamics.summary import Dynamics
from dataaudit.errors import SettingError, did_you_mean
from dataaudit.evidence.agreement import SHARES, Agreement
from dataaudit.labels.label_errors import LabelErrors
from dataaudit.scores.base import Uncertainty

if TYPE_CHECKING:
    from dataaudit.data.examples import Examples
    from dataaudit.evidence.base import Evidence
    from dataaudit.evidence.trained import TrainedModel


@dataclass(frozen=True, eq=False, repr=False)
class Audit(LabelDecisions, Exports, Findings, TrainingWeights):
    """Scores of every example of a labelled data set; made by `dataaudit.score`.

    Attributes
    ----------
    columns
        Values by score name, float64 [n] each, higher = more regular, NaN where an example has no score.
    ties
        What orders examples of equal score, by score name, float64 [n].
    labels
        Given labels, int64 [n], positions in `class_names`.
    class_names
        Class names as the data set spells them, [C].
    default
        Score that ranks when none is named.
    suggested
        Class the model believes in, int64 [n], -1 where nothing is known.
    margin
        Logit of the given label minus the largest other logit, mean over epochs where there are any, [n].
    settings
        Seed, model, recipe, device, precision, engine, versions, fingerprint of the data, notes.
    timings
        Seconds by stage.
    dynamics
        Training dynamics with their per-epoch matrices, or None.
    uncertainties
        Standard errors, intervals, numbers of holdouts and reliability, by name of those scores that are estimates.
    judgement
        Estimated rate of label errors and the probability of each; None where nothing says what class an example is of.
    """

    columns: Mapping[str, FloatArray]
    ties: Mapping[str, FloatArray]
    labels: IntArray
    class_names: tuple[str, ...]
    default: str
    suggested: IntArray
    margin: FloatArray
    settings: dict[str, Any]
    timings: dict[str, float]
    dynamics: Dynamics | None = None
    uncertainties: Mapping[str, Uncertainty] = field(default_factory=dict)
    judgement: LabelErrors | None = None
    _examples: Examples | None = field(default=None)
    # What scoring found and trained, for later questions; neither is saved.
    _evidence: Evidence | None = field(default=None)
    _model: TrainedModel | None = field(default=None)

    def __len__(self) -> int:
        """Number of examples n."""
        return len(self.labels)

    @property
    def rows(self) -> IntArray:
        """Rows of the data set that were audited, int64 [n], ascending: all but those that were dropped as unusable.

        Tables of this audit name these rows as ``index``; its arrays [n] hold their values in this order.
        """
        dropped = np.asarray(self.settings.get("dropped_rows", ()), np.int64)
        return np.delete(np.arange(len(self.labels) + len(dropped), dtype=np.int64), dropped)

    @property
    def scores(self) -> pd.DataFrame:
        """One row an example, a column a score, float64 [n, s], higher = more regular; indexed by `rows`.

        A fresh frame at every access: changing it changes nothing here.
        """
        return pd.DataFrame(dict(self.columns), index=self._index)

    @property
    def _index(self) -> pd.Index:
        return pd.Index(self.rows, name="index")

    @property
    def reliability(self) -> dict[str, float]:
        """Split-half reliability (Spearman-Brown) of every score that is an estimate; NaN from too few runs.

        No other score can be expected to correlate with an estimate of reliability r by more than about sqrt(r).
        """
        return {name: known.reliability for name, known in self.uncertainties.items()}

    def uncertainty(self, by: str | None = None) -> pd.DataFrame:
        """Return how far a score is known.

        Parameters
        ----------
        by
            A score that is an estimate; `default` if None.

        Returns
        -------
        DataFrame
            One row an example, indexed by `rows`: score, stderr, lower and upper (95 % interval), holdouts (how often
            it was held out; of a sampled density, members of its sample).

        Raises
        ------
        SettingError
            If there is no such score, or it is no estimate.
        """
        name = self._named(by)
        if name not in self.uncertainties:
            raise SettingError(
                f"the uncertainty of {name!r}", "a score that is an estimate", did_you_mean(name, self.uncertainties)
            )
        known = self.uncertainties[name]
        columns = {field: getattr(known, field) for field in ("stderr", "lower", "upper", "holdouts")}
        return pd.DataFrame({"score": self.columns[name], **columns}, index=self._index)

    def ranking(self, by: str | None = None) -> IntArray:
        """Positions of all examples in this audit, int64 [n], most suspicious first.

        Where rows were dropped, ``audit.rows[audit.ranking()]`` are their rows in the data set.

        Parameters
        ----------
        by
            Score to rank by; `default` if None. Equal values are ordered by the score's own ties, then by
            position; examples without a score come last.

        Raises
        ------
        SettingError
            If there is no such score.
        """
        name = self._named(by)
        values = self.columns[name]
        ties = self.ties.get(name, np.zeros(len(values)))
        return np.lexsort((ties, values, np.isnan(values))).astype(np.int64)

    def _named(self, by: str | None) -> str:
        name = self.default if by is None else by
        if not isinstance(name, str) or name not in self.columns:
            raise SettingError(f"score {name!r}", "a score of this audit", did_you_mean(name, self.columns))
        return name

    def suspects(self, k: int = 20, by: str | None = None) -> pd.DataFrame:
        """Return the `k` most suspicious examples.

        Parameters
        ----------
        k
            How many; all examples if there are fewer.
        by
            As in `ranking`.

        Returns
        -------
        DataFrame
            index (row of the data set), given (label), suggested (label; blank where it equals the given or nothing is
            known), score, margin.

        Raises
        ------
        SettingError
            If `k` is not a whole number of at least 1, or there is no such score.
        """
        if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
            raise SettingError(f"k={k!r}", "a whole number of at least 1", "pass suspects(k=20)")
        name = self._named(by)
        chosen = self.ranking(name)[:k]
        names = np.asarray(self.class_names, dtype=object)
        given, suggested = self.labels[chosen], self.suggested[chosen]
        other = (suggested >= 0) & (suggested != given)
        return pd.DataFrame(
            {
                "index": self.rows[chosen],
                "given": names[given],
                "suggested": np.where(other, names[suggested], ""),
                "score": self.columns[name][chosen],
                "margin": self.margin[chosen],
            }
        )

    def report(
        self,
        path: str | Path,
        dataset: Any = None,
        *,
        split: str | None = None,
        label: str | None = None,
        inputs: str | list[str] | None = None,
        transform: Callable[[Any], Any] | None = None,
    ) -> Path:
        """Write a page with the worst examples, their labels and the histograms of all scores.

        Parameters
        ----------
        path
            File to write; its folder must exist.
        dataset
            The audited data set, for the pictures of an audit that was loaded from disk; an audit that was
            just made remembers its own. Its fingerprint is checked.
        split, label, inputs, transform
            As in `dataaudit.score`.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        DataError
            If `dataset` is not the audited one.
        StorageError
            If the file cannot be written.
        """
        from dataaudit.report.html import write_report

        examples = self._examples
        if dataset is not None:
            examples = self._recognised(dataset, split, label, inputs, transform)
        return write_report(self, examples, path)

    def save(self, folder: str | Path) -> Path:
        """Save as Parquet and JSON in `folder`, which then is a whole audit or what it was before.

        Raises
        ------
        StorageError
            If the folder holds anything but an audit, or cannot be written.
        """
        from dataaudit.audit.storage import save

        kept = {one.name: getattr(self, one.name) for one in fields(self) if not one.name.startswith("_")}
        return save({"label_errors": kept.pop("judgement"), **kept}, folder)

    @classmethod
    def load(cls, folder: str | Path) -> Audit:
        """Load what `save` wrote.

        Raises
        ------
        StorageError
            If the folder is not an audit, or a file of it is missing or damaged.
        """
        from dataaudit.audit.storage import load

        kept = load(folder)
        return cls(judgement=kept.pop("label_errors"), **kept)

    @property
    def agreement(self) -> Agreement:
        """Shares of the labels that the model agrees with: trained on them, shown mirrored, and held out."""
        found = self.settings.get("agreement", {})
        return Agreement(*(found.get(name) for name in SHARES))

    def _facts(self) -> list[tuple[str, str]]:
        settings = self.settings
        shown = [name for name in self.columns if name != self.default]
        return [
            ("model", f"{settings.get('model')}, seed {settings.get('seed')}, on {settings.get('device')}"),
            ("default score", f"{self.default} (higher = more regular)"),
            ("other scores", ", ".join(shown) or "none"),
            *([("label errors", str(self.noise_rate()).splitlines()[0])] if self.judgement is not None else []),
            *([("labels it agrees with", str(self.agreement))] if str(self.agreement) else []),
            ("time", f"{self.timings.get('total', 0.0):.1f} s"),
            *(("note", note) for note in settings.get("notes", [])),
        ]

    def __repr__(self) -> str:
        import textwrap

        lines = [f"Audit of {len(self)} examples in {len(self.class_names)} classes"]
        for name, text in self._facts():
            lines += textwrap.wrap(f"{name}: {text}", 96, initial_indent="  ", subsequent_indent="    ")
        table = self.suspects(5).to_string(index=False, max_colwidth=24, float_format="{:.4g}".format)
        return "\n".join([*lines, "  most suspicious:", textwrap.indent(table, "    ")])

    def _repr_html_(self) -> str:
        facts = "".join(f"<dt>{html.escape(n)}</dt><dd>{html.escape(t)}</dd>" for n, t in self._facts())
        table = self.suspects(10).to_html(index=False, float_format="{:.4g}".format)
        title = f"Audit of {len(self)} examples in {len(self.class_names)} classes"
        return f"<div><b>{title}</b><dl>{facts}</dl>{table}</div>"
