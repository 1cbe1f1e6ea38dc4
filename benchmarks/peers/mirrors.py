"""Which images may be mirrored, as the images themselves say: natural ones, digits, clothes, in three seeds each.

python -m benchmarks.peers.mirrors --data FOLDER [--fashion FOLDER]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from benchmarks.common import FASHION, Array, fashion, table, write
from dataaudit.data import as_examples
from dataaudit.learners.mirrors import mirror_test

RESULTS = Path(__file__).parent / "results" / "mirrors.csv"


def sets(data: Path, folder: str) -> Iterator[tuple[str, Array, Array]]:
    """Name, images [n, c, H, W] and labels."""
    with np.load(data / "cifar10_human.npz") as found:
        images = found["images"].transpose(0, 3, 1, 2)
        for name in ("clean_label", "careless", "very_careless"):
            yield f"natural, {name}", images, found[name].astype(np.int64)
        for n in (300, 1000):
            yield f"natural, {n} images", images[:n], found["careless"][:n].astype(np.int64)
    with np.load(data / "mnist_cscores.npz") as found:
        yield "MNIST", found["images"][:, None], found["labels"].astype(np.int64)
    digits = load_digits()
    yield "digits", digits.images[:, None], digits.target
    yield "Fashion-MNIST", *fashion(folder, 10000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data"), metavar="FOLDER")
    parser.add_argument("--fashion", default=FASHION, metavar="FOLDER")
    options = parser.parse_args()
    rows = []
    for name, images, labels in sets(options.data, options.fashion):
        for seed in range(3):
            start = time.process_time()
            test = mirror_test(as_examples((images, labels)), seed)
            spent = round(time.process_time() - start, 2)
            rows.append({"data": name, "seed": seed, **vars(test), "processor": spent})
    table([*rows[0]], [[*row.values()] for row in rows])
    write(RESULTS, rows)


if __name__ == "__main__":
    main()
