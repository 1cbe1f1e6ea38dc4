"""Kernel sums of millions of rows: exact within classes, sampled between them, with errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dataaudit.common import checks
from dataaudit.common.types import AnyArray, IntArray
from dataaudit.density.base import PLAIN, Context, DensityEngine
from dataaudit.density.sums import DensitySums, SumErrors
from dataaudit.errors import SettingError
from dataaudit.representations.base import Features, GradientFactors, are_rows

WIDEST = 16384
"""Most numbers of a gradient that is written out."""


@dataclass(frozen=True)
class SampledEngine(DensityEngine):
    """Sums over the same label from all pairs, over other labels from a sample, with a standard error for each.

    Rows stay on disk where they are memory-mapped, and in pieces where they come in pieces; memory for a million rows
    is some hundred MiB. Classes of more than four samples are sampled as well. Where all pairs are no more work than
    the sample, all are summed, and errors are 0. Errors are those of a mean: rows of a tight little group among far
    ones, which a sample may miss, are known worse than their standard error says; small bandwidths (below half of the
    paper's) make all rows such ones.

    Gradients of linear layers are written out block by block.

    Parameters
    ----------
    tolerance
        Largest 1 - Spearman between each density score and its exact self, estimated from the differences of
        halves of the sample: the sample grows until it is met, or is of size `sample`; the audit's settings and notes
        say what was reached. None for a sample of that size.
    sample
        Most members of the sample.
    exact_class
        Largest class of which all pairs are summed; four samples if None.
    control
        Whether Taylor's terms of the kernel, whose sums over all rows are known, take part of the variance away;
        False to see what they give.
    seed
        Of the sample; that of the audit if None.
    threads
        All cores if None.

    Examples
    --------
    >>> SampledEngine(tolerance=1e-4).name
    'sampled'
    """

    tolerance: float | None = 1e-3
    sample: int = 65536
    exact_class: int | None = None
    control: bool = True
    seed: int | None = None
    threads: int | None = None
    name: str = "sampled"

    @property
    def reads_pieces(self) -> bool:
        """As `DensityEngine.reads_pieces`."""
        return True

    def check(self) -> None:
        """Raise `SettingError` unless all settings are as described."""
        if self.tolerance is not None:
            expected = "a number between 0 and 1, or None"
            checks.number("tolerance", self.tolerance, 0, 1, "neither", expected, "pass tolerance=1e-3")
        for name, least, optional in (
            ("sample", 256, False),
            ("exact_class", 0, True),
            ("seed", 0, True),
            ("threads", 1, True),
        ):
            value = getattr(self, name)
            if value is not None or not optional:
                expected = f"a whole number of at least {least}" + (", or None" if optional else "")
                checks.whole(name, value, least, f"leave {name} out", expected=expected)
        checks.flag("control", self.control, "leave control out")

    def sums(self, features: Features, labels: IntArray, bandwidth: float, context: Context = PLAIN) -> DensitySums:
        """As `DensityEngine.sums`; a gradient of over 16384 numbers raises `SettingError`.

        Rows that hold NaN or infinity (they are named), or change while they are read, raise `ValueError`.
        """
        return estimated(self, as_rows(features, self.name), labels, bandwidth, context, control=self.control)


def estimated(
    engine: Any, rows: Any, labels: IntArray, bandwidth: float, context: Context, **options: Any
) -> DensitySums:
    """Estimated sums with the settings of an engine; `options` are further ones of the kernel."""
    from dataaudit_kernels.rbf_sampled import sampled_sums

    sums = sampled_sums(
        rows,
        labels,
        bandwidth,
        tolerance=engine.tolerance,
        sample=engine.sample,
        exact_class=engine.exact_class,
        seed=context.seed if engine.seed is None else engine.seed,
        threads=engine.threads,
        advance=context.advance,
        **options,
    )
    reached = 1 - min(sums.agreement.values())
    settings = {
        "precision": "float32",
        "tolerance": engine.tolerance,
        "most_members": engine.sample,
        "sample": sums.sample,
        "exact_class": sums.exact_class,
        "directions": sums.rank,
        "spearman": sums.agreement,
        "tolerance_met": None if engine.tolerance is None else bool(reached <= engine.tolerance),
    }
    errors = SumErrors(sums.other_stderr, sums.same_stderr, sums.members, sums.agreement)
    return DensitySums(sums.total, sums.same, settings, errors)


def as_rows(features: Features, engine: str) -> Any:
    """Rows as they are; gradients as rows that are written out where they are read."""
    return features if are_rows(features) else WrittenOut(features, engine)


class WrittenOut:
    """Gradients of linear layers as rows [n, sum of p (q + 1)], written out where they are read.

    A row of over `WIDEST` numbers raises a `SettingError` that names the engine.

    >>> layer = GradientFactors(np.array([[1.0], [2.0]]), np.array([[0.0], [3.0]]), bias=True)
    >>> WrittenOut([layer])[np.array([1])].tolist()
    [[6.0, 2.0]]
    """

    def __init__(self, layers: Sequence[GradientFactors], engine: str = "sampled") -> None:
        width = sum(delta.shape[1] * (inputs.shape[1] + bias) for delta, inputs, bias in layers)
        if width > WIDEST:
            raise SettingError(
                f"engine {engine!r} for gradients of {width} numbers",
                f"at most {WIDEST}, for they are written out",
                ["pass engine='cpu'", "ask for the space 'gradient_sketch', such as scorers='density/gradient_sketch'"],
            )
        self._layers = layers
        self.shape = (len(layers[0].delta), width)
        self.dtype = np.dtype(np.float32)

    def __len__(self) -> int:
        """Number of examples n."""
        return self.shape[0]

    def __getitem__(self, wanted: slice | IntArray) -> AnyArray:
        """Rows of a slice or at positions, float32 [b, d]."""
        parts = []
        for delta, inputs, bias in self._layers:
            outer, inner = delta[wanted], inputs[wanted]
            if bias:
                inner = np.column_stack([inner, np.ones(len(inner), inner.dtype)])
            parts.append((outer[:, :, None] * inner[:, None, :]).reshape(len(outer), -1))
        return np.concatenate(parts, axis=1, dtype=np.float32)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> AnyArray:
        """All rows."""
        rows = self[:]
        return rows if dtype is None else rows.astype(dtype, copy=False)
