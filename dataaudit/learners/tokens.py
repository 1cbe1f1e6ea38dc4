"""Texts as tokens: tokenised once where they fit, padded batch by batch."""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from dataaudit.common.types import AnyArray, IntArray
from dataaudit.data.examples import Examples
from dataaudit.data.kinds import is_a, is_table
from dataaudit.data.token_columns import MASK, TYPES
from dataaudit.errors import DataError, ModelError
from dataaudit.errors import rows as named
from dataaudit.learners.hooks import give_logits, take_packed
from dataaudit.learners.layout import GIVEN, Layout

CACHE_BYTES = 2**30
"""Token ids that are kept in memory; texts with more of them are tokenised again for every batch."""

BLOCK = 1024
"""Texts tokenised at a time."""

TOKENS = 2**15
"""Tokens, padding included, that run through a model at a time in evaluation."""

UNLIMITED = 10**6
"""A tokenizer's model_max_length from which it stands for none."""


class Ragged(NamedTuple):
    """Token values of texts of different lengths, one behind the other."""

    values: AnyArray
    """int32 [k, total]: one row for each kind of token values."""
    starts: IntArray
    """int64 [n + 1]: where each text begins, and the end of the last."""

    def padded(self, rows: IntArray, fill: Sequence[int], left: bool) -> tuple[AnyArray, AnyArray]:
        """Values int64 [k, b, longest] of the texts `rows`, and bool [b, longest]: which are not padding."""
        begin, lengths = self.starts[rows], self.starts[rows + 1] - self.starts[rows]
        longest = int(lengths.max())
        position = np.arange(longest)
        skipped = longest - lengths[:, None] if left else 0
        there = position >= skipped if left else position < lengths[:, None]
        source = begin[:, None] + position - skipped
        padded = np.empty((len(self.values), len(rows), longest), np.int64)
        for kind, value in enumerate(fill):
            padded[kind] = value
            padded[kind][there] = self.values[kind][source[there]]
        return padded, there


def check_tokenizer(tokenizer: Any, processor: Any, model: Any, known: int, trains: bool = False) -> None:
    """Raise `ModelError` unless the tokenizer of a `processor` fits a `model` of `known` token vectors.

    A model that `trains` may be changed, and reads data sets that were tokenised beforehand.
    """
    name = type(model).__name__
    origin = getattr(model, "name_or_path", "")
    load = f"pass processor=AutoTokenizer.from_pretrained({repr(origin) if origin else '...'})"
    if processor is None:
        raise ModelError(
            f"a {name} without a tokenizer",
            "the tokenizer that belongs to it" + (", or a data set with a column 'input_ids'" if trains else ""),
            load,
        )
    if not is_a(tokenizer, "transformers.tokenization_utils_base", "PreTrainedTokenizerBase"):
        raise ModelError(
            f"processor= of type {type(processor).__name__} for a {name}",
            "a transformers tokenizer",
            [
                load,
                "pass PreTrainedTokenizerFast(tokenizer_object=...) for one of the tokenizers package",
            ],
        )
    if tokenizer.pad_token_id is None:
        also = ", and model.config.pad_token_id = tokenizer.pad_token_id" if trains else ""
        raise ModelError(
            "a tokenizer without a padding token",
            "one that fills texts of different lengths up",
            f"set tokenizer.pad_token = tokenizer.eos_token{also}",
        )
    words = len(tokenizer)
    if words > known:
        raise ModelError(
            f"a tokenizer of {words} tokens for a {name} of {known}",
            "a vector for each token",
            [
                "pass the tokenizer that belongs to the model",
                *(["call model.resize_token_embeddings(len(tokenizer))"] if trains else []),
            ],
        )


