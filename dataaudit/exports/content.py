"""What people look at of an example, as data: a picture, a text, values by name."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dataaudit.data.images import upright
from dataaudit.data.kinds import is_image
from dataaudit.report.figures import picture

EXACT_MODES = ("1", "L", "LA", "P", "RGB", "RGBA")
"""Modes of PIL images that a PNG file holds as they are."""
WHOLE = 2**31 - 1
"""Pixels along a side that no picture has: none is made smaller, or blurred."""


@dataclass(frozen=True)
class Content:
    """One example as it is shown: a picture as a PNG file, a text, values by name."""

    image: bytes | None = None
    text: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)


def content_of(shown: Any) -> Content:
    """Content of what `Examples.show` gives, whole.

    Pictures keep their size: PIL images, and arrays of pixels as the page draws them, become PNG files.

    >>> content_of({"size": np.float32(0.5), "colour": "red"}).values
    {'size': 0.5, 'colour': 'red'}
    >>> content_of({"title": "a"}).text
    'a'
    """
    image = _picture(shown)
    if image is not None:
        return Content(image)
    if isinstance(shown, Mapping):
        return _of_columns(shown)
    if isinstance(shown, np.ndarray):
        return Content(values={str(place): as_value(value) for place, value in enumerate(shown.reshape(-1))})
    return Content(text=str(shown))


def _of_columns(columns: Mapping[Any, Any]) -> Content:
    """Content of a row of named values, of which the first picture is the one that is shown."""
    values = {str(name): value for name, value in columns.items()}
    if len(values) == 1 and isinstance(only := next(iter(values.values())), str):
        return Content(text=only)
    image = None
    for name, value in list(values.items()):
        if image is None and is_image(value):
            image = _picture(value)
            del values[name]
    return Content(image, values={name: as_value(value) for name, value in values.items()})


def _picture(shown: Any) -> bytes | None:
    if is_image(shown) and not (shown.mode in ("I", "F") or shown.mode.startswith("I;16")):
        whole, file = upright(shown), io.BytesIO()
        (whole if whole.mode in EXACT_MODES else whole.convert("RGB")).save(file, "PNG")
        return file.getvalue()
    address = picture(shown, largest=WHOLE, drawn=WHOLE)
    return None if address is None else base64.b64decode(address.partition(";base64,")[2])


def as_value(value: Any) -> Any:
    """A value as JSON holds it: arrays become lists, what is missing or not finite None, others the text of it.

    >>> as_value([np.int64(3), float("nan"), b"a"])
    [3, None, "b'a'"]
    """
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Mapping):
        return {str(name): as_value(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_value(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (str, int, bool)):
        return value
    # pandas has missing values of its own.
    return None if value != value or repr(value) in ("<NA>", "NaT") else str(value)
