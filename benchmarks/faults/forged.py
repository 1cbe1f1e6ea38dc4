"""Forged files: checksums that are right, and contents that are absurd.

Whoever makes a folder can make its checksums too. What such a folder says is refused, made again where it can be, or
at least possible: labels within the classes, chances within 0 and 1, one value a row, no file outside the folder.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import resource
import shutil
import warnings
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from benchmarks.common import Array
from benchmarks.faults.base import Case, Outcome, contents, renewed, shares
from benchmarks.faults.crew import Crew
from benchmarks.faults.material import MATERIALS, Material, used
from dataaudit.curriculum.trainers.state import KIND as RECORD
from dataaudit.dynamics.sealing import sealed

ROOM = 3 * 2**30
"""Bytes of address space that a reader may take."""
DEEP: Any = "[" * 5000 + "]" * 5000

VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 1.5, 10**9, 10**30, 1e308, float("nan"), "", "x", "0" * 32, "../../other", "/dev/zero", "\0"),
    *([], {}, [[]], {"x": {}}, [1, 2], ["a"], "x" * 10**6),
)
"""What an entry of a description may be replaced by."""

ARRAYS: dict[str, Callable[[Array], Any]] = {
    "255": lambda array: np.full(array.shape, 255).astype(array.dtype, casting="unsafe"),
    "-1": lambda array: np.full(array.shape, -1).astype(array.dtype, casting="unsafe"),
    "NaN": lambda array: np.full(array.shape, np.nan),
    "infinite": lambda array: np.full(array.shape, np.inf),
    "large": lambda array: np.full(array.shape, 10**6),
    "above 1": lambda array: np.full(array.shape, 1.5).astype(array.dtype if array.dtype.kind == "f" else np.float64),
    "complex": lambda array: np.full(array.shape, 1j),
    "texts": lambda array: np.full(array.shape, "x"),
    "objects": lambda array: np.full(array.shape, None),
    "times": lambda array: np.zeros(array.shape, "datetime64[s]"),
    "records": lambda array: np.zeros(array.shape, [("a", "i4")]),
    "flags": lambda array: np.ones(array.shape, bool),
    "none": lambda array: array.reshape(-1)[:0],
    "one": lambda array: array.reshape(-1)[:1],
    "twice": lambda array: np.concatenate([array.reshape(-1)] * 2),
    "a number": lambda array: np.array(3),
    "an axis more": lambda array: array[None],
    "transposed": lambda array: array.reshape(-1, 1).T,
}
"""What an array may be replaced by."""


def digest(content: bytes) -> str:
    """Checksum as the library writes it."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def entries(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths to all that lies in nested lists and dictionaries."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in pairs:
        yield (*path, name)
        yield from entries(part, (*path, name))


