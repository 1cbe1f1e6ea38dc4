"""An audit on disk: Parquet files named by their content, and a manifest that is put in place last.

    audit.json                      all that is no array, and for every file its arrays and its digest
    examples-<digest>.parquet       a row an example: labels, scores, ties, uncertainties
    dynamics-, label_errors-...     a row an example, and ...-<rows>-... of arrays of other lengths
    neighbours-...                  the same, where they were asked for
    identity-<digest>.parquet       names of the rows, a column a level, where they have any

An array [n, k] lies in k columns of n rows, as does an array [k, n] of fewer rows than columns. One writer at a time
holds the manifest's lock; readers hold none, and look again where a file has gone with an older manifest.
"""

from __future__ import annotations

import dataclasses
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dataaudit.audit.claims import checked
from dataaudit.common import digests, folders
from dataaudit.common.claims import Claims
from dataaudit.common.types import AnyArray
from dataaudit.data import identity
from dataaudit.errors import StorageError

_PARTS = ("dynamics", "label_errors", "neighbours")
_FILE = re.compile(rf"(examples|identity|{'|'.join(_PARTS)})(-\d+)?-[0-9a-f]{{16}}\.parquet")
_HALF = re.compile(rf"({_FILE.pattern}|audit\.json)\.[0-9a-f]{{32}}\.partial")
_ARRAY = re.compile(r"[<|][fiub]\d")
KIND = folders.FolderKind("dataaudit audit", 8, "audit.json", "an earlier audit to replace", _FILE.pattern)
AGAIN = "restore it from a copy, or save the audit again in another folder"

Arrays: TypeAlias = dict[tuple[str, ...], AnyArray]


class MissingFileError(StorageError):
    """A file that the manifest names is not there."""


def save(fields: Mapping[str, Any], folder: str | Path) -> Path:
    """Write the fields of an audit; see `Audit.save`.

    Parameters
    ----------
    fields
        By name: arrays, JSON values, and those of `Dynamics`, `LabelErrors`, `Uncertainty` and `Neighbours`.
    folder
        Where; created if it does not exist.
    """
    folder = Path(folder)
    expected, action = (
        "a folder that can be written, on a disk with room",
        "check the path, its permissions and the disk",
    )
    with folders.explained(f"the folder {folder}", (OSError, TypeError, ValueError), expected=expected, action=action):
        existed = folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        try:
            _recognise(folder)
            with folders.lock(folder / KIND.manifest, folders.PATIENCE):
                _replace(folder, fields)
        except BaseException:
            if not existed:
                with suppress(OSError):
                    folder.rmdir()
            raise
    return folder


def _recognise(folder: Path) -> set[str]:
    """Names in a folder, which are of an audit, or of none yet."""
    inside = {path.name for path in folder.iterdir()}
    KIND.refuse_strangers(folder, (name for name in sorted(inside) if name != KIND.manifest and not _is_ours(name)))
    _named(folder)
    return inside


def _replace(folder: Path, fields: Mapping[str, Any]) -> None:
    """Write the files, then the manifest, then remove what no manifest names; at any moment there is a whole audit."""
    before = _recognise(folder)
    try:
        arrays: Arrays = {}
        names = fields["identity"]
        described = _described({**fields, "identity": None}, (), arrays)
        files = {part: _write(folder, part, held) for part, held in _parted(arrays, len(fields["labels"])).items()}
        if names is not None:
            described["identity"] = _write_identity(folder, names)
        folders.sync(folder)
        KIND.write(folder, {"files": files, "fields": described})
    except BaseException:
        _tidy(folder, {path.name for path in folder.iterdir()} - before)
        raise
    # What was there goes when what takes its place has come.
    folders.sync(folder)
    _tidy(folder, (path.name for path in folder.iterdir()))


def _tidy(folder: Path, names: Iterable[str]) -> None:
    """Remove those of some files of ours that the manifest, as it is by now, does not name."""
    for name in {name for name in names if _is_ours(name)} - _named(folder):
        with suppress(OSError):
            (folder / name).unlink()


