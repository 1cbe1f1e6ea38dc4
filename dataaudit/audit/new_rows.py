"""Questions about rows that were not audited: new ones, and those without a label."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from dataaudit.audit.exports import Exports
from dataaudit.common import checks
from dataaudit.common.guest import visiting
from dataaudit.data.identity import ROW, beside, row_index
from dataaudit.findings import gather


class NewRows(Exports):
    """Part of `dataaudit.Audit` that looks at rows beside the audited ones."""

    def score_new(
        self,
        dataset: Any,
        labels: Any = None,
        *,
        k: int = 10,
        by: str = "auto",
        bandwidth: float | str = "0.5x",
        audited: Any = None,
        split: str | None = None,
        label: str | None = None,
        inputs: str | list[str] | None = None,
        transform: Callable[[Any], Any] | None = None,
        progress: bool = True,
    ) -> pd.DataFrame:
        """Score the novelty of rows that were not audited and, with labels, how well these fit.

        Every new row is compared with every audited one, in float64: no search leaves any out. Memory: both data
        sets' rows in this representation (a memory-mapped array of the audited inputs is not copied), about 200 MiB of
        blocks, and the result.

        Parameters
        ----------
        dataset
            Inputs alone, or with labels whatever `dataaudit.score` takes. Tables and Hugging Face data sets need the
            audited columns; they are labelled if they have the column `label`, or one that is called like a label.
        labels
            Labels of inputs alone, as the audited data set spells them.
        k
            Nearest neighbours that are looked at.
        by
            "input" (as in `outliers`; columns are brought to the scale that the audited rows have), "hidden", or
            "auto": "hidden" for texts that a torch module was trained on, otherwise "input", which tells novel rows
            better in benchmarks/findings/novelty.py than the hidden representation does.
        bandwidth
            Of the densities, as for `dataaudit.Density`.
        audited
            The audited data set, for a loaded audit. Without the model, which is not saved, there are no predictions.
        split, label, inputs
            As in `dataaudit.score`, for the new rows.
        transform
            For the new rows; the audited data set's own if None.
        progress
            Whether to draw a progress bar.

        Returns
        -------
        DataFrame
            One row a new example. novelty: the mean distance to the `k` nearest audited rows, in the median of what
            these have themselves: about 1 for what is known, higher = more novel. distance/... (that mean),
            density/... (mean kernel value with the audited rows), nearest (row of the nearest audited example, and
            beside it its name) and nearest_distance. With the model of the audit: predicted, max_confidence. A model
            that the audit trained in folds only is trained once more, on all rows. With labels: label,
            class_density/..., parzen/... (share of the label in the kernel values), knn_agreement/... (share of the
            neighbours with this label), confidence (the model's probability of the label) and suggested (class that the
            model, or without one the kernel values, believe in; blank where it is the label).

        Raises
        ------
        DataError
            If inputs have another shape, type or columns than the audited ones, a label is none of the audited
            classes, or the audited data set is not at hand.
        SettingError
            If `k`, `by`, `bandwidth` or `progress` is not as described.
        ModelError
            If by="hidden" and no model with layers is in memory.

        Examples
        --------
        >>> import dataaudit
        >>> rows = np.array([[0.0], [0.1], [0.2], [1.0], [1.1], [1.2]])
        >>> audit = dataaudit.score(None, (rows, list("aaabbb")), "parzen/input", progress=False)
        >>> audit.score_new([[0.1], [5.0]], k=2, progress=False)["novelty"].round(1).tolist()
        [0.4, 30.8]
        """
        from dataaudit.density.sums import multiple_of
        from dataaudit.embedding import embedded
        from dataaudit.findings import novelty, unseen

        k = checks.whole("k", k, 1, "pass k=10")
        gather.check_space(by)
        multiple_of(bandwidth)
        checks.flag("progress", progress, "pass progress=False for silence")
        with visiting():
            known = gather.needed(self._data(audited), "audited")
            options = {"split": split, "label": label, "inputs": inputs, "transform": transform}
            new, given = embedded.unseen_beside(known, dataset, labels, options, progress)
            space, seed = gather.space_of(by, known, self._model), self._seed()
            if space == "hidden":
                own = gather.hidden_rows(self._model, known.labels, seed, None, progress)
                queries = gather.hidden_rows(self._model, np.zeros(len(new), np.int64), seed, new, progress)
            else:
                from dataaudit.representations.input import place_rows_beside

                queries, own = place_rows_beside(new, known)
            scored = novelty.novelty(queries, own, known.labels, len(self.class_names), k, bandwidth, seed, progress)
            probabilities = None
            if self._model is not None:
                probabilities = unseen.predictions(self._model.on(new, progress), len(new))
            near = self._row_columns(scored.nearest).items()
            nearest = {"nearest" if name == ROW else f"nearest_{name}": values for name, values in near}
            table = unseen.frame(scored, space, probabilities, given, self.class_names, nearest)
            return table.set_axis(row_index(new.identity, np.arange(len(new))))

    def unlabelled(self, *, dataset: Any = None, progress: bool = True) -> pd.DataFrame:
        """Suggest labels for the rows that have none, and were left out.

        Parameters
        ----------
        dataset
            The audited data set, for a loaded audit. Without the model, which is not saved, labels are those around.
        progress
            Whether to draw a progress bar.

        Returns
        -------
        DataFrame
            row and its name; suggested: the class that the audit's model predicts, or without one the class of most of
            the audited rows around it; probability, 0 to 1, of that class by the model, or its share among those rows.
            Both are blank ("" and NaN) of a row whose input cannot be used. Without rows where every row has a
            label.

        Raises
        ------
        DataError
            If the audited data set is not at hand.
        ModelError
            If the model answers for the audited rows alone.

        Examples
        --------
        >>> import dataaudit
        >>> rows = np.array([[0.0], [0.1], [0.2], [1.0], [1.1], [1.2], [1.3]])
        >>> audit = dataaudit.score(None, (rows, ["a", "a", "a", "b", "b", "b", None]), "parzen/input", progress=False)
        >>> audit.unlabelled(progress=False)[["row", "suggested"]].values.tolist()
        [[6, 'b']]
        """
        checks.flag("progress", progress, "pass progress=False for silence")
        with visiting():
            known = self._as_read(dataset, gather.needed(self._data(dataset)))
            new = known.without_label()
            if new is None:
                return pd.DataFrame({ROW: np.zeros(0, np.int64), "suggested": [], "probability": []})
            suggested, probability = self._guess(new, known, progress)
            where = {ROW: known.unlabelled, **beside(new.identity, np.arange(len(new)))}
            return pd.DataFrame({**where, "suggested": self._names()[suggested], "probability": probability})
