"""Check of a torch module's outputs for a few rows, before any training."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dataaudit.errors import ModelError


class OutputsError(ModelError):
    """Outputs of a module that takes the inputs are not logits of the classes."""


def check_outputs(module: nn.Module, inputs: Tensor, name: str, classes: int) -> None:
    """Raise `ModelError` if a module fails on a batch, `OutputsError` unless it gives one logit for row and class."""
    try:
        with torch.inference_mode():
            outputs = module(inputs)
    except ModelError:
        raise
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise ModelError(
            f"a {name} that fails on inputs {tuple(inputs.shape)} of {inputs.dtype}: {error}",
            "a model that takes a batch of the data set's inputs",
            "change the model's first layer, or reshape the inputs (transform=)",
        ) from error
    if not isinstance(outputs, Tensor):
        raise OutputsError(
            f"a {name} that returns {type(outputs).__name__}",
            "logits: one tensor [batch, classes]",
            "wrap the model so that it returns its logits only",
        )
    if outputs.shape != (len(inputs), classes):
        raise OutputsError(
            f"model outputs of shape {tuple(outputs.shape)} for {len(inputs)} rows",
            f"{(len(inputs), classes)}: one logit for each of the {classes} classes",
            f"give the last layer {classes} outputs (num_labels={classes} in transformers)",
        )
