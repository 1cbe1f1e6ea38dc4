"""Layout of images for a torch model: as given, or turned to channels first; running the model decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from dataaudit.common.types import IntArray
from dataaudit.errors import ModelError
from dataaudit.learners.outputs import OutputsError
from dataaudit.learners.weights import copied

CHANNELS = (1, 3, 4)
"""Lengths of a last axis that can be channels: grey, RGB, RGBA."""

_TURNS = {
    "last": "images [n, H, W, c] turned to [n, c, H, W]",
    "none": "images [n, H, W] turned to [n, 1, H, W]",
}
_BY_LOOK = "; by look: the model has lazy layers, which take any number of channels"
_LAZY = (nn.LazyConv2d, nn.LazyConvTranspose2d, nn.LazyBatchNorm2d, nn.LazyInstanceNorm2d)


@dataclass(frozen=True)
class Layout:
    """Order of the axes that a model sees."""

    channels: Literal["given", "last", "none"] = "given"
    """"given" for inputs that stay as they are, "last" for [n, H, W, c] and "none" for [n, H, W], which become
    [n, c, H, W]."""
    by_look: bool = False
    """True if the model would have taken the images as they are given as well."""

    def turn(self, batch: Any) -> Any:
        """An array or a tensor [b, ...] as the model takes it; a view wherever the rows lie in one block."""
        if self.channels == "given":
            return batch
        if self.channels == "none" or batch.shape[3] == 1:
            # Strides as of an array that was made so: by others, torch would choose other kernels.
            return batch.reshape(batch.shape[0], 1, *batch.shape[1:3])
        return batch.swapaxes(1, 3).swapaxes(2, 3)

    @property
    def settings(self) -> dict[str, str]:
        """Record for the audit; nothing of inputs that stay as they are."""
        turn = _TURNS.get(self.channels)
        return {} if turn is None else {"layout": turn + _BY_LOOK * self.by_look}


GIVEN = Layout()


def turned(shape: Sequence[int]) -> Layout | None:
    """Other layout that inputs of this shape, [n, ...], can have; None where they can be no images.

    Examples
    --------
    >>> turned((9, 28, 28))
    Layout(channels='none', by_look=False)
    >>> turned((9, 3, 32, 32))
    """
    if len(shape) == 4 and shape[3] in CHANNELS:
        return Layout("last")
    return Layout("none") if len(shape) == 3 else None


def looks_last(shape: Sequence[int]) -> bool:
    """Tell whether inputs of this shape, [n, ...], look like images whose channels come last."""
    return len(shape) == 4 and shape[3] in CHANNELS and shape[1] not in CHANNELS


def channels_first(shape: Sequence[int]) -> tuple[int, ...]:
    """Shape of one input as a network of images takes it, by look; any other shape stays.

    Examples
    --------
    >>> channels_first((32, 32, 3)), channels_first((28, 28)), channels_first((3, 32, 32))
    ((3, 32, 32), (1, 28, 28), (3, 32, 32))
    """
    if looks_last((1, *shape)):
        return (shape[2], shape[0], shape[1])
    return (1, *shape) if len(shape) == 2 else tuple(shape)


def fitting(
    module: nn.Module, inputs: Callable[[IntArray], Tensor], examples: int, try_on: Callable[[nn.Module, Tensor], None]
) -> Layout:
    """The layout that a model in evaluation mode takes: the given one if it does, otherwise the turned one.

    Layers of images also take one image [c, H, W]; so that no batch is taken for that, two and three images must give
    two and three outputs. Lazy layers take anything: they get channels first where images look like channels last and
    the model does not turn them itself; the module stays as it is. `try_on` raises if a module does not take a batch.
    """
    first = inputs(np.arange(min(2, examples), dtype=np.int64))
    other = turned(first.shape)
    lazy = any(is_lazy(part) for part in chain(module.parameters(), module.buffers()))
    # Lazy layers are initialised by what they see first, at random.
    with torch.random.fork_rng(devices=[]):
        batches = [first] if other is None else [first, inputs(np.arange(3, dtype=np.int64) % examples)]
        tried = copied(module) if lazy else module
        channels = _channels_met(tried) if lazy else []
        refused = _refusal(tried, batches, try_on)
        taken_for = lazy and looks_last(first.shape) and channels[:1] == [first.shape[1]]
        if refused is None and not taken_for:
            return GIVEN
        if other is not None:
            tried = copied(module) if lazy else module
            again = _refusal(tried, [other.turn(batch).contiguous() for batch in batches], try_on)
            if again is None:
                return Layout(other.channels, by_look=refused is None)
            if refused is not None:
                raise _explained(refused, again, other)
    if refused is not None:
        raise refused
    return GIVEN


def _explained(given: Exception, turned: Exception, other: Layout) -> Exception:
    """Error of the outputs where the model runs on either layout, otherwise of both layouts."""
    if isinstance(given, OutputsError):
        return given
    if isinstance(turned, OutputsError):
        return OutputsError(f"{turned.arrived}, {_TURNS[other.channels]}", turned.expected, turned.action)
    if not isinstance(given, ModelError) or not isinstance(turned, ModelError):
        return given
    if str(given.__cause__) == str(turned.__cause__):
        return given
    return ModelError(
        f"{given.arrived}; turned, {turned.arrived}",
        "a model that takes the data set's inputs: in neither layout does this one",
        "change the model's first layer to the channels that the images have, or convert the images (transform=)",
    )


def _refusal(
    module: nn.Module, batches: Sequence[Tensor], try_on: Callable[[nn.Module, Tensor], None]
) -> Exception | None:
    for batch in batches:
        try:
            try_on(module, batch)
        except Exception as error:  # A caller's model raises whatever it likes.
            return error
    return None


def _channels_met(module: nn.Module) -> list[int]:
    """Lengths of the second axis of inputs of the lazy layers of images; filled when the module runs."""
    met: list[int] = []
    for part in module.modules():
        if isinstance(part, _LAZY):
            part.register_forward_pre_hook(lambda _, arguments: met.append(int(arguments[0].shape[1])))
    return met
