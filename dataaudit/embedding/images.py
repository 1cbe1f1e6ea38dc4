"""Encoders of images: a network, what stands before it, and where in it a vector is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from dataaudit.common.types import IntArray
from dataaudit.data.kinds import is_a
from dataaudit.embedding.base import Encoder
from dataaudit.embedding.pictures import Kind
from dataaudit.embedding.preparation import Divided, Preparation, TimmPreparation, preparation_of
from dataaudit.embedding.towers import has_towers, projected
from dataaudit.errors import DataAuditError, ModelError, did_you_mean
from dataaudit.representations.modules import linear_layers, watching

Run: TypeAlias = Callable[[Tensor], Tensor]
"""Vectors [b, d] of a batch of images."""


@dataclass
class ImageEncoder(Encoder):
    """A network with the processor that belongs to it."""

    module: nn.Module
    preparation: Preparation
    run: Run
    read: str
    """Where the vector is read, in words."""
    device: torch.device
    name: str

    takes: Kind = "images"

    @property
    def described(self) -> dict[str, Any]:
        """Record for an audit's settings."""
        return {"model": self.name, "read": self.read, "images": self.preparation.described}

    @property
    def settings(self) -> Any:
        """Processor, and where vectors are read."""
        return [type(self.preparation).__name__, self.preparation.settings, self.read]

    @property
    def notes(self) -> list[str]:
        """Notes on images that were changed."""
        return self.preparation.counts.notes

    def batches(self, inputs: Sequence[Any], rows: IntArray, size: int) -> Iterator[tuple[IntArray, Tensor]]:
        """As `Encoder.batches`, in order."""
        for start in range(0, len(inputs), size):
            part = slice(start, start + size)
            batch = _moved(self.preparation.batch(inputs[part], rows[part]), self.module, self.device)
            yield np.arange(start, start + len(batch)), self.run(batch).float()


def image_encoder(
    module: nn.Module, processor: Any, layer: str | None, name: str, untrained: Sequence[str], sample: Any
) -> ImageEncoder:
    """Encoder of a network that is at hand, tried on one picture.

    Parameters
    ----------
    module
        The network, on its device.
    processor
        What the caller passed, or the network's folder holds; None for neither.
    layer
        Name of the module whose output is the vector; None for the one that this kind of network has.
    name
        The network, in words.
    untrained
        Weights that its folder lacked: what they give is not read.
    sample
        A picture.

    Raises
    ------
    ModelError
        If it is no network of images, lacks a processor, or gives no vector.
    """
    preparation = _preparation(module, processor, sample)
    device = next((parameter.device for parameter in module.parameters()), torch.device("cpu"))
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        with torch.inference_mode():
            batch = _moved(preparation.batch([sample, sample], np.zeros(2, np.int64)), module, device)
            run, read = _reading(module, batch, layer, untrained)
            vectors = _tried(module, run, batch)
    finally:
        for part in training:
            part.training = True
    if vectors.ndim != 2 or len(vectors) != 2:
        raise ModelError(
            f"a {type(module).__name__} that gives {tuple(vectors.shape)} for two images ({read})",
            "one vector an image",
            "name the layer whose output is one: layer=",
        )
    preparation.counts.grey = preparation.counts.floats = 0
    return ImageEncoder(module, preparation, run, read, device, name)


def _preparation(module: Any, processor: Any, sample: Any) -> Preparation:
    name = type(module).__name__
    if processor is not None:
        return preparation_of(processor, name)
    if is_a(module, "transformers.modeling_utils", "PreTrainedModel"):
        raise ModelError(
            f"a {name} without an image processor",
            "the processor that belongs to it",
            "pass processor=AutoImageProcessor.from_pretrained(...)",
        )
    if _of_timm(module):
        return TimmPreparation(module.pretrained_cfg)
    if type(module).__module__.startswith("torchvision.") or hasattr(module, "encode_image"):
        raise ModelError(
            f"a {name} without what prepares its images",
            "the transforms that its weights were trained with",
            "pass processor=weights.transforms() of torchvision, or the function that came with the model",
        )
    first = next((part for part in module.modules() if isinstance(part, nn.Conv2d)), None)
    return Divided(None if first is None else first.in_channels)


def _of_timm(module: Any) -> bool:
    return all(hasattr(module, name) for name in ("pretrained_cfg", "forward_features", "forward_head"))


def _moved(batch: Tensor, module: nn.Module, device: torch.device) -> Tensor:
    """A batch where the network is, in its precision."""
    kind = next((parameter.dtype for parameter in module.parameters() if parameter.is_floating_point()), batch.dtype)
    return batch.to(device, kind)


def _tried(module: nn.Module, run: Callable[[Tensor], Any], batch: Tensor) -> Any:
    try:
        return run(batch)
    except DataAuditError:
        raise
    except Exception as error:  # A caller's network raises whatever it likes.
        raise ModelError(
            f"a {type(module).__name__} that does not take images of shape {tuple(batch.shape[1:])} "
            f"({type(error).__name__}: {error})",
            "a network of images, and pixels as it takes them",
            "pass processor= a function of one PIL image that returns the tensor which the network takes",
        ) from error


