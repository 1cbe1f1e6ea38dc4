"""Torch modules, trained by a recipe on copies."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from itertools import pairwise
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parameter import is_lazy

from dataaudit.common import guest
from dataaudit.common.fingerprints import fingerprint_of
from dataaudit.common.interrupts import deferred_interrupt, released_interrupt
from dataaudit.common.progress import progress_bar
from dataaudit.common.types import IntArray
from dataaudit.data.examples import Examples
from dataaudit.errors import ModelError
from dataaudit.learners.automatic import Choice, convolutions
from dataaudit.learners.automatic import choose as choose_recipe
from dataaudit.learners.base import BatchBuilder, Learner, Recording, Watch
from dataaudit.learners.devices import cuda_devices, notes_on_cards, to_device
from dataaudit.learners.features import numbers
from dataaudit.learners.fitted import TorchFitted
from dataaudit.learners.layout import GIVEN, fitting, looks_last
from dataaudit.learners.memory_format import MemoryFormat
from dataaudit.learners.memory_format import choose as choose_format
from dataaudit.learners.mirrors import mirror_test
from dataaudit.learners.outputs import AsLogits, check_gradient, check_kind, check_outputs, watched
from dataaudit.learners.precisions import for_network, keep_last, resolve_precision
from dataaudit.learners.pretrained import moved, shows_training
from dataaudit.learners.recipes import PLAIN, Automatic, CropFlip, Recipe, View, mirror, of_length
from dataaudit.learners.steps import optimizer_of, shuffled_batches, with_dense_gradients
from dataaudit.learners.weights import copied, reset


def module_of(model: nn.Module | Callable[[], Any]) -> Any:
    """The module itself, or what a factory returns; no global generator is touched."""
    if isinstance(model, nn.Module):
        return model
    with torch.random.fork_rng(devices=[]), guest.default_dtype(guest.callers_dtype()):
        torch.manual_seed(0)
        return model()


class TorchLearner(Learner):
    """A torch module, copied for every fit, or a factory, with a recipe, bound to a data set.

    `builder` builds the model's inputs where it takes other than the rows themselves.
    """

    readable = True

    def __init__(
        self,
        model: nn.Module | Callable[[], nn.Module],
        examples: Examples,
        recipe: Recipe | Automatic,
        device: torch.device,
        builder: BatchBuilder | None = None,
    ) -> None:
        self.builder = builder
        self.examples = examples
        # What is to be chosen is chosen in `check`, which sees the inputs.
        self.recipe = recipe if isinstance(recipe, Recipe) else of_length(PLAIN, recipe)
        self._automatic = recipe if isinstance(recipe, Automatic) else None
        self._choice: Choice | None = None
        self.format = MemoryFormat()
        self._has_sides = False
        self.device = device
        self._factory = None if isinstance(model, nn.Module) else model
        self._module = model if isinstance(model, nn.Module) else None
        self.fresh = self._factory is not None
        self._labels = torch.tensor(examples.labels)
        self._classes = len(examples.class_names)
        self._outputs = AsLogits(self._classes)
        # What the network itself says is seen in `check`.
        self.precision = resolve_precision(self.recipe.precision, device)
        self._name = type(model).__name__ if self._module is not None else ""
        self._default_dtype = guest.callers_dtype()
        self._takes_tokens = False
        self._dtype = torch.float32
        self.layout = GIVEN

    @property
    def epochs(self) -> int:
        """Epochs of the recipe."""
        return self.recipe.epochs

    @property
    def evaluations(self) -> int:
        """Evaluations of the recipe."""
        return self.recipe.evaluations

    @property
    def views(self) -> tuple[View | None, ...]:
        """Views of the recipe."""
        return self.recipe.views

    def unseen_view(self, seed: int) -> View | None:
        """Mirror images, of networks that convolve images and are trained without augmentation, if there is no side."""
        if self.recipe.augment is not None or not self._has_sides:
            return None
        return mirror if mirror_test(self.examples, seed, self.layout.turn).alike else None

    @property
    def description(self) -> dict[str, Any]:
        """Model, recipe, device and precision as JSON values."""
        precision, reason = self._computed_in()
        notes = [
            *notes_on_cards(self.device),
            *self.format.notes,
            *self._outputs.notes,
            *(self.builder.notes if self.builder is not None else ()),
        ]
        chosen: dict[str, Any] = {}
        if self._choice is not None:
            chosen, notes = {"recipe_chosen": self._choice.reasons}, [*notes, *self._choice.notes]
        return {
            "model": self._name,
            "recipe": self.recipe.to_dict(),
            **chosen,
            "device": str(self.device),
            "precision": precision,
            "precision_reason": reason,
            "engine": "torch",
            **self.layout.settings,
            **self.format.settings,
            "evaluation_batch": self.rows,
            "notes": notes,
        }

    def _computed_in(self) -> tuple[str, str]:
        """Precision in which it trains, and why: weights of another type than float32 may leave no choice."""
        if self._dtype == torch.float32 or self.rounds:
            return self.precision.name, self.precision.reason
        own = str(self._dtype).removeprefix("torch.")
        return own, f"precision {own}: that of the model's weights"

    def module(self, seed: int) -> nn.Module:
        """Model at the start of training, on the device, which gives logits; never the caller's own object."""
        module = self._bare(seed)
        module.register_forward_hook(self._outputs)
        return module

    def _bare(self, seed: int) -> nn.Module:
        torch.manual_seed(seed)
        if self._factory is not None:
            # A model is of the caller's default type, in worker processes too.
            with guest.default_dtype(self._default_dtype):
                module = self._factory()
            if not isinstance(module, nn.Module):
                raise ModelError(
                    f"a function that returned {type(module).__name__}",
                    "a torch.nn.Module from the model factory",
                    "pass a module, a function returning a fresh one, or a classifier with fit and predict_proba",
                )
            self._name = type(module).__name__
            check_kind(module, self._name)
            # A factory may hand out one object again and again; training it would change the caller's.
            module = copied(module)
        else:
            assert self._module is not None
            check_kind(self._module, self._name)
            module = copied(self._module)
        if self.recipe.init == "reset":
            reset(module)
        if self.builder is not None:
            self.builder.attach(module)
        for parameter in module.parameters():
            parameter.grad = None
        return keep_last(self.format.prepare(with_dense_gradients(module).to(self.device)), self.precision)

    def check(self, seed: int) -> None:
        """Check outputs of a few rows; choose the layout of images and, unless one was given, the recipe."""
        with torch.random.fork_rng(devices=[]):
            module = self._bare(seed).eval()
        hook = module.register_forward_hook(AsLogits(self._classes))
        if self.builder is not None:
            self.builder.prepare()
        self._takes_tokens = any(isinstance(part, nn.Embedding) for part in module.modules())
        self._dtype = next((p.dtype for p in module.parameters() if p.is_floating_point()), torch.float32)
        if self.recipe.batch_size == 1 and any(isinstance(part, _BatchNorm) for part in module.modules()):
            raise ModelError(
                f"batch_size=1 for a {self._name} with batch normalisation",
                "at least two examples a batch",
                "pass Recipe(batch_size=2) or more",
            )
        if not self.comes_trained and not any(parameter.requires_grad for parameter in module.parameters()):
            raise ModelError(
                f"a {self._name} without trainable parameters",
                "a model that can be trained",
                "unfreeze some parameters (requires_grad_(True))",
            )
        few = np.arange(min(2, len(self.examples)), dtype=np.int64)

        def try_on(tried: nn.Module, inputs: Tensor) -> None:
            check_outputs(tried, inputs, self._name, self._classes)

        self.layout = GIVEN if self.builder is None else self.builder.layout
        if self.builder is None:
            self.layout = fitting(module, self.inputs, len(self.examples), try_on)
        inputs = self.inputs(few)
        if self.builder is not None:
            try_on(module, inputs)
        hook.remove()
        self._outputs = watched(copied(module), map(self.inputs, self._first_rows()), self._classes)
        module.register_forward_hook(self._outputs)
        self.reads_tokens = self.builder is None and inputs.dtype == torch.int64
        self.format = choose_format(module, inputs, self.recipe.memory_format)
        # Texts are of any length: the first two say little.
        sized = self.builder is None
        asked = self.recipe.precision if self._dtype != torch.float64 else "float32"
        self.precision = for_network(asked, self.device, module, inputs, self._outputs.probabilities, sized)
        shape = tuple(inputs.shape[1:])
        sided = inputs.ndim == 4 and inputs.shape[3] > 1 and not looks_last(inputs.shape)
        self._has_sides = sided and convolutions(module) > 0
        if self._automatic is not None and self._choice is None and self.builder is None:
            self._choice = choose_recipe(self._automatic, module, shape, self.examples, self.layout.turn, seed)
            self.recipe = self._choice.recipe
        self._check_augmentation(shape)

    def _first_rows(self) -> Iterator[IntArray]:
        """Rows of a few small batches, the first of them of two, none of one."""
        edges = [0, *(min(edge, len(self.examples)) for edge in (2, 34, 66, 98))]
        for start, end in pairwise(edges):
            if end > start:
                yield np.arange(min(start, end - 2), end, dtype=np.int64)

    def _check_augmentation(self, shape: tuple[int, ...]) -> None:
        augment = self.recipe.augment
        if isinstance(augment, CropFlip) and (not augment.takes(shape) or looks_last((1, *shape))):
            raise ModelError(
                f"inputs of shape {shape}, for {augment}",
                f"images [channels, height, width] of more than {augment.padding} pixels a side",
                ["pass recipe='auto', which looks at the inputs", "pass a recipe with augment=None"],
            )

    def already_fits(self, seed: int) -> float | None:
        """Accuracy of the model as passed, if it shows training on these data; None if not: see `pretrained`.

        Fresh weights, of a factory or reset, are not tested, unless there are buffers, which no reset renews.
        """
        if self._module is None:
            return None
        if self.recipe.init == "reset" and not any(True for _ in self._module.buffers()):
            return None
        with torch.random.fork_rng(devices=[]):
            module = self.module(seed).eval()
            return shows_training(
                module,
                lambda module, rows: TorchFitted(module, self, as_passed=True).logits(rows).softmax(1).cpu(),
                self.examples.labels,
                self._classes,
                seed,
                moved(module if self.recipe.init == "reset" else self._module),
            )

    def on(self, examples: Examples) -> Self:
        """The same learner, bound to another data set with inputs of the same kind and the same classes."""
        other = super().on(examples)
        other._labels = torch.tensor(examples.labels)
        other.builder = None if self.builder is None else self.builder.on(examples)
        return other

    def from_scratch(self) -> TorchLearner:
        """Learner whose every fit starts afresh: with a factory's module, or with a reset one unless init="keep"."""
        if self.fresh or self.recipe.init != "auto":
            return self
        other = copy.copy(self)
        other.recipe = replace(self.recipe, init="reset")
        return other

    @property
    def identity(self) -> str:
        """Digest of model, initial weights for one seed, recipe and precision."""
        with torch.random.fork_rng(devices=[]):
            module = self.module(0)
        digest = hashlib.blake2b(digest_size=16)
        digest.update(f"{module}{fingerprint_of(self.recipe)}{self.precision.name}".encode())
        digest.update((self.builder.identity if self.builder is not None else "").encode())
        for name, value in module.state_dict().items():
            if not isinstance(value, Tensor) or is_lazy(value):
                # What a module keeps besides, and weights that are drawn when the first rows are seen.
                digest.update(f"{name}{'lazy' if isinstance(value, Tensor) else fingerprint_of(value)}".encode())
                continue
            digest.update(f"{name}{value.dtype}{tuple(value.shape)}".encode())
            digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
        return digest.hexdigest()

    def untrained(self) -> TorchFitted:
        """The model as it was passed, in evaluation mode."""
        with torch.random.fork_rng(devices=[]):
            return TorchFitted(self.module(0).eval(), self, as_passed=True)

    def inputs(self, indices: IntArray) -> Tensor:
        """Inputs of the rows `indices` on the device: pixels in [0, 1], numbers in the model's own precision."""
        if self.builder is not None:
            built = to_device(self.builder.batch(indices), self.device)
            return built.to(self._dtype) if built.is_floating_point() else built
        array = np.ascontiguousarray(self.layout.turn(numbers(self.examples, indices, "a torch module")))
        # Torch cannot mark its memory read-only, and warns of arrays that are.
        tensor = torch.from_numpy(array if array.flags.writeable else array.copy())
        # Columns of a table are float64, which not every device has.
        tensor = to_device(tensor.to(self._dtype if tensor.dtype == torch.float64 else tensor.dtype), self.device)
        if tensor.dtype == torch.uint8:
            return tensor.to(self._dtype) / 255.0
        if tensor.is_floating_point() or not self._takes_tokens:
            return tensor.to(self._dtype)
        return tensor.to(torch.int64)

    @property
    def rows(self) -> int:
        """Examples that run through a network at a time."""
        return self.format.rows if self.builder is None else min(self.format.rows, self.builder.rows)

    @property
    def rounds(self) -> bool:
        """Whether networks run in another precision than their own."""
        return self.precision.rounds

    def running(self) -> AbstractContextManager[object]:
        """Precision in which networks run, in training and evaluation."""
        return torch.autocast(self.device.type, torch.bfloat16) if self.rounds else nullcontext()

    def run(self, module: nn.Module, inputs: Tensor) -> Tensor:
        """Logits float32 [b, C] of inputs."""
        outputs: Tensor = module(self.format.lay(inputs))
        return outputs.float()

    def fit(
        self, indices: IntArray, seed: int, recorder: Recording | None, progress: bool, watch: Watch | None = None
    ) -> TorchFitted:
        """Train a copy on `indices`; bit-identical for the same arguments on the CPU, watched or not.

        Ctrl-C is raised between two batches, and the open epoch discarded from the recorder.
        """
        recipe = self.recipe
        with torch.random.fork_rng(devices=cuda_devices(self.device)), deferred_interrupt() as check:
            module = self.module(seed).train()
            order = torch.Generator().manual_seed(seed)
            optimizer = optimizer_of(recipe, module)
            steps = -(-len(indices) // recipe.batch_size) * recipe.epochs
            schedule = torch.optim.lr_scheduler.LambdaLR(
                optimizer, lambda step: recipe.rate(min(step, steps - 1), steps)
            )
            rows = torch.from_numpy(np.ascontiguousarray(indices))
            try:
                with progress_bar("training", recipe.epochs * len(rows), progress) as advance:
                    for epoch in range(1, recipe.epochs + 1):
                        for batch in shuffled_batches(rows, recipe.batch_size, order):
                            check()
                            self._step(module, batch, optimizer, order, recorder)
                            schedule.step()
                            advance(len(batch))
                        if recorder is not None:
                            recorder.end_epoch()
                        if watch is not None:
                            check()
                            with torch.random.fork_rng(devices=cuda_devices(self.device)), released_interrupt():
                                watch(epoch, TorchFitted(module.eval(), self))
                            module.train()
            except KeyboardInterrupt:
                if recorder is not None:
                    recorder.discard_epoch()
                raise
        return TorchFitted(module.eval(), self)

    def _step(
        self,
        module: nn.Module,
        batch: Tensor,
        optimizer: torch.optim.Optimizer,
        generator: torch.Generator,
        recorder: Recording | None,
    ) -> None:
        inputs = self.inputs(batch.numpy())
        if self.recipe.augment is not None:
            inputs = self.recipe.augment(inputs, generator)
        labels = self._labels[batch]
        with self.running():
            logits = self.run(module, inputs)
        check_gradient(logits, self._name)
        loss = self.examples.task.loss(logits, to_device(labels, self.device), self.recipe.label_smoothing)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if recorder is not None:
            recorder.update(batch, logits, labels)
