"""The training loop that an audit takes the place of, written for the hardware that it runs on.

Inputs lie in memory as the network takes them, the layout and precision are the fastest of four that are tried on a few
steps, the optimiser is fused, evaluations run in batches of 256 under the same precision. Nothing is recorded.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from itertools import pairwise, product

import torch
from torch import Tensor, nn
from torch.nn import functional

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

    def context(self) -> AbstractContextManager[object]:
        """Precision in which the network runs."""
        return torch.autocast("cpu", torch.bfloat16) if self.bfloat16 else nullcontext()


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
    """

    def __init__(
        self, factory: Callable[[], nn.Module], inputs: Tensor, labels: Tensor, recipe: Recipe, seed: int = 0
    ) -> None:
        self.factory, self.inputs, self.labels, self.recipe, self.seed = factory, inputs, labels, recipe, seed

    def fastest(self) -> Way:
        """Layout and precision of the shortest trial."""
        images = self.inputs.ndim == 4
        ways = [Way(last, low) for last, low in product((False, True) if images else (False,), (False, True))]
        return min(ways, key=self._trial)

    def _trial(self, way: Way) -> float:
        loop = Loop(self.factory, self.inputs, self.labels, replace(self.recipe, epochs=1, evaluations=0))
        times = [time.perf_counter()]
        loop.run(way, lambda: times.append(time.perf_counter()), TRIED)
        return min(later - earlier for earlier, later in pairwise(times[4:]))

    def run(
        self,
        way: Way,
        step_done: Callable[[], object] | None = None,
        steps: int | None = None,
        record: Callable[[Tensor, Tensor, Tensor], object] | None = None,
        epoch_done: Callable[[], object] | None = None,
        rows: Tensor | None = None,
    ) -> nn.Module:
        """Train, with the evaluations of the recipe; `record` sees logits [b, C], labels and rows [b] of a step."""
        recipe = self.recipe
        torch.manual_seed(self.seed)
        module = way.laid(self.factory()).train()
        generator = torch.Generator().manual_seed(self.seed)
        rows = torch.arange(len(self.inputs)) if rows is None else rows
        optimizer = self._optimizer(module)
        total = -(-len(rows) // recipe.batch_size) * recipe.epochs
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: recipe.rate(min(step, total - 1), total))
        done = 0
        for epoch in range(1, recipe.epochs + 1):
            for batch in rows[torch.randperm(len(rows), generator=generator)].split(recipe.batch_size):
                inputs, labels = self.inputs[batch], self.labels[batch]
                if recipe.augment is not None:
                    inputs = recipe.augment(inputs, generator)
                with way.context():
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
        for batch in rows.split(EVALUATED):
            inputs = self.inputs[batch] if view is None else view(self.inputs[batch])
            with way.context():
                parts.append(
                    module(inputs.contiguous(memory_format=way.format) if inputs.ndim == 4 else inputs).float()
                )
        module.train()
        return torch.cat(parts)

    def floor(self, way: Way, steps: int = 60) -> tuple[float, float]:
        """Median seconds of a step of the loop, and of its forward, backward and optimiser alone on one batch."""
        times = [time.perf_counter()]
        loop = Loop(self.factory, self.inputs, self.labels, replace(self.recipe, evaluations=0), self.seed)
        loop.run(way, lambda: times.append(time.perf_counter()), steps)
        gaps = torch.tensor(times).diff()[10:]
        torch.manual_seed(self.seed)
        module = way.laid(self.factory()).train()
        optimizer = self._optimizer(module)
        inputs, labels = self.inputs[: self.recipe.batch_size], self.labels[: self.recipe.batch_size]
        inputs = inputs.contiguous(memory_format=way.format) if inputs.ndim == 4 else inputs
        bare = []
        for _ in range(steps):
            start = time.perf_counter()
            with way.context():
                logits = module(inputs)
            loss = functional.cross_entropy(logits.float(), labels, label_smoothing=self.recipe.label_smoothing)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            bare.append(time.perf_counter() - start)
        return float(gaps.median()), float(torch.tensor(bare[10:]).median())


def main() -> None:
    """Print what the loop takes beside its own forward, backward and optimiser."""
    from benchmarks.speed.cases import CASES

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--images", required=True, help="npz with images [n, H, W, 3]")
    parser.add_argument("--cases", nargs="+", default=["BlockCNN", "ResNet18(16)"])
    options = parser.parse_args()
    for name in options.cases:
        loop = CASES[name](options.images).loop()
        way = loop.fastest()
        step, bare = loop.floor(way)
        print(f"{name}: {way}, {1000 * step:.2f} ms a step, {1000 * bare:.2f} ms without the loop: {step / bare:.3f}")


if __name__ == "__main__":
    main()
