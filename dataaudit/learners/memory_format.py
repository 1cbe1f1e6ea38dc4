"""How image batches lie in memory while a network runs, and how many run at a time."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

WORKING_SET = 32 * 2**20
"""Bytes of the largest layer's outputs in an evaluation batch: what lies beyond caches is slower for every row."""

SMALLEST_BATCH, LARGEST_BATCH = 32, 1024


@dataclass(frozen=True)
class MemoryFormat:
    """Layout and size of batches.

    Attributes
    ----------
    channels_last
        Whether the channels of a pixel lie together, which convolutions on a CPU want.
    rows
        Examples in an evaluation batch.
    """

    channels_last: bool = False
    rows: int = LARGEST_BATCH

    def lay(self, inputs: Tensor) -> Tensor:
        """The same batch in this layout."""
        # An augmentation may leave either.
        return inputs.contiguous(memory_format=torch.channels_last if self.channels_last else torch.contiguous_format)

    def prepare(self, module: nn.Module) -> nn.Module:
        """The module, its weights in this layout."""
        # torch's stub of Module.to knows no memory_format alone.
        return module.to(memory_format=torch.channels_last) if self.channels_last else module  # type: ignore[call-overload]


def choose(module: nn.Module, inputs: Tensor) -> MemoryFormat:
    """Memory format for a module in evaluation mode that takes `inputs` [b, ...].

    Channels lie together where there are two-dimensional convolutions of images; a module that then fails, as one does
    that takes a ``view`` of a layer's output, keeps torch's own layout; so does one with lazy layers.
    """
    if any(is_lazy(part) for part in chain(module.parameters(), module.buffers())):
        return MemoryFormat()
    images = inputs.ndim == 4 and any(isinstance(part, nn.Conv2d) for part in module.modules())
    if images and inputs.device.type in ("cpu", "cuda"):
        last = MemoryFormat(channels_last=True)
        widest = _widest(last.prepare(module), last.lay(inputs))
        if widest is not None:
            return MemoryFormat(True, _rows(widest))
        module.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return MemoryFormat(False, _rows(_widest(module, inputs)))


def _rows(bytes_a_row: int | None) -> int:
    if not bytes_a_row:
        return LARGEST_BATCH
    return max(SMALLEST_BATCH, min(LARGEST_BATCH, WORKING_SET // bytes_a_row))


def _widest(module: nn.Module, inputs: Tensor) -> int | None:
    """Bytes an example of the largest output of any part; None if the module fails."""
    found = [0]

    def look(part: nn.Module, arguments: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            found.append(output.numel() * output.element_size() // max(1, len(inputs)))

    hooks = [part.register_forward_hook(look) for part in module.modules() if not list(part.children())]
    try:
        with torch.inference_mode():
            module(inputs)
    except RuntimeError:
        return None
    finally:
        for hook in hooks:
            hook.remove()
    return max(found)
