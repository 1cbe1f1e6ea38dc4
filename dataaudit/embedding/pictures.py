"""Images as people have them, as pictures: upright PIL images of 8 bits, grey or RGB, or floats [channels, h, w]."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from dataaudit.common.types import AnyArray
from dataaudit.data.images import is_gray
from dataaudit.data.kinds import is_image, is_tensor
from dataaudit.data.rows import as_array, for_row
from dataaudit.errors import DataError, RowError, require

Kind: TypeAlias = Literal["texts", "images"]
"""What inputs are, and what an encoder reads."""

CHANNELS = (1, 3, 4)
"""Lengths of an axis that can be channels: grey, RGB, RGBA."""

REPAIR = "repair it, or leave that row out"


def kind_of(item: Any) -> Kind | None:
    """What an input is: texts are strings, images are PIL images, arrays, tensors and paths; None for anything else."""
    if isinstance(item, str):
        return "texts"
    image = is_image(item) or is_tensor(item) or isinstance(item, (np.ndarray, os.PathLike))
    return "images" if image else None


def checked(item: Any, row: int, kind: Kind) -> Any:
    """A text that is one, or the picture of an image; errors name `row`.

    Raises
    ------
    DataError
        If it is of another kind.
    RowError
        If it is missing, empty, or does not decode.
    """
    if kind == "images":
        return picture(item, row)
    if not isinstance(item, str):
        raise RowError(f"{type(item).__name__} in row {row}", "a text in every row", "drop or fill that row")
    if not item.strip():
        raise RowError(f"an empty text in row {row}", "a text in every row", "drop that row")
    return item


def picture(value: Any, row: int) -> Any:
    """The picture of an image: a PIL image of mode "L" or "RGB", or a float32 array [channels, h, w].

    Images are turned upright by what their camera noted; palettes are resolved, an alpha channel is dropped and not
    blended. Grey levels of 16 bits are brought to 8.
    """
    require("PIL", "report", "decoding images")
    if value is None:
        raise RowError(f"no image in row {row}", "an image in every row", "leave that row out")
    if isinstance(value, str):
        raise DataError(
            f"a text in row {row}, {value[:40]!r}, where an image belongs",
            "images: PIL images, arrays of pixels, or paths",
            ["pass a model of texts, for texts", "pass pathlib.Path(name), for the name of a file"],
        )
    if isinstance(value, os.PathLike):
        name = os.fspath(value)
        return for_row(_opened, value, row, f"the file {str(name)!r}, no image that can be read,", REPAIR)
    if is_image(value):
        return for_row(_of_image, value, row, "an image that does not decode", REPAIR)
    if is_tensor(value) or isinstance(value, np.ndarray):
        return _of_array(as_array(value), row)
    raise DataError(
        f"a {type(value).__name__} in row {row}",
        "images: PIL images, arrays of pixels, or paths",
        "convert each to one of these",
    )


def digest(item: Any) -> bytes:
    """Digest of a text or a picture, 16 bytes: equal ones alone have the same."""
    if isinstance(item, str):
        return hashlib.blake2b(b"text" + item.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    pixels = np.ascontiguousarray(item)
    about = f"{pixels.dtype}{pixels.shape}".encode()
    return hashlib.blake2b(about + pixels.tobytes(), digest_size=16).digest()


def as_eight_bits(pixels: AnyArray, row: int) -> Any:
    """PIL image of a float array [channels, h, w] whose values lie from 0 to 1."""
    if pixels.size and not (pixels.min() >= 0 and pixels.max() <= 1):
        raise DataError(
            f"pixels from {pixels.min():.3g} to {pixels.max():.3g} in row {row}, for a model that prepares its images",
            "uint8 pixels, or floats from 0 to 1",
            "pass the images as they were before they were standardised",
        )
    return _of_pixels(np.rint(pixels * np.float32(255)).astype(np.uint8))


def _opened(path: Any) -> Any:
    from PIL import Image

    with Image.open(Path(path)) as image:
        return _of_image(image)


def _of_image(image: Any) -> Any:
    from PIL import ImageOps

    image = ImageOps.exif_transpose(image)
    if image.mode in ("I", "F"):
        raise ValueError(f"mode {image.mode}, whose values have no known range: scale them to 8 or 16 bits")
    if image.mode.startswith("I;16"):
        return _of_pixels(_halved(np.asarray(image))[None])
    if is_gray(image):
        return image.convert("L")
    # PIL warns about a palette with transparency unless it goes through RGBA.
    return (image.convert("RGBA") if "transparency" in image.info else image).convert("RGB")


def _of_array(array: AnyArray, row: int) -> Any:
    first = _channels_first(array, row)
    if first.dtype == np.uint8:
        return _of_pixels(first)
    if first.dtype == np.uint16:
        return _of_pixels(_halved(first))
    if first.dtype.kind != "f":
        raise DataError(
            f"pixels of type {array.dtype} in row {row}", "uint8, or floats from 0 to 1", "convert them: .astype('u1')"
        )
    if not np.isfinite(first).all():
        raise RowError(f"NaN or infinity in row {row}", "finite pixels", "fill or leave out that row")
    return np.ascontiguousarray(first[:3], np.float32)


def _channels_first(array: AnyArray, row: int) -> AnyArray:
    """An image [h, w], [h, w, c] or [c, h, w] as [c, h, w]."""
    if array.ndim == 2 and array.size:
        return array[None]
    if array.ndim == 3 and array.size:
        if array.shape[0] in CHANNELS:
            return array
        if array.shape[2] in CHANNELS:
            return array.transpose(2, 0, 1)
    raise DataError(
        f"an array of shape {array.shape} in row {row}",
        "an image [h, w], [h, w, c] or [c, h, w] of 1, 3 or 4 channels c",
        "reshape it to one of these; vectors are passed to score as they are",
    )


def _of_pixels(pixels: AnyArray) -> Any:
    """PIL image of uint8 pixels [c, h, w]."""
    from PIL import Image

    if len(pixels) == 1:
        return Image.fromarray(np.ascontiguousarray(pixels[0]))
    return Image.fromarray(np.ascontiguousarray(pixels[:3].transpose(1, 2, 0)))


def _halved(deep: AnyArray) -> AnyArray:
    """Values of 16 bits as those of 8."""
    return ((deep.astype(np.uint32) + 128) // 257).astype(np.uint8)
