"""Questions beyond label errors: outliers, ambiguous, duplicate and typical examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dataaudit.audit.new_rows import NewRows
from dataaudit.common import checks
from dataaudit.common.guest import visiting
from dataaudit.errors import DataError, SettingError
from dataaudit.findings import gather

if TYPE_CHECKING:
    from dataaudit.common.types import IntArray
    from dataaudit.neighbours.graph import Neighbours


class Findings(NewRows):
    """Part of `dataaudit.Audit` that looks at where examples lie.

    An audit remembers its data set (by reference), the neighbours that were found, the model that was trained and the
    search that was passed. A loaded one remembers none of these, or the neighbours alone if they were saved: pass the
    audited data set as `dataset`, whose fingerprint is checked, and the search is taken by its name in the settings. A
    data set that needs options is passed as ``dataaudit.data.as_examples(dataset, label=..., ...)``. No question is
    answered by another search than the audit's.
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

        k = checks.whole("k", k, 1, "pass k=20")
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

        Examples
        --------
        >>> import dataaudit
        >>> from sklearn.datasets import load_iris
        >>> iris = load_iris(as_frame=True).frame
        >>> iris.loc[[5, 60, 110], "target"] = [1, 2, 0]  # three label errors
        >>> audit = dataaudit.score(None, iris, label="target", progress=False)
        >>> audit.ambiguous(3)["row"].tolist()
        [70, 72, 77]
        """
        from dataaudit.findings import ambiguous

        k = checks.whole("k", k, 1, "pass k=20")
        gather.check_space(by, ("dynamics",))
        with visiting():
            if by == "dynamics" or (by == "auto" and self.dynamics is not None):
                if self.dynamics is None:
                    raise SettingError(
                        "by='dynamics' for an audit without dynamics", "an audit of training epochs", "pass by='auto'"
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

        Examples
        --------
        >>> import dataaudit
        >>> from sklearn.datasets import load_iris
        >>> iris = load_iris(as_frame=True).frame
        >>> iris.loc[[5, 60, 110], "target"] = [1, 2, 0]  # three label errors
        >>> audit = dataaudit.score(None, iris, label="target", progress=False)
        >>> audit.typical(2)["class"].tolist()
        ['0', '0', '1', '1', '2', '2']
        """
        from dataaudit.findings import typical

        k = checks.whole("k", k, 1, "pass k=5")
        checks.choice(f"by={by!r}", by, ("auto", *self.columns), "'auto', or a score of this audit")
        name = typical.trusted(self.columns, self.default) if by == "auto" else by
        with visiting():
            values = self.columns[name]
            ties = self.ties.get(name, np.zeros(len(values)))
            chosen = typical.most_typical(values, ties, self.labels, len(self.class_names), k)
            return pd.DataFrame(
                {"class": self._names()[self.labels[chosen]], **self._row_columns(chosen), "score": values[chosen]}
            )

    def _graph(self, by: str, depth: int, dataset: Any) -> tuple[Neighbours, IntArray]:
        """Neighbours of each example, and all labels: a record may lack some that the data set has."""
        # Audits that settings name no search of were made before findings took any but "auto".
        search = self.settings.get("search", "auto") if self._search is None else self._search
        examples = self._data(dataset)
        labels = self.labels if examples is None else examples.labels
        kept = self._kept if examples is None else examples.kept
        graph = gather.graph(by, depth, labels, self.evidence, self._model, examples, search, self._seed(), kept)
        return graph, labels

    def _found(self) -> dict[str, Neighbours]:
        """Neighbours by representation: those of inputs as findings need them, and hidden ones that were found."""
        from dataaudit.findings import outliers

        found = gather.graphs(self.evidence, self._kept)
        if self._examples is not None:
            found["input"] = self._graph("input", outliers.NEAREST, None)[0]
        if not found:
            raise DataError(
                "neighbours=True for an audit without its data set, which was loaded or recorded",
                "neighbours that were found, or the inputs to find them",
                ["ask outliers(dataset=...) first", "pass neighbours=False"],
            )
        return found
