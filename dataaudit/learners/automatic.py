"""Choice of a recipe where none is named: by rules of module, shape and size, never by a clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from dataaudit.common.types import AnyArray
from dataaudit.data.examples import Examples
from dataaudit.learners.layout import looks_last
from dataaudit.learners.mirrors import mirror_test
from dataaudit.learners.recipes import PLAIN, Automatic, CropFlip, Recipe, of_length

IMAGES = Recipe(epochs=14, weight_decay=2e-3, label_smoothing=0.1)
"""For convolutional networks of images, before crops: by benchmarks/peers/recipes.py."""

SHALLOW = replace(IMAGES, weight_decay=5e-4)
"""For those of fewer than `DEEP` convolutions, which crops of the usual size and strong decay keep from learning."""

DEEP = 4

EVALUATED = 0.25
"""Share of the epochs, the last ones, after which everything is evaluated."""

LARGEST_SMALL = 64
"""Shorter side in pixels of images that are moved by `SMALL_PADDING` pixels at most."""

SMALL_PADDING = 4
STEPS = {128: 4000, 64: 400}
"""Fewest steps of a run for which batches are as large as that; 32 otherwise."""


@dataclass(frozen=True)
class Choice:
    """A recipe and why it was chosen, as JSON values and notes for the audit's settings."""

    recipe: Recipe
    reasons: dict[str, Any]
    notes: tuple[str, ...] = ()


def choose(
    requested: Automatic,
    module: nn.Module,
    shape: tuple[int, ...],
    examples: Examples,
    turn: Callable[[AnyArray], AnyArray],
    seed: int,
) -> Choice:
    """Recipe for a torch module, inputs of `shape` as it takes them, and a data set; `turn` as in `mirror_test`."""
    count = convolutions(module)
    if not count:
        return Choice(of_length(PLAIN, requested), {"rule": "network without two-dimensional convolutions"})
    # A module that turns images itself gets them with the channels last, where crops and mirrors do not look for them.
    if len(shape) != 3 or looks_last((1, *shape)):
        note = f"inputs of shape {shape} are no images [channels, height, width]: they are not cropped or mirrored"
        return Choice(of_length(PLAIN, requested), {"rule": "convolutions, but no images"}, (note,))
    deep = count >= DEEP
    recipe = of_length(IMAGES if deep else SHALLOW, requested)
    size = batch_size(len(examples), recipe.epochs, deep)
    # Smaller batches take smaller steps: what a pass over the data changes stays the same.
    rate = recipe.learning_rate * size / recipe.batch_size
    recipe = replace(recipe, batch_size=size, learning_rate=rate, evaluations=int(EVALUATED * recipe.epochs))
    reasons: dict[str, Any] = {"rule": f"images, network of {count} convolutions"}
    notes: list[str] = []
    padding, flip = crop(shape, deep), False
    if shape[2] > 1:
        test = mirror_test(examples, seed, turn)
        flip = test.alike
        reasons["mirrored images told from the others"] = None if test.share != test.share else round(test.share, 3)
        reasons["images looked at"] = test.images
    if not padding:
        notes.append(f"images of {shape[1]} x {shape[2]} pixels are too small to be cropped")
    if padding or flip:
        recipe = replace(recipe, augment=CropFlip(padding, flip))
    return Choice(recipe, reasons, tuple(notes))


def convolutions(module: nn.Module) -> int:
    """Number of two-dimensional convolutions of a network."""
    return sum(isinstance(part, nn.Conv2d) for part in module.modules())


def crop(shape: tuple[int, ...], deep: bool = True) -> int:
    """Pixels by which images [c, H, W] are moved at most.

    An eighth of the shorter side, small images 4 at most; half of that, at least one, for shallow networks.
    """
    side = min(shape[1:])
    usual = min(SMALL_PADDING, side // 8) if side <= LARGEST_SMALL else side // 8
    return usual if deep or usual < 2 else usual // 2


def batch_size(n: int, epochs: int, deep: bool = True) -> int:
    """Examples a step: fewer for few examples, so that a run over `n` of them has enough steps."""
    steps = STEPS if deep else {**STEPS, 128: STEPS[64]}
    return next((size for size, least in steps.items() if epochs * n // size >= least), 32)
