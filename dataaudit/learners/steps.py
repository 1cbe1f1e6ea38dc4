"""Batches of an epoch, gradients that optimisers take, and the optimiser of a recipe."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from dataaudit.learners.recipes import Recipe


def shuffled_batches(rows: Tensor, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Shuffled batches; a last batch of one row joins the one before, for batch normalisation needs two."""
    batches = list(torch.split(rows[torch.randperm(len(rows), generator=generator)], size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return iter(batches)


def with_dense_gradients(module: nn.Module) -> nn.Module:
    """The module, of whose embeddings none gives sparse gradients: few optimisers take them."""
    for part in module.modules():
        if isinstance(part, (nn.Embedding, nn.EmbeddingBag)):
            part.sparse = False
    return module


def optimizer_of(recipe: Recipe, module: nn.Module) -> torch.optim.Optimizer:
    """Optimiser of the parameters that are trained."""
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    # One kernel for all of an update, where there is one.
    fused = all(p.is_floating_point() and p.device.type in ("cpu", "cuda") for p in parameters)
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(parameters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=fused)
    return torch.optim.SGD(
        parameters,
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov and recipe.momentum > 0,
        weight_decay=recipe.weight_decay,
        fused=fused,
    )
