"""A Hugging Face ``IterableDataset`` in a folder: one pass into Arrow files, read memory-mapped like any data set.

stream.json              which stream it is, and how many rows are complete, with a digest of every file
part-000000.arrow        some 32 MiB of rows each

One process at a time writes; a file that is damaged or gone is written again from the stream.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa

from dataaudit.common import digests, folders
from dataaudit.common.claims import Claims
from dataaudit.common.fingerprints import fingerprint_of
from dataaudit.common.progress import progress_bar
from dataaudit.data.huggingface import choose_features
from dataaudit.errors import DataError, RowError, StorageError

KIND = folders.FolderKind("dataaudit stream", 2, "stream.json", "the rows of a stream", r"part-\d{6,}\.arrow")
HEAD = 256
"""Rows by which a stream is recognised, and the types of columns where it does not declare them."""
BATCH = 256
PART = 32 * 2**20
"""Bytes of a file, which are held in memory, and can be lost by a crash."""


def stored_stream(
    stream: Any, folder: Path, label: Any, inputs: Any, progress: bool, key: Any = None, exclude: Any = None
) -> tuple[datasets.Dataset, list[str]]:
    """Store the label and input columns of a stream as a data set on disk; notes say which files were damaged.

    Files of an earlier call are kept if the columns and the first `HEAD` rows are the same. After a crash the stream is
    read from the start, for nothing else is the same for every kind of stream, and written from where the files end.
    """
    plain = _undecoded(stream.with_format(None))
    first = list(plain.take(HEAD))
    if not first:
        raise DataError("a stream without rows", "at least two examples of two classes", "pass a stream with rows")
    head = datasets.Dataset.from_list(first, features=plain.features)
    label, chosen = choose_features(head.features, label, inputs, key, exclude)
    columns = [*chosen, label, *([] if key is None or key in chosen else [key])]
    kept = datasets.Features({name: head.features[name] for name in columns})
    arrow = head.select_columns(columns).with_format("arrow")[:]
    described = {"columns": columns, "features": kept.to_dict(), "head": fingerprint_of(arrow.to_pylist())}
    folders.refuse_link(folder)
    _refuse_forged(folder)
    _, aside = KIND.renew(folder, {**described, "parts": [], "complete": False})
    with folders.lock(folder / KIND.manifest, folders.PATIENCE):
        folders.sweep(folder, 0)
        files, notes = _write(plain.select_columns(columns), kept, folder, described, progress)
    notes += [f"{folder / KIND.manifest} was damaged: the stream was stored again"] if aside else []
    return datasets.concatenate_datasets([datasets.Dataset.from_file(str(file)) for file in files]), notes


def _refuse_forged(folder: Path) -> None:
    """Raise `StorageError` if the manifest names a file outside its folder, whatever its checksum.

    Damage is put aside and made good, but it does not write a path to elsewhere: someone did, and should be asked why.
    """
    path = folder / KIND.manifest
    if not os.path.lexists(path):
        return
    with suppress(folders.DamagedError):
        parts = folders.decoded(folders.content_of(path, folders.LARGEST), path).get("parts")
        for part in parts if isinstance(parts, list) else []:
            name = part.get("file") if isinstance(part, dict) else None
            if isinstance(name, str) and (os.path.isabs(name) or ".." in name.split("/")):
                raise StorageError(
                    f"{path} with a file {name[:200]!r}, outside its folder",
                    "names of files in it: this is no damage, someone wrote it there",
                    ["remove the folder, once you know who did", "pass cache='another folder'"],
                )


def _undecoded(stream: Any) -> Any:
    """The stream with images as the bytes that they are stored as."""
    for name, feature in (stream.features or {}).items():
        if isinstance(feature, datasets.Image):
            stream = stream.cast_column(name, datasets.Image(mode=feature.mode, decode=False))
    return stream


def _write(
    stream: Any, features: Any, folder: Path, described: Mapping[str, Any], progress: bool
) -> tuple[list[Path], list[str]]:
    """Write the rows that are missing; the files of all rows, and notes."""
    manifest = KIND.read(folder)
    differs = digests.difference({key: manifest.get(key) for key in described}, described)
    if differs is not None:
        name, other, here = differs
        raise StorageError(
            f"a stream of another {name} in {folder}: {str(other)[:200]}",
            str(here)[:200],
            ["pass cache='another folder'", "pass the stream that it was begun with"],
        )
    parts, notes = _parts(manifest, folder), []
    for number, part in enumerate(parts):
        if _is_sound(folder / part["file"], part, features):
            continue
        if (folder / part["file"]).exists():
            folders.put_aside(folder / part["file"])
        notes.append(f"{folder / part['file']} was damaged or gone, and was written again")
        begin = sum(before["rows"] for before in parts[:number])
        parts[number] = _put(folder, number, _again(stream, features, begin, part["rows"]))
        KIND.write(folder, {**described, "parts": parts, "complete": manifest["complete"]})
    done = sum(part["rows"] for part in parts)
    if not manifest["complete"]:
        with progress_bar("storing the stream", done, progress) as advance:
            for table in _tables(stream.skip(done), features, done):
                parts.append(_put(folder, len(parts), table))
                KIND.write(folder, {**described, "parts": parts, "complete": False})
                advance(len(table))
        KIND.write(folder, {**described, "parts": parts, "complete": True})
    return [folder / part["file"] for part in parts], notes


def _parts(manifest: Mapping[str, Any], folder: Path) -> list[dict[str, Any]]:
    """Entries of the files, as `_put` makes them."""
    claims = Claims(folder / KIND.manifest)
    claims.kind("complete", manifest.get("complete"), bool)
    parts: list[dict[str, Any]] = claims.kind("parts", manifest.get("parts"), list)
    for number, part in enumerate(parts):
        entries = claims.entries("a part", part, "file", "rows", "digest")
        claims.text("the file of a part", entries["file"], re.escape(_name(number)))
        claims.whole("the rows of a part", entries["rows"], 1, 2**48)
        claims.text("the digest of a part", entries["digest"], r"[0-9a-f]{32}")
    claims.check(parts or not manifest["complete"], "no parts", "the rows of a stream")
    return parts


def _name(number: int) -> str:
    return f"part-{number:06d}.arrow"


def _put(folder: Path, number: int, table: pa.Table) -> dict[str, Any]:
    """Write a file of rows; its entry in the manifest."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    content, name = sink.getvalue(), _name(number)
    folders.put(folder / name, content)
    folders.sync(folder)
    return {"file": name, "rows": len(table), "digest": digests.digest(content)}


