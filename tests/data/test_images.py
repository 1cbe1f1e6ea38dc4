import io
import sys
import warnings

import datasets
import numpy as np
import pytest
from PIL import Image

from dataaudit.data import as_examples, inspect
from dataaudit.data.derived import inspect_usable
from dataaudit.data.images import Resize, common_channels, probed_rows, row_pixels, to_pixels
from dataaudit.errors import DataError, MissingPackageError, SettingError

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


def turned(orientation):
    """An image as a camera stores it: its EXIF data say how it is to be turned."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    Image.fromarray(RGB).save(file, "png", exif=exif)
    return Image.open(io.BytesIO(file.getvalue()))


@pytest.mark.parametrize(("orientation", "upright"), [(1, RGB), (3, RGB[::-1, ::-1]), (6, np.rot90(RGB, 3))])
def test_images_are_turned_as_they_were_taken(orientation, upright):
    pixels = to_pixels(turned(orientation)).transpose(1, 2, 0)
    np.testing.assert_array_equal(pixels, upright)
    height, width = upright.shape[:2]
    np.testing.assert_array_equal(Resize((height, width))(turned(orientation)).transpose(1, 2, 0), upright)


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_resizing_keeps_the_range_of_deep_images(mode):
    deep = (
        Image.fromarray(np.full((4, 6), 300, np.uint16)).convert(mode)
        if mode != "I;16"
        else Image.new(mode, (6, 4), 300)
    )
    for channels, kind in ((1, "L"), (3, "RGB")):
        pixels = Resize((2, 3), kind)(deep)
        assert (pixels.shape, pixels.dtype) == ((channels, 2, 3), np.float32)
        np.testing.assert_allclose(pixels, to_pixels(deep)[0, 0, 0], rtol=1e-6)


def pictures(*changes):
    made = [Image.fromarray(np.full((6 + row % 2, 5), 20 * row, np.uint8)) for row in range(6)]
    for row, image in changes:
        made[row] = image
    return made


LABELS = [0, 1] * 3
HOLDERS = {
    "list": lambda images: (images, LABELS),
    "pairs": lambda images: list(zip(images, LABELS, strict=True)),
    "Hugging Face": lambda images: datasets.Dataset.from_dict(
        {"image": images, "label": LABELS},
        features=datasets.Features(image=datasets.Image(), label=datasets.Value("int64")),
    ),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_sizes_that_differ_are_brought_to_one(holder):
    with pytest.raises(DataError, match="resize=32") as caught:
        as_examples(HOLDERS[holder](pictures())).read(np.arange(2))
    assert "Resize" not in caught.value.action
    grey = as_examples(HOLDERS[holder](pictures()), resize=4).read(np.arange(6))
    assert grey[:, 0, 0, 0].tolist() == [0, 20, 40, 60, 80, 100]
    colour = as_examples(HOLDERS[holder](pictures((2, Image.new("RGBA", (9, 9))))), resize=[3, 2])
    assert colour.read(np.arange(6)).shape == (6, 3, 3, 2)
    assert colour.show(2).size == (9, 9)


def test_pixels_of_several_sizes_are_images():
    rows = [np.asarray(image) for image in pictures()]
    assert as_examples((rows, LABELS), resize=4).read(np.arange(6)).shape == (6, 1, 4, 4)
    rows = [np.repeat(row[..., None], 3, 2) for row in rows]
    assert as_examples((rows, LABELS), resize=4).read(np.arange(6)).shape == (6, 3, 4, 4)


@pytest.mark.parametrize(
    ("dataset", "options", "message"),
    [
        ((np.zeros((4, 2)), [0, 1, 0, 1]), {}, "resize= for arrays inputs that are no images"),
        ((pictures(), LABELS), {"transform": np.asarray}, "resize= beside transform="),
    ],
)
def test_resizing_what_cannot_be_is_refused(dataset, options, message):
    with pytest.raises(SettingError, match=message):
        as_examples(dataset, resize=4, **options)


def test_one_damaged_image_among_many_is_named_or_left_out():
    whole = io.BytesIO()
    Image.new("L", (4, 4), 9).save(whole, "png")
    images = [{"bytes": whole.getvalue(), "path": None}] * 1500
    images[777] = {"bytes": b"GIF8 and nothing more", "path": None}
    features = datasets.Features(image=datasets.Image(), label=datasets.Value("int64"))
    dataset = datasets.Dataset.from_dict({"image": images, "label": [0, 1] * 750}, features=features)
    for resize in (None, 2):
        with pytest.raises(DataError, match="in row 777"):
            inspect(as_examples(dataset, resize=resize))
        kept, _ = inspect_usable(as_examples(dataset, resize=resize, lenient=True), False)
        assert kept.dropped.tolist() == [777]
