"""Holdout runs of small networks trained at once: each layer is one product for all of them, by `torch.func.vmap`.

A graphics card that one small network leaves idle is filled by many. Weights, momentum and batches have a first
dimension of runs; a run's initialisation, subset, order of batches and augmentation are those of the same run alone.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from dataaudit.common.interrupts import deferred_interrupt
from dataaudit.common.types import IntArray
from dataaudit.errors import ModelError
from dataaudit.holdout.base import FitPredict, Outcome
from dataaudit.learners.base import Learner, LearnerFitPredict, outcome_of
from dataaudit.learners.devices import cuda_devices, to_device
from dataaudit.learners.fitted import TorchFitted
from dataaudit.learners.precisions import Precision
from dataaudit.learners.steps import optimizer_of, shuffled_batches
from dataaudit.learners.torch import TorchLearner

SMALL = 2**21
"""Most parameters of a network that "auto" trains beside others: larger ones keep a card busy alone."""

RUNS = 32
"""Runs that "auto" trains at once on CUDA."""

SEEDS = (0, 1)
"""Two copies that are trained at once and alone, to compare them."""

TRIED = 8
"""Rows that they are trained on."""

PLAIN_STEPS: dict[str, Any] = {"optimizer": "sgd", "learning_rate": 0.5, "momentum": 0.0}
"""How: each parameter is updated by itself whatever the optimiser, and plain steps do not magnify rounding."""

ROUNDING, TURN = 5e-3, 1e-2
"""Differences of their logits that pass: as a share of the largest, more of half precision, and of what training
changed."""


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
        batched = VmapFitPredict(learner, number)
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

        def one(
            parameters: dict[str, Tensor], buffers: dict[str, Tensor], inputs: Tensor
        ) -> tuple[Tensor, dict[str, Tensor]]:
            # A buffer that the network sets anew is left in the dictionary that it was called with.
            state = {**parameters, **buffers}
            outputs: Tensor = functional_call(self.module, state, (inputs,))
            return outputs, {name: state[name] for name in buffers}

        with learner.running():
            outputs, self.buffers = vmap(one, randomness="different")(self.parameters, self.buffers, inputs)
        logits: Tensor = outputs
        return logits.float()


@dataclass(frozen=True)
class VmapFitPredict(LearnerFitPredict):
    """A `FitPredict` of a torch module that trains several subsets of one size at once."""

    learner: TorchLearner
    at_once: int

    def check(self) -> None:
        """Raise `ModelError` unless two copies can be trained at once, and each is then what it is alone."""
        learner = copy.copy(self.learner)
        learner.recipe = replace(learner.recipe, epochs=2, evaluations=0, augment=None, **PLAIN_STEPS)
        rows = np.unique(np.linspace(0, len(learner.examples) - 1, TRIED).astype(np.int64))
        with torch.random.fork_rng(devices=cuda_devices(learner.device)):
            module = learner.module(SEEDS[0])
            draws = _draws(module.train(), learner.inputs(rows))
        _check_embeddings(module, self._model)
        exact = Precision("float32", "to compare")
        for precision in (learner.precision, exact) if learner.rounds else (exact,):
            learner.precision = precision
            started, together = self._tried(learner, rows)
        with torch.random.fork_rng(devices=cuda_devices(learner.device)):
            begun = torch.stack([TorchFitted(learner.module(seed).eval(), learner).logits(rows) for seed in SEEDS])
        trained = torch.stack([learner.fit(rows, seed, None, False).logits(rows) for seed in SEEDS])
        near = max(ROUNDING, *(4 * torch.finfo(p.dtype).eps for p in module.parameters() if p.is_floating_point()))
        # Steps in half precision differ by more than rounding of their start.
        told = near == ROUNDING and not draws
        if not (_alike(started, begun, begun, near) and (not told or _alike(together, trained, begun, near))):
            raise ModelError(
                f"a {self._model} that comes out otherwise, trained at once with others, than alone",
                "a state that is all in parameters and buffers, and layers that torch.func.vmap takes",
                "pass at_once=1",
            )

    @property
    def _model(self) -> str:
        return str(self.learner.description["model"])

    def _tried(self, learner: TorchLearner, rows: IntArray) -> tuple[Tensor, Tensor]:
        """Logits [2, b, C] of two copies before and after their training on `rows`."""
        trial, both = VmapFitPredict(learner, len(SEEDS)), np.stack([rows] * len(SEEDS))
        try:
            with torch.random.fork_rng(devices=cuda_devices(learner.device)):
                runs = _Runs(learner, SEEDS)
            with torch.inference_mode():
                started = runs.logits(trial._inputs(both), training=False)
            runs = trial._train(list(both), SEEDS)
            with torch.inference_mode():
                return started, runs.logits(trial._inputs(both), training=False)
        except (RuntimeError, ValueError, TypeError) as error:  # What torch raises where it has no rule for a layer.
            raise ModelError(
                f"a {self._model} that cannot be trained at once with others: {error}",
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

    def _train(self, train: Sequence[IntArray], seeds: Sequence[int]) -> _Runs:
        """Trained networks."""
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
            for _ in range(recipe.epochs):
                shuffled = [
                    shuffled_batches(rows, recipe.batch_size, order)
                    for rows, order in zip(subsets, orders, strict=True)
                ]
                for batches in zip(*shuffled, strict=True):
                    check()
                    self._step(runs, torch.stack(batches), optimizer, orders)
                    schedule.step()
        return runs

    def _step(
        self, runs: _Runs, batch: Tensor, optimizer: torch.optim.Optimizer, orders: Sequence[torch.Generator]
    ) -> None:
        learner, recipe = self.learner, self.learner.recipe
        inputs = self._inputs(batch.numpy())
        if recipe.augment is not None:
            inputs = torch.stack([recipe.augment(*pair) for pair in zip(inputs, orders, strict=True)])
        labels = to_device(torch.from_numpy(learner.examples.labels[batch.numpy()]), learner.device)
        logits = runs.logits(inputs, training=True)
        # The gradient of a sum, of which each run's weights touch one term, is each run's own.
        losses: Tensor = vmap(learner.examples.task.loss, in_dims=(0, 0, None))(logits, labels, recipe.label_smoothing)
        optimizer.zero_grad(set_to_none=True)
        losses.sum().backward()
        optimizer.step()


def _check_embeddings(module: nn.Module, model: str) -> None:
    """Raise `ModelError` for a `padding_idx`: the rule of `vmap` for its gradient trains it."""
    for name, part in module.named_modules():
        if isinstance(part, (nn.Embedding, nn.EmbeddingBag)) and part.padding_idx is not None:
            raise ModelError(
                f"a {model} whose layer {name!r} has padding_idx={part.padding_idx}",
                "embeddings without it, for torch.func.vmap would train that one too",
                "pass at_once=1",
            )


def _draws(module: nn.Module, inputs: Tensor) -> bool:
    """Tell whether a module draws at random while it trains, as dropout does; True where that cannot be seen."""
    device = inputs.device
    if device.type not in ("cpu", "cuda"):
        return True

    def state() -> Tensor:
        return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()

    before = state()
    with torch.no_grad():
        module(inputs)
    return not torch.equal(before, state())


def _alike(found: Tensor, expected: Tensor, begun: Tensor, rounding: float) -> bool:
    """Compare logits, which at first were `begun`, but for rounding; what diverged alone says nothing."""
    largest, change = float(expected.abs().max()), float((expected - begun).abs().max())
    near = rounding * largest + TURN * change
    return not np.isfinite(near) or bool(((found - expected).abs() <= near).all())
