"""Pictures inside a page, as text: SVG drawings and PNG images, without any plotting library.

A plotting library would write caches into the user's home folder.
"""

from __future__ import annotations

import base64
import io
import struct
import zlib
from importlib.util import find_spec
from typing import Any

import numpy as np

from dataaudit.common.types import AnyArray, BoolArray, FloatArray

CHANNELS = (1, 3, 4)
"""Lengths of an axis that can be channels: grey, RGB, RGBA."""

LARGEST = 256
"""Pixels along an embedded picture's longer side; larger ones are averaged down."""
DRAWN = 64
"""Pixels along the longer side of what may be drawn by hand; larger colour pictures are photographs."""


def picture(shown: Any, largest: int = LARGEST, drawn: int = DRAWN) -> str | None:
    """Data address of a PIL image or array [H, W], [c, H, W] or [H, W, c], c of 1, 3 or 4; None for others.

    It is a PNG of at most `largest` pixels a side, and where Pillow is installed a JPEG of pictures in colour with more
    than `drawn`, a tenth of the size.
    Pixels are uint8, or floats that are scaled from their own range unless they lie in [0, 1]. Of four channels the
    last, alpha, is dropped. Floats in two dimensions may be anything and are no picture.
    """
    pixels = pixels_of(shown, largest)
    if pixels is None:
        return None
    if pixels.ndim == 3 and max(pixels.shape) > drawn and find_spec("PIL") is not None:
        return "data:image/jpeg;base64," + base64.b64encode(_jpeg(pixels)).decode()
    return "data:image/png;base64," + base64.b64encode(png(pixels)).decode()


def pixels_of(shown: Any, largest: int = LARGEST) -> AnyArray | None:
    """Pixels of a picture, as in `picture`: uint8 [H, W] or [H, W, 3]; None for others."""
    pixels: AnyArray | None
    if hasattr(shown, "convert") and hasattr(shown, "thumbnail"):
        # Pillow clips deep grey to 8 bits, which leaves little but black and white.
        deep = shown.mode in ("I", "F") or shown.mode.startswith("I;16")
        pixels = _scaled(np.asarray(shown)) if deep else np.asarray(shown.convert("RGB"))
    else:
        pixels = _pixels(shown)
    return None if pixels is None else _reduced(pixels, -(-max(pixels.shape[:2]) // largest))


def _reduced(pixels: AnyArray, step: int) -> AnyArray:
    """Means of blocks of `step` x `step` pixels; rests at the edges go, narrow pictures are thinned."""
    if step == 1:
        return pixels
    height, width = (side // step * step for side in pixels.shape[:2])
    if not height or not width:
        return pixels[::step, ::step]
    blocks = pixels[:height, :width].reshape(height // step, step, width // step, step, *pixels.shape[2:])
    means: AnyArray = np.round(blocks.mean(axis=(1, 3))).astype(np.uint8)
    return means


def _jpeg(pixels: AnyArray) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=85)
    return file.getvalue()


def _pixels(array: Any) -> AnyArray | None:
    """Pixels uint8 [H, W] or [H, W, 3] of an array that is a picture."""
    if not isinstance(array, np.ndarray):
        return None
    if array.ndim == 3 and array.shape[0] in CHANNELS and min(array.shape[1:]) > 3:
        array = array.transpose(1, 2, 0)
    elif array.ndim == 3:
        if array.shape[2] not in CHANNELS or min(array.shape[:2]) <= 3:
            return None
    elif array.ndim != 2 or array.dtype != np.uint8 or min(array.shape) <= 3:
        return None
    if array.ndim == 3:
        array = array[..., 0] if array.shape[2] == 1 else array[..., :3]
    return array if array.dtype == np.uint8 else _scaled(array)


def _scaled(array: AnyArray) -> AnyArray:
    """Pixels uint8 of the same shape: [0, 1] becomes 0..255, any other range is stretched to it."""
    values = np.nan_to_num(array.astype(np.float64))
    low, high = values.min(), values.max()
    if (low >= 0.0 and high <= 1.0) or low == high:
        low, high = 0.0, 1.0
    scaled: AnyArray = np.round(255 * np.clip((values - low) / (high - low), 0.0, 1.0)).astype(np.uint8)
    return scaled


def png(pixels: AnyArray) -> bytes:
    """PNG file of uint8 pixels [H, W] or [H, W, 3].

    >>> png(np.zeros((2, 2), np.uint8))[:4]
    b'\\x89PNG'
    """
    height, width = pixels.shape[:2]
    lines = np.ascontiguousarray(pixels).reshape(height, -1)
    # Every line starts with its filter: 0, none.
    raw = np.hstack([np.zeros((height, 1), np.uint8), lines]).tobytes()
    colour = 2 if pixels.ndim == 3 else 0

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(raw, 6)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def histogram(values: FloatArray, marked: BoolArray, bins: int = 40) -> str:
    """SVG histogram of the finite `values` [n], with the share of `marked` ones [n] in each bar coloured.

    The axis names its ends. An empty string if no value is finite.
    """
    finite = np.isfinite(values)
    if not finite.any():
        return ""
    least, most = float(values[finite].min()), float(values[finite].max())
    # Halves, as the difference of two numbers may be larger than any; values that differ by rounding alone
    # cannot be cut into bins as they are.
    span = most / 2 - least / 2
    shares = np.full(len(values), 0.5)
    if span > 0.0:
        shares[finite] = (values[finite] / 2 - least / 2) / span
    counts, _ = np.histogram(shares[finite], bins=bins, range=(0.0, 1.0))
    coloured, _ = np.histogram(shares[finite & marked], bins=bins, range=(0.0, 1.0))
    top, width, height = max(1, int(counts.max())), 320, 90
    step = width / bins
    bars = []
    for column in range(bins):
        x = column * step
        for kind, low, high in (("marked", 0, coloured[column]), ("plain", coloured[column], counts[column])):
            if high > low:
                # A bar of a single example among thousands must still be seen.
                tall = max(1.0, height * (high - low) / top)
                y = height - height * low / top - tall
                bars.append(
                    f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{step - 1:.1f}" height="{tall:.1f}"/>'
                )
    ends = (
        f'<text x="0" y="{height + 14}">{least:.3g}</text>'
        f'<text x="{width}" y="{height + 14}" text-anchor="end">{most:.3g}</text>'
    )
    line = f'<line x1="0" x2="{width}" y1="{height}" y2="{height}"/>'
    said = f"{int(finite.sum())} values from {least:.3g} to {most:.3g}, {int((finite & marked).sum())} of them marked"
    return f'<svg viewBox="0 0 {width} {height + 18}" role="img" aria-label="{said}">{"".join(bars)}{line}{ends}</svg>'


def sparkline(values: AnyArray) -> str:
    """SVG line of values in [0, 1] over epochs [k]; gaps where they are NaN; empty for fewer than two."""
    if len(values) < 2:
        return ""
    width, height = 100.0, 24.0
    x = np.linspace(1.0, width - 1.0, len(values))
    y = (height - 1.0) - (height - 2.0) * np.clip(values.astype(np.float64), 0.0, 1.0)
    parts, pen = [], "M"
    for across, down in zip(x, y, strict=True):
        if np.isnan(down):
            pen = "M"
            continue
        parts.append(f"{pen}{across:.1f} {down:.1f}")
        pen = "L"
    box = f'preserveAspectRatio="none" viewBox="0 0 {width:.0f} {height:.0f}"'
    return f'<svg class="spark" {box}><path d="{" ".join(parts)}"/></svg>'