def _is_sound(path: Path, part: Mapping[str, Any], features: Any) -> bool:
    """Tell whether a file holds the rows that were written there, in a layout that can be read without harm."""
    folders.refuse_link(path)
    if not path.exists():
        return False
    with folders.explained(path), folders.opened(path), pa.memory_map(str(path)) as content:
        buffer = content.read_buffer()
        if digests.digest(buffer) != part["digest"]:
            return False
        try:
            table = _opened(buffer, features)
            table.validate(full=True)
        except Exception:  # Readers of a file that they did not write raise of every kind.
            return False
        return bool(len(table) == part["rows"])


def _opened(buffer: pa.Buffer, features: Any) -> pa.Table:
    """Table in a file; a `ValueError` unless it has the columns of `features` and lies there as it is, not packed."""
    for message in pa.ipc.MessageReader.open_stream(buffer):
        if message.type not in ("schema", "record batch") or _is_packed(message):
            raise ValueError(f"a {message.type} that was not written there")
    reader = pa.ipc.open_stream(buffer)
    if datasets.Features.from_arrow_schema(reader.schema) != features:
        raise ValueError("other columns")
    return reader.read_all()


def _is_packed(message: pa.Message) -> bool:
    """Tell whether the rows of a message are compressed, and may unpack to any size: a field of its flatbuffer."""
    data = message.metadata.to_pybytes()

    def field(table: int, number: int) -> int:
        fields = table - struct.unpack_from("<i", data, table)[0]
        length = struct.unpack_from("<H", data, fields)[0]
        offset = struct.unpack_from("<H", data, fields + 4 + 2 * number)[0] if 4 + 2 * number < length else 0
        return table + offset if offset else 0

    header = field(struct.unpack_from("<I", data)[0], 2)
    batch = header + struct.unpack_from("<I", data, header)[0]
    return message.type == "record batch" and field(batch, 3) > 0


def _again(stream: Any, features: Any, begin: int, count: int) -> pa.Table:
    """Rows of a file that was lost, from the stream."""
    batches = stream.skip(begin).take(count).iter(batch_size=BATCH)
    tables = [_encoded(batch, features, begin + BATCH * number) for number, batch in enumerate(batches)]
    rows = sum(map(len, tables))
    if rows != count:
        raise StorageError(
            f"a stream with {begin + rows} rows, of which {begin + count} were stored",
            "the stream that was stored",
            ["pass cache='another folder'", "pass the stream that it was begun with"],
        )
    return pa.concat_tables(tables).combine_chunks()


def _tables(stream: Any, features: Any, begin: int) -> Iterator[pa.Table]:
    """Arrow tables of about `PART` bytes."""
    waiting: list[pa.Table] = []
    size, row = 0, begin
    for batch in stream.iter(batch_size=BATCH):
        table = _encoded(batch, features, row)
        row += len(table)
        waiting.append(table)
        size += table.nbytes
        if size >= PART:
            yield pa.concat_tables(waiting).combine_chunks()
            waiting, size = [], 0
    if waiting:
        yield pa.concat_tables(waiting).combine_chunks()


def _encoded(batch: Mapping[str, list[Any]], features: Any, first: int) -> pa.Table:
    try:
        return _table(batch, features)
    except (pa.ArrowException, TypeError, ValueError, KeyError, AttributeError):
        count = len(next(iter(batch.values())))
        for row in range(count):
            try:
                _table({name: values[row : row + 1] for name, values in batch.items()}, features)
            except (pa.ArrowException, TypeError, ValueError, KeyError, AttributeError) as error:
                raise RowError(
                    f"row {first + row} of the stream, which does not fit the columns {dict(features)} ({error})",
                    "rows of one kind",
                    ["declare the features of the stream, and name another folder", "repair that row"],
                ) from error
        raise


def _table(batch: Mapping[str, list[Any]], features: Any) -> pa.Table:
    table: pa.Table = datasets.Dataset.from_dict(dict(batch), features=features).data.table
    return table
