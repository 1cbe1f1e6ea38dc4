"""Per-example gradients of any network, sketched to a fixed number of values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from dataaudit.errors import ModelError
from dataaudit.representations.modules import check_trains

WIDTH = 4096
"""Values k of a sketch: squared distances come out right on average, with a relative spread of sqrt(2 / k), 2.2 %."""

BYTES = 256 * 2**20
"""Memory that gradients written out may take at a time."""


class Sketch:
    """Sparse Johnson-Lindenstrauss map of the loss gradients of all trainable parameters.

    Every parameter is added to one of `WIDTH` values, with a random sign (a count sketch; Charikar, Chen,
    Farach-Colton 2002; Kane, Nelson 2014). A model of at most `WIDTH` parameters is not sketched.

    The module is in evaluation mode; ``loss(logits [b, C], labels [b]) -> [b]`` is softmax cross-entropy if None.
    Raises `ModelError` if no parameter is trainable.
    """

    def __init__(
        self, module: nn.Module, loss: Callable[..., Any] | None, seed: int, *, gradient_bytes: int = BYTES
    ) -> None:
        check_trains(module)
        self._module, self._loss = module, loss
        self._parameters = {name: p.detach() for name, p in module.named_parameters() if p.requires_grad}
        self._fixed = {name: p.detach() for name, p in module.named_parameters() if not p.requires_grad}
        self._fixed |= {name: b.detach() for name, b in module.named_buffers()}
        count = sum(p.numel() for p in self._parameters.values())
        self.width = min(WIDTH, count)
        self.described = {
            "parameters": count,
            "sketch": self.width if count > WIDTH else None,
            "loss": getattr(loss, "__name__", type(loss).__name__) if loss is not None else "softmax cross-entropy",
        }
        self._places = self._signs = None
        if count > WIDTH:
            generator = torch.Generator().manual_seed(seed)
            device = next(iter(self._parameters.values())).device
            self._places = torch.randint(WIDTH, (count,), generator=generator).to(device)
            self._signs = (torch.randint(2, (count,), generator=generator) * 2 - 1).float().to(device)
        # Gradients, their flat copy and the work of vmap: about four of each at a time.
        self.batch = max(1, gradient_bytes // (16 * count))

    def rows(self, inputs: Tensor, labels: Tensor, delta: Tensor) -> Tensor:
        """Sketched gradients, float32 [b, width], of inputs [b, ...] with labels [b] and logit gradients [b, C].

        Raises `ModelError` if the model cannot be differentiated example by example.
        """
        parts = zip(inputs.split(self.batch), labels.split(self.batch), delta.split(self.batch), strict=True)
        try:
            return torch.cat([self._rows(*part) for part in parts])
        except ModelError:
            raise
        except (RuntimeError, ValueError, TypeError) as error:
            raise ModelError(
                f"a {type(self._module).__name__} that cannot be differentiated example by example: {error}",
                "a model and a loss that torch.func.vmap can run",
                ["take another space, such as scorers='density/gradient_linear'", "replace what the message names"],
            ) from error

    def _rows(self, inputs: Tensor, labels: Tensor, delta: Tensor) -> Tensor:
        def of_one(parameters: dict[str, Tensor], x: Tensor, y: Tensor, by_logits: Tensor) -> Tensor:
            logits = functional_call(self._module, {**parameters, **self._fixed}, (x[None],))
            if logits.shape != (1, len(by_logits)):
                raise ModelError(
                    f"a {type(self._module).__name__} that gives {tuple(logits.shape)} for one example",
                    f"logits of shape {(1, len(by_logits))}",
                    "keep the first axis: write flatten(1) where it says squeeze()",
                )
            if self._loss is not None:
                loss: Tensor = torch.sum(self._loss(logits, y[None]))
                return loss
            # Its gradient is the cross-entropy's, with a logit gradient that was computed in double precision.
            crossed: Tensor = torch.sum(logits[0].float() * by_logits)
            return crossed

        gradients = vmap(grad(of_one), in_dims=(None, 0, 0, 0))(self._parameters, inputs, labels, delta)
        flat = torch.cat([gradients[name].flatten(1).float() for name in self._parameters], 1)
        if self._places is None or self._signs is None:
            return flat
        sketched: Tensor = torch.zeros(len(flat), self.width, device=flat.device)
        sketched.index_add_(1, self._places, flat.mul_(self._signs))
        return sketched
