"""What faults are tried on: small folders of every kind that the library reads back, made and read by its own calls."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import torch
from sklearn.naive_bayes import GaussianNB

import dataaudit
from benchmarks.common import Array
from dataaudit.cluster.folder import BlockFolder
from dataaudit.cluster.schedule import BlockSchedule
from dataaudit.cluster.tally import Tally
from dataaudit.common import folders
from dataaudit.curriculum.trainers.state import load_record, save_record

ROWS, CLASSES, FEATURES = 60, 3, 4


class UnreadableError(Exception):
    """Refusal by the package that a caller reads a file with, before this library sees it."""


class AbsurdError(Exception):
    """A result that cannot be."""


@dataclasses.dataclass(frozen=True)
class Material:
    """A kind of folder: `write` makes it, or goes on with what is there; `read` gives a digest of all that it says.

    Both take the folder and a seed of its contents. What `replaces` takes the place of a folder of another seed; other
    kinds are resumed by the call that began them, and give its result. `kind` is its name in `folders.KINDS`, if any.
    """

    name: str
    write: Callable[[Path, int], Any]
    read: Callable[[Path, int], str]
    kind: str | None = None
    replaces: bool = False


def fingerprint(value: Any) -> str:
    """Digest of nested values, arrays bit for bit."""
    digest = hashlib.blake2b(digest_size=8)

    def add(part: Any) -> None:
        if dataclasses.is_dataclass(part) and not isinstance(part, type):
            part = {field.name: getattr(part, field.name) for field in dataclasses.fields(part)}
        if isinstance(part, torch.Tensor):
            part = part.detach().cpu().numpy()
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype.str}{part.shape}".encode() + np.ascontiguousarray(part).tobytes())
        elif isinstance(part, Mapping):
            for name in sorted(part, key=str):
                digest.update(f"{name}:".encode())
                add(part[name])
        elif isinstance(part, (list, tuple)):
            digest.update(f"[{len(part)}".encode())
            for one in part:
                add(one)
        else:
            digest.update(repr(part).encode() + b";")

    add(value)
    return digest.hexdigest()


def data(seed: int, rows: int = ROWS) -> tuple[Array, Array]:
    """Inputs float32 [n, d] and labels int64 [n] of overlapping classes, every twentieth label wrong."""
    rng = np.random.default_rng(seed)
    labels = np.arange(rows) % CLASSES
    inputs = rng.normal(size=(rows, FEATURES)) + 2.0 * np.eye(CLASSES, FEATURES)[labels]
    labels[::20] = (labels[::20] + 1) % CLASSES
    return inputs.astype(np.float32), labels


def score(*arguments: Any, **options: Any) -> dataaudit.Audit:
    """Call of the library, without a progress bar."""
    return dataaudit.score(*arguments, progress=False, **options)


def said(audit: dataaudit.Audit) -> str:
    """Digest of all that an audit keeps on disk but times."""
    shown = {field.name: getattr(audit, field.name) for field in dataclasses.fields(audit)}
    left_out = ("evidence", "timings", "settings")
    settings = {name: value for name, value in audit.settings.items() if name not in ("cache", "holdout", "input")}
    kept = {name: value for name, value in shown.items() if name not in left_out and not name.startswith("_")}
    return fingerprint(kept | {"seed": settings.get("seed"), "notes": settings.get("notes")})


@cache
def recorder(seed: int, epochs: int = 3) -> dataaudit.Recorder:
    """A recorder of some epochs."""
    made = dataaudit.Recorder(ROWS, CLASSES)
    for epoch in range(epochs):
        record(made, seed, epoch)
        made.end_epoch()
    return made


def record(made: dataaudit.Recorder, seed: int, epoch: int) -> None:
    """Show a recorder two batches of an epoch."""
    for rows, logits, labels in _batches(seed, epoch):
        made.update(rows, logits, labels)


@cache
def _batches(seed: int, epoch: int) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(100 * seed + epoch)
    labels = torch.from_numpy(data(seed)[1])
    parts = torch.randperm(ROWS, generator=generator).chunk(2)
    return [(rows, torch.randn(len(rows), CLASSES, generator=generator), labels[rows]) for rows in parts]


@cache
def audit(seed: int) -> dataaudit.Audit:
    """An audit with dynamics, label errors, columns of several kinds and notes."""
    return score(recorder(seed), data(seed))


def _save(folder: Path, seed: int) -> None:
    audit(seed).save(folder)


def _load(folder: Path, seed: int) -> str:
    audit = dataaudit.Audit.load(folder)
    digest = said(audit)
    check(audit)
    return digest


def within(what: str, values: Any, low: float, high: float, n: int = ROWS) -> None:
    """Raise `AbsurdError` unless all values of some rows lie between two numbers, or are missing."""
    values = np.asarray(values)
    good = values.dtype.kind in "fiub" and n in values.shape
    if not good or not ((values >= low) & (values <= high) | np.isnan(values)).all():
        raise AbsurdError(f"{what} {values.dtype}{values.shape} beyond {low} and {high}")


def check(audit: dataaudit.Audit) -> None:
    """Raise `AbsurdError` if an audit cannot be of any data set of this size."""
    within("labels", audit.labels, 0, len(audit.class_names) - 1)
    within("suggested", audit.suggested, -1, len(audit.class_names) - 1)
    for name, values in audit.columns.items():
        # Means of probabilities, and sums of what is bounded by the number of epochs.
        bounded = name in ("mean_confidence", "confidence", "heldout_confidence", "c_score")
        within(name, values, 0.0 if bounded else -np.inf, 1.0 if bounded else np.inf)
    for name, values in audit.ties.items():
        within(f"ties of {name}", values, -np.inf, np.inf)
    if audit.dynamics is not None:
        within("mean_confidence", audit.dynamics.mean_confidence, 0.0, 1.0)
        within("mean_probabilities", audit.dynamics.mean_probabilities, 0.0, 1.0001)
    if audit.default not in audit.columns:
        raise AbsurdError(f"the default {audit.default!r}, no column")


def used(material: Material, folder: Path) -> None:
    """Read a folder, and what is read ask some questions."""
    if material.kind != "audit":
        material.read(folder, 0)
        return
    audit = dataaudit.Audit.load(folder)
    check(audit)
    repr(audit), audit.suspects(), audit.ranking(), audit.noise_rate(), audit.weights("keep_all")
    audit.report(folder.parent / "page.html")


def _runs(folder: Path, seed: int) -> str:
    holdout = dataaudit.Holdout(ratio=0.7, runs=6, store=folder)
    return _chances(score(GaussianNB(), data(seed), "c_score", holdout=holdout))


def _chances(audit: dataaudit.Audit) -> str:
    """Digest of scores that are chances."""
    for name, values in audit.columns.items():
        within(name, values, 0.0, 1.0)
    return fingerprint(audit.columns)


class _Rows(torch.utils.data.Dataset[Any]):
    """Data set whose rows lie in no array, so that they are kept in the folder."""

    def __init__(self, seed: int) -> None:
        self.inputs, self.labels = data(seed)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> tuple[Any, int]:
        return torch.from_numpy(self.inputs[row]), int(self.labels[row])


def _rows(folder: Path, seed: int) -> str:
    return _chances(score(None, _Rows(seed), "parzen/input", engine="reference", cache=folder))


def _stream(folder: Path, seed: int) -> str:
    inputs, labels = data(seed)
    stream = datasets.Dataset.from_dict({"embedding": inputs, "label": labels}).to_iterable_dataset()
    columns = {"inputs": "embedding", "label": "label"}
    return _chances(score(None, stream, "parzen/input", engine="reference", cache=folder, **columns))


def _blocks(folder: Path, seed: int, left: int = 0) -> str:
    """Sums over pairs of ranges, all but the last `left` blocks."""
    about = {"rows": str(seed), "settings": "none"}
    schedule = BlockSchedule(7, 2)
    held = BlockFolder(folder, {"digest": str(seed)}, {"bandwidth": 1.0}, about, [])
    try:
        tally = Tally(schedule, held, lambda share: None, margin=0)
        for task in [task for task in tally.missing if task < schedule.tasks - left]:
            a, b = schedule.ranges_of(task)
            width = schedule.size(a) + (schedule.size(b) if a != b else 0)
            tally.put(task, np.random.default_rng(100 * seed + task).random((2, width)))
        within("sums", tally.sums, 0.0, np.inf, schedule.rows)
        if not np.isfinite(tally.sums).all():
            raise AbsurdError("sums that are not finite")
        return fingerprint(tally.sums)
    finally:
        held.close()


def _begin_blocks(folder: Path, seed: int) -> None:
    _blocks(folder, seed, 1)


def _checkpoint(folder: Path, seed: int) -> None:
    save_record(folder, recorder(seed), False, 0, 1, None)


def _resumed(folder: Path, seed: int) -> str:
    fresh = dataaudit.Recorder(ROWS, CLASSES)
    unfinished, losses = load_record(folder, fresh, 0, 1, "cpu")
    return fingerprint([_sound(fresh), unfinished, losses])


def _sound(made: dataaudit.Recorder) -> dict[str, Any]:
    """State of a recorder that can go on, and be scored."""
    state = made.state_dict()
    check(score(made))
    record(made, 0, made.epochs)
    made.end_epoch()
    made.dynamics()
    return state


def _save_state(folder: Path, seed: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    beside = folder / "state.tmp"
    torch.save(recorder(seed).state_dict(), beside)
    beside.replace(folder / "state.pt")


def _load_state(folder: Path, seed: int) -> str:
    try:
        state = torch.load(folder / "state.pt", weights_only=True)
    except Exception as error:  # Whatever a package raises that a caller reads a file with.
        raise UnreadableError(str(error)) from error
    fresh = dataaudit.Recorder(ROWS, CLASSES)
    fresh.load_state_dict(state)
    return fingerprint(_sound(fresh))


MATERIALS = (
    Material("audit", _save, _load, "audit", replaces=True),
    Material("holdout runs", _runs, _runs, "holdout"),
    Material("representations", _rows, _rows, "representations"),
    Material("stream", _stream, _stream, "stream"),
    Material("block sums", _begin_blocks, _blocks, "blocks"),
    Material("checkpoint", _checkpoint, _resumed, "checkpoint record", replaces=True),
    Material("recorder's state", _save_state, _load_state, replaces=True),
)
"""Every kind of folder, and the states that callers and trainers keep."""


@cache
def right(material: Material, seed: int) -> str:
    """Digest of what an undisturbed folder says."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "folder"
        material.write(place, seed)
        return material.read(place, seed)


def kinds() -> set[str]:
    """Names of all kinds that the library reads back."""
    for module in pkgutil.walk_packages(dataaudit.__path__, "dataaudit."):
        if not module.name.startswith("dataaudit.testing"):
            importlib.import_module(module.name)
    return set(folders.KINDS)