def tokenised(
    tokenizer: Any, texts: list[str], names: Sequence[str], limit: int | None, pairs: list[str] | None = None
) -> Ragged:
    """Token values called `names` of texts, or of them with their `pairs`, each cut to `limit` tokens."""
    settings = {"truncation": limit is not None, "max_length": limit, "return_token_type_ids": TYPES in names}
    encoded = tokenizer(texts, pairs, **settings)
    lengths = np.fromiter(map(len, encoded["input_ids"]), np.int64, len(texts))
    total = int(lengths.sum())
    values = [np.fromiter(itertools.chain.from_iterable(encoded[name]), np.int32, total) for name in names]
    return Ragged(np.stack(values), np.concatenate([[0], np.cumsum(lengths)]))


def kept(examples: Examples, rows: IntArray, names: Sequence[str], limit: int | None, known: int) -> Ragged:
    """Token values called `names` that a data set keeps, each row cut to `limit`, ids below `known`."""
    values, starts = examples.read_tokens(rows, names)
    owner = np.repeat(np.arange(len(rows)), np.diff(starts))
    wrong = np.unique(owner[(values[0] < 0) | (values[0] >= known)])
    if len(wrong):
        raise DataError(
            f"token ids beyond the {known} that the model knows in {named(examples.original(rows[wrong]))}",
            f"ids from 0 to {known - 1}",
            "pass the model whose tokenizer made them, or the texts and processor=",
        )
    lengths = np.diff(starts) if limit is None else np.minimum(np.diff(starts), limit)
    within = np.arange(len(owner)) - starts[owner] < lengths[owner]
    return Ragged(values[:, within], np.concatenate([[0], np.cumsum(lengths)]))


def length_limit(model: Any, tokenizer: Any) -> int | None:
    """Most tokens of a text: the lesser of the tokenizer's limit, if there is one, and the model's positions."""
    longest = UNLIMITED if tokenizer is None else tokenizer.model_max_length
    limits = [longest] if longest < UNLIMITED else []
    for name, part in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(part, nn.Embedding):
            # RoBERTa and its kin count positions from behind the padding's.
            limits.append(part.num_embeddings - (0 if part.padding_idx is None else part.padding_idx + 1))
    positions = getattr(model.config, "max_position_embeddings", None)
    return min([*limits, *([positions] if positions else [])], default=None)


def check_lengths(starts: IntArray, rows: IntArray) -> None:
    """Raise a `DataError` for those of the texts `rows` that have no token, which no model can read."""
    empty = rows[np.diff(starts) == 0]
    if len(empty):
        raise DataError(
            f"no token in {named(empty)}",
            "at least one token a text",
            "drop those rows, or add special tokens",
        )


