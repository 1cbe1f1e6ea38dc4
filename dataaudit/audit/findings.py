"""Questions beyond label errors: outliers, ambiguous, duplicate and typical examples, and rows that are new."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dataaudit.audit.exports import Exports
from dataaudit.common import checks
from dataaudit.common.guest import visiting
from dataaudit.data.identity import ROW, row_index
from dataaudit.embedding import embedded
from dataaudit.errors import SettingError, did_you_mean
from dataaudit.findings import gather

if TYPE_CHECKING:
    from dataaudit.common.types import IntArray
    from dataaudit.neighbours.graph import Neighbours


class Findings(Exports):
    """Part of `dataaudit.Audit` that looks at where examples lie.

    An audit remembers its data set (by reference), the neighbours that were found, the model that was trained and the
    search that was passed. A loaded one remembers none of these: pass the audited data set as `dataset`, whose
    fingerprint is checked, and the search is taken by its name in the settings. A data set that needs options is passed
    as ``dataaudit.data.as_examples(dataset, label=..., ...)``. No question is answered by another search than the
    audit's.
    """

    def outliers(self, k: int = 20, by: str = "auto", *, dataset: Any = None) -> pd.DataFrame:
        """Return the `k` examples that are furthest from everything, whatever their labels.

        Parameters
        ----------
        k
            How many; all examples if there are fewer.
        by
            "input" (the inputs, flattened; columns of tables standardised, those of arrays of vectors that do not
            share a scale divided by the range of most of their values), "hidden" (the input of the model's last linear
            layer) or "auto": inputs, or hidden neighbours that the audit has found where no data set is at hand. A
            model that was trained on outliers often brings them close to the others.
        dataset
            The audited data set, for a loaded audit.

        Returns
        -------
        DataFrame
            row and its name, label, score (mean distance to the 100 nearest others, or to all where there are fewer, in
            the median of all examples: 1 is usual), nearest (distance to the nearest other), distance (that mean),
            usual (its median over the other examples of the class), reason. Furthest first; equal scores in their
            order. Its ``attrs`` hold the name of the search that found the neighbours ("search"), and the share of the
            true ones that it found ("recall"): measured, and 1.0 where all pairs were compared.

        Raises
        ------
        SettingError
            If `k` is not a whole number of at least 1, `by` is not known, or the search of a loaded audit is registered
            by no name.
        MissingPackageError
            If the audit's search needs a package that is not installed.
        DataError
            If the data set is needed and not at hand, or is not the audited one.
        ModelError
            If by="hidden" and no model with layers is in memory.

        Examples
        --------
        >>> import dataaudit
        >>> rows = np.array([[0.0], [0.1], [0.2], [9.0], [0.3], [0.4]])
        >>> audit = dataaudit.score(None, (rows, [0, 0, 1, 0, 1, 1]), "parzen/input", progress=False)
        >>> audit.outliers(1)["row"].tolist()
        [3]
        """
        from dataaudit.findings import outliers

        k = checks.whole("k", k, 1, "pass outliers(k=20)")
        gather.check_space(by)
        with visiting():
            graph, labels = self._graph(by, outliers.NEAREST, dataset)
            distance = outliers.mean_distance(graph.distances, outliers.NEAREST)
            score = outliers.ratio(distance, np.asarray(np.median(distance)))
            usual = outliers.usual_in_class(distance, labels, len(self.class_names))
            chosen = np.argsort(-score, kind="stable")[:k]
            times = outliers.ratio(distance, usual)[chosen]
            table = pd.DataFrame(
                {
                    **self._row_columns(chosen),
                    "label": self._names()[labels[chosen]],
                    "score": score[chosen],
                    "nearest": graph.distances[chosen, 0],
                    "distance": distance[chosen],
                    "usual": usual[chosen],
                    "reason": outliers.reasons(times, min(graph.depth, outliers.NEAREST)),
                }
            )
            return gather.report_search(table, graph)

    def ambiguous(self, k: int = 20, by: str = "auto", *, dataset: Any = None) -> pd.DataFrame:
        """Return the `k` examples that are most between two classes.

        That is no list of label errors: where the model is sure of another class than the given one, nothing is
        ambiguous.

        Parameters
        ----------
        k
            How many; all examples if there are fewer.
        by
            "dynamics" (mean class probabilities over the epochs of training), "input" or "hidden" (labels of the 20
            nearest neighbours there), or "auto": the first of these that the audit has.
        dataset
            The audited data set, for neighbours of a loaded audit.

        Returns
        -------
        DataFrame
            row and its name, given (label), first and second (likeliest classes), first_probability,
            second_probability, score (the second probability, or with "dynamics" what the largest probability leaves to
            the others in the mean over epochs where that is less; 0 to 0.5, higher = more ambiguous), reason. Examples
            that nothing is known of are left out. Where neighbours vote, its ``attrs`` hold "search" and "recall" as
            those of `outliers`.

        Raises
        ------
        SettingError
            If `k` is not a whole number of at least 1, `by` is not known, there are no dynamics to look at, or the
            search of a loaded audit is registered by no name.
        MissingPackageError, DataError, ModelError
            As `outliers`.
        """
        from dataaudit.findings import ambiguous

        k = checks.whole("k", k, 1, "pass ambiguous(k=20)")
        gather.check_space(by, ("dynamics",))
        with visiting():
            if by == "dynamics" or (by == "auto" and self.dynamics is not None):
                if self.dynamics is None:
                    raise SettingError(
                        "by='dynamics' for an audit without dynamics", "an audit of training epochs", "pass by='input'"
                    )
                graph, labels, two = None, self.labels, ambiguous.of_dynamics(self.dynamics)
                share_of = "of the mean probability over epochs"
            else:
                graph, labels = self._graph(by, ambiguous.VOTERS, dataset)
                two = ambiguous.of_neighbours(graph, labels, len(self.class_names))
                share_of = f"of its {min(ambiguous.VOTERS, graph.depth)} nearest neighbours"
            order = np.argsort(-np.nan_to_num(two.score, nan=-1.0), kind="stable")
            chosen = order[np.isfinite(two.score[order])][:k]
            names = self._names()
            first, second = names[two.first[chosen]], names[two.second[chosen]]
            of_first, of_second = two.first_probability[chosen], two.second_probability[chosen]
            table = pd.DataFrame(
                {
                    **self._row_columns(chosen),
                    "given": names[labels[chosen]],
                    "first": first,
                    "second": second,
                    "first_probability": of_first,
                    "second_probability": of_second,
                    "score": two.score[chosen],
                    "reason": [
                        f"{p:.0%} {share_of} for {a!r}, {q:.0%} for {b!r}" if b else f"all {share_of} for {a!r}"
                        for a, b, p, q in zip(first, second, of_first.tolist(), of_second.tolist(), strict=True)
                    ],
                }
            )
            return table if graph is None else gather.report_search(table, graph)

    def duplicates(self, threshold: str | float = "auto", by: str = "input", *, dataset: Any = None) -> pd.DataFrame:
        """Return groups of examples that are equal or nearly so, those with differing labels first.

        Parameters
        ----------
        threshold
            Two examples are near-duplicates if their distance is at most this share of what is usual around both, the
            median distance to the 20 nearest others that are not equal. "auto" is 0.4, and less where examples spread
            in few dimensions, so that about one in a hundred has another that near by chance. 0 for equal ones alone. A
            shifted or a cropped picture lies too far away among the inputs to be found.
        by
            "input", "hidden", or "auto" as in `outliers`. The hidden representation brings examples of one class
            together and holds more of them for the same.
        dataset
            The audited data set, for a loaded audit.

        Returns
        -------
        DataFrame
            group (from 0), row and its name, label, distance (to the nearest other of its group), differing (whether
            the group's labels differ). Groups with differing labels come first, then those at the smallest distance.
            Its ``attrs`` hold "search" and "recall" as those of `outliers`: a pair that the search missed is in no
            group.

        Raises
        ------
        SettingError
            If `threshold` is neither "auto" nor a number from 0 to below 1, `by` is not known, or the search of a
            loaded audit is registered by no name.
        MissingPackageError, DataError, ModelError
            As `outliers`.

        Examples
        --------
        >>> import dataaudit
        >>> rows = np.array([[0.0], [1.0], [2.1], [1.0], [3.2], [4.5]])
        >>> audit = dataaudit.score(None, (rows, [0, 0, 1, 1, 1, 0]), "parzen/input", progress=False)
        >>> audit.duplicates()[["group", "row", "label", "differing"]].values.tolist()
        [[0, 1, '0', True], [0, 3, '1', True]]
        """
        from dataaudit.findings import duplicates

        share: float | None = None
        if not (isinstance(threshold, str) and threshold == "auto"):
            share = checks.number(
                "threshold", threshold, 0, 1, "left", "'auto', or a number from 0 to below 1", "pass threshold='auto'"
            )
        gather.check_space(by)
        with visiting():
            graph, labels = self._graph(by, duplicates.DEPTH, dataset)
            nearest = graph.first(duplicates.DEPTH)
            share = duplicates.automatic_share(nearest) if share is None else share
            groups = duplicates.groups(nearest, labels, share)
            table = pd.DataFrame(
                {
                    "group": groups.group,
                    **self._row_columns(groups.index),
                    "label": self._names()[labels[groups.index]],
                    "distance": groups.distance,
                    "differing": groups.differing,
                }
            )
            return gather.report_search(table, graph)

    def typical(self, k: int = 5, by: str = "auto") -> pd.DataFrame:
        """Return the `k` most typical examples of each class.

        Parameters
        ----------
        k
            How many of each class; all of a class that has fewer.
        by
            A score of this audit; "auto" takes the first that there is of "class_density/hidden",
            "class_density/input", "c_score", "c_score_integral", "knn_c_score/hidden", "knn_c_score/input", and
            otherwise the default score.

        Returns
        -------
        DataFrame
            class, row and its name, score: class by class in the order of `class_names`, most typical first. Equal
            scores are ordered by the score's own ties, then by position; examples without a score are left out.

        Raises
        ------
        SettingError
            If `k` is not a whole number of at least 1, or there is no such score.
        """
        from dataaudit.findings import typical

        k = checks.whole("k", k, 1, "pass typical(k=5)")
        name = typical.trusted(self.columns, self.default) if by == "auto" else by
        if name not in self.columns:
            raise SettingError(f"by={by!r}", "'auto', or a score of this audit", did_you_mean(name, self.columns))
        with visiting():
            values = self.columns[name]
            ties = self.ties.get(name, np.zeros(len(values)))
            chosen = typical.most_typical(values, ties, self.labels, len(self.class_names), k)
            return pd.DataFrame(
                {"class": self._names()[self.labels[chosen]], **self._row_columns(chosen), "score": values[chosen]}
            )

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
        from dataaudit.findings import novelty, unseen

        k = checks.whole("k", k, 1, "pass score_new(..., k=10)")
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

    def _seed(self) -> int:
        return int(self.settings.get("seed") or 0)

    def _graph(self, by: str, depth: int, dataset: Any) -> tuple[Neighbours, IntArray]:
        """Neighbours of each example, and all labels: a record may lack some that the data set has."""
        # Audits that settings name no search of were made before findings took any but "auto".
        search = self.settings.get("search", "auto") if self._search is None else self._search
        examples = self._data(dataset)
        labels = self.labels if examples is None else examples.labels
        return gather.graph(by, depth, labels, self.evidence, self._model, examples, search, self._seed()), labels
