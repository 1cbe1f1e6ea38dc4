"""Record of a run: a few bits an example, as an archive of NumPy arrays."""

from __future__ import annotations

import io
import zipfile
import zlib
from dataclasses import dataclass

import numpy as np

from dataaudit.common.types import AnyArray, BoolArray
from dataaudit.errors import StorageError
from dataaudit.holdout.base import Outcome
from dataaudit.holdout.plan import Run


@dataclass(frozen=True)
class Record:
    """Outcome of one run, which did not train on `missing_classes` of the classes.

    `held_out` and `correct`, only where held out, have one bit a row, uint8 [ceil(n / 8)], as `numpy.packbits` lays
    them; `probability` is that of the label, float16 [m], of the m rows held out in their order.
    """

    run: Run
    held_out: AnyArray
    correct: AnyArray
    probability: AnyArray
    missing_classes: int = 0

    @classmethod
    def of(cls, run: Run, held_out: BoolArray, outcome: Outcome, missing_classes: int = 0) -> Record:
        """Record of an outcome; a `ValueError` unless it is one value a row held out, probabilities within [0, 1]."""
        count = int(held_out.sum())
        right, probability = np.asarray(outcome.correct), np.asarray(outcome.probability, np.float32)
        if right.shape != (count,) or right.dtype != np.bool_ or probability.shape != (count,):
            raise ValueError(
                f"found outcomes of shapes {right.shape} ({right.dtype}) and {probability.shape}; expected bool and "
                f"float of shape {(count,)}, one a row held out; mend the trial"
            )
        if not ((probability >= 0) & (probability <= 1 + 1e-6)).all():
            raise ValueError(
                "found probabilities outside [0, 1] or NaN; expected those of the labels; lower the learning rate if "
                "training diverged"
            )
        correct = np.zeros(len(held_out), bool)
        correct[held_out] = right
        packed = np.packbits(held_out), np.packbits(correct)
        return cls(run, *packed, np.minimum(probability, 1).astype(np.float16), missing_classes)

    def unpacked(self, n: int) -> tuple[BoolArray, BoolArray]:
        """Held-out and correct rows, bool [n] each."""
        bits = (np.unpackbits(part, count=n).view(np.bool_) for part in (self.held_out, self.correct))
        return next(bits), next(bits)

    def to_bytes(self) -> bytes:
        """Archive of NumPy arrays (.npz), compressed; equal records give equal bytes."""
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            run=np.array([self.run.ratio, self.run.number], np.float64),
            held_out=self.held_out,
            correct=self.correct,
            probability=self.probability,
            missing_classes=np.array(self.missing_classes),
        )
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes, name: str) -> Record:
        """Read what `to_bytes` gave, without pickle; a `StorageError` if it is damaged."""
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as archive:
                ratio, number = archive["run"].tolist()
                held_out, correct, probability = (archive[part] for part in ("held_out", "correct", "probability"))
                return cls(Run(ratio, int(number)), held_out, correct, probability, int(archive["missing_classes"]))
        except (ValueError, KeyError, TypeError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise StorageError(
                f"{name}, which is no record ({error})", "an undamaged record", "make it again"
            ) from error