class TokenBatches:
    """Texts for a transformers model, as one tensor of those of ids, attention mask and token types that it `takes`.

    Batches are padded to their longest text; texts are cut to `limit` tokens. Token ids are kept as 32-bit numbers
    where those of all texts fit in `cache_bytes`; otherwise every batch is tokenised when it is read. `block` texts are
    tokenised at a time. Without a `tokenizer`, the data set keeps the ids, below `known`, and `padding` fills them up.
    """

    layout: Layout = GIVEN

    def __init__(
        self,
        examples: Examples,
        tokenizer: Any,
        takes: Sequence[str],
        limit: int | None,
        cache_bytes: int = CACHE_BYTES,
        block: int = BLOCK,
        known: int = 0,
        padding: int = 0,
    ) -> None:
        self._known = known
        self._cache_bytes, self._block = cache_bytes, block
        self.takes = tuple(takes)
        self._examples, self._tokenizer, self._limit = examples, tokenizer, limit
        self._values = [name for name in self.takes if name != MASK]
        kinds = {TYPES: 0 if tokenizer is None else tokenizer.pad_token_type_id}
        self._fill = [
            kinds.get(name, padding if tokenizer is None else tokenizer.pad_token_id) for name in self._values
        ]
        self._left = tokenizer is not None and tokenizer.padding_side == "left"
        self.kept: Ragged | None = None
        self._longest: int | None = None
        self._full = 0

    @property
    def rows(self) -> int:
        """Number of texts that make `TOKENS` tokens, each as long as the longest."""
        return max(1, TOKENS // (self._longest or self._limit or TOKENS))

    @property
    def notes(self) -> list[str]:
        """Number of texts that were cut, and a note if texts are tokenised for every batch."""
        notes = []
        if self._full:
            notes.append(
                f"{self._full} texts reach the {self._limit} tokens that the model reads of one; what follows is cut"
            )
        if self._longest is not None and self.kept is None:
            notes.append(
                f"texts are tokenised batch by batch: their tokens take more than {self._cache_bytes // 2**20} MiB; "
                "a data set that holds its tokens, in columns input_ids and attention_mask, is read as it lies"
            )
        return notes

    @property
    def identity(self) -> str:
        """Digest of the tokenizer and its limit."""
        backend = getattr(self._tokenizer, "backend_tokenizer", None)
        described: Any = {"tokenised": "beforehand"}
        if self._tokenizer is not None:
            described = self._tokenizer.get_vocab() if backend is None else json.loads(backend.to_str())
        # How it was last called is no part of a tokenizer.
        described = {key: value for key, value in described.items() if key not in ("truncation", "padding")}
        settings = json.dumps([described, self.takes, self._fill, self._left, self._limit], sort_keys=True)
        return hashlib.blake2b(settings.encode(), digest_size=16).hexdigest()

    def prepare(self) -> None:
        """Tokenise all texts once; other inputs and texts without a token are refused."""
        if self._longest is not None:
            return
        n = len(self._examples)
        lengths = np.empty(n, np.int64)
        parts: list[AnyArray] = []
        taken = 0
        for start in range(0, n, self._block):
            rows = np.arange(start, min(start + self._block, n), dtype=np.int64)
            block = self._tokens(rows)
            check_lengths(block.starts, self._examples.original(rows))
            lengths[rows] = np.diff(block.starts)
            taken += block.values.nbytes
            if taken <= self._cache_bytes:
                parts.append(block.values)
            else:
                parts.clear()
        if taken <= self._cache_bytes:
            self.kept = Ragged(np.concatenate(parts, axis=1), np.concatenate([[0], np.cumsum(lengths)]))
        self._longest = int(lengths.max())
        self._full = int((lengths >= self._limit).sum()) if self._limit is not None else 0

    def on(self, examples: Examples) -> TokenBatches:
        """Texts of another data set, by the same tokenizer."""
        other = copy.copy(self)
        other._examples = examples
        other.kept, other._longest, other._full = None, None, 0
        other.prepare()
        return other

    def attach(self, module: Any) -> None:
        """Have the model take the tensor of `batch` and return its logits."""
        take_packed(module, self.takes)
        give_logits(module)

    def batch(self, indices: IntArray) -> Tensor:
        """Tokens of the rows `indices`, int64 [b, k, longest]: k arrays in the order of `takes`."""
        self.prepare()
        ragged, rows = self.kept, np.asarray(indices)
        if ragged is None:
            ragged, rows = self._tokens(rows), np.arange(len(rows))
        values, there = ragged.padded(rows, self._fill, self._left)
        by_name = dict(zip(self._values, values, strict=True)) | {MASK: there.astype(np.int64)}
        return torch.from_numpy(np.stack([by_name[name] for name in self.takes], axis=1))

    def _tokens(self, rows: IntArray) -> Ragged:
        if self._tokenizer is None:
            return kept(self._examples, rows, self._values, self._limit, self._known)
        read = self._examples.read(rows)
        if is_table(read) and read.shape[1] == 2 and read.map(lambda text: isinstance(text, str)).all(axis=None):
            first, second = (read.iloc[:, side].tolist() for side in (0, 1))
            return tokenised(self._tokenizer, first, self._values, self._limit, second)
        texts = np.asarray(read)
        if texts.ndim != 1 or not all(isinstance(text, str) for text in texts):
            raise DataError(
                f"inputs of type {texts.dtype} and shape {texts.shape} for a tokenizer",
                "one text an example, or two columns of texts",
                "pass texts (a list, or one or two text columns by inputs=), or a model of numbers, and no processor=",
            )
        return tokenised(self._tokenizer, texts.tolist(), self._values, self._limit)
