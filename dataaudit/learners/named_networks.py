"""Networks by name: the paper's (table 2, appendix A) and smaller ones. Torch is loaded when one is built."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from dataaudit.common import checks
from dataaudit.common.registry import Catalogue
from dataaudit.errors import SettingError

if TYPE_CHECKING:
    from torch import nn

    from dataaudit.learners.networks import MLP as MLP
    from dataaudit.learners.networks import BlockCNN as BlockCNN
    from dataaudit.learners.networks import ResNet18 as ResNet18
    from dataaudit.learners.networks import SmallCNN as SmallCNN
    from dataaudit.learners.networks import SmallInception as SmallInception

_NETWORKS = {
    "mlp": ("MLP", "fully connected, for inputs of any shape; the paper's for MNIST"),
    "small_cnn": ("SmallCNN", "two convolutions: seconds an epoch on a CPU, images of 8 pixels a side or more"),
    "block_cnn": ("BlockCNN", "blocks of convolutions that halve the image: natural images on a CPU"),
    "small_inception": ("SmallInception", "the paper's Inception for small images"),
    "resnet18": ("ResNet18", "ResNet-18 for small images"),
}
"""Class and line of each name."""

SMALLEST: dict[str, int] = {"block_cnn": 9}
"""Fewest pixels a side of networks that halve an image so often that nothing would be left of a smaller one."""


def names() -> list[str]:
    """Names that `build` takes."""
    return list(_NETWORKS)


def describe() -> Catalogue:
    """Every name that `build` takes, with one line."""
    return Catalogue({name: line for name, (_, line) in _NETWORKS.items()})


def build(name: str, input_shape: Sequence[int], classes: int) -> Callable[[], nn.Module]:
    """Return a factory: every call makes a freshly initialised network.

    Parameters
    ----------
    name
        One of `names`.
    input_shape
        Shape of one input without the batch: any for "mlp", (channels, height, width) for the others.
    classes
        Number of outputs.

    Raises
    ------
    SettingError
        If there is no network of that name, or the shape is not one it takes.

    Examples
    --------
    >>> import torch
    >>> build("mlp", (1, 8, 8), 10)()(torch.zeros(2, 1, 8, 8)).shape
    torch.Size([2, 10])
    """
    from dataaudit.learners import networks

    checks.choice(f"network {name!r}", name, names(), "a named network")
    if name == "mlp":
        return lambda: networks.MLP(math.prod(input_shape), classes)
    if len(input_shape) != 3:
        raise SettingError(
            f"network {name!r} for inputs of shape {tuple(input_shape)}",
            "images (channels, height, width)",
            "use network 'mlp', or add a channel axis",
        )
    if min(input_shape[1:]) < SMALLEST.get(name, 1):
        raise SettingError(
            f"network {name!r} for images of {input_shape[1]} x {input_shape[2]} pixels",
            f"at least {SMALLEST[name]} pixels a side",
            "use network 'small_cnn', or resize the images",
        )
    network: Callable[[int, int], nn.Module] = getattr(networks, _NETWORKS[name][0])
    return lambda: network(int(input_shape[0]), classes)


def __getattr__(name: str) -> Any:
    if name not in dict(_NETWORKS.values()):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("dataaudit.learners.networks"), name)


def __dir__() -> list[str]:
    return sorted([*dict(_NETWORKS.values()), "build", "describe", "names"])
