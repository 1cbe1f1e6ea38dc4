"""Encoders of texts: a transformers model with its tokenizer and pooling, or a tower of texts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dataaudit.common.types import IntArray
from dataaudit.data.kinds import is_a
from dataaudit.embedding.base import Encoder
from dataaudit.embedding.pictures import Kind
from dataaudit.embedding.towers import has_towers, projected
from dataaudit.errors import ModelError, SettingError
from dataaudit.learners.tokens import Ragged, check_lengths, check_tokenizer, length_limit, tokenised

TOWER = "tower"
"""Pooling of a model whose tower of texts gives a vector itself."""


@dataclass
class TextEncoder(Encoder):
    """A transformers encoder with its tokenizer and pooling."""

    module: nn.Module
    tokenizer: Any
    pooling: str
    """"mean" over the tokens of a text, "cls" (its first token), "max", or `TOWER`."""
    limit: int | None
    """Tokens of a text that are read; None for all."""
    device: torch.device
    name: str

    takes: Kind = "texts"

    @property
    def described(self) -> dict[str, Any]:
        """Record for an audit's settings."""
        return {"model": self.name, "pooling": self.pooling, "tokens": self.limit}

    @property
    def settings(self) -> Any:
        """Tokenizer, pooling and limit."""
        backend = getattr(self.tokenizer, "backend_tokenizer", None)
        words = sorted(self.tokenizer.get_vocab().items()) if backend is None else backend.to_str()
        return [hashlib.blake2b(repr(words).encode()).hexdigest(), self.pooling, self.limit]

    def batches(self, inputs: Sequence[Any], rows: IntArray, size: int) -> Iterator[tuple[IntArray, Tensor]]:
        """As `Encoder.batches`, in batches of about one length, the longest first."""
        tokens = tokenised(self.tokenizer, list(inputs), ["input_ids"], self.limit)
        check_lengths(tokens.starts, rows)
        order = np.argsort(-np.diff(tokens.starts), kind="stable")
        for start in range(0, len(order), size):
            positions = order[start : start + size]
            yield positions, self._vectors(tokens, positions)

    def _vectors(self, tokens: Ragged, rows: IntArray) -> Tensor:
        (ids,), there = tokens.padded(rows, [self.tokenizer.pad_token_id], self.tokenizer.padding_side == "left")
        mask = torch.from_numpy(there).to(self.device)
        given = {"input_ids": torch.from_numpy(ids).to(self.device), "attention_mask": mask.long()}
        if self.pooling == TOWER:
            tower: Any = self.module
            return projected(tower.get_text_features(**given)).float()
        output = self.module(**given)
        hidden = output[0] if isinstance(output, tuple) else getattr(output, "last_hidden_state", None)
        if not isinstance(hidden, Tensor) or hidden.ndim != 3:
            raise ModelError(
                f"a {type(self.module).__name__} without last_hidden_state",
                "an encoder without a head",
                "load it with AutoModel, or pass model.base_model",
            )
        return pooled(hidden.float(), mask, self.pooling)


def pooled(hidden: Tensor, mask: Tensor, pooling: str) -> Tensor:
    """One vector a text [b, d] of its tokens' vectors [b, t, d]; `mask` [b, t] tells tokens from padding."""
    if pooling == "cls":
        first = mask.int().argmax(1)
        return hidden[torch.arange(len(hidden), device=hidden.device), first]
    if pooling == "max":
        return hidden.masked_fill(~mask[:, :, None], -torch.inf).amax(1)
    return (hidden * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)


def text_encoder(
    module: Any, tokenizer: Any, pooling: str, described: int | None, max_length: int | None, name: str
) -> TextEncoder:
    """Encoder of a model that is at hand, checked; `described` is the largest number of tokens that its folder names.

    Raises
    ------
    ModelError
        If it is no encoder of texts, or tokenizer and model do not belong together.
    SettingError
        If `max_length` is more than the model reads.
    """
    tokenizer = getattr(tokenizer, "tokenizer", tokenizer)
    _check(module, tokenizer)
    limit = length_limit(getattr(module, "text_model", module), tokenizer)
    if max_length is not None and limit is not None and max_length > limit:
        raise SettingError(
            f"max_length={max_length}",
            f"at most {limit} tokens, which the model reads",
            [f"pass max_length={limit}", "leave out max_length="],
        )
    if max_length is None and described is not None:
        max_length = described if limit is None else min(described, limit)
    pooling = TOWER if has_towers(module) else pooling
    device = next(module.parameters()).device
    return TextEncoder(module, tokenizer, pooling, limit if max_length is None else max_length, device, name)


def _decodes(module: Any) -> bool:
    """Tell a model that writes texts from its encoder, whose settings say the same of themselves."""
    both = getattr(module.config, "is_encoder_decoder", False)
    return both and any(name.rpartition(".")[2] == "decoder" for name, _ in module.named_modules())


def _check(module: Any, tokenizer: Any) -> None:
    name = type(module).__name__
    if not is_a(module, "transformers.modeling_utils", "PreTrainedModel") or module.main_input_name == "pixel_values":
        raise ModelError(
            f"texts for a {name}, which is no model of texts",
            "a folder or name of a sentence model, a SentenceTransformer, or a transformers encoder",
            "pass another model, or the images that this one reads",
        )
    if has_towers(module) and module.config.model_type != "clip":
        raise ModelError(f"texts for a {name}", "CLIP, or a sentence model", "pass another model for texts")
    if module.main_input_name != "input_ids" or _decodes(module):
        raise ModelError(f"a {name}", "an encoder of texts", "pass another model, or model.get_encoder()")
    known = getattr(module, "text_model", module).get_input_embeddings().num_embeddings
    check_tokenizer(tokenizer, tokenizer, module, known)
