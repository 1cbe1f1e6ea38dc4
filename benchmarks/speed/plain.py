"""The training loop that an audit takes the place of, written for the hardware that it runs on.

Inputs lie in memory as the network takes them, the layout and precision are the fastest of four that are tried on a few
steps, the optimiser is fused, evaluations run in batches of 256 under the same precision. Nothing is recorded.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.common import append, machine
from dataaudit.learners.recipes import Recipe

EVALUATED = 256
"""Rows of an evaluation batch: 64 to 1024 were tried on BlockCNN and ResNet18(16), none of them faster."""

TRIED = 12
"""Steps of a trial of a layout and precision, the first four of which are not timed."""


@dataclass(frozen=True)
class Way:
    """How the hardware is used."""

    channels_last: bool
    bfloat16: bool

    @property
    def format(self) -> torch.memory_format:
        """Memory format of images."""
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def laid(self, module: nn.Module) -> nn.Module:
        """The module, its weights in this layout."""
        placed: nn.Module = module.to(memory_format=self.format)  # type: ignore[call-overload]
        return placed

    def context(self, device: torch.device) -> AbstractContextManager[object]:
        """Precision in which the network runs."""
        return torch.autocast(device.type, torch.bfloat16) if self.bfloat16 else nullcontext()


class Loop:
    """One training run.

    Parameters
    ----------
    factory
        Makes the network.
    inputs, labels
        float32 (or whole numbers, for tokens) [n, ...] and int64 [n].
    recipe
        As the audit's.
    device
        Where all inputs lie while it trains.
    """

    def __init__(
        self, factory: Callable[[], nn.Module], inputs: Tensor, labels: Tensor, recipe: Recipe, device: str = "cpu"
    ) -> None:
        self.factory, self.recipe, self.device = factory, recipe, torch.device(device)
        self.inputs, self.labels = inputs.to(device), labels.to(device)

    @property
    def epochs(self) -> int:
        """Of the recipe."""
        return self.recipe.epochs

    @property
    def evaluations(self) -> int:
        """Of the recipe."""
        return self.recipe.evaluations

    def settings(self) -> dict[str, Any]:
        """What an audit's settings say of the same training."""
        return self.recipe.to_dict()

    def without_evaluations(self) -> Loop:
        """The same run, evaluated never."""
        return self._with(evaluations=0)

    def _with(self, **settings: Any) -> Loop:
        return Loop(self.factory, self.inputs, self.labels, replace(self.recipe, **settings), str(self.device))

    def fastest(self) -> Way:
        """Layout and precision of the shortest trial."""
        images = self.inputs.ndim == 4
        ways = [Way(last, low) for last, low in product((False, True) if images else (False,), (False, True))]
        return min(ways, key=self._trial)

    def _trial(self, way: Way) -> float:
        times = [self._now()]
        self._with(epochs=TRIED, evaluations=0)._train(way, step_done=lambda: times.append(self._now()), steps=TRIED)
        return min(later - earlier for earlier, later in pairwise(times[4:]))

    def _now(self) -> float:
        """Seconds, when all that was begun is done."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()

    def run(
        self,
        way: Way,
        record: Callable[[Tensor, Tensor, Tensor], object] | None = None,
        epoch_done: Callable[[], object] | None = None,
        rows: Tensor | None = None,
    ) -> nn.Module:
        """Train, with the evaluations of the recipe; `record` sees logits [b, C], labels and rows [b] of a step."""
        return self._train(way, record, epoch_done, rows)

    def _train(
        self,
        way: Way,
        record: Callable[[Tensor, Tensor, Tensor], object] | None = None,
        epoch_done: Callable[[], object] | None = None,
        rows: Tensor | None = None,
        step_done: Callable[[], object] | None = None,
        steps: int | None = None,
    ) -> nn.Module:
        recipe = self.recipe
        torch.manual_seed(0)
        module = way.laid(self.factory().to(self.device)).train()
        generator = torch.Generator().manual_seed(0)
        rows = torch.arange(len(self.inputs)) if rows is None else rows
        optimizer = self._optimizer(module)
        total = -(-len(rows) // recipe.batch_size) * recipe.epochs
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: recipe.rate(min(step, total - 1), total))
        done = 0
        for epoch in range(1, recipe.epochs + 1):
            order = rows[torch.randperm(len(rows), generator=generator)].to(self.device)
            for batch in order.split(recipe.batch_size):
                inputs, labels = self.inputs[batch], self.labels[batch]
                if recipe.augment is not None:
                    inputs = recipe.augment(inputs, generator)
                with way.context(self.device):
                    logits = module(inputs.contiguous(memory_format=way.format) if inputs.ndim == 4 else inputs)
                logits = logits.float()
                loss = functional.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                schedule.step()
                if record is not None:
                    record(logits.detach(), labels, batch)
                done += 1
                if step_done is not None:
                    step_done()
                if done == steps:
                    return module
            if epoch_done is not None:
                epoch_done()
            if epoch > recipe.epochs - recipe.evaluations:
                for view in recipe.views:
                    self.predict(module, way, rows, view)
        return module.eval()

    def _optimizer(self, module: nn.Module) -> torch.optim.Optimizer:
        recipe = self.recipe
        if recipe.optimizer == "adamw":
            return torch.optim.AdamW(
                module.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
            )
        return torch.optim.SGD(
            module.parameters(),
            recipe.learning_rate,
            recipe.momentum,
            nesterov=recipe.nesterov,
            weight_decay=recipe.weight_decay,
            fused=True,
        )

    @torch.inference_mode()
    def predict(
        self, module: nn.Module, way: Way, rows: Tensor, view: Callable[[Tensor], Tensor] | None = None
    ) -> Tensor:
        """Logits [b, C] of rows, in evaluation mode."""
        module.eval()
        parts = []
        for batch in rows.to(self.device).split(EVALUATED):
            inputs = self.inputs[batch] if view is None else view(self.inputs[batch])
            with way.context(self.device):
                parts.append(
                    module(inputs.contiguous(memory_format=way.format) if inputs.ndim == 4 else inputs).float()
                )
        module.train()
        return torch.cat(parts).cpu()

    def floor(self, way: Way, steps: int = 60) -> tuple[float, float]:
        """Median seconds of a step of the loop, and of its forward, backward and optimiser alone on one batch.

        Both take turns, ten steps each. With one thread it is time of the processor, which other work does not touch.
        """
        clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
        bare, whole = self._bare(way), []
        alone: list[float] = []
        last = clock()

        def step_done() -> None:
            nonlocal last
            whole.append(clock() - last)
            if len(whole) % 10 == 0:
                for _ in range(10):
                    start = clock()
                    bare()
                    alone.append(clock() - start)
            last = clock()

        self.without_evaluations()._train(way, step_done=step_done, steps=steps)
        return float(torch.tensor(whole[10:]).median()), float(torch.tensor(alone[10:]).median())

    def _bare(self, way: Way) -> Callable[[], None]:
        """A step on the first batch and nothing else."""
        torch.manual_seed(0)
        module = way.laid(self.factory().to(self.device)).train()
        optimizer = self._optimizer(module)
        inputs, labels = self.inputs[: self.recipe.batch_size], self.labels[: self.recipe.batch_size]
        inputs = inputs.contiguous(memory_format=way.format) if inputs.ndim == 4 else inputs

        def step() -> None:
            with way.context(self.device):
                logits = module(inputs)
            loss = functional.cross_entropy(logits.float(), labels, label_smoothing=self.recipe.label_smoothing)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()

        return step


ALLOWED = 1.05
"""Of a step's own forward, backward and optimiser."""


def main() -> int:
    """Print what the loop takes beside its own forward, backward and optimiser; the status is 1 if that is too much."""
    from benchmarks.speed.cases import CASES

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--images", type=Path, help="npz with images [n, H, W, 3] and labels careless")
    networks = [name for name in CASES if name != "boosting"]
    parser.add_argument("--case", nargs="+", choices=networks, default=["BlockCNN", "ResNet18(16)"])
    parser.add_argument("--examples", type=int, default=10000)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    slow = False
    for name in options.case:
        loop: Any = CASES[name](options.images, options.examples).loop()
        way = loop.fastest()
        step, bare = loop.floor(way, options.steps)
        slow |= step > ALLOWED * bare
        row = {"case": name, **asdict(way), "step_ms": 1000 * step, "bare_ms": 1000 * bare, "ratio": step / bare}
        print(f"{name}: {way}, {1000 * step:.2f} ms a step, {1000 * bare:.2f} ms without the loop: {step / bare:.3f}")
        row |= machine()
        append(Path(__file__).parent / "results" / "plain.csv", list(row), [row])
    return int(slow)


if __name__ == "__main__":
    sys.exit(main())
