"""Holdout runs of small networks trained at once: each layer is one product for all of them, by `torch.func.vmap`.

A graphics card that one small network leaves idle is filled by many. Weights, momentum and batches have a first
dimension of runs; a run's initialisation, subset, order of batches and augmentation are those of the same run alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from dataaudit.common.interrupts import deferred_interrupt
from dataaudit.common.types import IntArray
from dataaudit.errors import ModelError
from dataaudit.holdout.base import FitPredict, Outcome
from dataaudit.learners.base import Learner, LearnerFitPredict, outcome_of
from dataaudit.learners.devices import cuda_devices
from dataaudit.learners.steps import optimizer_of, shuffled_batches
from dataaudit.learners.torch import TorchLearner

SMALL = 2**21
"""Most parameters of a network that "auto" trains beside others: larger ones keep a card busy alone."""

RUNS = 32
"""Runs that "auto" trains at once on CUDA."""


def fit_predict_of(learner: Learner, at_once: int | str) -> tuple[FitPredict, str]:
    """What carries out holdout runs of a checked learner, `at_once` or one by one, and a note where it says why.

    "auto" is one by one but for small networks on CUDA. A number that the model does not allow raises `ModelError`.
    """
    alone = learner.fit_predict()
    if at_once == 1 or (at_once == "auto" and not _small_on_cuda(learner)):
        return alone, ""
    number = RUNS if at_once == "auto" else int(at_once)
    try:
        if not isinstance(learner, TorchLearner) or learner.builder is not None:
            raise ModelError(f"a {learner.description['model']}", "a torch module of arrays", "pass at_once=1")
        batched = BatchedFitPredict(learner, number)
        batched.check()
    except ModelError as error:
        if at_once != "auto":
            raise
        return alone, f"holdout runs are trained one by one: {error.arrived}"
    return batched, ""


def _small_on_cuda(learner: Learner) -> bool:
    if not isinstance(learner, TorchLearner) or learner.device.type != "cuda":
        return False
    return sum(parameter.numel() for parameter in learner.untrained().module.parameters()) <= SMALL


class _Runs:
    """Networks with weights and buffers [runs, ...], of which each sees its own batch."""

    def __init__(self, learner: TorchLearner, seeds: Sequence[int]) -> None:
        modules = [learner.module(seed).train() for seed in seeds]
        frozen = {name for name, parameter in modules[0].named_parameters() if not parameter.requires_grad}
        parameters, self.buffers = stack_module_state(modules)
        self.parameters: dict[str, Tensor] = {
            name: nn.Parameter(value.detach(), requires_grad=name not in frozen) for name, value in parameters.items()
        }
        self.module, self._learner = modules[0], learner

    def logits(self, inputs: Tensor, training: bool) -> Tensor:
        """Logits float32 [runs, b, C] of inputs [runs, b, ...]."""
        self.module.train(training)
        learner = self._learner

        def one(parameters: dict[str, Tensor], buffers: dict[str, Tensor], inputs: Tensor) -> Tensor:
            outputs: Tensor = functional_call(self.module, (parameters, buffers), (inputs,))
            return outputs

        rounded = training and learner.precision == "bfloat16"
        with torch.autocast(learner.device.type, torch.bfloat16) if rounded else nullcontext():
            outputs: Tensor = vmap(one, randomness="different")(self.parameters, self.buffers, inputs)
        return outputs.float()


@dataclass(frozen=True)
class BatchedFitPredict(LearnerFitPredict):
    """A `FitPredict` of a torch module that trains several subsets of one size at once."""

    learner: TorchLearner
    at_once: int

    def check(self) -> None:
        """Raise `ModelError` unless the network can be trained so: two copies take a step, or fail."""
        rows = np.arange(min(2, len(self.learner.examples)), dtype=np.int64)
        try:
            runs = self._train([rows, rows], [0, 1], most=1)
            with torch.inference_mode():
                runs.logits(self._inputs(np.stack([rows, rows])), training=False)
        except (RuntimeError, ValueError, TypeError) as error:  # What torch raises where it has no rule for a layer.
            raise ModelError(
                f"a {self.learner.description['model']} that cannot be trained at once with others: {error}",
                "layers that torch.func.vmap takes",
                "pass at_once=1",
            ) from error

    def together(self, train: Sequence[IntArray], held_out: Sequence[IntArray], seeds: Sequence[int]) -> list[Outcome]:
        """Train on subsets of one size, and predict as many rows for each."""
        with torch.random.fork_rng(devices=cuda_devices(self.learner.device)):
            runs = self._train(train, seeds)
            rows, parts = np.stack(held_out), []
            for start in range(0, rows.shape[1], self.learner.format.rows):
                block = rows[:, start : start + self.learner.format.rows]
                with torch.inference_mode():
                    parts.append(runs.logits(self._inputs(block), training=False).cpu().numpy())
        logits = np.concatenate(parts, axis=1)
        return [outcome_of(self.learner.examples, *pair) for pair in zip(rows, logits, strict=True)]

    def _inputs(self, rows: IntArray) -> Tensor:
        """Inputs [runs, b, ...] of rows [runs, b], read in one piece."""
        inputs = self.learner.inputs(rows.reshape(-1))
        return inputs.reshape(*rows.shape, *inputs.shape[1:])

    def _train(self, train: Sequence[IntArray], seeds: Sequence[int], most: int | None = None) -> _Runs:
        """Trained networks; with `most`, after so many steps."""
        learner, recipe = self.learner, self.learner.recipe
        with torch.random.fork_rng(devices=cuda_devices(learner.device)), deferred_interrupt() as check:
            runs = _Runs(learner, seeds)
            orders = [torch.Generator().manual_seed(seed) for seed in seeds]
            optimizer = optimizer_of(recipe, nn.ParameterList(runs.parameters.values()))
            steps = -(-len(train[0]) // recipe.batch_size) * recipe.epochs
            schedule = torch.optim.lr_scheduler.LambdaLR(
                optimizer, lambda step: recipe.rate(min(step, steps - 1), steps)
            )
            subsets = [torch.from_numpy(rows) for rows in train]
            done = 0
            for _ in range(recipe.epochs):
                shuffled = [
                    shuffled_batches(rows, recipe.batch_size, order)
                    for rows, order in zip(subsets, orders, strict=True)
                ]
                for batches in zip(*shuffled, strict=True):
                    check()
                    self._step(runs, torch.stack(batches), optimizer, orders)
                    schedule.step()
                    done += 1
                    if done == most:
                        return runs
        return runs

    def _step(
        self, runs: _Runs, batch: Tensor, optimizer: torch.optim.Optimizer, orders: Sequence[torch.Generator]
    ) -> None:
        learner, recipe = self.learner, self.learner.recipe
        inputs = self._inputs(batch.numpy())
        if recipe.augment is not None:
            inputs = torch.stack([recipe.augment(*pair) for pair in zip(inputs, orders, strict=True)])
        labels = torch.from_numpy(learner.examples.labels[batch.numpy()]).to(learner.device)
        logits = runs.logits(inputs, training=True)
        # The gradient of a sum, of which each run's weights touch one term, is each run's own.
        losses: Tensor = vmap(learner.examples.task.loss, in_dims=(0, 0, None))(logits, labels, recipe.label_smoothing)
        optimizer.zero_grad(set_to_none=True)
        losses.sum().backward()
        optimizer.step()
