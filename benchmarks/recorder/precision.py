"""Whether bfloat16 autocast trains faster here: seconds an epoch in both precisions, in turns.

    python -m benchmarks.recorder.precision [--fashion FOLDER]

Precision "auto" does not measure: it looks at whether the hardware multiplies bfloat16 natively, so that a seed gives
the same bits every time. This table checks that rule on the machine at hand.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import dataaudit
from benchmarks.common import FASHION, fashion, table, write
from dataaudit.data import as_examples
from dataaudit.learners.devices import native_bfloat16
from dataaudit.learners.recipes import PLAIN
from dataaudit.learners.torch import TorchLearner


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fashion", default=FASHION, metavar="FOLDER")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "precision.csv")
    options = parser.parse_args()
    examples, device = as_examples(fashion(options.fashion, 10000)), torch.device("cpu")
    native = native_bfloat16(device)
    rows: list[dict[str, Any]] = []
    for repeat in range(options.repeats):
        for network in ("mlp", "small_cnn"):
            for precision in ("float32", "bfloat16"):
                recipe = replace(PLAIN, epochs=1, precision=precision)
                factory = dataaudit.networks.build(network, (1, 28, 28), 10)
                learner = TorchLearner(factory, examples, recipe, device)
                start = time.perf_counter()
                learner.fit(np.arange(10000), repeat, None, False)
                seconds = round(time.perf_counter() - start, 3)
                rows.append({"network": network, "precision": precision, "native": native, "seconds": seconds})
    lines = []
    for network in ("mlp", "small_cnn"):
        both = [
            float(np.median([r["seconds"] for r in rows if (r["network"], r["precision"]) == (network, precision)]))
            for precision in ("float32", "bfloat16")
        ]
        lines.append([network, *(f"{value:.2f}" for value in both), f"{both[1] / both[0]:.2f}"])
    print(f"native bfloat16: {native}")
    table(["seconds an epoch of 10000", "float32", "bfloat16", "ratio"], lines)
    write(options.out, rows)


if __name__ == "__main__":
    main()
