"""Decisions about labels: how many are wrong, which, and what they should be."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd

from dataaudit.audit.fields import Scored
from dataaudit.common import checks
from dataaudit.common.guest import settled
from dataaudit.common.types import FloatArray, IntArray
from dataaudit.errors import ModelError, SettingError
from dataaudit.labels.calibration import CHANCE, NONE_SEEN
from dataaudit.labels.label_errors import CAUTION, FLOOR, LabelErrors, cautious
from dataaudit.labels.reasons import reasons, short_reasons

REVIEW = "review"
"""Entry of an audit's settings with the record of its review."""
FITS = "already_fits"
"""Entry with the share of the labels that the model gave as it was passed, where that shows training on them."""


@dataclass(frozen=True)
class NoiseRate:
    """Estimated share of wrong labels.

    Attributes
    ----------
    rate, lower, upper
        Share of all examples, with a 95 % interval; NaN, 0 and 1 where it is not known.
    pairs
        One row a pair of classes, the most frequent first: given and suggested label, count (estimated number of
        examples), share (of the examples with that given label), lower and upper (95 % interval of the share). Where
        the rate is not known, count and share are NaN, and the order is that of the confusions.
    estimates
        The estimates behind the rate, by name.
    reason
        Why the rate is not known, in words; empty where it is.
    looked, drawn
        Rows that people decided about, and how many of them were drawn at random: with these the rate is theirs, and
        otherwise the audit's own.
    """

    rate: float
    lower: float
    upper: float
    pairs: pd.DataFrame
    estimates: Mapping[str, float]
    reason: str = ""
    looked: int = 0
    drawn: int = 0

    @property
    def known(self) -> bool:
        """True if the rate is known."""
        return not self.reason

    def __repr__(self) -> str:
        if not self.known:
            return f"how many labels are wrong is not known: {self.reason}"
        by = f", by {self.looked} that were looked at" if self.drawn else ""
        sentence = f"{self.rate:.1%} of the labels are wrong (95 % interval {self.lower:.1%} to {self.upper:.1%}{by})"
        return f"{sentence}\n{self.pairs.head(5).to_string(index=False, float_format='{:.3g}'.format)}"


