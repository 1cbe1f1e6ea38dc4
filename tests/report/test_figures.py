import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from dataaudit.report.figures import LARGEST, histogram, picture, png, sparkline


def decoded(address):
    assert address.startswith("data:image/png;base64,")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))))


@pytest.mark.parametrize("shape", [(4, 5), (7, 3, 3), (1, 1)])
def test_png_files_are_read_back_by_pillow(shape):
    pixels = np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png(pixels)))), pixels)


def test_pictures_of_every_kind():
    gray = np.arange(64, dtype=np.uint8).reshape(8, 8)
    np.testing.assert_array_equal(decoded(picture(gray)), gray)
    np.testing.assert_array_equal(decoded(picture(gray[None])), gray)
    colour = np.stack([gray] * 3)
    np.testing.assert_array_equal(decoded(picture(colour)), colour.transpose(1, 2, 0))
    np.testing.assert_array_equal(decoded(picture(colour.transpose(1, 2, 0))), colour.transpose(1, 2, 0))
    np.testing.assert_array_equal(decoded(picture(gray[..., None])), gray)
    clear = np.stack([gray, gray, gray, gray.T])
    np.testing.assert_array_equal(decoded(picture(clear)), colour.transpose(1, 2, 0))
    np.testing.assert_array_equal(decoded(picture(clear.transpose(1, 2, 0))), colour.transpose(1, 2, 0))
    unit = gray[None].astype(np.float32) / 255
    np.testing.assert_array_equal(decoded(picture(unit)), gray)
    standardised = (unit - 0.5) * 8
    assert decoded(picture(standardised)).max() == 255
    assert decoded(picture(np.full((1, 8, 8), np.nan))).shape == (8, 8)
    assert decoded(picture(Image.fromarray(gray).convert("RGBA"))).shape == (8, 8, 3)
    assert max(decoded(picture(np.zeros((1000, 300), np.uint8))).shape) <= LARGEST


@pytest.mark.parametrize(
    "shown",
    [
        np.zeros(4),
        np.zeros((8, 8)),
        np.zeros((5, 8, 8)),
        np.zeros((8, 8, 5)),
        np.zeros((3, 8, 3)),
        "a text",
        {"a": 1},
        None,
    ],
)
def test_other_things_are_no_pictures(shown):
    assert picture(shown) is None


def test_a_histogram_counts_every_finite_value():
    values = np.array([0.0, 0.0, 1.0, np.nan, np.inf])
    drawing = histogram(values, np.array([True, False, False, False, False]), bins=2)
    bars = re.findall(r'class="(\w+)".*?height="([\d.]+)"', drawing)
    assert sorted(bars) == [("marked", "45.0"), ("plain", "45.0"), ("plain", "45.0")]
    assert histogram(np.full(3, np.nan), np.zeros(3, bool)) == ""
    assert "<rect" in histogram(np.zeros(5), np.zeros(5, bool))


@pytest.mark.parametrize(
    ("values", "bars"),
    [
        ([-1e308, 1e308, 0.0], [90, 90, 90]),
        ([1.0, 1.0 + 2e-16, 1.0], [90, 45]),
        ([5e-324, 0.0, 0.0], [90]),
        ([1e17, 1e17, 1e17], [90]),
        ([-np.inf, 2.0, 3.0, 3.0, np.inf], [45, 90]),
    ],
)
def test_a_histogram_of_any_range_has_every_finite_value(values, bars):
    values = np.array(values)
    drawing = histogram(values, np.zeros(len(values), bool))
    assert [float(height) for height in re.findall(r'height="([\d.]+)"', drawing)] == bars
    finite = values[np.isfinite(values)]
    assert f">{finite.min():.3g}<" in drawing
    assert f">{finite.max():.3g}<" in drawing


def test_deep_grey_images_keep_their_shades():
    deep = (np.arange(100).reshape(10, 10) * 600).astype(np.uint16)
    seen = decoded(picture(Image.fromarray(deep)))
    np.testing.assert_array_equal(seen, np.round(deep / deep.max() * 255))
    for mode in ("I", "F"):
        assert len(np.unique(decoded(picture(Image.fromarray(deep).convert("I").convert(mode))))) == 100


def test_a_sparkline_leaves_gaps():
    assert sparkline(np.array([0.5])) == ""
    drawing = sparkline(np.array([0.0, np.nan, 1.0, 0.5], np.float16))
    assert drawing.count("M") == 2
    assert drawing.count("L") == 1
