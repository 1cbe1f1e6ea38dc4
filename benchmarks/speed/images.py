"""Passes over photos in files: the first, which decodes them, and the second, which does not.

    python -m benchmarks.speed.images [--photos 5000]

Photos of 500 x 375 are made up (smooth noise, JPEG of quality 90) in a folder that goes afterwards. They are read at
96 x 96, kept in memory, and as they are, kept in the folder of ``cache=``; torchvision's way, one image after the other
in each pass, is the second pass without what was kept.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import datasets
import numpy as np
from PIL import Image

from benchmarks.common import table, write
from dataaudit.data import as_examples
from dataaudit.data.examples import Examples

RESULTS = Path(__file__).parent / "results" / "images.csv"
WIDTH, HEIGHT, BATCH = 500, 375, 128


def photos(folder: Path, count: int) -> datasets.Dataset:
    """Paths of made-up photos of two classes as a data set of images."""
    rng = np.random.default_rng(0)
    paths = []
    for number in range(count):
        coarse = rng.integers(0, 256, (24, 32, 3)).astype(np.uint8)
        path = folder / f"{number}.jpg"
        Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC).save(path, quality=90)
        paths.append(str(path))
    rows = datasets.Dataset.from_dict({"image": paths, "label": [number % 2 for number in range(count)]})
    return rows.cast_column("image", datasets.Image())


def passed(examples: Examples) -> float:
    """Seconds of a pass in shuffled batches."""
    order = np.random.default_rng(1).permutation(len(examples))
    start = time.perf_counter()
    for first in range(0, len(order), BATCH):
        examples.read(order[first : first + BATCH])
    return time.perf_counter() - start


def main() -> None:
    """Print and write the seconds of passes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--photos", type=int, default=5000)
    count = parser.parse_args().photos
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "photos").mkdir()
        data = photos(Path(name) / "photos", count)
        for what, options in (
            ("96 x 96, in memory", {"resize": 96}),
            ("500 x 375, in a folder", {"folder": Path(name) / "cache"}),
        ):
            examples = as_examples(data, **options)
            first, second = passed(examples), passed(examples)
            examples.decoded = None
            alone = passed(examples)
            rows.append(
                {
                    "photos": count, "read": what, "first": round(first, 2), "second": round(second, 3),
                    "ratio": round(first / second, 1), "one_by_one": round(alone, 2),
                }
            )  # fmt: skip
            print(rows[-1])
    table(tuple(rows[0]), [tuple(row.values()) for row in rows])
    write(RESULTS, rows)


if __name__ == "__main__":
    main()
