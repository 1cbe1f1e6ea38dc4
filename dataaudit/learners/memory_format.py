"""Layout of image batches in memory while a network runs, and the number of rows that run at a time."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from dataaudit.learners.weights import copied

WORKING_SET = 32 * 2**20
"""Bytes of the largest layer's outputs in an evaluation batch: what lies beyond caches is slower for every row."""

SMALLEST_BATCH, LARGEST_BATCH = 32, 1024


@dataclass(frozen=True)
class MemoryFormat:
    """Layout and size of batches."""

    channels_last: bool = False
    """True if the channels of a pixel lie together, which convolutions on a CPU want."""
    rows: int = LARGEST_BATCH
    """Examples in an evaluation batch."""
    refused: str = ""
    """The request, where channels last were asked for by name or by rule, and the module does not take them."""

    @property
    def settings(self) -> dict[str, Any]:
        """Record for the audit."""
        name = "channels_last" if self.channels_last else "contiguous"
        return {"memory_format": name}

    @property
    def notes(self) -> list[str]:
        """Notes for a reader of the audit."""
        if not self.refused:
            return []
        asked = {"auto": "channels last in memory, the rule for images and convolutions,"}
        what = asked.get(self.refused, f"memory_format={self.refused!r}")
        return [f"{what} does not fit this model, or its inputs: it runs contiguous"]

    def lay(self, inputs: Tensor) -> Tensor:
        """The same batch in this layout."""
        # An augmentation may leave either.
        return inputs.contiguous(memory_format=torch.channels_last if self.channels_last else torch.contiguous_format)

    def prepare(self, module: nn.Module) -> nn.Module:
        """The module, the weights of its two-dimensional convolutions in this layout."""
        if self.channels_last:
            for part in module.modules():
                if isinstance(part, (nn.Conv2d, nn.ConvTranspose2d)):
                    part.weight.data = part.weight.data.contiguous(memory_format=torch.channels_last)
        return module


def choose(module: nn.Module, inputs: Tensor, requested: str = "auto") -> MemoryFormat:
    """Memory format for a module in evaluation mode that takes `inputs` [b, ...].

    Channels lie together, unless "contiguous" is `requested`, where there are two-dimensional convolutions of images
    and the module gives the same outputs so. One that fails or gives others, as one may that takes a ``view`` of a
    layer's output, keeps torch's own layout; so does one with lazy layers. The module and the global generator are left
    as they are.
    """
    if any(is_lazy(part) for part in chain(module.parameters(), module.buffers())):
        return MemoryFormat(refused=requested if requested == "channels_last" else "")
    with torch.random.fork_rng(devices=[]):
        expected, widest = _run(module, inputs)
        images = inputs.ndim == 4 and any(isinstance(part, nn.Conv2d) for part in module.modules())
        wanted = images and requested != "contiguous"
        tried = wanted and inputs.device.type in ("cpu", "cuda")
        takes = tried and _takes_channels_last(module, inputs, expected)
    rows = max(SMALLEST_BATCH, min(LARGEST_BATCH, WORKING_SET // max(1, widest)))
    refused = not takes and (tried or requested == "channels_last")
    return MemoryFormat(takes, rows, requested if refused else "")


def _takes_channels_last(module: nn.Module, inputs: Tensor, expected: Tensor) -> bool:
    last = MemoryFormat(channels_last=True)
    tried, laid = last.prepare(copied(module)), last.lay(inputs)
    try:
        outputs, _ = _run(tried, laid)
        # What is done in training alone may fail as well.
        _run(tried.train(), laid)
    except Exception:  # A caller's model raises whatever it likes.
        return False
    return torch.allclose(outputs, expected, rtol=1e-3, atol=1e-4, equal_nan=True)


def _run(module: nn.Module, inputs: Tensor) -> tuple[Tensor, int]:
    """Outputs, and bytes an example of the largest output of any part."""
    sizes = [0]

    def look(part: nn.Module, arguments: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            sizes.append(output.numel() * output.element_size() // max(1, len(inputs)))

    hooks = [part.register_forward_hook(look) for part in module.modules() if not list(part.children())]
    try:
        with torch.inference_mode():
            outputs: Tensor = module(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return outputs.float(), max(sizes)
