"""Review of an audit by people: what to look at, what they decided, and what that says about the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import numpy as np
import pandas as pd

from dataaudit.audit.exports import Exports
from dataaudit.audit.label_errors import REVIEW
from dataaudit.common import checks
from dataaudit.common.guest import settled
from dataaudit.common.types import IntArray
from dataaudit.errors import DataError, SettingError
from dataaudit.review.belonging import check_names, check_rows
from dataaudit.review.decisions import Decisions
from dataaudit.review.design import PURPOSES, Design, filled
from dataaudit.review.left import Remaining, remaining
from dataaudit.review.outcome import corrected_errors, looks_of, outcome_of
from dataaudit.review.rows import WRONG, is_blank


class Applied(NamedTuple):
    """A corrected data set, of the kind that was audited, and the log of its changes, a DataFrame."""

    dataset: Any
    log: pd.DataFrame


class Reviews(Exports):
    """Part of `dataaudit.Audit` that people's decisions go into."""

    def review(
        self,
        budget: int = 200,
        purpose: Literal["find", "estimate", "both"] = "both",
        *,
        after: Decisions | pd.DataFrame | str | Path | None = None,
        seed: int = 0,
    ) -> Decisions:
        """Choose rows to look at, as undecided `Decisions` in the order in which they are worth it.

        Parameters
        ----------
        budget
            How many; all that are left if there are fewer.
        purpose
            "find": the likeliest errors first. "estimate": rows drawn at random, by chances that are known, so that the
            decisions tell how many labels are wrong; those of which it is least known are drawn most often. "both": by
            turns.
        after
            An earlier queue of this audit, decided or not, that is continued. Rows that its reviewer chose may
            be drawn; they come with their decision.
        seed
            Of the draws; a queue of 400 begins with that of 200.

        Returns
        -------
        Decisions
            ``write(path)`` makes the decision file; decide in it or in ``table``, from the first place on.

        Raises
        ------
        SettingError
            If `budget` is no whole number of at least 1, or `purpose` or `seed` is none.
        ModelError
            If nothing that was computed says what class an example is of.
        DataError
            If `after` is not of this audit.

        Examples
        --------
        >>> import dataaudit
        >>> from sklearn.datasets import load_iris
        >>> iris = load_iris(as_frame=True).frame
        >>> iris.loc[[5, 60, 110], "target"] = [1, 2, 0]  # three label errors
        >>> audit = dataaudit.score(None, iris, label="target", progress=False)
        >>> queue = audit.review(3, "find")
        >>> queue.table[["row", "given", "suggested", "decision"]].values.tolist()
        [[5, '1', '0', ''], [60, '2', '1', ''], [110, '0', '2', '']]
        """
        budget = checks.whole("budget", budget, 1, "pass budget=200")
        seed = checks.whole("seed", seed, 0, "pass seed=0")
        checks.choice(f"purpose={purpose!r}", purpose, PURPOSES, "what to look for")
        self._check_unreviewed()
        population = np.flatnonzero(self.labels >= 0)
        design = Design(filled(self._known_errors().probability[population]), seed)
        earlier = None if after is None else self._decisions(after).single()
        first = 1
        if earlier is not None:
            queued = earlier[earlier["place"].notna()].sort_values("place")
            first += len(queued)
            self._replay(design, population, queued)
        places = range(first, first + min(budget, int(design.left.sum())))
        chosen, chances = [], []
        for place in places:
            row, chance = design.next(purpose, place)
            design.look(row)
            chosen.append(row)
            chances.append(chance)
        positions = population[np.array(chosen, np.int64)]
        table = self._undecided(positions).assign(place=list(places), chance=chances)
        made = self._of_this(table)
        return made if earlier is None else _with_chosen(made, earlier)

    @settled()
    def reviewed(self, decisions: Decisions | pd.DataFrame | str | Path) -> Self:
        """Return this audit with what people decided about its rows.

        Probabilities of error are 0 or 1 where decided and corrected everywhere else, `noise_rate` says what the
        decisions show, `remaining` how many errors are left, and everything that goes by them follows.

        Parameters
        ----------
        decisions
            Decisions about rows of this audit: a table, a decision file, or a DataFrame with the columns ``row``,
            ``decision`` and, where the queue asked, ``place`` and ``chance``. Rows without these were chosen by the
            reviewer: they are decided, and say nothing of others. To keep is to say that the label is right; to relabel
            or remove, that it is wrong. Of rows of the queue that were skipped or left unsure before the last decided
            one it is not known what they are: bounds hold whatever it is.

        Returns
        -------
        Audit
            Another one; this one stays, for further decisions.

        Raises
        ------
        DataError
            If they are of other data, reviewers differ, or places are missing or have other chances than in the queue.
        SettingError
            If this audit was reviewed already: merge all decisions, and pass them to the audit before.
        ModelError
            If nothing that was computed says what class an example is of.

        Notes
        -----
        The interval is a confidence sequence: it holds the truth with 95 % confidence at whatever moment the reviewer
        stops, without replacement, in this finite data set, however good the audit's probabilities are
        (dataaudit/review/sequence.py). Where no row was drawn at random the audit's own estimate stands, corrected by
        what was found, and a note says so.

        Examples
        --------
        >>> import dataaudit
        >>> from sklearn.datasets import load_iris
        >>> iris = load_iris(as_frame=True).frame
        >>> iris.loc[[5, 60, 110], "target"] = [1, 2, 0]  # three label errors
        >>> audit = dataaudit.score(None, iris, label="target", progress=False)
        >>> decided = audit.review(30, "estimate").table.assign(decision="keep")
        >>> decided.loc[decided["row"].isin([5, 60, 110]), "decision"] = "relabel"
        >>> audit.reviewed(decided).noise_rate().looked
        30
        """
        self._check_unreviewed()
        errors, table = self._known_errors(), self._decisions(decisions).single()
        population = np.flatnonzero(self.labels >= 0)
        looks = looks_of(
            self._within(table, population),
            table["decision"].tolist(),
            table["place"].to_numpy(np.float64, na_value=np.nan),
            table["chance"].to_numpy(np.float64),
        )
        outcome = outcome_of(errors.probability[population], looks, self.rows[population])
        settings = {**self.settings, REVIEW: outcome.record}
        if not outcome.drawn:
            note = "no row was drawn for the review: how many labels are wrong is the audit's own estimate, corrected"
            settings["notes"] = [*self.settings.get("notes", []), note]
        rival = errors.rival.copy()
        relabelled = table[table["decision"] == "relabel"]
        rival[np.searchsorted(self.rows, relabelled["row"])] = self._classes_of(relabelled["label"])
        rival[np.searchsorted(self.rows, table.loc[table["decision"] == "remove", "row"])] = -1
        made = corrected_errors(replace(errors, rival=rival), outcome, population, self.labels, len(self.class_names))
        return replace(self, label_errors=made, settings=settings)

    def remaining(self, until: float = 0.01, looks: int = 50) -> Remaining:
        """Say how many label errors are left once the decisions of a reviewed audit are applied.

        Parameters
        ----------
        until
            Share of the labels that may stay wrong.
        looks
            Further looks at the likeliest errors; what these are expected to find is said.

        Raises
        ------
        SettingError
            If this is not what `reviewed` gave, or an argument is no such number.
        """
        until = checks.number("until", until, 0, 1, "neither", "a share between 0 and 1", "pass until=0.01")
        looks = checks.whole("looks", looks, 1, "pass looks=50")
        record = self.settings.get(REVIEW)
        if record is None:
            raise SettingError(
                "an audit that nobody reviewed",
                "what reviewed() gives",
                "decide about the rows of review(), pass the decisions to reviewed() and ask the audit that it gives",
            )
        return remaining(record, record["examples"], self._known_errors().probability, until, looks)

    def apply(
        self,
        decisions: Decisions | pd.DataFrame | str | Path,
        dataset: Any = None,
        *,
        split: str | None = None,
        label: str | None = None,
        inputs: str | list[str] | None = None,
        transform: Callable[[Any], Any] | None = None,
    ) -> Applied:
        """Return the data set as people decided about it.

        Keep means keep: such rows stay as they are whatever the audit says of them, as do rows that are unsure,
        undecided or not named, and those that could not be audited.

        Parameters
        ----------
        decisions
            As in `reviewed`. "relabel" gives the ``label``, or where that is blank the one ``suggested`` there, or
            else by this audit; "remove" leaves the row out.
        dataset, split, label, inputs, transform
            The audited data set, as in `clean`.

        Returns
        -------
        Applied
            ``dataset``, of the kind that was audited, and ``log``, one row a change: row and its name, given label,
            decision, label, reviewer.

        Raises
        ------
        DataError
            As `reviewed` and `clean`; labels must be classes that some row carries.

        Examples
        --------
        >>> import dataaudit
        >>> rows = np.array([[0.0], [0.1], [0.2], [1.0], [1.1], [1.2]])
        >>> audit = dataaudit.score(None, (rows, list("aabbbb")), "parzen/input", progress=False)
        >>> decided = pd.DataFrame({"row": [2, 5], "decision": ["relabel", "keep"], "label": ["a", ""]})
        >>> audit.apply(decided).dataset[1]
        ['a', 'a', 'a', 'b', 'b', 'b']
        """
        from dataaudit.data.corrected import Changes, corrected

        table = self._decisions(decisions).single()
        examples = self._original(dataset, split, label, inputs, transform)
        table = table[table["decision"].isin(WRONG)].sort_values("row", kind="stable")
        moved = table[table["decision"] == "relabel"]
        out = table.loc[table["decision"] == "remove", "row"].to_numpy()
        total = len(self.rows) + len(self.settings.get("dropped_rows", ()))
        changes = Changes(
            np.setdiff1d(np.arange(total), out, assume_unique=True),
            moved["row"].to_numpy(),
            self._classes_of(moved["label"]),
        )
        positions = np.searchsorted(self.rows, table["row"])
        log = pd.DataFrame(
            {
                **self._row_columns(positions),
                "given": self._names()[self.labels[positions]],
                **{name: table[name].to_numpy() for name in ("decision", "label", "reviewer")},
            }
        )
        return Applied(corrected(examples, (self.rows, self.labels), changes), log)

    def _check_unreviewed(self) -> None:
        if REVIEW in self.settings:
            raise SettingError(
                "an audit that was reviewed already",
                "the audit before, by whose probabilities rows were queued",
                "ask the audit before, with all decisions in one table",
            )

    def _undecided(self, positions: IntArray) -> pd.DataFrame:
        names, given, suggested = self._names(), self.labels[positions], self._suggested()[positions]
        other = (suggested >= 0) & (suggested != given)
        keys = [None] * len(positions) if self.identity is None else self.identity.take(positions).tolist()
        return pd.DataFrame(
            {
                "row": self.rows[positions],
                "key": pd.Series(keys, dtype=object),
                "given": names[given],
                "suggested": np.where(other, names[suggested], ""),
            }
        )

    def _of_this(self, table: pd.DataFrame, source: str = "decisions") -> Decisions:
        known = (self.settings.get("fingerprint"), self.class_names)
        return Decisions.of(self._suggesting(table), *known, source)

    def _suggesting(self, table: pd.DataFrame) -> pd.DataFrame:
        """The table with this audit's suggestions where it says to relabel, and neither a label nor a suggestion."""
        if not {"row", "decision"} <= {*table.columns} or not table.columns.is_unique:
            return table
        # What is no number of a row is refused later.
        numbers = [value if isinstance(value, (int, float, np.number)) else -1 for value in table["row"].tolist()]
        positions = pd.Index(self.rows).get_indexer(pd.Index(numbers, dtype=np.float64))
        words = table["decision"].astype(object).tolist()
        asked = (positions >= 0) & np.array([isinstance(word, str) and word == "relabel" for word in words], bool)
        for name in {"unit", "suggested", "label"} & {*table.columns}:
            asked &= np.array([is_blank(value) for value in table[name].astype(object).tolist()], bool)
        if not asked.any():
            return table
        suggested = np.full(len(table), "", object)
        suggested[asked] = self._undecided(positions[asked])["suggested"]
        if "suggested" in table.columns:
            suggested = np.where(asked, suggested, table["suggested"].astype(object))
        return table.assign(suggested=suggested)

    def _decisions(self, decisions: Any) -> Decisions:
        """Decisions that are about this audit's rows, or a `DataError`."""
        if isinstance(decisions, (str, Path)):
            decisions = Decisions.read(decisions)
        if isinstance(decisions, pd.DataFrame):
            check_names(decisions, self.rows, self.identity)
            decisions = self._of_this(decisions)
        if not isinstance(decisions, Decisions):
            raise DataError(
                f"decisions of type {type(decisions).__name__}",
                "Decisions, a DataFrame or a decision file",
                "pass what review() gives, decided",
            )
        known = (self.settings.get("fingerprint"), self.class_names)
        said = decisions.fingerprint is not None or decisions.class_names
        if said and (decisions.fingerprint, decisions.class_names or known[1]) != known:
            raise DataError(
                f"decisions about data with fingerprint {decisions.fingerprint} "
                f"and {len(decisions.class_names)} classes",
                f"those of this audit, {known[0]} and {len(known[1])}",
                "pass the decisions about this data set, or ask the audit that they are about",
            )
        made = self._of_this(decisions.table)
        given = self._names()[self.labels]
        check_rows(made.table, self.rows, given, self.labels >= 0, self.identity)
        return made

    def _within(self, table: pd.DataFrame, population: IntArray) -> IntArray:
        """Positions of decided rows among those that have a label."""
        return np.searchsorted(self.rows[population], table["row"].to_numpy()).astype(np.int64)

    def _replay(self, design: Design, population: IntArray, queued: pd.DataFrame) -> None:
        for position, chance, place in zip(
            self._within(queued, population).tolist(), queued["chance"], range(1, len(queued) + 1), strict=True
        ):
            if int(queued["place"].iloc[place - 1]) != place:
                raise DataError(
                    f"an earlier queue without place {place}",
                    "all of its places",
                    "pass all rows of the queue",
                )
            design.check(position, chance, int(self.rows[population][position]))
            design.look(position)

    def _classes_of(self, names: pd.Series[str]) -> IntArray:
        known = {name: number for number, name in enumerate(self.class_names)}
        return np.array([known[name] for name in names], np.int64)


def _with_chosen(queue: Decisions, earlier: pd.DataFrame) -> Decisions:
    """The queue, in which rows that the reviewer had chosen carry their decision."""
    chosen = earlier[earlier["place"].isna() & (earlier["decision"] != "")].set_index("row")
    table = queue.table
    known = table["row"].isin(chosen.index)
    columns = ["decision", "label", "reviewer", "time", "seconds"]
    table.loc[known, columns] = chosen.loc[table.loc[known, "row"], columns].to_numpy()
    return queue