class LabelDecisions(Scored):
    """Part of `dataaudit.Audit` that decides about labels."""

    def _known_errors(self, otherwise: Sequence[str] = ()) -> LabelErrors:
        """What is known of label errors; a `ModelError`, with further advice `otherwise`, where that is nothing."""
        if self.label_errors is None and FITS in self.settings:
            from dataaudit.learners.weights import RESET

            raise ModelError(
                f"an audit by a model that was trained on these labels before, of which it repeats "
                f"{self.settings[FITS]:.1%}",
                "a model that has not been trained on them, whose training tells label errors",
                [*RESET, *otherwise],
            )
        if self.label_errors is None:
            raise ModelError(
                f"an audit of {', '.join(self.columns)}, which says nothing about other classes",
                "training dynamics, held-out predictions or neighbours, which tell label errors",
                ["score again with scorers='consensus'", *otherwise],
            )
        return self.label_errors

    def error_probability(self) -> FloatArray:
        """Probability that each given label is wrong, float64 [n], NaN where nothing is known.

        The probabilities add up to the estimated number of errors, and fall in the order of the consensus score. Where
        that number is not known (``noise_rate().known``), they only rank: how large they are means nothing.

        Raises
        ------
        ModelError
            If nothing that was computed says what class an example is of.

        Examples
        --------
        >>> import dataaudit
        >>> from sklearn.datasets import load_iris
        >>> iris = load_iris(as_frame=True).frame
        >>> iris.loc[[5, 60, 110], "target"] = [1, 2, 0]  # three label errors
        >>> audit = dataaudit.score(None, iris, label="target", progress=False)
        >>> audit.error_probability()[[5, 60, 110]].round() == 1
        array([ True,  True,  True])
        """
        return self._known_errors().probability.copy()

    @settled()
    def noise_rate(self) -> NoiseRate:
        """Estimate how many labels are wrong, overall and by pair of classes.

        Returns
        -------
        NoiseRate
            The rate with a 95 % interval, and the pairs (given label, suggested label).

        Raises
        ------
        ModelError
            If nothing that was computed says what class an example is of.

        Notes
        -----
        The rate lies halfway, in logarithms, between two numbers, moved a little by the mean loss of the labels. One is
        the median of a strict confident joint (after Northcutt, Jiang and Chuang 2021), the mean posterior after one
        step of expectation-maximisation and, where held-out predictions or neighbours among the inputs never saw the
        example's label, planted errors at two levels; a network that has memorised its labels hides errors from
        the first two. The other is the share of labels that all sources which never saw them (all there are, where each
        did) contradict with the same class. The interval is what such estimates were off by on data sets whose errors
        are known, people's among them (benchmarks/peers/bed/counts.py): wide where the model disagrees with many more
        labels than are estimated to be wrong, where the estimates disagree, and where it was trained on the labels.
        Where the model is too weak to count by, or has memorised its labels beside nothing that never saw them,
        or anything may be, the rate is not known.

        Of an audit that people `reviewed`, the rate and its interval come from the rows that were drawn for them.

        Examples
        --------
        >>> import dataaudit
        >>> from sklearn.datasets import load_iris
        >>> iris = load_iris(as_frame=True).frame
        >>> iris.loc[[5, 60, 110], "target"] = [1, 2, 0]  # three label errors
        >>> audit = dataaudit.score(None, iris, label="target", progress=False)
        >>> found = audit.noise_rate()
        >>> found.known, found.lower < 3 / 150 < found.upper
        (True, True)
        >>> found.pairs.head(3)[["given", "suggested"]].values.tolist()
        [['2', '1'], ['1', '0'], ['0', '2']]
        """
        errors, names = self._known_errors(), self._names()
        true, given = errors.pairs.T
        of_given = np.bincount(self.labels[self.labels >= 0], minlength=len(names))[given]
        share = np.minimum(errors.counts / np.maximum(of_given, 1), 1.0)
        lower, upper = _intervals(share, errors, of_given)
        pairs = pd.DataFrame(
            {
                "given": names[given],
                "suggested": names[true],
                "count": errors.counts,
                "share": share,
                "lower": lower,
                "upper": upper,
            }
        )
        review = self.settings.get(REVIEW, {"looked": 0, "drawn": 0})
        looks = (review["looked"], review["drawn"])
        return NoiseRate(errors.rate, errors.lower, errors.upper, pairs, dict(errors.estimates), errors.unknown, *looks)

    @settled()
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
            row (of the data set) and its own name for it, given (label), suggested (label; that of `mislabeled` for
            rows that it flags; blank where it equals the given or nothing is known), score, margin.

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
        >>> audit.suspects(3)[["row", "given", "suggested"]].values.tolist()
        [[5, '1', '0'], [60, '2', '1'], [110, '0', '2']]
        """
        k = checks.whole("k", k, 1, "pass k=20")
        name = self._named(by)
        chosen = self.ranking(name)[:k]
        names = self._names()
        given, suggested = self.labels[chosen], self._suggested()[chosen]
        other = (suggested >= 0) & (suggested != given)
        return pd.DataFrame(
            {
                **self._row_columns(chosen),
                "given": names[given],
                "suggested": np.where(other, names[suggested], ""),
                "score": self.columns[name][chosen],
                "margin": self.margin[chosen],
            }
        )

    @settled()
    def mislabeled(
        self,
        how: str = "auto",
        *,
        precision: float | None = None,
        recall: float | None = None,
        rate: float | None = None,
        count: int | None = None,
    ) -> pd.DataFrame:
        """Return the examples that are flagged as mislabeled, the likeliest first.

        Parameters
        ----------
        how
            "auto": as many as are estimated to be wrong, of those that are likelier wrong than right, by a cautious
            count where there may be no error at all. It is left out beside one of the following.
        precision
            As many as possible while this share of them is expected to be wrong. Errors are counted cautiously, six
            tenths of the way, in logarithms, to the lower bound of their number; ``attrs`` hold what is expected by
            the estimate itself.
        recall
            As few as possible while this share of all errors is expected among them.
        rate
            This share of all examples.
        count
            So many examples, or all there are.

        Returns
        -------
        DataFrame
            row (of the data set) and its own name for it, given label, every score, explanation (in words), reason,
            suggested label and probability (of being wrong). The reason is the explanation in few characters, such as
            "97% differ" (neighbours with another label), "learned 0/12" (epochs) and "2% likely" (the given label, to
            models that had not seen the example). First and last stands what a narrow screen still shows.
            Its ``attrs`` hold the expected precision and recall: a recall far below 1 says that more
            labels are expected to be wrong than any can be named by default.

        Raises
        ------
        ModelError
            If nothing that was computed says what class an example is of, or how many labels are wrong is not known
            and neither `rate` nor `count` is given.
        SettingError
            If more than one target is given, one is no share, or the precision cannot be reached; the error says
            which can.

        Examples
        --------
        >>> import dataaudit
        >>> from sklearn.datasets import load_iris
        >>> iris = load_iris(as_frame=True).frame
        >>> iris.loc[[5, 60, 110], "target"] = [1, 2, 0]  # three label errors
        >>> audit = dataaudit.score(None, iris, label="target", progress=False)
        >>> flagged = audit.mislabeled()
        >>> flagged[["row", "given", "suggested"]].values.tolist()
        [[5, '1', '0'], [60, '2', '1'], [110, '0', '2']]
        >>> len(audit.mislabeled(count=10)), len(audit.mislabeled(recall=0.9)) >= 3
        (10, True)
        """
        errors = self._known_errors()
        targets = {"precision": precision, "recall": recall, "rate": rate, "count": count}
        chosen = self._flagged(how, targets)
        names = self._names()
        total = float(np.nansum(errors.probability))
        frame = pd.DataFrame(
            {
                **self._row_columns(chosen),
                "given": names[self.labels[chosen]],
                **{name: values[chosen] for name, values in self.columns.items()},
                "explanation": reasons(chosen, self.labels, self.class_names, errors, self.dynamics, self.columns),
                "reason": short_reasons(chosen, errors, self.dynamics, self.columns),
                "suggested": names[errors.rival[chosen]],
                "probability": errors.probability[chosen],
            }
        )
        # Probabilities that only rank expect nothing.
        expected = float(errors.probability[chosen].sum()) if errors.known else np.nan
        frame.attrs["expected_precision"] = expected / max(len(chosen), 1)
        frame.attrs["expected_recall"] = expected / max(total, 1e-12)
        return frame

    def _flagged(self, how: str = "auto", targets: Mapping[str, float | None] = MappingProxyType({})) -> IntArray:
        """Positions of the examples that `mislabeled` returns, the likeliest first, int64 [k]."""
        errors = self._known_errors()
        order = np.argsort(-np.nan_to_num(errors.probability, nan=-1.0), kind="stable")
        order = order[: int(np.isfinite(errors.probability).sum())]
        return order[: number_flagged(errors.probability[order], errors, how, targets)].astype(np.int64)

    def _suggested(self) -> IntArray:
        """Class suggested for each example: the likeliest by all sources, another than given where that is flagged."""
        suggested = self.suggested.copy()
        if self.label_errors is not None and self.label_errors.known:
            flagged = self._flagged()
            suggested[flagged] = self.label_errors.rival[flagged]
        return suggested


def _intervals(share: FloatArray, errors: LabelErrors, of_given: IntArray) -> tuple[FloatArray, FloatArray]:
    """95 % intervals of the shares of pairs [p]: as far off as the rate may be, and so few examples by chance."""
    if not errors.known:
        return np.zeros(len(share)), np.ones(len(share))
    chance = CHANCE**2 / np.maximum(errors.counts, 0.5)
    rate = max(errors.rate, 1e-12)
    below, above = (np.log(max(bound, 1e-12) / rate) for bound in (errors.lower, errors.upper))
    lower = share * np.exp(-np.sqrt(below**2 + chance)) if errors.lower > 0 else np.zeros(len(share))
    upper = np.maximum(share * np.exp(np.sqrt(above**2 + chance)), share + NONE_SEEN / np.maximum(of_given, 1))
    return np.asarray(lower), np.asarray(np.minimum(upper, 1.0))


def number_flagged(falling: FloatArray, errors: LabelErrors, how: str, targets: Mapping[str, float | None]) -> int:
    """Number of examples to flag, of probabilities in falling order."""
    given = {name: value for name, value in targets.items() if value is not None}
    checks.choice(f"how={how!r}", how, ("auto",), "'auto', or one of precision=, recall=, rate= and count=")
    if len(given) > 1:
        others = [" and ".join(f"{name}=" for name in given if name != kept) for kept in given]
        raise SettingError(
            " and ".join(f"{name}={value!r}" for name, value in given.items()),
            "one of precision=, recall=, rate= and count=",
            [f"leave {names} out" for names in others],
        )
    count = given.pop("count", None)
    if count is not None:
        return min(checks.whole("count", count, 1, "pass count=20"), len(falling))
    for name, value in given.items():
        checks.number(name, value, 0, 1, "right", "a share above 0 and at most 1", f"pass {name}=0.9")
    if "rate" in given:
        return round(given["rate"] * len(falling))
    if not errors.known:
        raise ModelError(
            f"an audit that does not know how many labels are wrong: {errors.unknown}",
            "how many examples to return",
            [*_by_number(given), "train a better model"],
        )
    if "recall" in given:
        wanted = given["recall"] * falling.sum()
        return min(int(np.searchsorted(np.cumsum(falling), wanted * (1 - 1e-12))) + 1, len(falling))
    if "precision" in given:
        fewer = cautious(falling, errors.rate, errors.lower, CAUTION)
        means = np.cumsum(fewer) / np.arange(1, len(falling) + 1)
        reached = np.flatnonzero(means >= given["precision"] - 1e-12)
        if len(reached) == 0:
            raise SettingError(
                f"precision={given['precision']}, which no set of these examples is expected to reach",
                f"at most {means.max(initial=0.0):.3f}, what the most suspicious example has where errors are counted "
                f"cautiously, between {errors.lower:.2%} and {errors.rate:.2%} of the labels",
                [*_reachable(means), *_by_number(given)],
            )
        return int(reached[-1]) + 1
    likelier = falling if errors.lower > 0 else cautious(falling, errors.rate, errors.lower, CAUTION)
    return min(round(errors.rate * len(falling)), int((likelier >= FLOOR).sum()))


def _by_number(given: Mapping[str, float]) -> list[str]:
    """Advice to ask for the likeliest few, in place of the targets that were given."""
    first = "".join(f"drop {name}= and " for name in given)
    return [f"{first}pass count=20", f"{first}pass rate=0.05"]


def _reachable(means: FloatArray) -> list[str]:
    """Advice on the largest expected precision, in thousandths; none where that is 0."""
    best = math.floor(1000 * (means.max(initial=0.0) + 1e-12)) / 1000
    return [f"pass precision={best:g}"] if best > 0 else []
