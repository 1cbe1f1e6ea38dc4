"""Refusals of images: sizes, colour among grey, what does not decode."""

import io

import datasets
import numpy as np
from PIL import Image

from dataaudit.data.images import Resize, to_pixels
from tests.advice.data_rows import IMAGES, LABELS, MODEL, ROWS, N, read

SIZES = [image.resize((8 + row % 2, 8)) for row, image in enumerate(IMAGES)]
GREY = [Image.new("L", (8, 8), 200 * (row % 2)) for row in range(130)]
ODD = [*GREY[:1], Image.new("RGB", (8, 8)), *GREY[2:]]
MANY = np.arange(130) % 2
PIXELS = np.asarray(IMAGES[1])


def images(given, labels=LABELS, model=MODEL, **more):
    return {"dataset": (given, labels), "model": model, **more}


def encoded(damaged):
    """A column of images as they are in files."""
    stored = []
    for image in IMAGES:
        with io.BytesIO() as file:
            image.save(file, "PNG")
            stored.append({"bytes": file.getvalue(), "path": None})
    column = datasets.Features(image=datasets.Image(), label=datasets.Value("int64"))
    return datasets.Dataset.from_dict({"image": [damaged, *stored[1:]], "label": LABELS}, features=column)


def shrunk(image):
    return np.asarray(image.convert("RGB").resize((4, 4)))


class Broken(Image.Image):
    """An image whose pixels are not there."""

    def convert(self, *given, **more):
        raise OSError("broken")


CASES = {
    "several sizes": (read, images(SIZES), {"beforehand": images([image.resize((4, 4)) for image in SIZES])}),
    "a shape that changes after rows of a block": (
        read,
        {"dataset": (ROWS, LABELS), "transform": lambda row: np.zeros(2**22 + (row[0] > 2), float)},
        {"resize": "for images, as `several sizes` shows", "transform": {"transform": lambda row: row}},
    ),
    "no image in a row": (read, images([*IMAGES[:-1], None])),
    "no image in a column": (read, {"dataset": encoded(None), "model": MODEL}),
    "an image that does not decode": (
        read,
        {"dataset": encoded({"bytes": b"no image", "path": None}), "model": MODEL},
        {"repair": {"dataset": encoded({"bytes": encoded(None)._data[0][1].as_py()["bytes"], "path": None})}},
    ),
    "an image in memory that does not decode": (
        read,
        images([Broken(), *IMAGES[1:]]),
        {"repair": images(IMAGES)},
    ),
    "colour among grey": (read, images(ODD, MANY)),
    "colour among grey, resized": (read, images(ODD, MANY, resize=4)),
    "no size": (read, images(IMAGES, resize=-1)),
    "a size beside a transform": (read, images(SIZES, resize=4, transform=shrunk)),
    "a size of numbers": (read, {"dataset": (ROWS, LABELS), "resize": 8}),
    "pixels of colour as grey": (
        to_pixels,
        {"image": IMAGES[1], "channels": 1},
        {"convert('L')": {"image": IMAGES[1].convert("L")}},
    ),
    "a mode that is none": (Resize, {"size": 8, "mode": "CMYK"}),
    "pixels to be resized": (Resize(4), {"image": PIXELS}, {"fromarray": {"image": Image.fromarray(PIXELS)}}),
    "rows to be resized": (
        read,
        {"dataset": (list(PIXELS[None].repeat(N, 0)), LABELS), "model": MODEL, "transform": Resize(4)},
        {"fromarray": {"dataset": ([Image.fromarray(PIXELS)] * N, LABELS)}},
    ),
}
