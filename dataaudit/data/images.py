"""PIL images as pixels, and one rule for sets that mix grey and colour."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from dataaudit.common import checks
from dataaudit.common.types import AnyArray, IntArray
from dataaudit.data.kinds import is_image
from dataaudit.errors import DataError, RowError, SettingError, require

PROBED = 64
"""Images looked at to tell a grey set from a colour set."""

_DEEP = ("I", "F")
WHOLE = {"La": "LA", "RGBa": "RGBA"}
"""Modes whose values are multiplied by their transparency, and the same without."""


def is_gray(image: Any) -> bool:
    """Tell whether a PIL image has one channel: modes "1", "L", "I", "I;16..." and "F"."""
    return image.mode in ("1", "L", *_DEEP) or image.mode.startswith("I;16")


def to_pixels(image: Any, channels: int | None = None) -> AnyArray:
    """Pixels of a PIL image.

    Parameters
    ----------
    image
        PIL image of any mode.
    channels
        1 or 3; by default 1 for a grey image and 3 for any other.

    Returns
    -------
    array
        uint8 [channels, height, width], 0..255. Images of 16 bits a pixel (mode "I;16") become float32 in
        [0, 1], their values divided by 65535; modes "I" and "F" float32 with the values as stored. Palettes
        are resolved and an alpha channel is dropped, not blended. An image that its EXIF data say to turn is turned.

    Raises
    ------
    DataError
        If `channels` is 1 and the image has colour.
    MissingPackageError
        If pillow is not installed.

    Examples
    --------
    >>> from PIL import Image
    >>> to_pixels(Image.new("RGBA", (5, 4))).shape
    (3, 4, 5)
    """
    require("PIL", "report", "decoding images")
    image = upright(image)
    gray = is_gray(image)
    if channels == 1 and not gray:
        raise DataError(
            f"a {image.mode} image where one channel is expected",
            "a grey image",
            ["pass image.convert('L')", "pass channels=3"],
        )
    if not gray:
        return np.ascontiguousarray(np.asarray(_plain(image).convert("RGB")).transpose(2, 0, 1))
    if image.mode in _DEEP:
        pixels = np.asarray(image, dtype=np.float32)
    elif image.mode.startswith("I;16"):
        pixels = np.asarray(image).astype(np.float32) / np.float32(65535)
    else:
        pixels = np.array(image.convert("L"))
    return np.repeat(pixels[None], channels or 1, axis=0)


def _plain(image: Any) -> Any:
    """The image in a mode that PIL makes grey or colour of, without a warning."""
    if image.mode in WHOLE:
        return image.convert(WHOLE[image.mode])
    # PIL warns about a palette with transparency unless it goes through RGBA.
    return image.convert("RGBA") if "transparency" in image.info else image


def upright(image: Any) -> Any:
    """The image, turned as its EXIF data say that it was taken."""
    if image.getexif().get(ORIENTATION, 1) in range(2, 9):
        from PIL import ImageOps

        return ImageOps.exif_transpose(image)
    return image


ORIENTATION = 0x0112
"""Number of the EXIF entry that says how an image is to be turned."""


@dataclass(frozen=True)
class Resize:
    """Images of one size and mode: ``resize=`` makes one, which may also be passed as ``transform=``.

    Parameters
    ----------
    size
        Height and width in pixels, or the pair (height, width).
    mode
        "RGB" for three channels, "L" for one. Colour becomes grey where it is "L".

    Raises
    ------
    SettingError
        If size or mode are of another kind.

    Examples
    --------
    >>> from PIL import Image
    >>> Resize(32)(Image.new("L", (5, 4))).shape
    (3, 32, 32)
    """

    size: int | tuple[int, int]
    mode: Literal["RGB", "L"] = "RGB"

    def __post_init__(self) -> None:
        pair = self.size if isinstance(self.size, tuple) else (self.size, self.size)
        if len(pair) != 2 or not all(checks.is_whole(side) and side > 0 for side in pair):
            raise SettingError(
                f"a size of {self.size!r} for images", "pixels, or (height, width)", "pass resize=32, for example"
            )
        if self.mode not in ("RGB", "L"):
            raise SettingError(f"mode={self.mode!r}", "'RGB' or 'L'", ["pass mode='RGB'", "pass mode='L'"])

    def __call__(self, image: Any) -> AnyArray:
        """Pixels of one image, [channels, height, width], of the type and in the range that `to_pixels` gives.

        Raises
        ------
        DataError
            If it is no PIL image.
        """
        if not is_image(image):
            raise DataError(f"a {type(image).__name__}", "a PIL image", "pass PIL.Image.fromarray(pixels)")
        height, width = self.size if isinstance(self.size, tuple) else (self.size, self.size)
        image = upright(image)
        if image.mode in _DEEP or image.mode.startswith("I;16"):
            from PIL import Image

            deep = Image.fromarray(to_pixels(image)[0]).resize((width, height))
            return to_pixels(deep, 1 if self.mode == "L" else 3)
        # A palette has no colours in between: pixels come first.
        return to_pixels(_plain(image).convert(self.mode).resize((width, height)))


@dataclass(frozen=True)
class _Fitted:
    """Images of a set that was found to be grey, or not, resized; a colour image in a grey set is refused."""

    resize: Resize

    def __call__(self, image: Any) -> AnyArray:
        if self.resize.mode == "L" and is_image(image) and not is_gray(image):
            raise DataError(
                f"a {image.mode} image in a grey data set",
                ONE_MODE,
                [f"drop resize= and {advice}" for advice in _in_one_mode(self.resize.size)],
            )
        return self.resize(image)


ONE_MODE = "images of one mode; colour images are never greyed silently"


def _in_one_mode(size: int | tuple[int, int]) -> list[str]:
    """Advices for colour among grey: all images in colour, or all in grey."""
    resize = f"pass transform=dataaudit.data.images.Resize({size!r}"
    return [f"{resize}) for colour", f"{resize}, 'L') for grey"]


def resizes(transform: Any) -> bool:
    """Tell ``resize=``, which gives the same pixels every time, from a caller's own transform."""
    return isinstance(transform, (Resize, _Fitted))


