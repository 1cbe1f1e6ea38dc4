"""Recipes: how a torch model is trained. Frozen values, checked when they are made."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from dataaudit.common import checks
from dataaudit.common.registry import Catalogue
from dataaudit.errors import SettingError

Augment = Callable[[Any, Any], Any]
"""(inputs [b, ...], torch.Generator) -> inputs of the same shape."""

View = Callable[[Any], Any]
"""Inputs [b, ...] -> inputs of the same shape, the same every time."""


def mirror(inputs: Any) -> Any:
    """Images [b, C, H, W], left and right exchanged."""
    return inputs.flip(3)


CHOICES = {
    "optimizer": ("sgd", "adamw"),
    "schedule": ("linear", "cosine", "constant", "step"),
    "precision": ("auto", "float32", "bfloat16"),
    "memory_format": ("auto", "channels_last", "contiguous"),
    "init": ("auto", "keep", "reset"),
}


@dataclass(frozen=True)
class Recipe:
    """Training of a torch model: length, optimiser, schedule, augmentation, precision.

    Parameters
    ----------
    epochs
        Passes over the data.
    batch_size
        Examples a step; the rest of an epoch is its last, smaller batch.
    optimizer
        "sgd" (momentum, by default Nesterov's) or "adamw".
    learning_rate
        Base rate: the largest rate of the schedule.
    momentum, nesterov
        For "sgd".
    weight_decay
        L2 coefficient ("sgd") or decoupled decay ("adamw").
    schedule
        After the warm-up: "linear" to 0, "cosine" to 0, "constant", or "step".
    warmup
        Share of all steps in which the rate grows linearly from 0.
    milestones, decay
        For "step": shares of all steps after which the rate is multiplied by `decay`.
    augment
        Called on every training batch: (inputs, generator) -> inputs; None for no augmentation.
    precision
        Of training and evaluation: "float32", "bfloat16" (autocast), or "auto": bfloat16 where the hardware multiplies
        it natively and the network takes it well. On a CPU it makes a million multiply-adds an example at least, its
        logits come from a linear layer of 32 inputs or more, and it runs so. That layer's outputs are not rounded in
        evaluation, and gradients are read in the precision of the weights.
    memory_format
        Layout of images in memory while the network runs: "channels_last", "contiguous" (channels first), or "auto":
        channels last where there are two-dimensional convolutions that give the same outputs so. A network that does
        not is run contiguous, and a note says so.
    evaluations
        After how many of the last epochs every example is evaluated, as it is and, where `augment` mirrors, mirrored:
        evidence beside that of the training passes. An evaluation costs about a third of a training pass.
    label_smoothing
        Share of the label's probability that the loss spreads over all classes.
    init
        "keep" trains on from the weights as passed; "reset" calls every layer's reset_parameters first, and makes a
        transformers model anew from its configuration; "auto" keeps for the one run of training dynamics and resets
        wherever a run must not have seen its holdouts. What a factory returns is fresh, and kept.

    Raises
    ------
    SettingError
        If a value is out of range.

    Examples
    --------
    >>> Recipe(epochs=5).epochs
    5
    """

    epochs: int = 10
    batch_size: int = 128
    optimizer: Literal["sgd", "adamw"] = "sgd"
    learning_rate: float = 0.1
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 0.0
    schedule: Literal["linear", "cosine", "constant", "step"] = "linear"
    warmup: float = 0.15
    milestones: tuple[float, ...] = ()
    decay: float = 0.1
    augment: Augment | None = None
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    memory_format: Literal["auto", "channels_last", "contiguous"] = "auto"
    evaluations: int = 0
    label_smoothing: float = 0.0
    init: Literal["auto", "keep", "reset"] = "auto"

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            value = checks.whole(name, getattr(self, name), 1, f"pass {name}={getattr(Recipe, name)}")
            object.__setattr__(self, name, value)
        expected = f"a whole number from 0 to the {self.epochs} epochs"
        evaluations = checks.whole(
            "evaluations", self.evaluations, 0, "pass evaluations=0", most=self.epochs, expected=expected
        )
        object.__setattr__(self, "evaluations", evaluations)
        self._within("label_smoothing", 0.0, 1.0)
        self._within("learning_rate", 0.0, float("inf"), open_low=True)
        self._within("momentum", 0.0, 1.0)
        self._within("weight_decay", 0.0, float("inf"))
        self._within("warmup", 0.0, 1.0)
        self._within("decay", 0.0, 1.0, open_low=True)
        for name, choices in CHOICES.items():
            value = getattr(self, name)
            checks.choice(f"{name}={value!r}", value, choices, "a known value")
        self._check_milestones()
        if self.augment is not None and not callable(self.augment):
            raise SettingError(
                f"augment={self.augment!r}",
                "a function (inputs, generator) -> inputs",
                ["pass augment=dataaudit.recipes.CropFlip(4)", "pass augment=None"],
            )

    def _check_milestones(self) -> None:
        given = self.milestones
        shares = list(given) if isinstance(given, (tuple, list)) else [None]
        action = "pass milestones=[0.5, 0.75]" if self.schedule == "step" else "drop milestones="
        if not all(checks.is_number(share) and 0 < share < 1 for share in shares) or shares != sorted(shares):
            raise SettingError(f"milestones={given!r}", "rising shares of all steps, between 0 and 1", action)
        object.__setattr__(self, "milestones", tuple(shares))
        if (self.schedule == "step") != bool(shares):
            raise SettingError(
                f"schedule={self.schedule!r} with milestones={given!r}",
                "milestones for schedule='step' and for no other",
                "drop milestones=, or pass schedule='step'"
                if shares
                else "pass milestones=[0.5, 0.75], or schedule='linear'",
            )

    def _within(self, name: str, low: float, high: float, open_low: bool = False) -> None:
        expected = f"a number from {low:g}{' (excluded)' if open_low else ''} to {high:g}"
        action = f"pass {name}={getattr(Recipe, name)}"
        value = checks.number(name, getattr(self, name), low, high, "right" if open_low else "both", expected, action)
        object.__setattr__(self, name, value)

    @property
    def views(self) -> tuple[View | None, ...]:
        """Looks of examples in an evaluation: as they are (None) and, where the augmentation mirrors, mirrored."""
        flips = isinstance(self.augment, CropFlip) and self.augment.flip
        return (None, mirror) if flips else (None,)

    def rate(self, step: int, total: int) -> float:
        """Learning rate of `step` (from 0) of `total`, as a share of the base rate."""
        ramp = max(1, round(self.warmup * total)) if self.warmup else 0
        if step < ramp:
            return (step + 1) / ramp
        if self.schedule == "constant":
            return 1.0
        if self.schedule == "step":
            return float(self.decay ** sum(step >= share * total for share in self.milestones))
        done = (step - ramp) / max(1, total - ramp)
        return 1.0 - done if self.schedule == "linear" else 0.5 * (1.0 + math.cos(math.pi * done))

    def to_dict(self) -> dict[str, Any]:
        """Settings as JSON values; the augmentation by its name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        values["milestones"] = list(self.milestones)
        if self.augment is not None:
            values["augment"] = getattr(self.augment, "__qualname__", repr(self.augment))
        return values


@dataclass(frozen=True)
class CropFlip:
    """Random crops after zero padding and, if asked for, left-right flips (the paper's table 2).

    Parameters
    ----------
    padding
        Pixels of zeros on all four sides.
    flip
        Whether every other image, at random, is mirrored.
    """

    padding: int = 4
    flip: bool = True

    def __post_init__(self) -> None:
        expected = "a whole number of pixels, 0 for no crops"
        object.__setattr__(
            self, "padding", checks.whole("padding", self.padding, 0, "pass padding=4", expected=expected)
        )

    def takes(self, shape: tuple[int, ...]) -> bool:
        """Tell whether inputs of `shape`, without the batch, are images that can be moved so far: [C, H, W]."""
        return len(shape) == 3 and min(shape[1:]) > self.padding

    def __call__(self, inputs: Any, generator: Any) -> Any:
        """Crop and flip a batch [b, C, H, W]; every image by its own draw."""
        import torch
        from torch.nn.functional import pad

        b, _, height, width = inputs.shape
        # A pixel's channels lie together, so that a crop copies whole pixels.
        padded = pad(inputs.permute(0, 2, 3, 1), (0, 0, *(self.padding,) * 4))
        span = 2 * self.padding + 1
        top = torch.randint(span, (b, 1), generator=generator) + torch.arange(height)
        left = torch.randint(span, (b, 1), generator=generator) + torch.arange(width)
        if self.flip:
            mirrored = torch.rand(b, 1, generator=generator) < 0.5
            left = torch.where(mirrored, left.flip(1), left)
        device = inputs.device
        rows = torch.arange(b, device=device)[:, None, None]
        return padded[rows, top.to(device)[:, :, None], left.to(device)[:, None, :]].permute(0, 3, 1, 2)


PLAIN = Recipe()
"""For networks that convolve no images: by benchmarks/peers/defaults.py among rates, lengths and optimisers."""

TRANSFORMER = Recipe(epochs=5, batch_size=32, optimizer="adamw", learning_rate=1e-3, schedule="linear", warmup=0.1)
"""For a small transformer from random weights: chosen by benchmarks/peers/defaults.py transformer.

Ten epochs take twice the time and find label errors as well, on one thousand texts as on five thousand.
"""

FINETUNE = Recipe(
    epochs=5, batch_size=32, optimizer="adamw", learning_rate=5e-5, schedule="linear", warmup=0.1, init="keep"
)
"""For pretrained transformers; holdout runs start from the pretrained weights as well."""

_NAMED: dict[str, Recipe] = {
    "plain": PLAIN,
    "transformer": TRANSFORMER,
    "finetune": FINETUNE,
    "mnist": Recipe(epochs=20, batch_size=256, learning_rate=0.1, nesterov=False),
    "cifar10": Recipe(epochs=80, batch_size=512, learning_rate=0.4, nesterov=False, augment=CropFlip(4, True)),
    "cifar100": Recipe(epochs=160, batch_size=512, learning_rate=0.4, nesterov=False, augment=CropFlip(4, True)),
    "imagenet": Recipe(
        epochs=100,
        batch_size=128 * 7,
        learning_rate=0.1 * 7,
        nesterov=False,
        schedule="step",
        milestones=(0.3, 0.6, 0.9),
        decay=0.1,
        augment=CropFlip(32, True),
    ),
    "resnet18": Recipe(
        epochs=200,
        batch_size=32,
        learning_rate=0.1,
        nesterov=True,
        weight_decay=5e-4,
        schedule="step",
        warmup=0.0,
        milestones=(0.3, 0.45, 0.6),
        decay=0.2,
        augment=CropFlip(4, True),
    ),
}


@dataclass(frozen=True)
class Automatic:
    """A recipe to be chosen by rules of module, shape, size and number of classes; see `auto`.

    Parameters
    ----------
    epochs
        Passes over the data, where the caller says how many; the rules' own number if None.
    """

    epochs: int | None = None

    def __post_init__(self) -> None:
        if self.epochs is not None:
            Recipe(epochs=self.epochs)


AUTO = "auto"


def auto(epochs: int | None = None) -> Automatic:
    """Recipe that `score` chooses by module, shape, size and number of classes, of a length of your own.

    Parameters
    ----------
    epochs
        Passes over the data; the rules' own number if None.

    Raises
    ------
    SettingError
        If it is no whole number of at least 1.

    Examples
    --------
    >>> auto(epochs=36)
    Automatic(epochs=36)
    """
    return Automatic(epochs)


def of_length(recipe: Recipe, requested: Recipe | Automatic | None) -> Recipe:
    """Requested recipe, or `recipe` where none is, of the requested length."""
    if isinstance(requested, Recipe):
        return requested
    return recipe if requested is None or requested.epochs is None else replace(recipe, epochs=requested.epochs)


def names() -> list[str]:
    """Names that `get` and ``score(recipe=...)`` take: "auto", which chooses, and recipes."""
    return [AUTO, *_NAMED]


def describe() -> Catalogue:
    """Every recipe's name with its length, batches, optimiser, rate and schedule."""
    lines = {AUTO: "chosen by network, inputs and size"}
    for name, recipe in _NAMED.items():
        steps = f"{recipe.optimizer} {recipe.learning_rate:g} {recipe.schedule}"
        lines[name] = f"{recipe.epochs} epochs, batches of {recipe.batch_size}, {steps}"
    return Catalogue(lines)


def __dir__() -> list[str]:
    return ["Automatic", "CropFlip", "Recipe", "auto", "describe", "get", "mirror", "names"]


def get(name: str) -> Recipe | Automatic:
    """Recipe called `name`: "auto", one for plain networks or transformers, or the paper's (table 2, appendix A).

    Raises
    ------
    SettingError
        If there is none of that name.

    Examples
    --------
    >>> get("mnist").batch_size
    256
    """
    if name == AUTO:
        return auto()
    checks.choice(f"recipe {name!r}", name, names(), "a named recipe or a Recipe")
    return _NAMED[name]
