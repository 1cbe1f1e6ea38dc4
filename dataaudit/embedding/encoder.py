"""Sentence models: loaded from a folder with the pooling that it describes, or built of a model and a tokenizer."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dataaudit.data.kinds import is_a
from dataaudit.errors import ModelError, SettingError, require
from dataaudit.learners.devices import resolve_device
from dataaudit.learners.tokens import Ragged, length_limit, tokenised

POOLINGS = ("mean", "cls", "max")
MODULES = ("Transformer", "Pooling", "Normalize")
"""Parts of a sentence-transformers model that are understood."""

POOLER = "pooler."
"""Weights that no pooling here reads, and that many folders lack."""


@dataclass(frozen=True)
class Encoder:
    """A transformers encoder with its tokenizer and pooling."""

    model: nn.Module
    tokenizer: Any
    pooling: str
    """"mean" over the tokens of a text, "cls" (its first token) or "max"."""
    limit: int | None
    """Tokens of a text that are read; None for all."""
    device: torch.device

    def tokens(self, texts: list[str]) -> Ragged:
        """Token ids of texts, cut to the limit."""
        return tokenised(self.tokenizer, texts, ["input_ids"], self.limit)

    @torch.inference_mode()
    def vectors(self, tokens: Ragged, rows: Any, normalise: bool) -> Tensor:
        """Pooled vectors float32 [b, d] of the texts `rows`, on the CPU; `ModelError` if they are not finite."""
        (ids,), there = tokens.padded(rows, [self.tokenizer.pad_token_id], self.tokenizer.padding_side == "left")
        mask = torch.from_numpy(there).to(self.device)
        output = self.model(input_ids=torch.from_numpy(ids).to(self.device), attention_mask=mask.long())
        hidden = output[0] if isinstance(output, tuple) else getattr(output, "last_hidden_state", None)
        if not isinstance(hidden, Tensor) or hidden.ndim != 3:
            raise ModelError(
                f"a {type(self.model).__name__} without last_hidden_state",
                "an encoder without a head",
                "load it with AutoModel, or pass model.base_model",
            )
        vectors = pooled(hidden.float(), mask, self.pooling)
        if normalise:
            vectors = nn.functional.normalize(vectors)
        if not torch.isfinite(vectors).all():
            raise ModelError(
                f"NaN or infinite vectors from a {type(self.model).__name__}", "finite ones", "load it in float32"
            )
        return vectors.cpu()


def pooled(hidden: Tensor, mask: Tensor, pooling: str) -> Tensor:
    """One vector a text [b, d] of its tokens' vectors [b, t, d]; `mask` [b, t] tells tokens from padding."""
    if pooling == "cls":
        first = mask.int().argmax(1)
        return hidden[torch.arange(len(hidden), device=hidden.device), first]
    if pooling == "max":
        return hidden.masked_fill(~mask[:, :, None], -torch.inf).amax(1)
    return (hidden * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)


def load(model: Any, tokenizer: Any, max_length: int | None, device: str) -> Encoder:
    """Encoder of a folder, a name or objects, checked for what `embed` needs."""
    transformers = require("transformers", "transformers", "embedding texts")
    target = resolve_device(device)
    pooling, described = "mean", None
    if is_a(model, "sentence_transformers", "SentenceTransformer"):
        model, own, pooling, described = _of_sentences(model)
        tokenizer = own if tokenizer is None else tokenizer
    if isinstance(model, (str, Path)):
        pooling, described = _described(str(model))
        # Weights that a folder lacks are drawn, and must not move the caller's generator.
        with _quiet(), torch.random.fork_rng(devices=[]):
            encoder, loading = transformers.AutoModel.from_pretrained(str(model), output_loading_info=True)
            tokenizer = transformers.AutoTokenizer.from_pretrained(str(model)) if tokenizer is None else tokenizer
        missing = sorted(name for name in loading["missing_keys"] if not name.startswith(POOLER))
        if missing:
            raise ModelError(
                f"{len(missing)} weights that {str(model)!r} lacks, {missing[0]!r} among them",
                "all weights of the encoder",
                "save the model again with save_pretrained",
            )
        encoder = encoder.to(target)
    elif is_a(model, "transformers.modeling_utils", "PreTrainedModel"):
        encoder = model
        if device == "auto":
            target = next(model.parameters()).device
        elif next(model.parameters()).device != target:
            encoder = copy.deepcopy(model).to(target)
    else:
        raise ModelError(
            f"a sentence model of type {type(model).__name__}",
            "a folder or name of one, a SentenceTransformer, or a transformers model",
            "pass a folder that AutoModel.from_pretrained reads",
        )
    _check(encoder, tokenizer)
    limit = length_limit(encoder, tokenizer)
    if max_length is not None and limit is not None and max_length > limit:
        raise SettingError(
            f"max_length={max_length}", f"at most {limit} tokens, which the model reads", "lower it, or leave it out"
        )
    if max_length is None and described is not None:
        max_length = described if limit is None else min(described, limit)
    return Encoder(encoder, tokenizer, pooling, limit if max_length is None else max_length, target)