def _named(folder: Path) -> set[str]:
    """Files that the manifest of a folder names, none if there is no manifest."""
    path = folder / KIND.manifest
    if not os.path.lexists(path):
        return set()
    claims, manifest = Claims(path, AGAIN), KIND.read(folder)
    entries = [*claims.entries("files", manifest.get("files")).values()]
    names = claims.entries("fields", manifest.get("fields")).get("identity")
    entries += [] if names is None else [names]
    return {claims.text("a file", claims.entries("a file", entry).get("name"), _FILE) for entry in entries}


def load(folder: str | Path) -> dict[str, Any]:
    """Read the fields that `save` wrote, checked; see `Audit.load`."""
    folder = Path(folder)
    with folders.explained(f"the folder {folder}", Exception, expected="a readable audit", action=AGAIN):
        manifest = _manifest(folder)
        while True:
            try:
                return checked(_fields(folder, manifest), Claims(folder, AGAIN))
            except MissingFileError:
                # Whoever saved another audit meanwhile removed the files of this one.
                earlier, manifest = manifest, _manifest(folder)
                if manifest == earlier:
                    raise


def _fields(folder: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Fields as the files hold them."""
    claims = Claims(folder / KIND.manifest, AGAIN)
    claims.entries("entries", manifest, "format", "version", "files", "fields")
    fields, files = claims.entries("fields", manifest["fields"]), claims.entries("files", manifest["files"])
    arrays = {part: _arrays(part, entry, claims) for part, entry in files.items()}
    held = [(math.prod(shape), np.dtype(dtype)) for entry in arrays.values() for shape, dtype in entry.values()]
    claims.fits(sum(size * dtype.itemsize for size, dtype in held))
    if fields.get("identity") is not None:
        fields["identity"] = _read_identity(folder, fields["identity"], claims)
    for part, entry in files.items():
        table = _read(folder, entry, arrays[part])
        for path, (shape, dtype) in arrays[part].items():
            *outer, name = path
            inner = fields
            for step in outer:
                inner[step] = claims.entries(step, inner.get(step))
                inner = inner[step]
            claims.check(name not in inner, f"two values of {' '.join(path)}", "one")
            inner[name] = _array(table, " ".join(path), shape, dtype)
    return fields


def _arrays(part: str, entry: Any, claims: Claims) -> dict[tuple[str, ...], tuple[list[int], str]]:
    """Shapes and types of the arrays in a file, by the names that lead to them."""
    claims.entries(f"the file {part}", entry, "name", "blake2b", "bytes", "arrays")
    arrays = {}
    for array in claims.kind("arrays", entry["arrays"], list):
        claims.check(isinstance(array, list) and len(array) >= 3, f"an array {array}", "names, a shape and a type")
        *path, shape, dtype = array
        names = tuple(claims.text("a name", name) for name in path)
        claims.check(isinstance(shape, list) and len(shape) in (1, 2), f"the shape {shape}", "one of 1 or 2 lengths")
        sizes = [claims.whole(f"the shape of {' '.join(names)}", size, 0, 2**48) for size in shape]
        arrays[names] = sizes, claims.text(f"the type of {' '.join(names)}", dtype, _ARRAY)
    return arrays


def _manifest(folder: Path) -> dict[str, Any]:
    if not (folder / KIND.manifest).exists():
        inside = sorted(path.parent for path in folder.glob(f"*/{KIND.manifest}"))
        raise StorageError(
            f"the folder {folder} without {KIND.manifest}",
            "a folder that Audit.save wrote",
            [f"pass folder={str(one)!r}" for one in inside[:3]] or "pass the folder that an audit was saved in",
        )
    return KIND.read(folder)


def _is_ours(name: str) -> bool:
    """Tell files of tables, and those that are half written, from others."""
    return _FILE.fullmatch(name) is not None or _HALF.fullmatch(name) is not None


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
        names = _columns(" ".join(path), array.shape)
        columns |= dict(zip(names, [array] if array.ndim == 1 else _lying(array), strict=True))
    table = pa.table({name: pa.array(np.ascontiguousarray(column)) for name, column in columns.items()})
    described = [[*path, list(array.shape), array.dtype.str] for path, array in arrays.items()]
    return {**_put(folder, part, table), "arrays": described}


def _put(folder: Path, part: str, table: pa.Table) -> dict[str, Any]:
    """Write a table to a file that is named by its content; its name, digest and length."""
    buffer = pa.BufferOutputStream()
    pq.write_table(table, buffer, compression="zstd")
    content = memoryview(buffer.getvalue())
    digest = digests.digest(content)
    name = f"{part}-{digest[:16]}.parquet"
    folders.put(folder / name, content)
    return {"name": name, "blake2b": digest, "bytes": len(content)}


def _write_identity(folder: Path, names: Any) -> dict[str, Any]:
    table, mixed = identity.to_arrow(names)
    return {**_put(folder, "identity", table), "mixed": mixed}


def _read_identity(folder: Path, entry: Any, claims: Claims) -> Any:
    """Names of the rows, a pandas Index."""
    claims.entries("identity", entry, "name", "blake2b", "bytes", "mixed")
    mixed = claims.kind("mixed", entry["mixed"], list)
    file = _opened(folder, entry)
    groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
    claims.fits(sum(group.total_byte_size for group in groups))
    good = len(mixed) == file.metadata.num_columns > 0 and all(type(several) is bool for several in mixed)
    claims.check(good, f"identity of {file.metadata.num_columns} columns", "as many as levels")
    return identity.from_arrow(file.read(), mixed)


def _opened(folder: Path, entry: Mapping[str, Any]) -> pq.ParquetFile:
    """Parquet file that holds what was saved."""
    claims = Claims(folder / KIND.manifest, AGAIN)
    path = folder / claims.text("the name of a file", entry["name"], _FILE)
    claims.fits(claims.whole(f"the bytes of {path.name}", entry["bytes"], 0))
    claims = Claims(path, AGAIN)
    try:
        content = folders.content_of(path, entry["bytes"])
    except StorageError as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            raise
        raise MissingFileError(f"{folder} without {entry['name']}", "every file of the audit", AGAIN) from error
    good = digests.digest(content) == entry["blake2b"]
    claims.check(good, f"{len(content)} bytes and another checksum", f"the {entry['bytes']} bytes that were saved")
    return pq.ParquetFile(pa.BufferReader(content))


def _read(folder: Path, entry: Mapping[str, Any], arrays: Mapping[tuple[str, ...], tuple[list[int], str]]) -> pa.Table:
    """Table in a file, which holds the columns of `arrays` and no more."""
    file, claims = _opened(folder, entry), Claims(folder / entry["name"], AGAIN)
    columns = {
        column: pa.from_numpy_dtype(np.dtype(dtype))
        for names, (shape, dtype) in arrays.items()
        for column in _columns(" ".join(names), shape)
    }
    rows = {max(shape) for shape, _ in arrays.values()} if columns else {0}
    good = rows == {file.metadata.num_rows} and columns == {field.name: field.type for field in file.schema_arrow}
    claims.check(
        good and len(columns) == len(file.schema_arrow), "other columns or rows", f"those {KIND.manifest} names"
    )
    table = file.read()
    claims.check(not any(column.null_count for column in table.columns), "values that are missing", "all of them")
    return table


def _columns(name: str, shape: Sequence[int]) -> list[str]:
    """Names of the columns in which an array lies."""
    return [name] if len(shape) == 1 else [f"{name} {number}" for number in range(min(shape))]


def _array(table: pa.Table, name: str, shape: Sequence[int], dtype: str) -> AnyArray:
    if len(shape) == 1:
        values: AnyArray = table.column(name).to_numpy()
        return values
    array: AnyArray = np.empty(shape, dtype)
    for column, stored in zip(_lying(array), _columns(name, shape), strict=True):
        column[:] = table.column(stored).to_numpy()
    return array


def _lying(array: AnyArray) -> AnyArray:
    """View of a table [a, b] whose rows are the columns that it is stored in."""
    return array if array.shape[1] > array.shape[0] else array.T
