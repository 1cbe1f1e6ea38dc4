"""An audit on disk: Parquet files named by their content, and a manifest that is put in place last."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dataaudit.audit.base import Audit
from dataaudit.dynamics.summary import Dynamics
from dataaudit.errors import StorageError
from dataaudit.labels.label_errors import LabelErrors, Vote
from dataaudit.scores.base import Uncertainty

MANIFEST = "audit.json"
FORMAT = "dataaudit audit"
VERSION = 4
_FILE = re.compile(r"(examples|dynamics|probabilities|epochs|bits|pairs)-[0-9a-f]{16}\.parquet(\.partial)?")
_TIES, _SCORE = "ties of ", "score "
_KNOWN = ("stderr", "lower", "upper", "holdouts")
_RATES = ("rate", "lower", "upper", "estimates", "independent", "unknown")
_VOTE = ("same", "leading", "votes")
_BY_EPOCH = ("kept_epochs", "epoch_weights")
_MATRICES = ("confidence_by_epoch", "max_confidence_by_epoch")


def save(audit: Audit, folder: str | Path) -> Path:
    """Write `audit` into `folder`; see `Audit.save`."""
    folder = Path(folder)
    existed = folder.exists()
    with _explained(f"the folder {folder}", "a folder that can be written, on a disk with room"):
        if existed:
            _refuse_foreign(folder)
        folder.mkdir(parents=True, exist_ok=True)
        before = {path.name for path in folder.iterdir()}
        kept: dict[str, dict[str, Any]] = {}
        try:
            for part, columns in _tables(audit).items():
                kept[part] = _write(folder, part, columns)
            manifest = {"format": FORMAT, "version": VERSION, "files": kept, **_described(audit)}
            manifest["blake2b"] = _checksum(manifest)
            _put(folder, MANIFEST, json.dumps(manifest, indent=1, allow_nan=False).encode())
        except BaseException:
            for path in list(folder.iterdir()):
                if path.name not in before:
                    path.unlink()
            if not existed:
                folder.rmdir()
            raise
        for path in folder.iterdir():
            if _FILE.fullmatch(path.name) and path.name not in {entry["name"] for entry in kept.values()}:
                path.unlink()
    return folder


def load(folder: str | Path) -> Audit:
    """Read what `save` wrote; see `Audit.load`."""
    folder = Path(folder)
    with _explained(f"the folder {folder}", "a readable audit"):
        manifest = _manifest(folder)
        tables = {part: _read(folder, part, entry) for part, entry in manifest["files"].items()}
        examples = tables["examples"]
        return Audit(
            columns=_with_prefix(examples, _SCORE),
            ties=_with_prefix(examples, _TIES),
            labels=_array(examples, "label"),
            class_names=tuple(manifest["class_names"]),
            default=manifest["default"],
            suggested=_array(examples, "suggested"),
            margin=_array(examples, "margin"),
            settings=manifest["settings"],
            timings=manifest["timings"],
            dynamics=_dynamics(manifest, tables) if "dynamics" in tables else None,
            uncertainties={
                name: Uncertainty(
                    **{part: _array(examples, f"{part} of {name}") for part in _KNOWN},
                    reliability=float("nan") if reliable is None else reliable,
                )
                for name, reliable in manifest.get("reliability", {}).items()
            },
            judgement=_judgement(manifest["judgement"], tables) if "judgement" in manifest else None,
        )


@contextmanager
def _explained(arrived: str, expected: str) -> Iterator[None]:
    try:
        yield
    except StorageError:
        raise
    except (OSError, pa.ArrowException, KeyError, TypeError, AttributeError) as error:
        raise StorageError(
            f"{arrived} ({error})", expected, "check the path, its permissions and the disk, or save again"
        ) from error


def _refuse_foreign(folder: Path) -> None:
    strangers = [
        path.name
        for path in folder.iterdir()
        if not _FILE.fullmatch(path.name) and path.name not in (MANIFEST, f"{MANIFEST}.partial")
    ]
    if strangers:
        raise StorageError(
            f"the folder {folder} with {strangers[0]!r} in it",
            "an empty folder, a new one, or an earlier audit to replace",
            "name another folder",
        )
    if (folder / MANIFEST).exists():
        _manifest(folder)


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    except FileNotFoundError as error:
        raise StorageError(
            f"the folder {folder} without {MANIFEST}", "a folder that Audit.save wrote", "check the path"
        ) from error
    except ValueError as error:
        raise StorageError(
            f"{folder / MANIFEST}, which is not JSON ({error})", "an undamaged audit", "save it again"
        ) from error
    kind = (manifest.get("format"), manifest.get("version")) if isinstance(manifest, dict) else None
    if kind != (FORMAT, VERSION):
        raise StorageError(
            f"{folder / MANIFEST} of format {kind!r}",
            f"format {(FORMAT, VERSION)!r}",
            "load it with the version of dataaudit that wrote it",
        )
    assert isinstance(manifest, dict)
    if manifest.pop("blake2b", None) != _checksum(manifest):
        raise StorageError(
            f"{folder / MANIFEST} with another checksum",
            "the manifest that was saved",
            "save the audit again",
        )
    return manifest


def _checksum(manifest: Mapping[str, Any]) -> str:
    canonical = json.dumps(manifest, sort_keys=True, allow_nan=False).encode()
    return hashlib.blake2b(canonical, digest_size=16).hexdigest()


def _described(audit: Audit) -> dict[str, Any]:
    described: dict[str, Any] = {
        "class_names": list(audit.class_names),
        "default": audit.default,
        "settings": audit.settings,
        "timings": audit.timings,
        "reliability": {
            # JSON has no NaN.
            name: known.reliability if known.reliability == known.reliability else None
            for name, known in audit.uncertainties.items()
        },
    }
    found = audit.judgement
    if found is not None:
        described["judgement"] = {
            **{name: getattr(found, name) for name in _RATES},
            # JSON has no NaN.
            "rate": found.rate if found.known else None,
            "vote": None if found.vote is None else {"depth": found.vote.depth, "space": found.vote.space},
        }
    if audit.dynamics is not None:
        described["dynamics"] = {
            "epochs": audit.dynamics.epochs,
            **{name: getattr(audit.dynamics, name).tolist() for name in _BY_EPOCH},
        }
    return described


def _tables(audit: Audit) -> dict[str, dict[str, Any]]:
    examples = {"label": audit.labels, "suggested": audit.suggested, "margin": audit.margin}
    examples |= {_SCORE + name: values for name, values in audit.columns.items()}
    examples |= {_TIES + name: values for name, values in audit.ties.items()}
    for name, known in audit.uncertainties.items():
        examples |= {f"{part} of {name}": getattr(known, part) for part in _KNOWN}
    found = audit.judgement
    more: dict[str, dict[str, Any]] = {}
    if found is not None:
        examples |= {"error probability": found.probability, "rival": found.rival}
        if found.vote is not None:
            examples |= {f"vote {name}": getattr(found.vote, name) for name in _VOTE}
        more = {"pairs": {"true": found.pairs[:, 0], "given": found.pairs[:, 1], "count": found.counts}}
    dynamics = audit.dynamics
    if dynamics is None:
        return {"examples": examples, **more}
    single = {
        field.name: getattr(dynamics, field.name)
        for field in fields(Dynamics)
        if np.shape(getattr(dynamics, field.name)) == (len(audit),) and field.name not in _BY_EPOCH
    }
    means = {f"mean {slot}": column for slot, column in enumerate(dynamics.mean_probabilities.T)}
    if dynamics.informed_probabilities is not None:
        means |= {f"informed {slot}": column for slot, column in enumerate(dynamics.informed_probabilities.T)}
    if dynamics.probability_classes is not None:
        means |= {f"class {slot}": column for slot, column in enumerate(dynamics.probability_classes.T)}
    epochs = {
        f"{name} {epoch}": row
        for name in _MATRICES
        for epoch, row in zip(dynamics.kept_epochs.tolist(), getattr(dynamics, name), strict=True)
    }
    bits = {f"correct {e}": row for e, row in enumerate(dynamics.correct_bits, 1)}
    bits |= {f"seen {e}": row for e, row in enumerate(dynamics.seen_bits, 1)}
    return {"examples": examples, "dynamics": single, "probabilities": means, "epochs": epochs, "bits": bits, **more}


def _judgement(described: Mapping[str, Any], tables: Mapping[str, pa.Table]) -> LabelErrors:
    examples, pairs, vote = tables["examples"], tables["pairs"], described["vote"]
    return LabelErrors(
        _array(examples, "error probability"),
        _array(examples, "rival"),
        **{name: described[name] for name in _RATES if name != "rate"},
        rate=float("nan") if described["rate"] is None else described["rate"],
        pairs=np.stack([_array(pairs, "true"), _array(pairs, "given")], axis=1),
        counts=_array(pairs, "count"),
        vote=None if vote is None else Vote(**{name: _array(examples, f"vote {name}") for name in _VOTE}, **vote),
    )


def _dynamics(manifest: Mapping[str, Any], tables: Mapping[str, pa.Table]) -> Dynamics:
    kept = manifest["dynamics"]["kept_epochs"]
    n = len(tables["examples"])
    single = {name: _array(tables["dynamics"], name) for name in tables["dynamics"].column_names}
    matrices: dict[str, Any] = {
        name: np.stack([_array(tables["epochs"], f"{name} {epoch}") for epoch in kept])
        if kept
        else np.empty((0, n), np.float16)
        for name in _MATRICES
    }
    means, bits = tables["probabilities"], tables["bits"]
    slots = sum(name.startswith("mean ") for name in means.column_names)
    classes = None
    if "class 0" in means.column_names:
        classes = _columns(means, "class", slots)
    epochs = range(1, manifest["dynamics"]["epochs"] + 1)
    return Dynamics(
        epochs=manifest["dynamics"]["epochs"],
        classes=len(manifest["class_names"]),
        kept_epochs=np.asarray(kept, np.int64),
        epoch_weights=np.asarray(manifest["dynamics"]["epoch_weights"], np.float64),
        mean_probabilities=_columns(means, "mean", slots),
        probability_classes=classes,
        informed_probabilities=_columns(means, "informed", slots) if "informed 0" in means.column_names else None,
        correct_bits=np.stack([_array(bits, f"correct {epoch}") for epoch in epochs]),
        seen_bits=np.stack([_array(bits, f"seen {epoch}") for epoch in epochs]),
        **matrices,
        **single,
    )


def _columns(table: pa.Table, name: str, slots: int) -> Any:
    return np.stack([_array(table, f"{name} {slot}") for slot in range(slots)], 1)


def _array(table: pa.Table, name: str) -> Any:
    return table.column(name).to_numpy()


def _with_prefix(table: pa.Table, prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): _array(table, name) for name in table.column_names if name.startswith(prefix)}


def _write(folder: Path, part: str, columns: Mapping[str, Any]) -> dict[str, Any]:
    table = pa.table({name: pa.array(np.ascontiguousarray(values)) for name, values in columns.items()})
    buffer = pa.BufferOutputStream()
    pq.write_table(table, buffer, compression="zstd")
    content = memoryview(buffer.getvalue())
    digest = hashlib.blake2b(content, digest_size=16).hexdigest()
    name = f"{part}-{digest[:16]}.parquet"
    _put(folder, name, content)
    return {"name": name, "blake2b": digest, "bytes": len(content)}


def _put(folder: Path, name: str, content: bytes | memoryview) -> None:
    partial = folder / f"{name}.partial"
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, folder / name)


def _read(folder: Path, part: str, entry: Mapping[str, Any]) -> pa.Table:
    name = entry["name"]
    if not (_FILE.fullmatch(name) and name.startswith(f"{part}-")):
        raise StorageError(f"a manifest that names the file {name!r}", "files of an audit", "save it again")
    path = folder / name
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise StorageError(f"{folder} without {name}", "every file of the audit", "save it again") from error
    if hashlib.blake2b(content, digest_size=16).hexdigest() != entry["blake2b"]:
        raise StorageError(
            f"{path} with {len(content)} bytes and another checksum",
            f"the {entry['bytes']} bytes that were saved",
            "restore it from a copy, or save the audit again",
        )
    return pq.read_table(pa.BufferReader(content))