def _check(model: Any, tokenizer: Any) -> None:
    name = type(model).__name__
    if getattr(model, "main_input_name", None) != "input_ids" or getattr(model.config, "is_encoder_decoder", False):
        raise ModelError(f"a {name}", "an encoder of texts", "pass another model, or model.get_encoder()")
    if tokenizer is None:
        raise ModelError(
            f"a {name} without a tokenizer",
            "the tokenizer that belongs to it",
            "pass tokenizer=AutoTokenizer.from_pretrained(...)",
        )
    if not is_a(tokenizer, "transformers.tokenization_utils_base", "PreTrainedTokenizerBase"):
        raise ModelError(
            f"tokenizer= of type {type(tokenizer).__name__}",
            "a transformers tokenizer",
            "pass tokenizer=AutoTokenizer.from_pretrained(...)",
        )
    if tokenizer.pad_token_id is None:
        raise ModelError(
            "a tokenizer without a padding token",
            "one that fills texts of different lengths up",
            "set tokenizer.pad_token = tokenizer.eos_token",
        )
    words, known = len(tokenizer), model.get_input_embeddings().num_embeddings
    if words > known:
        raise ModelError(
            f"a tokenizer of {words} tokens for a {name} of {known}",
            "a vector for each token",
            "pass the tokenizer that belongs to the model",
        )


def _of_sentences(model: Any) -> tuple[Any, Any, str, int | None]:
    """Transformer, tokenizer, pooling and largest number of tokens of a ``SentenceTransformer``."""
    parts = {type(part).__name__: part for part in model}
    _check_parts(list(parts))
    settings = parts["Pooling"].get_config_dict() if "Pooling" in parts else {}
    return parts["Transformer"].auto_model, model.tokenizer, _pooling(settings), model.max_seq_length


def _check_parts(names: list[str]) -> None:
    unknown = [name for name in names if name.rpartition(".")[2] not in MODULES]
    if unknown:
        raise ModelError(
            f"a sentence model with {unknown[0]}",
            f"{', '.join(MODULES)} and no other part",
            "embed with its own package, and pass the vectors",
        )


def _described(model: str) -> tuple[str, int | None]:
    """Pooling and largest number of tokens that a sentence-transformers folder names; "mean" and None for others."""
    parts = _json(model, "modules.json") or []
    _check_parts([part["type"] for part in parts])
    folders = [part["path"] for part in parts if part["type"].endswith(".Pooling")]
    settings = _json(model, f"{folders[0] if folders else '1_Pooling'}/config.json") or {}
    limit = (_json(model, "sentence_bert_config.json") or {}).get("max_seq_length")
    return _pooling(settings), limit


def _pooling(settings: dict[str, Any]) -> str:
    """Pooling of a folder's settings, which name it or mark it with true."""
    names = {"cls_token": "cls", "mean_tokens": "mean", "max_tokens": "max"}
    marked = [key.removeprefix("pooling_mode_") for key, value in settings.items() if value is True]
    poolings = [names.get(key, key) for key in marked if f"pooling_mode_{key}" in settings]
    named = settings.get("pooling_mode", [])
    poolings += [named] if isinstance(named, str) else list(named)
    if not settings:
        return "mean"
    if len(poolings) != 1 or poolings[0] not in POOLINGS:
        raise ModelError(
            f"a sentence model that pools by {' and '.join(poolings) or 'nothing'}",
            f"one of {', '.join(POOLINGS)}",
            "embed with its own package, and pass the vectors",
        )
    return str(poolings[0])


def _json(model: str, name: str) -> Any:
    """Content of a file beside the model; None where there is no such file."""
    from transformers.utils import cached_file

    path = cached_file(model, name, _raise_exceptions_for_missing_entries=False)
    return None if path is None else json.loads(Path(path).read_text("utf-8"))


@contextmanager
def _quiet() -> Iterator[None]:
    """Loading without bars and reports; the caller checks for missing weights."""
    from transformers.utils import logging

    bars, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
