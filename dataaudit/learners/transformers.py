"""transformers models: checked against processor and data set, then trained as any torch model."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from dataaudit.data.examples import Examples
from dataaudit.data.kinds import is_a
from dataaudit.data.token_columns import IDS, MASK, TYPES
from dataaudit.errors import ModelError, SettingError
from dataaudit.learners.base import BatchBuilder
from dataaudit.learners.hooks import HEAD
from dataaudit.learners.pixels import PixelBatches
from dataaudit.learners.recipes import FINETUNE, TRANSFORMER, Automatic, Recipe, of_length
from dataaudit.learners.tokens import TokenBatches, check_tokenizer, length_limit
from dataaudit.learners.torch import TorchLearner


def transformers_learner(
    model: nn.Module | Callable[[], nn.Module],
    module: Any,
    examples: Examples,
    recipe: Recipe | Automatic | None,
    device: torch.device,
    processor: Any,
) -> TorchLearner:
    """Learner for a transformers model, or for a function that returned `module`.

    Without a recipe it is "finetune" where the model's weights were trained before, otherwise "transformer".
    """
    kind = getattr(module.config, "problem_type", None)
    if kind not in (None, "single_label_classification"):
        raise ModelError(
            f"a {type(module).__name__} with problem_type={kind!r}",
            "one label an example",
            "set problem_type='single_label_classification' in its configuration",
        )
    _check_order(module, examples)
    if module.main_input_name == "input_ids":
        builder: BatchBuilder = _of_texts(module, examples, processor)
        if isinstance(recipe, Recipe) and recipe.augment is not None:
            raise SettingError("a recipe with augment= for texts", "one without", "pass a recipe with augment=None")
    elif module.main_input_name == "pixel_values":
        builder = _of_images(module, examples, processor)
    else:
        raise ModelError(
            f"a {type(module).__name__}, which takes {module.main_input_name!r}",
            "a model of texts (input_ids) or images (pixel_values)",
            f"pass a model of {HEAD}",
        )
    recipe = of_length(FINETUNE if trained_before(module) else TRANSFORMER, recipe)
    return TorchLearner(model, examples, recipe, device, builder)


def trained_before(model: Any) -> bool:
    """Test if training has moved the weights below the head.

    Biases and scales of a fresh transformers model are constant vectors, and stay so through no step of training.
    """
    body = getattr(model, "base_model", model)
    return any(
        p.ndim == 1 and p.is_floating_point() and len(p) > 1 and bool((p != p[0]).any()) for p in body.parameters()
    )


def _check_order(model: Any, examples: Examples) -> None:
    """Raise where the head names the data set's classes in another order: its outputs would mean other classes."""
    named = getattr(model.config, "id2label", None) or {}
    head = [str(named[position]) for position in sorted(named)]
    names = list(examples.class_names)
    if head != names and sorted(head) == sorted(names):
        raise ModelError(
            f"a head for the classes {head} in this order",
            f"the order of the data set, {names}",
            "pass labels as positions in config.id2label, or set config.id2label and train the head anew",
        )


def _of_texts(model: Any, examples: Examples, processor: Any) -> TokenBatches:
    tokenizer = getattr(processor, "tokenizer", processor)
    if examples.tokenised and (processor is None or examples.columns == (IDS,)):
        return _of_tokens(model, examples, tokenizer)
    check_tokenizer(tokenizer, processor, model, model.get_input_embeddings().num_embeddings, trains=True)
    padding = getattr(model.config, "pad_token_id", None)
    if padding != tokenizer.pad_token_id:
        raise ModelError(
            f"pad_token_id {padding} of the model and {tokenizer.pad_token_id} of the tokenizer",
            "the same one",
            "set config.pad_token_id = tokenizer.pad_token_id (in a factory, before the model is made)",
        )
    parameters = inspect.signature(type(model).forward).parameters
    # Batches are padded here, whatever the tokenizer is used to give.
    named = (MASK, *tokenizer.model_input_names)
    optional = [one for one in (MASK, TYPES) if one in parameters and one in named]
    return TokenBatches(examples, tokenizer, ("input_ids", *optional), length_limit(model, tokenizer))


def _of_tokens(model: Any, examples: Examples, tokenizer: Any) -> TokenBatches:
    """Batches of token ids that the data set keeps; a tokenizer, where there is one, only says what fills them up."""
    padding = getattr(model.config, "pad_token_id", None)
    padding = getattr(tokenizer, "pad_token_id", None) if padding is None else padding
    if padding is None:
        raise ModelError(
            f"a {type(model).__name__} without a padding token, for token ids of different lengths",
            "one that fills them up",
            "set model.config.pad_token_id",
        )
    parameters = inspect.signature(type(model).forward).parameters
    optional = [name for name in (MASK, TYPES) if name in parameters and name in (MASK, *examples.tokenised)]
    known = model.get_input_embeddings().num_embeddings
    limit = length_limit(model, None)
    return TokenBatches(examples, None, (IDS, *optional), limit, known=known, padding=int(padding))


def _of_images(model: Any, examples: Examples, processor: Any) -> PixelBatches:
    images = getattr(processor, "image_processor", processor)
    if images is not None and not is_a(images, "transformers.image_processing_base", "ImageProcessingMixin"):
        raise ModelError(
            f"processor= of type {type(processor).__name__} for a {type(model).__name__}",
            "a transformers image processor",
            "pass processor=AutoImageProcessor.from_pretrained(...), or none for pixels divided by 255",
        )
    return PixelBatches(examples, images, int(getattr(model.config, "num_channels", 3)))