def resized(examples: Any, size: Any, transform: Any) -> None:
    """Have an adapter's images read in `size`, in as many channels as before; a `SettingError` where there are none."""
    if transform is not None:
        raise SettingError("resize= beside transform=", "one of them", ["drop resize=", "drop transform="])
    if examples.channels is None:
        raise SettingError(
            f"resize= for {examples.source} inputs that are no images",
            "PIL images, 8-bit pixels of several sizes, or an image column",
            "leave resize= out",
        )
    pair = tuple(size) if isinstance(size, (list, tuple)) else size
    examples.transform = _Fitted(Resize(pair, "L" if examples.channels == 1 else "RGB"))


def probed_rows(count: int) -> IntArray:
    """Up to `PROBED` rows spread evenly over a set of `count`, the first and the last among them."""
    return np.unique(np.linspace(0, max(0, count - 1), min(count, PROBED)).astype(np.int64))


def common_channels(images: Iterable[Any]) -> int:
    """Channels of a set: 3 if any of the probed `images` has colour, otherwise 1.

    Grey images in a colour set become RGB; a colour image in a grey set is an error.
    """
    return 1 if all(is_gray(image) for image in images) else 3


def row_pixels(image: Any, channels: int, row: int) -> AnyArray:
    """`to_pixels` with the row named in errors; a colour image in a set that the probe took for grey is one."""
    if channels == 1 and not is_gray(image):
        raise DataError(
            f"a {image.mode} image in row {row} of a grey data set",
            ONE_MODE,
            _in_one_mode(image.size[::-1]),
        )
    try:
        return to_pixels(image, channels)
    except (ValueError, OSError) as error:
        raise RowError(
            f"an image that does not decode in row {row} ({type(error).__name__}: {error})",
            "an image that can be read as grey or RGB",
            ["repair that row", "pass on_bad_rows='drop'"],
        ) from error
