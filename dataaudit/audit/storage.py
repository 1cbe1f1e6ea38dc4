"""An audit on disk: Parquet files named by their content, and a manifest that is put in place last.

    audit.json                      all that is no array, and for every file its arrays and its digest
    examples-<digest>.parquet       a row an example: labels, scores, ties, uncertainties
    dynamics-, label_errors-...     a row an example, and ...-<rows>-... of arrays of other lengths

An array [n, k] lies in k columns of n rows, as does an array [k, n] of fewer rows than columns.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dataaudit.common import folders
from dataaudit.common.types import AnyArray
from dataaudit.dynamics.summary import Dynamics
from dataaudit.errors import StorageError
from dataaudit.labels.label_errors import LabelErrors, Vote
from dataaudit.scores.base import Uncertainty

_PARTS = ("dynamics", "label_errors")
_FILE = re.compile(rf"(examples|{'|'.join(_PARTS)})(-\d+)?-[0-9a-f]{{16}}\.parquet")
KIND = folders.FolderKind("dataaudit audit", 6, "audit.json", "an earlier audit to replace", _FILE.pattern)

Arrays: TypeAlias = dict[tuple[str, ...], AnyArray]


def save(fields: Mapping[str, Any], folder: str | Path) -> Path:
    """Write the fields of an audit; see `Audit.save`.

    Parameters
    ----------
    fields
        By name: arrays, JSON values, and the values of `Dynamics`, `LabelErrors` and `Uncertainty`.
    folder
        Where; created if it does not exist.
    """
    folder = Path(folder)
    existed = folder.exists()
    with _explained(folder, "a folder that can be written, on a disk with room"):
        folder.mkdir(parents=True, exist_ok=True)
        before = {path.name for path in folder.iterdir()}
        KIND.refuse_strangers(folder, (name for name in before if not _is_ours(name)))
        if KIND.manifest in before:
            _manifest(folder)
        try:
            arrays: Arrays = {}
            described = _described(fields, (), arrays)
            files = {part: _write(folder, part, held) for part, held in _parted(arrays, len(fields["labels"])).items()}
            KIND.write(folder, {"files": files, "fields": described})
        except BaseException:
            for path in list(folder.iterdir()):
                if path.name not in before:
                    path.unlink()
            if not existed:
                folder.rmdir()
            raise
        # What was there goes when what takes its place has come.
        folders.sync(folder)
        for name in (
            {name for name in before if not name.endswith(".lock")}
            - {KIND.manifest}
            - {entry["name"] for entry in files.values()}
        ):
            (folder / name).unlink(missing_ok=True)
    return folder


def load(folder: str | Path) -> dict[str, Any]:
    """Read the fields that `save` wrote; see `Audit.load`."""
    folder = Path(folder)
    with _explained(folder, "a readable audit"):
        manifest = _manifest(folder)
        fields: dict[str, Any] = manifest["fields"]
        for part, entry in manifest["files"].items():
            table = _read(folder, part, entry)
            for *path, name, shape, dtype in entry["arrays"]:
                inner = fields
                for outer in path:
                    inner = inner[outer]
                inner[name] = _array(table, " ".join([*path, name]), shape, dtype)
        fields["class_names"] = tuple(fields["class_names"])
        fields["uncertainties"] = {
            name: Uncertainty(**{**parts, "reliability": _number(parts["reliability"])})
            for name, parts in fields["uncertainties"].items()
        }
        if fields["dynamics"] is not None:
            fields["dynamics"] = Dynamics(**fields["dynamics"])
        errors = fields["label_errors"]
        if errors is not None:
            vote = None if errors["vote"] is None else Vote(**errors["vote"])
            fields["label_errors"] = LabelErrors(**{**errors, "rate": _number(errors["rate"]), "vote": vote})
        return fields


def _explained(folder: Path, expected: str) -> AbstractContextManager[None]:
    errors = (OSError, pa.ArrowException, KeyError, TypeError, AttributeError)
    action = "check the path, its permissions and the disk, or save again"
    return folders.explained(f"the folder {folder}", errors, expected=expected, action=action)


def _is_ours(name: str) -> bool:
    return name == KIND.manifest or _FILE.fullmatch(name) is not None


def _manifest(folder: Path) -> dict[str, Any]:
    if not (folder / KIND.manifest).exists():
        raise StorageError(
            f"the folder {folder} without {KIND.manifest}", "a folder that Audit.save wrote", "check the path"
        )
    return KIND.read(folder)


def _described(value: Any, path: tuple[str, ...], arrays: Arrays) -> Any:
    """JSON value of a field; the arrays in it are put aside, by the names that lead to them."""
    if dataclasses.is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        # JSON has no NaN.
        value = {name: None if isinstance(part, float) and math.isnan(part) else part for name, part in value.items()}
    if isinstance(value, np.ndarray):
        arrays[path] = value
    if not isinstance(value, Mapping):
        return value
    described = {name: _described(part, (*path, name), arrays) for name, part in value.items()}
    return {name: part for name, part in described.items() if not isinstance(part, np.ndarray)}


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _parted(arrays: Arrays, n: int) -> dict[str, Arrays]:
    """Arrays by the table that they go to: one for each part of an audit and number of rows."""
    parted: dict[str, Arrays] = {}
    for path, array in arrays.items():
        part = path[0] if path[0] in _PARTS else "examples"
        rows = max(array.shape)
        parted.setdefault(part if rows == n else f"{part}-{rows}", {})[path] = array
    return parted


def _write(folder: Path, part: str, arrays: Arrays) -> dict[str, Any]:
    """Write arrays to a file of their own; what the manifest says of it."""
    columns: dict[str, AnyArray] = {}
    for path, array in arrays.items():
        name = " ".join(path)
        if array.ndim == 1:
            columns[name] = array
            continue
        columns |= {f"{name} {number}": column for number, column in enumerate(array if _is_wide(array) else array.T)}
    table = pa.table({name: pa.array(np.ascontiguousarray(column)) for name, column in columns.items()})
    buffer = pa.BufferOutputStream()
    pq.write_table(table, buffer, compression="zstd")
    content = memoryview(buffer.getvalue())
    digest = folders.digest(content)
    name = f"{part}-{digest[:16]}.parquet"
    folders.put(folder / name, content)
    described = [[*path, list(array.shape), array.dtype.str] for path, array in arrays.items()]
    return {"name": name, "blake2b": digest, "bytes": len(content), "arrays": described}


def _read(folder: Path, part: str, entry: Mapping[str, Any]) -> pa.Table:
    name = entry["name"]
    if not (_FILE.fullmatch(name) and name.startswith(f"{part}-")):
        raise StorageError(f"a manifest that names the file {name!r}", "files of an audit", "save it again")
    path = folder / name
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise StorageError(f"{folder} without {name}", "every file of the audit", "save it again") from error
    if folders.digest(content) != entry["blake2b"]:
        raise StorageError(
            f"{path} with {len(content)} bytes and another checksum",
            f"the {entry['bytes']} bytes that were saved",
            "restore it from a copy, or save the audit again",
        )
    return pq.read_table(pa.BufferReader(content))


def _array(table: pa.Table, name: str, shape: list[int], dtype: str) -> AnyArray:
    if len(shape) == 1:
        values: AnyArray = table.column(name).to_numpy()
        return values
    array: AnyArray = np.empty(shape, dtype)
    for number, column in enumerate(array if _is_wide(array) else array.T):
        column[:] = table.column(f"{name} {number}").to_numpy()
    return array


def _is_wide(array: AnyArray) -> bool:
    """Tell whether the rows of an array are the columns of its table."""
    return bool(array.shape[1] > array.shape[0])
