"""What recording costs: share of training time, time a batch beside the aum package, memory at ImageNet's size.

    python -m benchmarks.recorder.cost [--fashion FOLDER] [--large]

The share is the time inside the recorder's calls over the time of the rest of the same training run. --large
records 1.28 million examples x 100 epochs x 1000 classes with made-up logits and prints the peak of resident memory
above that of the process before. Every epoch shows a tenth of the examples, at random (--seen 1 for all, ten times
slower): the recorder's memory does not depend on how many.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from aum import AUMCalculator

import dataaudit
from benchmarks.common import FASHION, fashion, table, write
from dataaudit.data import as_examples
from dataaudit.dynamics.recorder import Recorder
from dataaudit.learners.recipes import PLAIN
from dataaudit.learners.torch import TorchLearner


class Timed:
    """A recorder with a stopwatch."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.seconds = 0.0

    def _timed(self, call: Any, *arguments: Any) -> None:
        start = time.perf_counter()
        call(*arguments)
        self.seconds += time.perf_counter() - start

    def update(self, indices: Any, logits: Any, labels: Any) -> None:
        self._timed(self.recorder.update, indices, logits, labels)

    def end_epoch(self) -> None:
        self._timed(self.recorder.end_epoch)

    def discard_epoch(self) -> None:
        self._timed(self.recorder.discard_epoch)


def share(folder: str, repeats: int) -> list[dict[str, Any]]:
    images, labels = fashion(folder, 20000)
    examples, rows = as_examples((images, labels)), []
    for network in ("mlp", "small_cnn"):
        factory = dataaudit.networks.build(network, (1, 28, 28), 10)
        learner = TorchLearner(factory, examples, PLAIN, torch.device("cpu"))
        for repeat in range(repeats):
            timed = Timed(Recorder(20000, 10))
            start = time.perf_counter()
            learner.fit(np.arange(20000), repeat, timed, False)
            total = time.perf_counter() - start
            value = timed.seconds / (total - timed.seconds)
            rows.append({"what": f"share of training, {network}", "repeat": repeat, "value": round(value, 5)})
            print(rows[-1], flush=True)
    return rows


def batches(repeats: int) -> list[dict[str, Any]]:
    """Microseconds a batch of 128 x 10 over three epochs, ours with their ends included, and the aum package's."""
    rng, n, rows = np.random.default_rng(0), 20000, []
    logits = torch.tensor(rng.normal(size=(n, 10)).astype(np.float32))
    labels = torch.tensor(rng.integers(10, size=n))
    for repeat in range(repeats):
        epochs = [[(b, logits[b], labels[b]) for b in torch.randperm(n).split(128)] for _ in range(3)]
        count = sum(map(len, epochs))
        recorder = Recorder(n, 10)
        start = time.perf_counter()
        for epoch in epochs:
            for batch, outputs, given in epoch:
                recorder.update(batch, outputs, given)
            recorder.end_epoch()
        ours = (time.perf_counter() - start) / count
        with tempfile.TemporaryDirectory() as folder:
            calculator = AUMCalculator(folder)
            start = time.perf_counter()
            for epoch in epochs:
                for batch, outputs, given in epoch:
                    calculator.update(outputs, given, batch.tolist())
            theirs = (time.perf_counter() - start) / count
        for what, value in (("ours", ours * 1e6), ("aum", theirs * 1e6), ("aum / ours", theirs / ours)):
            unit = "" if "/" in what else ", microseconds a batch"
            rows.append({"what": what + unit, "repeat": repeat, "value": round(value, 2)})
    return rows


def resident() -> float:
    """Peak resident memory of this process so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def large(n: int, classes: int, epochs: int, seen: float, size: int = 4096) -> list[dict[str, Any]]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(classes, (n,), generator=generator)
    noise = torch.randn(size, classes, generator=generator)
    # Logits of one batch, and what the recorder does to a block of them, exist in any loop.
    warm = Recorder(size, classes)
    warm.update(torch.arange(size), noise, labels[:size])
    warm.end_epoch()
    before, start = resident(), time.perf_counter()
    recorder = Recorder(n, classes)
    for epoch in range(epochs):
        for batch in torch.randperm(n, generator=generator)[: int(seen * n)].split(size):
            logits = noise[: len(batch)].roll(int(batch[0]) % classes, 1)
            recorder.update(batch, logits, labels[batch])
        recorder.end_epoch()
        if epoch % 10 == 0:
            print(f"epoch {epoch}: {resident() - before:.0f} MiB, {time.perf_counter() - start:.0f} s", flush=True)
    dynamics = recorder.dynamics()
    assert dynamics is not None
    what = f"peak MiB, {n} x {epochs} x {classes}, {len(dynamics.kept_epochs)} epochs of matrices kept"
    return [{"what": what, "repeat": 0, "value": round(resident() - before, 1)}]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fashion", default=FASHION, metavar="FOLDER")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--examples", type=int, default=1_281_167)
    parser.add_argument("--seen", type=float, default=0.1, help="share of the examples shown an epoch")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    results = Path(__file__).parent / "results"
    if options.large:
        rows, out = large(options.examples, 1000, options.epochs, options.seen), options.out or results / "memory.csv"
    else:
        rows, out = share(options.fashion, options.repeats), options.out or results / "cost.csv"
        rows += batches(options.repeats)
    names = list(dict.fromkeys(row["what"] for row in rows))
    values = {name: [row["value"] for row in rows if row["what"] == name] for name in names}
    table(
        ["", "median", "least", "most"],
        [[name, round(float(np.median(v)), 4), min(v), max(v)] for name, v in values.items()],
    )
    write(out, rows)


if __name__ == "__main__":
    main()
