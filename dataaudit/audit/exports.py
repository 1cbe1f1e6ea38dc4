"""Exports of an audit to its data set: columns added, findings applied."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dataaudit.audit.card import summary_of
from dataaudit.audit.dataset import AuditedData
from dataaudit.common import checks
from dataaudit.common.types import FloatArray, IntArray
from dataaudit.errors import DataError, InPython, ModelError
from dataaudit.findings import gather

if TYPE_CHECKING:
    import datasets
    import pandas as pd

    from dataaudit.data.examples import Examples

POLICIES = ("drop", "relabel", "weight")
PREFIX = "audit_"
"""Before the names of scores among the columns of a data set."""


class Exports(AuditedData):
    """Part of `dataaudit.Audit` that needs the audited data set."""

    def to_dataset(
        self,
        dataset: Any = None,
        *,
        split: str | None = None,
        label: str | None = None,
        inputs: str | list[str] | None = None,
        transform: Callable[[Any], Any] | None = None,
    ) -> datasets.Dataset:
        """Return the data set with the audit's columns beside its own.

        Every row is there, in its order. Added are a column for every score, called ``audit_`` and its name with "_"
        for "/"; ``suggested_label``, of the label column's type, for rows without a label too, as `Audit.unlabelled`
        says; and, where the audit has predictions,
        ``error_probability`` and ``flagged``. All are null where nothing is known, as in rows that were dropped, and
        the last two where how many labels are wrong is not known.
        Columns of a Hugging Face data set stay where they are, memory-mapped; a selection or a shuffle is written out
        by ``datasets`` first, as by its own ``add_column``. Arrays become the columns "input" and "label", copied.

        Parameters
        ----------
        dataset
            The audited data set; an audit that was not loaded remembers its own. Its fingerprint is checked.
        split, label, inputs, transform
            As in `dataaudit.score`.

        Returns
        -------
        datasets.Dataset
            A new one; ``push_to_hub`` publishes it.

        Raises
        ------
        DataError
            If `dataset` is not the audited one, it changed since, an audit from disk is given none, it has no columns,
            or columns of those names.

        Examples
        --------
        >>> import dataaudit
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.linear_model import LogisticRegression
        >>> iris = load_iris(as_frame=True).frame
        >>> audit = dataaudit.score(LogisticRegression(max_iter=500), iris, "heldout_confidence", progress=False)
        >>> "audit_heldout_confidence" in audit.to_dataset().column_names
        True
        """
        from dataaudit.data import export

        examples = self._original(dataset, split, label, inputs, transform)
        whole, name = export.as_dataset(examples)
        return export.add_columns(whole, self._exported(whole, name, dataset, examples))

    def to_frame(
        self,
        dataset: Any = None,
        *,
        split: str | None = None,
        label: str | None = None,
        inputs: str | list[str] | None = None,
        transform: Callable[[Any], Any] | None = None,
    ) -> pd.DataFrame:
        """Return the data set as a DataFrame with the audit's columns beside its own, see `to_dataset`.

        A DataFrame keeps its index and its columns as they are; rows of others are indexed by their names, where they
        have any. The arguments, and errors, are those of `to_dataset`.

        Examples
        --------
        >>> import dataaudit
        >>> from sklearn.datasets import load_iris
        >>> iris = load_iris(as_frame=True).frame
        >>> audit = dataaudit.score(None, iris, "parzen/input", progress=False)
        >>> "audit_parzen_input" in audit.to_frame()
        True
        """
        from dataaudit.data import export
        from dataaudit.data.kinds import is_table

        examples = self._original(dataset, split, label, inputs, transform)
        whole, name = export.as_dataset(examples)
        added = self._exported(whole, name, dataset, examples)
        given: Any = None if examples.origin is None else examples.origin.dataset
        frame: pd.DataFrame
        if is_table(given):
            export.check_free(list(added), list(map(str, given.columns)))
            frame = given.assign(**{column: values.to_pandas().to_numpy() for column, (values, _) in added.items()})
            return frame
        frame = export.add_columns(whole, added).to_pandas()
        # Of rows that were dropped the names are not known.
        return frame if self.identity is None or len(self.identity) != len(frame) else frame.set_index(self.identity)

    def _seed(self) -> int:
        return int(self.settings.get("seed") or 0)

    def _as_read(self, dataset: Any, found: Examples) -> Examples:
        """The audited rows as the model reads them; of a data set that was passed again, `found` in it."""
        # What was prepared for a network, or became vectors, is found again as it was before.
        return found if dataset is not None or self._examples is None else self._examples

    def _guess(self, new: Examples, known: Examples, progress: bool) -> tuple[IntArray, FloatArray]:
        """Classes of rows without a label, -1 for none, and their probability."""
        from dataaudit.findings.unlabelled import suggest

        return suggest(new, known, self._model, len(self.class_names), self._seed(), progress)

    def _guessed(self, dataset: Any, examples: Examples) -> tuple[IntArray, IntArray] | None:
        """Rows without a label and the classes suggested for them; None where there are none, or nothing says any."""
        try:
            if self.settings.get("embedding") is not None:
                examples = gather.needed(self._data(dataset))
            known = self._as_read(dataset, examples)
            new = known.without_label()
            return None if new is None else (known.unlabelled, self._guess(new, known, False)[0])
        except (DataError, ModelError):
            return None

    def _exported(self, whole: Any, label: str, dataset: Any, examples: Examples) -> dict[str, tuple[Any, Any]]:
        from datasets import Value

        from dataaudit.data import export

        total, kept, float64 = len(whole), self.rows, Value("float64")
        columns: dict[str, tuple[Any, Any]] = {}
        for score, values in self.columns.items():
            name = PREFIX + score.replace("/", "_")
            if name in columns:
                raise DataError(
                    f"two scores that would both be the column {name!r}, {score!r} among them",
                    "a column for each score",
                    f"rename {score!r}, or score again without it",
                )
            columns[name] = export.spread(values, kept, total, np.isnan(values)), float64
        feature = whole.features[label]
        spelled = export.class_values(
            export.label_array(whole, label), feature, self.labels, kept, len(self.class_names)
        )
        suggested, of = self._suggested(), kept
        guessed = self._guessed(dataset, examples)
        if guessed is not None:
            suggested, of = np.concatenate([suggested, guessed[1]]), np.concatenate([kept, guessed[0]])
        suggestions = export.spread(suggested, of, total, suggested < 0)
        columns["suggested_label"] = spelled.take(suggestions), feature
        if self._has_predictions:
            probability = self.error_probability()
            # Those that only rank are no probabilities.
            unknown = np.isnan(probability) if self._counted else np.ones(len(kept), bool)
            columns["error_probability"] = export.spread(probability, kept, total, unknown), float64
            flagged = np.isin(kept, self._own_flags()[0]) if self._counted else np.zeros(len(kept), bool)
            columns["flagged"] = (
                export.spread(flagged, kept, total, np.full(len(kept), not self._counted)),
                Value("bool"),
            )
        return columns

    def clean(
        self,
        policy: Literal["drop", "relabel", "weight"] = "drop",
        dataset: Any = None,
        *,
        split: str | None = None,
        label: str | None = None,
        inputs: str | list[str] | None = None,
        transform: Callable[[Any], Any] | None = None,
    ) -> Any:
        """Return the data set without the label errors that the audit flags, `mislabeled("auto")`.

        What people decided is followed by `apply`. Rows that the audit dropped as unusable are left out whatever the
        policy. Those without a label stay, with weight 0.

        Parameters
        ----------
        policy
            "drop": without the flagged rows. "relabel": flagged rows carry the label suggested; those for which no
            other label is known are left out. "weight": all rows, with a float32 column ``weight``, 1 minus the
            probability that the label is wrong (1 where none is known).
        dataset
            The audited data set; an audit that was not loaded remembers its own. Its fingerprint is checked.
        split, label, inputs, transform
            As in `dataaudit.score`.

        Returns
        -------
        DataFrame, Dataset, DatasetDict, tuple or torch Dataset
            What was audited, changed: a DataFrame with its index and columns; a Hugging Face data set, or all splits
            with this one exchanged, whose columns on disk stay there, memory-mapped, and whose ``push_to_hub`` adds a
            summary of the audit to the card; (inputs, labels), and weights
            with "weight"; a torch data set of (x, y), or (x, y, weight), that reads the audited one.

        Raises
        ------
        DataError
            As `to_dataset`.
        ModelError
            If nothing that was computed says what class an example is of, or how many labels are wrong is not known.
        SettingError
            If there is no such policy.

        Examples
        --------
        >>> import dataaudit
        >>> from sklearn.datasets import load_iris
        >>> iris = load_iris(as_frame=True).frame
        >>> iris.loc[[5, 60, 110], "target"] = [1, 2, 0]  # three label errors
        >>> audit = dataaudit.score(None, iris, label="target", progress=False)
        >>> len(audit.clean("drop")), audit.clean("relabel")["target"][[5, 60, 110]].tolist()
        (147, [0, 1, 2])
        """
        from dataaudit.data.corrected import Changes, corrected

        checks.choice(f"policy={policy!r}", policy, POLICIES, "a known one")
        errors = self._known_errors([InPython("apply what people decide about the rows of suspects()")])
        if not errors.known:
            raise ModelError(
                f"an audit that does not know how many labels are wrong: {errors.unknown}",
                "rows that are taken for errors" if policy != "weight" else "probabilities of error",
                [InPython("apply what people decide about the rows of review()"), "train a better model"],
            )
        examples = self._original(dataset, split, label, inputs, transform)
        if policy == "weight":
            return self._weighed(examples)
        flagged_rows, suggested = self._own_flags()
        out, changed, classes = flagged_rows, flagged_rows[:0], suggested[:0]
        if policy == "relabel":
            given = self.labels[np.searchsorted(self.rows, flagged_rows)]
            other = (suggested >= 0) & (suggested != given)
            changed, classes, out = flagged_rows[other], suggested[other], flagged_rows[~other]
        kept = np.union1d(np.setdiff1d(self.rows, out, assume_unique=True), self._without_label())
        changes = Changes(kept, changed, classes, card=summary_of(self, policy, len(changed), len(out)))
        return corrected(examples, (self.rows, self.labels), changes)

    def _weighed(self, examples: Examples) -> Any:
        from dataaudit.data.corrected import Changes, corrected

        probability = self.error_probability()
        weight = 1 - np.where(np.isnan(probability), 0.0, probability)
        none = np.zeros(0, np.int64)
        card = summary_of(self, "weight", 0, 0)
        kept = np.union1d(self.rows, self._without_label())
        every = np.zeros(len(kept))
        every[np.searchsorted(kept, self.rows)] = weight
        changes = Changes(kept, none, none, every.astype(np.float32), card)
        return corrected(examples, (self.rows, self.labels), changes)

    def _without_label(self) -> IntArray:
        """Rows of the data set that have no label, ascending."""
        return np.asarray(self.settings.get("unlabelled_rows", ()), np.int64)

    @property
    def _has_predictions(self) -> bool:
        return self.label_errors is not None

    @property
    def _counted(self) -> bool:
        """True if the number of wrong labels is known, or nothing estimates it."""
        return self.label_errors is None or self.label_errors.known

    def _own_flags(self) -> tuple[IntArray, IntArray]:
        """Rows that the audit flags, ascending, and the classes it suggests for them."""
        positions = np.sort(self._flagged())
        return self.rows[positions], self._suggested()[positions]
