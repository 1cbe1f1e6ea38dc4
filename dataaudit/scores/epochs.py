"""Epochs after which a score takes its representation."""

from __future__ import annotations

import operator
from collections.abc import Sequence

from dataaudit.errors import SettingError


def checked_epochs(epochs: Sequence[int] | None) -> tuple[int, ...] | None:
    """Distinct epochs in the order given, or a `SettingError`; None stays None, for the end of training.

    >>> checked_epochs([3, 1, 3])
    (3, 1)
    """
    if epochs is None:
        return None
    try:
        chosen = tuple(dict.fromkeys(operator.index(epoch) for epoch in epochs))
    except TypeError:
        chosen = ()
    if not chosen or isinstance(epochs, str):
        raise SettingError(f"epochs={epochs!r}", "a list of epochs, or None", "pass epochs=[5]")
    return chosen


def at_epochs(name: str, epochs: Sequence[int] | None) -> str:
    """Name of a score with its epochs, "density/hidden@1,3"; the name itself for the end of training."""
    return name if epochs is None else f"{name}@{','.join(map(str, epochs))}"
