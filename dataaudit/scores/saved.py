"""Scores that were computed elsewhere, read from a file or an array."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from dataaudit.common.claims import HEADER, Claims
from dataaudit.common.types import AnyArray, FloatArray, IntArray
from dataaudit.errors import DataError, SettingError, did_you_mean, rows
from dataaudit.evidence.base import Evidence
from dataaudit.scores import REGISTRY
from dataaudit.scores.base import Scores

VALUES = ("scores", "cscores", "values")
"""Names under which an archive may hold its scores, besides the score's own; the paper's authors use "scores"."""

VALUE, LABEL = 32, 2048
"""Bytes that a score and a label may take in a file; a name of 512 letters does."""


@dataclass(frozen=True, eq=False)
class SavedScore:
    """A score from a file; it needs nothing else.

    Parameters
    ----------
    name, summary
        As in `dataaudit.scores.base.Scorer`.
    values
        float64 [n], higher = more regular.
    """

    name: str
    summary: str
    values: FloatArray

    @property
    def needs(self) -> frozenset[Any]:
        """Nothing."""
        return frozenset()

    def score(self, evidence: Evidence) -> Scores:
        """The values [n]."""
        return Scores(self.values)


def check_names(given: Mapping[str, Any]) -> None:
    """Raise `SettingError` unless all are names of scores."""
    for name in given:
        if name not in REGISTRY.names():
            raise SettingError(
                f"known_scores={{{name!r}: ...}}", "the name of a score", did_you_mean(name, REGISTRY.names())
            )


def saved_scores(
    given: Mapping[str, Any],
    labels: IntArray,
    class_names: tuple[str, ...],
    notes: list[str],
    left_out: IntArray | None = None,
) -> dict[str, SavedScore]:
    """Scores by name from ``{"c_score": file or array}``; adds to `notes` whether labels were compared.

    A file is an .npz (values under the score's name or `VALUES`, and "labels" to compare, as in the files that the
    paper's authors publish) or an .npy; an array is [n]. They may be of all rows of the data set, some of which,
    `left_out`, have no label. Raises a `SettingError` if a file cannot be read, a `DataError` if lengths or labels
    differ from the data set's, or a value is infinite.
    """
    scores = {}
    out = np.zeros(0, np.int64) if left_out is None else left_out
    for name, source in given.items():
        values, theirs = _read(name, source, len(labels) + len(out))
        where = f"known score {name!r}"
        whole = (len(labels) + len(out),)
        values = np.delete(values, out) if values.shape == whole else values
        theirs = np.delete(theirs, out) if theirs is not None and theirs.shape == whole else theirs
        if values.shape != labels.shape:
            raise DataError(
                f"{where} of shape {values.shape}", f"{labels.shape}, one value an example", "pass that data set's own"
            )
        if np.isnan(values).all():
            raise DataError(
                f"{where} with no value but NaN", "a value for some examples", "leave it out, or save its values"
            )
        if np.isinf(values).any():
            raise DataError(
                f"infinite values of {where} in {rows(np.flatnonzero(np.isinf(values)))}",
                "numbers",
                "put NaN in their place",
            )
        if theirs is None:
            notes.append(f"{where} has no labels to compare with the data set's: the order of rows was not checked")
        else:
            _compare(where, theirs, labels, class_names)
            notes.append(f"{where} was read from {_named(source)}; its labels are those of the data set")
        scores[name] = SavedScore(name, f"read from {_named(source)}", values)
    return scores


def _named(source: Any) -> str:
    return Path(source).name if isinstance(source, (str, PathLike)) else "an array"


def _read(name: str, source: Any, n: int) -> tuple[FloatArray, AnyArray | None]:
    if not isinstance(source, (str, PathLike)):
        return _real(name, source.detach().cpu().numpy() if hasattr(source, "detach") else source), None
    try:
        with open(source, "rb") as file:
            claims = Claims(source)
            if not zipfile.is_zipfile(file):
                file.seek(0)
                return _real(name, claims.npy(file.read(n * VALUE + HEADER))), None
            inside = [entry.removesuffix(".npy") for entry in zipfile.ZipFile(file).namelist()]
            key = next((key for key in (name, *VALUES) if key in inside), None)
            if key is None:
                raise SettingError(
                    f"{source} with {', '.join(inside)}",
                    f"an array called {' or '.join((name, *VALUES))}",
                    "save the scores under that name",
                )
            most = {key: n * VALUE} | ({"labels": n * LABEL} if "labels" in inside else {})
            arrays = claims.npz(file, most, others=True)
            return _real(name, arrays[key]), arrays.get("labels")
    except SettingError:
        raise
    except Exception as error:  # Readers of a file that is no array raise of every kind.
        expected = f"an .npz or .npy file without pickle, with one value for each of {n} examples"
        raise SettingError(
            f"known score {name!r} from {source} ({error})", expected, "name a file that numpy.savez wrote"
        ) from error


def _real(name: str, given: Any) -> FloatArray:
    try:
        values = np.asarray(given)
        if values.dtype.kind in "iubf":
            return values.astype(np.float64)
        kind = str(values.dtype)
    except (TypeError, ValueError) as error:
        kind = str(error)
    arrived = f"known score {name!r} of {type(given).__name__} ({kind})"
    raise SettingError(arrived, "a path, or numbers [n]", "pass the path of a file, or an array of numbers")


def _compare(where: str, theirs: AnyArray, labels: IntArray, class_names: tuple[str, ...]) -> None:
    if theirs.shape != labels.shape:
        raise DataError(f"{len(theirs)} labels in {where}", f"{len(labels)}, as in the data set", "pass the same rows")
    # Positions in the class names, or the names themselves where those are numbers.
    spelled = np.asarray(class_names)[labels]
    known = labels >= 0
    differ = min(
        (np.flatnonzero(known & other) for other in (theirs != labels, theirs.astype(str) != spelled)), key=len
    )
    if len(differ):
        raise DataError(
            f"{len(differ)} labels in {where} that differ from the data set's, in {rows(differ)}",
            "the same examples in the same order",
            "put the data set in the order of the file (the paper's files keep the original one)",
        )
