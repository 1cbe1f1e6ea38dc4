"""Scores of every example, and how they rank: the fields of an audit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dataaudit.common import checks
from dataaudit.common.types import AnyArray, FloatArray, IntArray
from dataaudit.data.identity import ROW, beside, row_index
from dataaudit.dynamics.summary import Dynamics
from dataaudit.errors import SettingError
from dataaudit.evidence.agreement import SHARES, Agreement
from dataaudit.labels.label_errors import LabelErrors
from dataaudit.scores.base import Uncertainty

if TYPE_CHECKING:
    from dataaudit.data.examples import Examples
    from dataaudit.evidence.base import Evidence
    from dataaudit.evidence.trained import TrainedModel
    from dataaudit.neighbours.base import NeighbourSearch


COLUMNS = (
    *(ROW, "given", "suggested", "probability", "reason", "explanation", "score", "margin", "label", "class"),
    *("group", "differing"),
    *("distance", "nearest", "usual", "first", "second", "first_probability", "second_probability"),
    *("novelty", "nearest_distance", "predicted", "max_confidence", "confidence"),
)
"""Columns of tables beside the scores; rows cannot be named so."""


@dataclass(frozen=True, eq=False, repr=False)
class Scored:
    """Fields of `dataaudit.Audit`, which says what each of them holds.

    Beside these it keeps, for later questions: the data set (`_examples`), the trained model (`_model`), the search of
    neighbours as it was passed (`_search`), and what was computed from the data set since (`_kept`): vectors of texts,
    neighbours. None of them is saved, nor is the evidence.
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
    label_errors: LabelErrors | None = None
    evidence: Evidence | None = None
    identity: pd.Index | None = None
    _examples: Examples | None = field(default=None)
    _model: TrainedModel | None = field(default=None)
    _search: str | NeighbourSearch | None = field(default=None)
    _kept: dict[Any, Any] = field(default_factory=dict)

    def __getstate__(self) -> dict[str, Any]:
        """State for another process, which computes again what was computed from the data set."""
        return {**self.__dict__, "_kept": {}}

    def __len__(self) -> int:
        """Number of examples n."""
        return len(self.labels)

    @property
    def rows(self) -> IntArray:
        """Rows of the data set that were audited, int64 [n], ascending: all but those that were dropped as unusable.

        Tables of this audit name these rows as ``row``, and beside it as the data set does, see `identity`; its arrays
        [n] hold their values in this order.
        """
        dropped = np.asarray(self.settings.get("dropped_rows", ()), np.int64)
        return np.delete(np.arange(len(self.labels) + len(dropped), dtype=np.int64), dropped)

    @property
    def scores(self) -> pd.DataFrame:
        """One row an example, a column a score, float64 [n, s], higher = more regular.

        Indexed by ``row`` and, where the data set names its rows, by these names: ``scores.droplevel("row")`` then has
        the index of the data set.

        A fresh frame at every access: changing it changes nothing here.
        """
        return pd.DataFrame(dict(self.columns), index=self._index)

    @property
    def _index(self) -> pd.Index:
        return row_index(self.identity, self.rows)

    def _row_columns(self, positions: IntArray) -> dict[str, Any]:
        """Columns of a table that say which rows of the data set the examples at `positions` are."""
        return {ROW: self.rows[positions], **beside(self.identity, positions)}

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
            One row an example, indexed as `scores`: score, stderr, lower and upper (95 % interval), holdouts (how often
            it was held out; of a sampled density, members of its sample).

        Raises
        ------
        SettingError
            If there is no such score, or it is no estimate.
        """
        name = self._named(by)
        if name not in self.uncertainties:
            raise SettingError(
                f"the uncertainty of {name!r}, which is no estimate",
                "a score that is an estimate",
                [f"pass by={known!r}" for known in self.uncertainties]
                or ["score again with scorers='c_score' and a model"],
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

        Examples
        --------
        >>> import dataaudit
        >>> from sklearn.datasets import load_iris
        >>> iris = load_iris(as_frame=True).frame
        >>> iris.loc[[5, 60, 110], "target"] = [1, 2, 0]  # three label errors
        >>> audit = dataaudit.score(None, iris, label="target", progress=False)
        >>> audit.ranking()[:3].tolist()
        [5, 60, 110]
        """
        name = self._named(by)
        values = self.columns[name]
        ties = self.ties.get(name, np.zeros(len(values)))
        return np.lexsort((ties, values, np.isnan(values))).astype(np.int64)

    def _named(self, by: str | None) -> str:
        name = self.default if by is None else by
        checks.choice(f"score {name!r}", name, self.columns, "a score of this audit")
        return name

    def _names(self) -> AnyArray:
        """Names by label, and of -1, an unknown one, which is empty."""
        return np.asarray([*self.class_names, ""], dtype=object)

    @property
    def agreement(self) -> Agreement:
        """Shares of the labels that the model agrees with: trained on them, shown mirrored, and held out."""
        shares = self.settings.get("agreement", {})
        return Agreement(*(shares.get(name) for name in SHARES))
