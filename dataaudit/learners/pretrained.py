"""Test for signs that a module as passed was trained on the data at hand before."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from itertools import chain

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd
from torch.nn.parameter import is_lazy

from dataaudit.common.types import IntArray
from dataaudit.learners.weights import shuffle_weights

ROWS = 2000
COPIES = 16
MANY_COPIES = 100
"""Copies of small networks that nothing but their fit tells from fresh ones."""
SMALL = 100_000
"""Most weights of a small network."""
FEWER_ROWS = 500
EDGE = 5
"""Uniform draws number n leave the outermost share of 5 / n of their interval empty once in 150 times."""


def moved(module: nn.Module) -> bool | None:
    """Tell by its weights whether a module was trained: False for a fresh one, None where they say nothing.

    Layers of torch draw weights and biases from an interval, or make them constant, and hardly any step of training
    leaves all of them there. Biases and scales that were made constant are moved by every step. The last layer that
    says something counts: a fresh head makes a fresh model of a trained body. Gradients are left by training alone.
    """
    if any(parameter.grad is not None for parameter in module.parameters()):
        return True
    said = [one for one in map(_layer_moved, module.modules()) if one is not None]
    if not said:
        return None
    return said[-1] if any(said) else False


def _layer_moved(part: nn.Module) -> bool | None:
    own = [
        p.detach()
        for p in part.parameters(recurse=False)
        if not is_lazy(p) and p.numel() > 1 and p.requires_grad and p.is_floating_point()
    ]
    if not own:
        return None
    bound, vectors = _bound(part), [p for p in own if p.ndim < 2]
    outside = [bound is None or _largest(p) > bound * _rounding(p) for p in own]
    full = [_constant(p) or _largest(p) >= (bound or 0) * (1 - EDGE / p.numel()) for p in own]
    if all(full) and not any(outside):
        return False
    if vectors and all(map(_constant, vectors)):
        return False
    return True if any(out and p.ndim < 2 and not _constant(p) for p, out in zip(own, outside, strict=True)) else None


def _bound(part: nn.Module) -> float | None:
    """Largest weight and bias that a layer of torch draws; None for other layers."""
    if isinstance(part, (nn.RNNBase, nn.RNNCellBase)):
        return 1 / math.sqrt(part.hidden_size)
    if isinstance(part, (nn.Linear, nn.Bilinear, _ConvNd)):
        return 1 / math.sqrt(max(1, part.weight[0].numel() if not isinstance(part, nn.Bilinear) else part.in1_features))
    return None


def _largest(values: Tensor) -> float:
    return float(values.abs().max())


def _rounding(values: Tensor) -> float:
    return 1 + 2 * torch.finfo(values.dtype).eps


def _constant(values: Tensor) -> bool:
    return bool((values == values.reshape(-1)[0]).all())


def _remembers(module: nn.Module) -> bool:
    """Tell whether buffers that are no statistics hold something."""
    parts = (part for part in module.modules() if not isinstance(part, _NormBase))
    buffers = chain.from_iterable(part.buffers(recurse=False) for part in parts)
    return any(b.is_floating_point() and not is_lazy(b) and b.numel() > 1 and not _constant(b) for b in buffers)


def shows_training(
    module: nn.Module,
    probabilities: Callable[[nn.Module, IntArray], Tensor],
    labels: IntArray,
    classes: int,
    seed: int,
    trained: bool | None = None,
) -> float | None:
    """Accuracy of a module in evaluation mode if it shows training on these data; None if it does not.

    It must beat the majority class by five standard errors, and its weights must not be fresh (see `moved`, whose
    answer is `trained`), unless its buffers give the answers whatever the weights. Weights that were moved must give
    the labels more probability than half way between chance and certainty, or than all copies of the module whose
    weights are shuffled within each tensor, by three of their standard deviations. Weights that say nothing must give
    more than all of these copies, of which an untrained network is one.
    """

    def agreement(module: nn.Module, rows: IntArray) -> tuple[float, float]:
        """Accuracy and mean probability of the given labels."""
        predicted, given = probabilities(module, rows), torch.tensor(labels[rows])
        right = (predicted.argmax(1) == given).double().mean()
        return float(right), float(predicted.gather(1, given[:, None]).double().nanmean())

    if trained is False and not _remembers(module):
        return None
    count = min(ROWS, len(labels))
    chosen = np.sort(np.random.default_rng(seed).choice(len(labels), count, replace=False))
    accuracy, confidence = agreement(module, chosen)
    majority = np.bincount(labels).max() / len(labels)
    if accuracy <= majority + 5 * np.sqrt(majority * (1 - majority) / count):
        return None
    fewer = chosen[:: max(1, count // FEWER_ROWS)]
    small = trained is None and sum(p.numel() for p in module.parameters() if not is_lazy(p)) <= SMALL
    copies = range(MANY_COPIES if small else COPIES)
    null = [agreement(shuffle_weights(copy.deepcopy(module), seed + number), fewer)[1] for number in copies]
    half_way = (1 + 1 / classes) / 2
    if trained is None and small:
        known = confidence > max(null)
    elif trained is False:
        known = float(np.mean(null)) > half_way
    else:
        clear = float(np.mean(null)) + 3 * max(float(np.std(null)), 0.01)
        known = confidence > max(*null, clear) or (confidence > half_way and trained is not None)
    return accuracy if known else None
