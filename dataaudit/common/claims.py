"""What a file says, checked before it is believed: whoever made a file can make its checksum too."""

from __future__ import annotations

import io
import math
import os
import re
import reprlib
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from dataaudit.common import checks, folders
from dataaudit.common.types import AnyArray
from dataaudit.errors import StorageError

HEADER = 4096
"""Bytes that an array has at most before its values."""


@dataclass(frozen=True)
class Claims:
    """Checks of what the file or folder `what` says; each raises `StorageError` that names it and says to do `action`.

    >>> Claims("runs.json").whole("runs", 3, 0, 10)
    3
    """

    what: object
    action: str = "restore it from a copy, or name another folder"

    def check(self, good: Any, arrived: str, expected: str) -> None:
        """Raise unless something is `good`."""
        if not good:
            raise StorageError(f"{self.what} with {arrived}", expected, self.action)

    def whole(self, name: str, value: Any, low: int, high: int | None = None) -> int:
        """Whole number of `low` to `high`."""
        good = type(value) is int and value >= low and (high is None or value <= high)
        self.check(good, f"{name} {_short(value)}", f"a whole number of {low} to {'any' if high is None else high}")
        return int(value)

    def number(self, name: str, value: Any, low: float, high: float) -> float:
        """Number of `low` to `high`, which is finite."""
        good = checks.is_number(value) and low <= value <= high and abs(value) <= sys.float_info.max
        self.check(good, f"{name} {_short(value)}", f"a number of {low:g} to {high:g}")
        return float(value)

    def text(self, name: str, value: Any, pattern: str | re.Pattern[str] = r"(?s).*") -> str:
        """Text that matches a regular expression: one without slashes is a file name that stays in its folder."""
        good = isinstance(value, str) and re.fullmatch(pattern, value)
        self.check(good, f"{name} {_short(value)}", "a text as it was written there")
        return str(value)

    def kind(self, name: str, value: Any, *kinds: type) -> Any:
        """Value of one of some Python types; True is no int."""
        good = type(value) in kinds
        self.check(good, f"{name} {_short(value)}", " or ".join(kind.__name__ for kind in kinds))
        return value

    def entries(self, name: str, value: Any, *keys: str) -> dict[str, Any]:
        """JSON object of these keys and no others; of any, if none are given."""
        good = isinstance(value, dict) and (not keys or value.keys() == {*keys})
        self.check(good, f"{name} {_short(value)}", f"entries {', '.join(keys) or 'by name'}")
        return dict(value)

    def array(
        self,
        name: str,
        values: Any,
        kinds: str,
        shape: tuple[int | None, ...],
        low: float = -math.inf,
        high: float = math.inf,
        nan: bool = False,
    ) -> AnyArray:
        """Array of one of NumPy's `kinds` ("iu", "f", "b") and a shape, None for any number, all in `low` to `high`.

        Infinite values are taken where an end is infinite, NaN if it is said.
        """
        good = isinstance(values, np.ndarray) and values.dtype.kind in kinds and values.ndim == len(shape)
        good = good and all(size in (None, there) for size, there in zip(shape, values.shape, strict=True))
        form = f"{values.dtype} {values.shape}" if isinstance(values, np.ndarray) else type(values).__name__
        self.check(good, f"{name} of {form}", f"an array of kind {kinds!r} and shape {shape}".replace("None", "any"))
        array: AnyArray = values
        if array.size and array.dtype.kind != "b" and (not nan or low > -math.inf or high < math.inf):
            least, most = (np.fmin, np.fmax) if nan and array.dtype.kind == "f" else (np.minimum, np.maximum)
            ends = least.reduce(array, None), most.reduce(array, None)
            good = (low <= ends[0] and ends[1] <= high) or (nan and np.isnan(ends[0]))
            self.check(good, f"{name} of {ends[0]} to {ends[1]}", f"values of {low:g} to {high:g}")
        return array

    def fits(self, size: int) -> None:
        """Raise if so many bytes exceed the machine's memory: before any of them is taken."""
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        self.check(size <= memory, f"{size} bytes to unpack", f"at most the {memory} bytes of memory")

    def npy(self, content: Any) -> AnyArray:
        """Array in the content of an .npy file, not copied, read-only; never more than the bytes that are there."""
        file = io.BytesIO(bytes(content[: 2**16]))
        with folders.explained(self.what, Exception, expected="an undamaged array", action=self.action):
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, transposed, kind = read(file)
            size = math.prod(shape) * kind.itemsize
            good = not kind.hasobject and min(shape, default=0) >= 0 and size == len(content) - file.tell()
            self.check(good, f"an array {shape} of {kind} in {len(content)} bytes", "as many bytes as it says")
            flat = np.frombuffer(content, kind, offset=file.tell(), count=math.prod(shape))
            return flat.reshape(shape, order="F" if transposed else "C")

    def npz(self, file: IO[bytes], most: Mapping[str, int], others: bool = False) -> dict[str, AnyArray]:
        """Arrays in an .npz file: these names, unpacked to at most so many bytes each; `others` are refused or left."""
        with folders.explained(self.what, Exception, expected="an undamaged archive", action=self.action):
            archive = zipfile.ZipFile(file)
            inside = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
            good = inside.keys() == most.keys() or (others and inside.keys() >= most.keys())
            good = good and len(archive.infolist()) == len(inside)
            self.check(good, f"entries {_short(sorted(inside))}", f"entries {', '.join(sorted(most))}")
            arrays = {}
            for name in most:
                # The entry is not read beyond what it says.
                entry, limit = inside[name], most[name] + HEADER
                good = entry.file_size <= limit
                self.check(good, f"{entry.file_size} bytes of {name}", f"at most {limit} bytes")
                arrays[name] = self.npy(archive.read(entry))
            return arrays


def _short(value: Any) -> str:
    """Value in a few words, however deep, long or large it is."""
    if type(value) is int and value.bit_length() > 256:
        return f"of {value.bit_length()} bits"
    return _REPR.repr(value)


_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 80
