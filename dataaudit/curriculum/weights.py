"""Strategies by name, and the step from their raw weights to those that can be trained with."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from dataaudit.common import checks
from dataaudit.common.registry import Registry
from dataaudit.common.types import FloatArray
from dataaudit.curriculum.base import ScoredExamples, Strategy, weighed
from dataaudit.curriculum.sampling import scaled
from dataaudit.errors import DataError, SettingError, did_you_mean, rows

Unscored = Literal["mean", "drop", "raise"]
UNSCORED: tuple[Unscored, ...] = get_args(Unscored)

REGISTRY = Registry(
    "strategy",
    {
        "easy_to_hard": "dataaudit.curriculum.pacing:EasyToHard",
        "hard_to_easy": "dataaudit.curriculum.pacing:HardToEasy",
        "drop_least_regular": "dataaudit.curriculum.selection:DropLeastRegular",
        "suspects": "dataaudit.curriculum.selection:DownweightSuspects",
        "balanced": "dataaudit.curriculum.selection:Balanced",
        "self_paced": "dataaudit.curriculum.selfpaced:SelfPaced",
        "small_loss": "dataaudit.curriculum.selfpaced:SmallLoss",
    },
    group="dataaudit.strategies",
)


def resolve(strategy: str | Strategy, options: Mapping[str, Any]) -> Strategy:
    """Strategy by name with `options`, or the instance itself, which comes without; a `SettingError` otherwise."""
    if isinstance(strategy, str):
        maker = REGISTRY.get(strategy)
        known = inspect.signature(maker).parameters
        for option in options:
            if option not in known:
                raise SettingError(
                    f"option {option!r} of the strategy {strategy!r}",
                    "one that it has",
                    [f"leave {option}= out", *([did_you_mean(option, known)] if known else [])],
                )
        for option, parameter in known.items():
            if parameter.default is parameter.empty and option not in options:
                raise SettingError(f"the strategy {strategy!r} without {option}=", "it", f"pass {option}=")
        strategy = maker(**options)
    elif options:
        raise SettingError(
            f"options {', '.join(options)} beside an instance", "a name with options", "give them to the instance"
        )
    expected = "a name or an object with name, summary and weigh()"
    resolved: Strategy = REGISTRY.resolve(strategy, Strategy, f"strategy {strategy!r}", expected)
    return resolved


def check_moment(epoch: Any, total_epochs: Any) -> None:
    """Raise unless `epoch` is None or one of `total_epochs`, where that is known."""
    for name, value, least in (("epoch", epoch, 0), ("total_epochs", total_epochs, 1)):
        if value is not None:
            checks.whole(name, value, least, f"pass {name}={least}")
    if epoch is not None and total_epochs is not None and epoch >= total_epochs:
        raise SettingError(
            f"epoch={epoch} of total_epochs={total_epochs}",
            f"0..{total_epochs - 1}",
            f"pass epoch={total_epochs - 1} in the last one: they count from 0",
        )


def weights(
    strategy: Strategy,
    examples: ScoredExamples,
    epoch: int | None = None,
    total_epochs: int | None = None,
    *,
    unscored: Unscored = "mean",
    normalise: bool = True,
) -> NDArray[np.float32]:
    """Weights float32 [n] of a strategy; parameters and errors are those of `Audit.weights`."""
    check_moment(epoch, total_epochs)
    checks.choice(f"unscored={unscored!r}", unscored, UNSCORED, "a known policy")
    checks.flag("normalise", normalise, "pass normalise=False for the weights as are")
    raw = weighed(strategy, examples, epoch, total_epochs)
    # Sums of the largest numbers overflow.
    with np.errstate(over="ignore"):
        raw = _filled(strategy.name, scaled(raw) if normalise else raw, unscored)
    if not raw.any():
        raise DataError(
            f"weights by {strategy.name!r} that are all zero",
            "some example with weight",
            "pass another strategy=, or another score by by=",
        )
    with np.errstate(over="ignore", under="ignore"):
        trained = (raw / raw.mean() if normalise else raw).astype(np.float32)
    if not trained.any() or not np.isfinite(trained).all():
        raise SettingError(
            f"weights between {raw.min()} and {raw.max()} from the strategy {strategy.name!r}",
            "weights that float32 holds, about 1e-45 to 3e38",
            "pass normalise=True, or have the strategy weigh on another scale",
        )
    return trained


def _filled(name: str, raw: FloatArray, unscored: Unscored) -> FloatArray:
    unknown = np.isnan(raw)
    if not unknown.any():
        return raw
    if unscored == "raise":
        raise DataError(
            f"nothing that {name!r} weighs by for {rows(np.flatnonzero(unknown))}",
            "something for every example",
            "pass unscored='mean', unscored='drop', or another score by by=",
        )
    if unknown.all():
        raise DataError(
            f"nothing that {name!r} weighs by for any of {len(raw)} examples",
            "something for at least one",
            "pass another strategy=, or another score by by=",
        )
    raw[unknown] = raw[~unknown].mean() if unscored == "mean" else 0.0
    return raw
