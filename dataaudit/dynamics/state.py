"""What the state of a `Recorder` may say: every entry is checked before any of it is believed."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from dataaudit.common.claims import Claims
from dataaudit.common.types import AnyArray, IntArray
from dataaudit.dynamics import batches
from dataaudit.dynamics.history import MOST_EPOCHS
from dataaudit.dynamics.mean_probabilities import OFFERED, SLOTS
from dataaudit.dynamics.periods import stretches
from dataaudit.dynamics.sealing import is_plain
from dataaudit.errors import DataError
from dataaudit.tasks.base import CONFIDENCE, MAX_CONFIDENCE, Task

VERSION = 6
IDENTITY = ("version", "n", "classes", "task")
ARRAYS = ("labels", "sums", "final")
"""Arrays in a state."""
STAGED = ("position", "staged", "staged_labels")
"""Tensors of an open epoch in a state."""
SHARE = 1 + 1e-3
"""Largest probability, up to rounding."""
ONE, NONE = np.array([SHARE, np.nan], np.float16).view(np.uint16)
"""Bits of the largest probability and of none, float16."""
MOST_BYTE = 255
"""Epochs that a byte counts."""
TYPES = {
    torch.int64: "i",
    torch.int32: "i",
    torch.uint8: "u",
    torch.float64: "f",
    torch.float32: "f",
    torch.float16: "f",
}
CLAIMS = Claims("a recorder's state", "load what state_dict() gave, whole and undamaged")


def check_state(state: Any, n: int, classes: int, task: Task, exact: bool) -> None:
    """Raise `DataError` if a state is of other sizes, `StorageError` if no recorder can have made it.

    `exact` tells whether it holds sums of all classes, or of each example's likeliest.
    """
    _kind("entries", state, dict)
    theirs = tuple(state.get(name) for name in IDENTITY[:3])
    if any(type(one) is not int for one in theirs) or theirs != (VERSION, n, classes):
        raise DataError(
            f"a state of (version, n, classes) {theirs}",
            f"{(VERSION, n, classes)}",
            "make the Recorder for the data set that the state was recorded on",
        )
    batches.check_task(task, str(state.get("task")))
    begun = "position" in state or (isinstance(state.get("seen_bits"), list) and len(state["seen_bits"]) > 0)
    names = [*IDENTITY, *ARRAYS, "losses", "seen_bits", "correct_bits", "history", "written"]
    _entries("entries", state, *names, *([*STAGED, "means"] if begun else []))
    units, outcomes = task.count(n), task.outcomes(classes)
    visits = _check_bits(state, units)
    _check_arrays(state, units, outcomes, visits)
    _check_history(state["history"], units, len(state["seen_bits"]))
    written = CLAIMS.whole("written", state["written"], 0, 2**62 if begun else 0)
    if begun:
        _tensor("position", state["position"], torch.int64, (units + 1,), -1, written - 1)
        staged = _tensor("staged", state["staged"], torch.float32, (units + 1, 7))
        for column in (CONFIDENCE, MAX_CONFIDENCE):
            _shares("staged", staged[:, column])
        lowest = min(batches.TWO_LABELS, 0)
        labels = _tensor("staged_labels", state["staged_labels"], torch.int64, (units + 1,), lowest, outcomes - 1)
        CLAIMS.check(((labels >= 0) | (labels == batches.TWO_LABELS)).all(), "staged_labels below 0", "classes")
        _check_means(state["means"], units, outcomes, visits, exact)


def _check_bits(state: dict[str, Any], units: int) -> IntArray:
    """Check which rows were seen, and correct; returns in how many epochs each was seen, int64 [u]."""
    both = [_kind(name, state[name], list) for name in ("seen_bits", "correct_bits")]
    CLAIMS.check(len(both[0]) == len(both[1]), f"{[*map(len, both)]} epochs of seen and correct rows", "equally many")
    visits, latest = np.zeros(units, np.int64), np.zeros(units, np.uint8)
    unused = np.packbits(np.arange(-(-units // 8) * 8) >= units)
    for epoch, parts in enumerate(zip(*both, strict=True), 1):
        seen, correct = (_tensor(f"rows of epoch {epoch}", part, torch.uint8, unused.shape) for part in parts)
        CLAIMS.check(not (seen & unused).any(), f"more rows in epoch {epoch}", f"{units}")
        CLAIMS.check(not (correct & ~seen).any(), f"correct rows that epoch {epoch} did not see", "none")
        latest += np.unpackbits(seen, count=units)
        if epoch % MOST_BYTE == 0:
            visits += latest
            latest[:] = 0
    visits += latest
    return visits


def _check_arrays(state: dict[str, Any], units: int, outcomes: int, visits: IntArray) -> None:
    """Check labels, sums over epochs, the evaluation and latest losses."""
    seen = visits > 0
    labels = _tensor("labels", state["labels"], torch.int64, (units,), -1, outcomes - 1)
    CLAIMS.check((~seen | (labels >= 0)).all(), "rows that were seen and have no label", "labels of all of them")
    sums = _tensor("sums", state["sums"], torch.float64, (6, units))
    CLAIMS.check((sums[5] == visits).all(), "other numbers of visits than epochs", "the same")
    # NaN wherever there is one.
    least, most = np.array([[end.item() for end in torch.aminmax(row)] for row in state["sums"]]).T
    numbers = np.isfinite([least[:3], most[:3]]).all() and not np.isnan(most[3:5]).any()
    CLAIMS.check(numbers and not sums[:5, ~seen].any(), "sums that are no numbers, or of unseen rows", "finite ones")
    within = (least[1:4] >= 0).all() and _at_most(sums[1:3], visits * SHARE)
    CLAIMS.check(within, "sums beyond what so many visits give", "sums of probabilities and of norms")
    losses = _tensor("losses", state["losses"], torch.float32, (units,))
    CLAIMS.check((np.isnan(losses) == ~seen).all(), "losses that are NaN", "one of every row that was seen")
    final = _tensor("final", state["final"], torch.float32, (units, 4))
    _shares("final", final[:, :2])
    predicted = final[~np.isnan(final[:, 3]), 3]
    whole = ((predicted >= 0) & (predicted < outcomes) & (predicted == np.floor(predicted))).all()
    CLAIMS.check(whole, "predictions that are no classes", f"0 to {outcomes - 1}")


def _check_history(history: Any, units: int, epochs: int) -> None:
    """Check the matrices of the epochs that are kept."""
    _entries("history", history, "epochs", "stride", "epoch", "capacity", "block")
    capacity = CLAIMS.whole("capacity", history["capacity"], 0, MOST_EPOCHS)
    CLAIMS.whole("epoch", history["epoch"], epochs, epochs)
    stride = CLAIMS.whole("stride", history["stride"], 1, 2**62)
    kept = list(range(stride, epochs + 1, stride)) if capacity else []
    there = _kind("epochs", history["epochs"], list)
    whole = all(type(epoch) is int for epoch in there) and len(kept) <= capacity
    CLAIMS.check(whole and there == kept, f"kept epochs {there[:4]}", f"{kept[:4]}, every one of {stride}")
    # Comparing halves is slow, and their bits rise with them.
    bits = _tensor("block", history["block"], torch.float16, (2, len(kept), units)).view(np.uint16)
    good = not bits.size or bits.max() <= ONE or ((bits <= ONE) | (bits == NONE)).all()
    CLAIMS.check(good, "epochs' values outside 0..1", "probabilities")


def _check_means(means: Any, units: int, outcomes: int, visits: IntArray, exact: bool) -> None:
    """Check sums of class probabilities, all of them or a few a row."""
    width, offered = (outcomes, outcomes) if exact else (SLOTS, OFFERED)
    names = ["mass", "staged", "periods", *([] if exact else ["classes", "staged_classes"])]
    _entries("means", means, *names)
    _shares("staged probabilities", _tensor("means", means["staged"], torch.float32, (units + 1, offered)))
    most = (visits * SHARE).astype(np.float32)[:, None]
    for name, shape in (("mass", (units, width)), ("periods", (stretches(units, outcomes), units, outcomes))):
        sums = _tensor(name, means[name], torch.float32, shape, 0)
        CLAIMS.check(_at_most(sums, most), f"{name} beyond what so many visits give", "sums of probabilities")
    if not exact:
        _tensor("classes", means["classes"], torch.int32, (units, width), -1, outcomes - 1)
        _tensor("staged classes", means["staged_classes"], torch.int32, (units + 1, offered), 0, outcomes - 1)


def _tensor(
    name: str, value: Any, dtype: torch.dtype, shape: tuple[int, ...], low: float = -np.inf, high: float = np.inf
) -> AnyArray:
    """Tensor as an array, of a type and shape and within `low` to `high`; NaN only where there are no ends."""
    good = is_plain(value) and value.device.type == "cpu"
    CLAIMS.check(good and value.dtype == dtype, f"{name} of {getattr(value, 'dtype', type(value))}", f"{dtype}")
    array = CLAIMS.array(name, value.contiguous().numpy(), TYPES[dtype], shape, nan=True)
    if array.size and (low > -np.inf or high < np.inf):
        least, most = (end.item() for end in torch.aminmax(value))
        CLAIMS.check(low <= least and most <= high, f"{name} of {least} to {most}", f"values of {low:g} to {high:g}")
    return array


def _at_most(values: AnyArray, most: AnyArray) -> bool:
    """Tell whether no value is above its bound; rows differ only where some were not seen in every epoch."""
    return not values.size or bool(values.max() <= most.min() or (values <= most).all())


def _entries(name: str, value: Any, *names: str) -> None:
    odd = sorted(map(str, _kind(name, value, dict).keys() ^ {*names}))
    CLAIMS.check(not odd, f"{name} without, or with more than they have, {', '.join(odd)}", ", ".join(names))


def _kind(name: str, value: Any, kind: type) -> Any:
    CLAIMS.check(isinstance(value, kind), f"{name} of type {type(value).__name__}", kind.__name__)
    return value


def _shares(name: str, values: AnyArray) -> None:
    """Refuse probabilities outside 0..1; NaN stands for none."""
    least, most = (end.item() for end in torch.aminmax(torch.from_numpy(values)))
    if not (least >= 0 and most <= SHARE) and not np.isnan(values).all():
        CLAIMS.array(name, values, "f", (None,) * values.ndim, 0, SHARE, nan=True)
