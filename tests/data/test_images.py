import sys
import warnings

import numpy as np
import pytest
from PIL import Image

from dataaudit.data.images import common_channels, probed_rows, row_pixels, to_pixels
from dataaudit.errors import DataError, MissingPackageError

RGB = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "LA", "PA", "RGBX"])
def test_every_mode_becomes_uint8_with_one_or_three_channels(mode):
    pixels = to_pixels(Image.new(mode, (5, 4)))
    assert pixels.dtype == np.uint8
    assert pixels.shape == (1 if mode in ("1", "L") else 3, 4, 5)


def test_values_and_axes():
    np.testing.assert_array_equal(to_pixels(Image.fromarray(RGB)), RGB.transpose(2, 0, 1))
    np.testing.assert_array_equal(to_pixels(Image.fromarray(RGB[..., 0])), RGB[None, ..., 0])
    assert np.unique(to_pixels(Image.fromarray(np.eye(4, dtype=bool)))).tolist() == [0, 255]


def test_grey_becomes_three_equal_channels():
    pixels = to_pixels(Image.fromarray(RGB[..., 0]), 3)
    assert pixels.shape == (3, 4, 5)
    assert (pixels == RGB[..., 0]).all()


def test_a_palette_gives_its_colours_and_alpha_is_dropped():
    palette = Image.new("P", (2, 1))
    palette.putpalette([255, 0, 0, 0, 255, 0])
    palette.putpixel((1, 0), 1)
    assert to_pixels(palette)[:, 0].T.tolist() == [[255, 0, 0], [0, 255, 0]]
    palette.info["transparency"] = b"\x00\x80"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert to_pixels(palette)[:, 0].T.tolist() == [[255, 0, 0], [0, 255, 0]]
    assert to_pixels(Image.new("RGBA", (1, 1), (9, 8, 7, 0)))[:, 0, 0].tolist() == [9, 8, 7]


def test_sixteen_bits_are_scaled_to_one():
    image = Image.fromarray(np.array([[0, 65535, 32768]], dtype=np.uint16))
    assert image.mode == "I;16"
    pixels = to_pixels(image)
    assert pixels.dtype == np.float32
    np.testing.assert_allclose(pixels[0, 0], [0, 1, 32768 / 65535], rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_deep_grey_keeps_its_values(dtype):
    pixels = to_pixels(Image.fromarray(np.array([[0, 70000, -5]], dtype=dtype)))
    assert pixels.dtype == np.float32
    assert pixels.tolist() == [[[0, 70000, -5]]]


def test_pixels_can_be_written():
    for image in (Image.fromarray(RGB), Image.new("L", (2, 2)), Image.new("F", (2, 2)), Image.new("I;16", (2, 2))):
        to_pixels(image)[...] = 1
    assert RGB[0, 0, 0] == 0


def test_colour_never_becomes_grey():
    with pytest.raises(DataError, match="RGB image where one channel"):
        to_pixels(Image.fromarray(RGB), 1)
    with pytest.raises(DataError, match="RGB image in row 17 of a grey data set") as caught:
        row_pixels(Image.fromarray(RGB), 1, 17)
    assert "transform=" in caught.value.action


def test_an_image_that_breaks_off_names_its_row(tmp_path):
    path = tmp_path / "picture.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DataError, match=r"does not decode in row 4 \(OSError") as caught:
        row_pixels(Image.open(path), 3, 4)
    assert isinstance(caught.value.__cause__, OSError)


def test_one_colour_image_makes_a_colour_set():
    gray, colour = Image.new("L", (1, 1)), Image.new("P", (1, 1))
    assert common_channels([gray, gray]) == 1
    assert common_channels([gray, colour, gray]) == 3


@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 1000])
def test_probed_rows_are_spread_over_the_set(count):
    rows = probed_rows(count)
    assert len(rows) == min(count, 64)
    assert rows[0] == 0
    assert rows[-1] == count - 1
    assert (np.diff(rows) > 0).all()
    assert np.diff(rows).max(initial=1) <= count // 63 + 1


def test_without_pillow_the_extra_is_named(monkeypatch):
    image = Image.new("L", (1, 1))
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingPackageError, match=r"dataaudit\[report\]"):
        to_pixels(image)