def description(content: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    """JSON with one entry replaced, or left out."""
    fields = json.loads(content)
    if rng.random() < 0.05:
        return (DEEP.encode(), "nested deeply") if rng.random() < 0.5 else (b"[1]", "a list")
    paths = [path for path in entries(fields) if path[0] not in ("blake2b", "format")]
    # As many trials for each outermost entry, however much lies in it.
    outer = [path for path in paths if path[0] == rng.choice(sorted({one[0] for one in paths}))]
    path = (outer or paths)[int(rng.integers(len(outer or paths)))]
    inner = fields
    for name in path[:-1]:
        inner = inner[name]
    if rng.random() < 0.15:
        del inner[path[-1]]
        return json.dumps(fields).encode(), f"without {path}"
    value = VALUES[int(rng.integers(len(VALUES)))]
    inner[path[-1]] = value
    return json.dumps(fields).encode(), f"{path} = {value!r:.40}"


def _chosen(rng: np.random.Generator, array: Array) -> tuple[Any, str]:
    what = list(ARRAYS)[int(rng.integers(len(ARRAYS)))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ARRAYS[what](array), what


def archive(content: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    """NumPy archive with one array replaced or left out, or one that is no honest archive."""
    parts = dict(np.load(io.BytesIO(content)))
    name, buffer = sorted(parts)[int(rng.integers(len(parts)))], io.BytesIO()
    draw = rng.random()
    if draw < 0.2:
        changed = bytearray(content)
        start = changed.rindex(b"PK\x01\x02")
        # Encrypted; by a method nobody knows; of more bytes than there are.
        place, value = ((8, b"\x01\x00"), (10, b"\x63\x00"), (24, b"\xff\xff\xff\x7f"))[int(rng.integers(3))]
        changed[start + place : start + place + len(value)] = value
        return bytes(changed), f"archive with {value!r} at {place}"
    if draw < 0.3:
        header = io.BytesIO()
        shape = (2 ** int(rng.integers(31, 60)),)
        np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
            for other in parts:
                part = io.BytesIO()
                np.save(part, parts[other])
                made.writestr(f"{other}.npy", header.getvalue() + bytes(2**22) if other == name else part.getvalue())
        return buffer.getvalue(), f"{name} of shape {shape}"
    if draw < 0.4:
        del parts[name]
        what = "missing"
    else:
        parts[name], what = _chosen(rng, parts[name])
    np.savez_compressed(buffer, **parts)
    return buffer.getvalue(), f"{name}: {what}"


def array(content: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    """NumPy file of another array, or with a header that lies."""
    buffer = io.BytesIO()
    if rng.random() < 0.2:
        shape = (2 ** int(rng.integers(31, 60)), 2)
        np.lib.format.write_array_header_1_0(buffer, {"descr": "<f8", "fortran_order": False, "shape": shape})
        return buffer.getvalue() + content[128:], f"shape {shape}"
    value, what = _chosen(rng, np.load(io.BytesIO(content)))
    np.save(buffer, value)
    return buffer.getvalue(), what


def table(content: bytes, rng: np.random.Generator, stream: bool = False) -> tuple[bytes, str]:
    """Parquet or Arrow file with one column replaced or left out, or with other rows."""
    held = pa.ipc.open_stream(content).read_all() if stream else pq.read_table(pa.BufferReader(content))
    name, draw = held.column_names[int(rng.integers(held.num_columns))], rng.random()
    place = held.column_names.index(name)
    if draw < 0.15:
        held, what = held.drop_columns([name]), "missing"
    elif draw < 0.3:
        held, what = (held.slice(0, len(held) // 2), "half the rows") if draw < 0.2 else (held.slice(0, 0), "no rows")
    elif draw < 0.4:
        held, what = held.set_column(place, name, pa.nulls(len(held))), "nulls"
    else:
        column = held.column(name)
        values = np.zeros(len(held)) if pa.types.is_nested(column.type) else column.to_numpy()
        made, what = _chosen(rng, values)
        made = np.asarray(made)
        if made.shape != (len(held),) or made.dtype.kind in "cV":
            made, what = np.full(len(held), 10**6), "large"
        held = held.set_column(place, name, pa.array(made))
    sink = pa.BufferOutputStream()
    if stream:
        with pa.ipc.new_stream(sink, held.schema) as writer:
            writer.write_table(held)
    else:
        pq.write_table(held, sink)
    return sink.getvalue().to_pybytes(), f"{name}: {what}"


def state(content: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    """State of tensors and numbers, with one of them replaced or left out."""
    fields = torch.load(io.BytesIO(content), weights_only=True)
    digested = fields.pop("digest", None) is not None
    paths = list(entries(fields))
    path = paths[int(rng.integers(len(paths)))]
    inner = fields
    for name in path[:-1]:
        inner = inner[name]
    value, draw = inner[path[-1]], rng.random()
    if draw < 0.1:
        del inner[path[-1]]
        what = "missing"
    elif isinstance(value, torch.Tensor) and draw < 0.8:
        made, what = _chosen(rng, value.numpy())
        inner[path[-1]] = torch.from_numpy(np.array(made)) if np.asarray(made).dtype.kind in "biufc" else torch.zeros(2)
    else:
        inner[path[-1]] = VALUES[int(rng.integers(len(VALUES)))]
        what = repr(inner[path[-1]])[:40]
    buffer = io.BytesIO()
    torch.save(_digested(fields) if digested else fields, buffer)
    return buffer.getvalue(), f"{path}: {what}"


def _digested(fields: dict[str, Any]) -> dict[str, Any]:
    try:
        return sealed(fields)
    except Exception:  # What cannot be digested has no right digest, and its reader has to say so.
        return {**fields, "digest": "0" * 32}


FORGERS = {".json": description, ".npz": archive, ".npy": array, ".parquet": table, ".pt": state}
FORGERS[".arrow"] = partial(table, stream=True)


def forge(folder: Path, name: str, rng: np.random.Generator) -> str:
    """Change what a file says, and every checksum that has to do with it; in words, what was changed."""
    path = folder / name
    whole = path.read_bytes()
    # What stands by itself has a foot.
    tail = len(re.search(rb"(\n[^\n]+ [0-9a-f]{32})?\Z", whole)[0])  # type: ignore[index]
    content = whole[: len(whole) - tail]
    made, what = FORGERS[path.suffix](content, rng)
    if tail:
        made += RECORD.foot(np.frombuffer(made, np.uint8))
    # Names and descriptions hold the checksum of a file, or of an array without its header.
    old, new = (digest(body[128:] if path.suffix == ".npy" else body) for body in (content, made))
    renamed = path.with_name(path.name.replace(old, new).replace(old[:16], new[:16]))
    path.unlink()
    renamed.write_bytes(made)
    swapped = {old: new, path.name: renamed.name}
    for other in folder.rglob("*.json"):
        text = other.read_text()
        for before, after in swapped.items():
            text = text.replace(before, after)
        other.write_text(_resealed(text.replace(f'"bytes": {len(whole)}', f'"bytes": {len(made)}')))
    return f"{name}: {what}"


def _resealed(text: str) -> str:
    """A description with the right checksum of what it says."""
    try:
        fields = json.loads(text)
        if not isinstance(fields, dict) or fields.pop("blake2b", None) is None:
            return text
        checksum = digest(json.dumps(fields, sort_keys=True, allow_nan=False).encode())
    except (ValueError, RecursionError):
        return text
    return json.dumps({**fields, "blake2b": checksum})


def _limited(material: Material, folder: Path) -> None:
    """Read a folder, and use what was read, in bounded memory."""
    resource.setrlimit(resource.RLIMIT_AS, (_size() + ROOM, resource.RLIM_INFINITY))
    used(material, folder)


def _size() -> int:
    found = re.search(r"VmSize:\s+(\d+)", Path("/proc/self/status").read_text())
    return 1024 * int(found[1]) if found else 0


def trials(material: Material, rng: np.random.Generator, count: int, folder: Path) -> Iterator[Outcome]:
    """Forge the files of a folder in turn, descriptions as often as all others together."""
    template, place = folder / "template", folder / "forged"
    material.write(template, 0)
    names = [name for name in contents(template) if Path(name).suffix in FORGERS]
    described = [name for name in names if name.endswith(".json")]
    others = [name for name in names if name not in described]
    crew = Crew(1).__enter__()
    try:
        for trial in range(count):
            chosen = described if described and (trial % 2 or not others) else others
            renewed(template, place)
            what = forge(place, chosen[trial // 2 % len(chosen)], rng)
            outcome = crew.together([partial(_limited, material, place)], [0.0])[0]
            if outcome.detail.startswith("EOFError: its process"):
                crew = Crew(1).__enter__()
            yield Outcome(outcome.verdict, f"{what}: {outcome.detail}")
    finally:
        crew.__exit__()


def named_outside(material: Material, rng: np.random.Generator, count: int, folder: Path) -> Iterator[Outcome]:
    """Let descriptions name files that lie outside the folder."""
    template, place = folder / "template", folder / "forged"
    material.write(template, 0)
    names = [name for name in contents(template) if not name.endswith(".json")]
    descriptions = {path: path.read_text() for path in template.rglob("*.json")}
    named = [name for name in names if any(Path(name).name in text for text in descriptions.values())]
    with Crew(1) as crew:
        for trial in range(count if named else 0):
            name = named[trial % len(named)]
            renewed(template, place)
            aside = folder / "outside"
            aside.mkdir(exist_ok=True)
            shutil.move(place / name, aside / Path(name).name)
            way = ("../" * (1 + name.count("/")) + "outside/", f"{aside}/")[trial % 2]
            for path in place.rglob("*.json"):
                path.write_text(_resealed(path.read_text().replace(Path(name).name, way + Path(name).name)))
            outcome = crew.together([partial(_limited, material, place)], [0.0])[0]
            if outcome.verdict == "fine":
                outcome = Outcome("silent", "a file outside the folder was read")
            yield Outcome(outcome.verdict, f"{name} named {way}: {outcome.detail}")


def cases() -> list[Case]:
    """Cases of every material."""
    parts = shares(420, len(MATERIALS))
    inside = [
        Case("forged", f"contents, {material.name}", number, 8, partial(trials, material))
        for material, number in zip(MATERIALS, parts, strict=True)
    ]
    named = [material for material in MATERIALS if material.name in ("audit", "stream")]
    return inside + [
        Case("forged", f"names outside, {material.name}", 10, 2, partial(named_outside, material)) for material in named
    ]