def _reading(module: Any, batch: Tensor, layer: str | None, untrained: Sequence[str]) -> tuple[Run, str]:
    """How a vector is read, and where in words."""
    if layer is not None:
        return _of_layer(module, layer)
    if _of_timm(module):
        return lambda images: module.forward_head(module.forward_features(images), pre_logits=True), "before the head"
    if has_towers(module):
        return lambda images: projected(module.get_image_features(pixel_values=images)), "tower of images"
    if hasattr(module, "encode_image"):
        return module.encode_image, "encode_image"
    output = _tried(module, module, batch)
    if is_a(module, "transformers.modeling_utils", "PreTrainedModel"):
        read = _known_output(module, output, untrained)
        if read is not None:
            name, take = read
            return lambda images: take(module(images)), name
    return _before_the_head(module, batch, output)


def _known_output(module: Any, output: Any, untrained: Sequence[str]) -> tuple[str, Callable[[Any], Tensor]] | None:
    """Name of a transformers model's vector and how it is taken; None for models with a head of classes."""
    names = ("image_embeds",) if any("pooler" in name for name in untrained) else ("image_embeds", "pooler_output")
    for name in names:
        if isinstance(getattr(output, name, None), Tensor):
            return name, lambda given, name=name: averaged(getattr(given, name))
    hidden = getattr(output, "last_hidden_state", None)
    if not isinstance(hidden, Tensor):
        return None
    if hidden.ndim == 3 and any(name.endswith("cls_token") for name, _ in module.named_parameters()):
        return "class token of last_hidden_state", lambda given: given.last_hidden_state[:, 0]
    return "mean of last_hidden_state", lambda given: averaged(given.last_hidden_state)


def averaged(values: Tensor) -> Tensor:
    """One vector an example: [b, d] as it is, the mean over places [b, d, h, w] or tokens [b, t, d]."""
    if values.ndim == 4:
        return values.mean((2, 3))
    return values.mean(1) if values.ndim == 3 else values


def _before_the_head(module: nn.Module, batch: Tensor, output: Any) -> tuple[Run, str]:
    """Read the input of the linear layer that gives the classes, or the output where there is no such layer."""
    shape = getattr(_tensor_of(output), "shape", None)
    with watching(module, linear_layers(module)) as captured:
        module(batch)
    if captured.order:
        name = captured.order[-1]
        taken, given = captured.inputs[name], captured.outputs[name][-1]
        if len(taken) == 1 and taken[0].ndim == 2 and given.shape == shape:
            return _input_of(module, name), f"input of {name!r}"
    if shape is None:
        raise ModelError(
            f"a {type(module).__name__} that gives a {type(output).__name__}",
            "a tensor, or an output that holds one",
            "name the layer whose output is the vector: layer=",
        )
    return lambda images: averaged(_tensor_of(module(images))), "output"


def _tensor_of(output: Any) -> Any:
    """The tensor of an output: itself, its logits, or its first part; None where there is none."""
    if isinstance(output, Tensor):
        return output
    for part in (getattr(output, "logits", None), *(output if isinstance(output, (tuple, list)) else ())):
        if isinstance(part, Tensor):
            return part
    if isinstance(output, dict):
        return next((part for part in output.values() if isinstance(part, Tensor)), None)
    return None


def _input_of(module: nn.Module, name: str) -> Run:
    part = module.get_submodule(name)

    def run(images: Tensor) -> Tensor:
        taken: list[Tensor] = []
        handle = part.register_forward_pre_hook(lambda _, arguments: taken.append(arguments[0]))
        try:
            module(images)
        finally:
            handle.remove()
        return taken[-1]

    return run


def _of_layer(module: nn.Module, name: str) -> tuple[Run, str]:
    names = [known for known, _ in module.named_modules() if known]
    if name not in names:
        raise ModelError(f"layer={name!r}", f"a module of the {type(module).__name__}", did_you_mean(name, names))
    part = module.get_submodule(name)

    def forward(images: Tensor) -> Any:
        inner: Any = module
        return inner.get_image_features(pixel_values=images) if has_towers(module) else inner(images)

    def run(images: Tensor) -> Tensor:
        given: list[Any] = []
        # A later layer may overwrite it in place.
        handle = part.register_forward_hook(lambda _, arguments, output: given.append(_copied(output)))
        try:
            forward(images)
        finally:
            handle.remove()
        if not given or given[-1] is None:
            raise ModelError(
                f"layer={name!r}, which does not run or gives no tensor", "one that does", did_you_mean("", names)
            )
        return averaged(given[-1])

    return run, f"output of {name!r}"


def _copied(output: Any) -> Tensor | None:
    tensor = _tensor_of(output)
    return None if tensor is None else tensor.clone()
