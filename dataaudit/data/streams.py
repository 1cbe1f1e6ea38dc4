"""A Hugging Face ``IterableDataset`` in a folder: one pass into Arrow files, read memory-mapped like any data set.

stream.json              which stream it is, and how many rows are complete, with a digest of every file
part-000000.arrow        some 32 MiB of rows each
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa

from dataaudit.common import folders
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


def stored_stream(stream: Any, folder: Path, label: Any, inputs: Any, progress: bool) -> datasets.Dataset:
    """Store the label and input columns of a stream as a data set on disk.

    Files of an earlier call are kept if the columns and the first `HEAD` rows are the same. After a crash the stream is
    read from the start, for nothing else is the same for every kind of stream, and written from where the files end.
    """
    plain = _undecoded(stream.with_format(None))
    first = list(plain.take(HEAD))
    if not first:
        raise DataError("a stream without rows", "at least two examples of two classes", "pass one with rows")
    head = datasets.Dataset.from_list(first, features=plain.features)
    label, chosen = choose_features(head.features, label, inputs)
    columns = [*chosen, label]
    kept = datasets.Features({name: head.features[name] for name in columns})
    arrow = head.select_columns(columns).with_format("arrow")[:]
    described = {"columns": columns, "features": kept.to_dict(), "head": fingerprint_of(arrow.to_pylist())}
    KIND.open(folder)
    with folders.lock(folder / KIND.manifest):
        files = _write(plain.select_columns(columns), kept, folder, described, progress)
    return datasets.concatenate_datasets([datasets.Dataset.from_file(str(file)) for file in files])


def _undecoded(stream: Any) -> Any:
    """The stream with images as the bytes that they are stored as."""
    for name, feature in (stream.features or {}).items():
        if isinstance(feature, datasets.Image):
            stream = stream.cast_column(name, datasets.Image(mode=feature.mode, decode=False))
    return stream


def _write(stream: Any, features: Any, folder: Path, described: Mapping[str, Any], progress: bool) -> list[Path]:
    """Write the rows that are missing; the files of all rows."""
    manifest = KIND.open(folder) or {**described, "parts": [], "complete": False}
    differs = folders.difference({key: manifest.get(key) for key in described}, described)
    if differs is not None:
        name, other, here = differs
        raise StorageError(
            f"a stream of another {name} in {folder}: {str(other)[:200]}",
            str(here)[:200],
            "name another folder with cache=, or pass the stream that it was begun with",
        )
    parts: list[dict[str, Any]] = manifest["parts"]
    for part in parts:
        _check(folder / part["file"], part["digest"])
    done = sum(part["rows"] for part in parts)
    if not manifest["complete"]:
        with progress_bar("storing the stream", done, progress) as advance:
            for table in _tables(stream.skip(done), features, done):
                parts.append(_put(folder, len(parts), table))
                KIND.write(folder, {**described, "parts": parts, "complete": False})
                advance(len(table))
        KIND.write(folder, {**described, "parts": parts, "complete": True})
    return [folder / part["file"] for part in parts]


def _put(folder: Path, number: int, table: pa.Table) -> dict[str, Any]:
    """Write a file of rows; its entry in the manifest."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    content, name = sink.getvalue(), f"part-{number:06d}.arrow"
    folders.put(folder / name, content)
    folders.sync(folder)
    return {"file": name, "rows": len(table), "digest": folders.digest(content)}


def _check(path: Path, digest: str) -> None:
    with folders.explained(path), pa.memory_map(str(path)) as content:
        good = folders.digest(content.read_buffer()) == digest
    if not good:
        raise StorageError(
            f"{path}, which is not what was written there",
            "rows that nothing else has changed",
            f"remove the folder {path.parent}: its rows are then written again",
        )


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
                    "declare the features of the stream, or repair that row",
                ) from error
        raise


def _table(batch: Mapping[str, list[Any]], features: Any) -> pa.Table:
    table: pa.Table = datasets.Dataset.from_dict(dict(batch), features=features).data.table
    return table
