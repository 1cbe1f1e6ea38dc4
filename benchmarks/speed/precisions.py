"""Training steps and evaluations in bfloat16 and in float32, by the size of the network: where rounding is worth it.

    python -m benchmarks.speed.precisions [--threads N] [--repeats 7]

A step is forward, backward and fused optimiser on a batch; an evaluation a forward pass of 1024 rows, or as many as
rules take of such inputs. Both precisions in turns, medians; where the processor does not multiply bfloat16 natively
the table shows what emulation costs. Precision "auto" looks at hardware and multiply-adds, never at a clock, so that a
seed gives the same bits every time.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.common import append, machine, table
from dataaudit.learners.memory_format import choose
from dataaudit.learners.networks import MLP, BlockCNN, ResNet18, SmallCNN
from dataaudit.learners.outputs import AsLogits
from dataaudit.learners.precisions import multiply_adds, native_bfloat16

RESULTS = Path(__file__).parent / "results" / "precisions.csv"
CLASSES = 10
BATCHES = (32, 128)
AT_ONCE = 10
"""Steps that are timed together."""


def small_transformer() -> nn.Module:
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(
        vocab_size=5000,
        hidden_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=512,
        num_labels=CLASSES,
    )
    made: nn.Module = BertForSequenceClassification(config)
    return made


class Recurrent(nn.Module):
    """Words as vectors, a GRU, and a linear layer of its last state."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.words, self.gru = nn.Embedding(5000, units), nn.GRU(units, units, batch_first=True)
        self.last = nn.Linear(units, CLASSES)

    def forward(self, ids: Tensor) -> Tensor:
        logits: Tensor = self.last(self.gru(self.words(ids))[0][:, -1])
        return logits


def vectors(length: int) -> Callable[[int], Tensor]:
    return lambda rows: torch.randn(rows, length)


def images(channels: int, side: int) -> Callable[[int], Tensor]:
    return lambda rows: torch.rand(rows, channels, side, side)


def tokens(length: int) -> Callable[[int], Tensor]:
    return lambda rows: torch.randint(1, 5000, (rows, length))


CASES: dict[str, tuple[Callable[[], nn.Module], Callable[[int], Tensor]]] = {
    "linear, 384 numbers": (partial(nn.Linear, 384, CLASSES), vectors(384)),
    "MLP 64-32": (partial(MLP, 64, CLASSES, (32,)), vectors(64)),
    "MLP 36-64-64": (partial(MLP, 36, CLASSES, (64, 64)), vectors(36)),
    "MLP 384-128": (partial(MLP, 384, CLASSES, (128,)), vectors(384)),
    "MLP 384-256": (partial(MLP, 384, CLASSES, (256,)), vectors(384)),
    "MLP 784-128": (partial(MLP, 784, CLASSES, (128,)), vectors(784)),
    "MLP 784-512-256": (partial(MLP, 784, CLASSES), vectors(784)),
    "MLP 3072-512-256": (partial(MLP, 3072, CLASSES), vectors(3072)),
    "MLP 3072-2048-1024": (partial(MLP, 3072, CLASSES, (2048, 1024)), vectors(3072)),
    "SmallCNN, 8 x 8": (partial(SmallCNN, 1, CLASSES), images(1, 8)),
    "SmallCNN, 28 x 28": (partial(SmallCNN, 1, CLASSES), images(1, 28)),
    "SmallCNN, 32 x 32 x 3": (partial(SmallCNN, 3, CLASSES), images(3, 32)),
    "ResNet18(16), 32 x 32 x 3": (partial(ResNet18, 3, CLASSES, 16), images(3, 32)),
    "BlockCNN, 32 x 32 x 3": (partial(BlockCNN, 3, CLASSES), images(3, 32)),
    "GRU 64, 16 words": (partial(Recurrent, 64), tokens(16)),
    "GRU 256, 16 words": (partial(Recurrent, 256), tokens(16)),
    "transformer, 8 words": (small_transformer, tokens(8)),
    "transformer, 16 words": (small_transformer, tokens(16)),
    "transformer, 64 words": (small_transformer, tokens(64)),
}


class Timed:
    """A network and a batch, laid as an audit lays them."""

    def __init__(self, case: str, rows: int | None) -> None:
        build, inputs = CASES[case]
        torch.manual_seed(0)
        module = build().eval()
        module.register_forward_hook(AsLogits(CLASSES))
        layout = choose(module, inputs(2))
        self.module = layout.prepare(module)
        self.rows = layout.rows if rows is None else rows
        self.inputs = layout.lay(batch) if (batch := inputs(self.rows)).ndim == 4 else batch
        self.labels = torch.randint(CLASSES, (self.rows,))
        self.optimizer = torch.optim.AdamW(module.parameters(), 1e-3, fused=True)

    def step(self, rounded: bool) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=rounded):
            logits = self.module(self.inputs)
        loss = functional.cross_entropy(logits.float(), self.labels)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()

    @torch.inference_mode()
    def evaluate(self, rounded: bool) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=rounded):
            self.module(self.inputs).float()

    def seconds(self, repeats: int, training: bool) -> tuple[float, float]:
        """Medians of a step, or an evaluation, in float32 and bfloat16."""
        self.module.train(training)
        work, times = (self.step if training else self.evaluate), ([], [])  # type: tuple[Any, tuple[list[float], ...]]
        count = AT_ONCE if training else 2
        for repeat in range(repeats + 1):
            for rounded in (False, True):
                start = time.perf_counter()
                for _ in range(count):
                    work(rounded)
                if repeat:
                    times[rounded].append((time.perf_counter() - start) / count)
        return median(times[0]), median(times[1])


def main() -> None:
    """Print and keep a line for each network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    native, lines = native_bfloat16(torch.device("cpu")), []
    for case in options.case:
        build, inputs = CASES[case]
        size = multiply_adds(build().eval(), inputs(2))
        for rows in (*BATCHES, None):
            timed = Timed(case, rows)
            both = timed.seconds(options.repeats, training=rows is not None)
            row: dict[str, Any] = {
                "network": case,
                "multiply_adds": size,
                "work": "evaluation" if rows is None else "step",
                "batch": timed.rows,
                "native": native,
                "float32_ms": 1000 * both[0],
                "bfloat16_ms": 1000 * both[1],
                "ratio": both[1] / both[0],
            }
            lines.append([case, f"{size:.2g}", row["work"], timed.rows, *(f"{1000 * b:.2f}" for b in both)])
            lines[-1].append(f"{row['ratio']:.2f}")
            print(*lines[-1], flush=True)
            row |= machine()
            append(options.results, list(row), [row])
    print(f"native bfloat16: {native}")
    table(["network", "multiply-adds", "work", "batch", "float32 ms", "bfloat16 ms", "ratio"], lines)


if __name__ == "__main__":
    main()
