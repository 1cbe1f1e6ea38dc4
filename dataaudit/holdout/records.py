"""Record of a run: a few bits an example, as an archive of NumPy arrays."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np

from dataaudit.common.claims import Claims
from dataaudit.common.types import AnyArray, BoolArray
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
    def from_bytes(cls, content: bytes, name: str, units: int) -> Record:
        """Read what `to_bytes` gave of so many units; a `StorageError` if no run can have given it."""
        claims, packed = Claims(name, "make it again"), -(-units // 8)
        most = {"run": 16, "held_out": packed, "correct": packed, "probability": 2 * units, "missing_classes": 8}
        parts = claims.npz(io.BytesIO(content), most)
        ratio, number = claims.array("run", parts["run"], "f", (2,), 0, 2**53).tolist()
        claims.check(number == int(number), f"run number {number}", "a whole number")
        held, correct = (claims.array(part, parts[part], "u", (packed,)) for part in ("held_out", "correct"))
        unused = np.packbits(np.arange(8 * packed) >= units)
        claims.check(held.dtype == correct.dtype == np.uint8, f"rows as {held.dtype}, {correct.dtype}", "uint8")
        claims.check(not (held & unused).any(), "more rows held out than there are", f"{units} rows")
        claims.check(not (correct & ~held).any(), "correct rows that were not held out", "none")
        count = int(np.unpackbits(held).sum())
        probability = claims.array("probability", parts["probability"], "f", (count,), 0, 1)
        claims.check(probability.dtype == np.float16, f"probabilities as {probability.dtype}", "float16")
        missing = claims.array("missing_classes", parts["missing_classes"], "iu", (), 0, units)
        return cls(Run(ratio, int(number)), held, correct, probability, int(missing))


def most_bytes(units: int) -> int:
    """Size of the largest record of so many units."""
    return 2 * -(-units // 8) + 2 * units + 2**16
