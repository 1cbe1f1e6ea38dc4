"""Test of mirror symmetry, from the images alone: can mirrored images be recognised as mirrored?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dataaudit.common.types import AnyArray, FloatArray, IntArray
from dataaudit.data.examples import Examples
from dataaudit.data.inspection import readable

ROWS = 2000
"""Most images that are looked at."""

BLOCK = 64
"""Images in memory at a time."""

LEAST = 20
"""Fewest images of a class that it can be judged by."""

TOLERATED = 0.6
"""Share of images distinguished from their mirror images up to which both count as alike; a half is chance."""

SIDE = 8
SHRINKAGE = 0.3


@dataclass(frozen=True)
class MirrorTest:
    """Result of `mirror_test`."""

    share: float
    """Share of images distinguished from their mirror images; NaN where no class has enough of them."""
    images: int
    """Images looked at."""
    alike: bool
    """True if neither all classes together nor any one exceed `TOLERATED` by two standard errors."""


def mirror_test(
    examples: Examples, seed: int, turn: Callable[[AnyArray], AnyArray] = lambda images: images
) -> MirrorTest:
    """Test if mirrored images are like the images of their class, on at most `ROWS` readable images drawn by `seed`.

    The feature is the difference between the left half and the mirrored right half, averaged over an 8 x 8 grid. A
    mirror image has the same with the other sign, so a rule is a direction: fitted to one half of a class by shrunken
    linear discriminants, tried on the other half. Each class by itself, because two may differ in the side alone.
    `turn` brings images as they are read to [b, c, H, W].
    """
    n = len(examples)
    chosen = np.sort(np.random.default_rng(seed).permutation(n)[:ROWS])
    rows, odd = [], []
    for start in range(0, len(chosen), BLOCK):
        for part, images in readable(examples, chosen[start : start + BLOCK], []):
            rows.append(part)
            odd.append(odd_part(np.asarray(turn(images))))
    if not rows:
        return MirrorTest(float("nan"), 0, False)
    return _tested(np.concatenate(odd), examples.labels[np.concatenate(rows)])


def odd_part(images: AnyArray) -> FloatArray:
    """Left half minus mirrored right half of images [b, c, H, W], averaged over a grid, float64 [b, f]."""
    half = images.shape[3] // 2
    if half == 0:
        return np.zeros((len(images), 1))
    difference = images[..., :half].astype(np.float32) - images[..., ::-1][..., :half].astype(np.float32)
    for axis, most in ((2, SIDE), (3, SIDE // 2)):
        size = difference.shape[axis]
        edges = np.arange(min(most, size)) * size // min(most, size)
        difference = np.add.reduceat(difference, edges, axis)
    return np.nan_to_num(difference.reshape(len(images), -1).astype(np.float64))


def _tested(odd: FloatArray, labels: IntArray) -> MirrorTest:
    hits, sizes = [], []
    power = (odd**2).mean(0)
    odd = odd / np.sqrt(power + 1e-6 * power.mean() + np.finfo(float).tiny)
    for label in np.unique(labels):
        own = odd[labels == label]
        if len(own) >= LEAST:
            hits.append(_recognised(own[::2], own[1::2]) + _recognised(own[1::2], own[::2]))
            sizes.append(len(own))
    if not hits:
        return MirrorTest(float("nan"), len(labels), False)
    right, total = np.array([*hits, sum(hits)]), np.array([*sizes, sum(sizes)])
    alike = bool((right / total - 1.0 / np.sqrt(total) <= TOLERATED).all())
    return MirrorTest(float(right[-1] / total[-1]), len(labels), alike)


def _recognised(known: FloatArray, others: FloatArray) -> float:
    """Number of the others that lie on the side of the known ones; one that lies on neither counts half."""
    scatter = known.T @ known / len(known)
    level = max(float(np.trace(scatter)) / len(scatter), np.finfo(float).tiny)
    direction = np.linalg.solve(scatter + SHRINKAGE * level * np.eye(len(scatter)), known.mean(0))
    side = others @ direction
    return float((side > 0).sum() + 0.5 * (side == 0).sum())
