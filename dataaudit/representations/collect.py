"""Several representations of one model from one forward pass over the data."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from dataaudit.common.fingerprints import fingerprint_of
from dataaudit.common.progress import progress_bar
from dataaudit.common.types import IntArray
from dataaudit.errors import ModelError, rows
from dataaudit.learners.weights import uncompiled
from dataaudit.representations.base import Features
from dataaudit.representations.keep import Keep, in_memory
from dataaudit.representations.modules import watching
from dataaudit.representations.readers import Batch, Reader, softmax_delta
from dataaudit.representations.spaces import SPACES, Space

ROWS = 1024


class TorchModel(Protocol):
    """Fitted torch model, as `dataaudit.learners.fitted.TorchFitted`."""

    module: nn.Module

    @property
    def rows(self) -> int:
        """Examples that run through the model at a time, `ROWS` at the most."""

    def inputs(self, indices: IntArray) -> Tensor:
        """Inputs of the rows `indices` on the model's device."""

    @property
    def rounds(self) -> bool:
        """Whether the model runs in another precision than its own."""

    def running(self) -> AbstractContextManager[object]:
        """Precision in which the model runs."""


def _reader(space: Space, module: nn.Module, inputs: Tensor, keep: Keep, seed: int) -> Reader:
    path, _, attribute = (SPACES[space.name].reader or "").partition(":")
    kind: type[Reader] = getattr(importlib.import_module(path), attribute)
    return kind(module, inputs, keep, space, seed)


def readers(
    fitted: TorchModel, spaces: Sequence[Space], n: int, seed: int, keeps: Callable[[Space], Keep] | None = None
) -> list[Reader]:
    """Readers of the `spaces`, set up by running two rows; what they read is kept in memory by default.

    Raises `ModelError` if the model has no such representation.
    """
    module = uncompiled(fitted.module).eval()
    inputs = fitted.inputs(np.arange(min(2, n), dtype=np.int64))
    keeps = keeps or (lambda space: in_memory(n))
    return [_reader(space, module, inputs, keeps(space), seed) for space in spaces]


def weights_of(fitted: TorchModel) -> str:
    """Digest of a model's weights and buffers."""
    state = fitted.module.state_dict()
    # NumPy knows no bfloat16.
    return fingerprint_of(
        {
            name: value.float() if isinstance(value, Tensor) and value.is_floating_point() else value
            for name, value in state.items()
        }
    )


def represent(
    fitted: TorchModel,
    spaces: Sequence[Space],
    labels: IntArray,
    seed: int,
    progress: bool,
    keeps: Callable[[Space], Keep] | None = None,
    shows: Sequence[Callable[[IntArray, Tensor, IntArray], None]] = (),
    batch_size: int = ROWS,
) -> dict[Space, tuple[Features, dict[str, Any]]]:
    """Representations float32 with what to record of each, in evaluation mode.

    The model runs in the precision that it was trained in; for gradients in its own, in a pass of theirs where the two
    differ, so that asking for gradients changes nothing of what else is read and shown.
    Memory: what a batch of `batch_size` examples takes, and the representations, unless `keeps` puts them elsewhere.
    Batches whose rows are all kept already are not run again, unless `shows` want their logits: each is called with
    rows [b], logits [b, C] and labels [b] of every batch. Raises `ModelError` if the model has no such representation,
    or gives NaN or infinity, and `StorageError` if rows cannot be written.
    """
    n = len(labels)
    all_readers = readers(fitted, spaces, n, seed, keeps)
    # Batches of nearly one size: models that squeeze do not like one of a single row.
    count = max(1, -(-n // min(batch_size, fitted.rows)))
    edges = n * np.arange(count + 1) // count
    exact = [reader for reader in all_readers if reader.exact and fitted.rounds]
    others = [reader for reader in all_readers if not (reader.exact and fitted.rounds)]
    if others or shows:
        _read(fitted, others, labels, edges, progress, shows)
    if exact:
        _read(fitted, exact, labels, edges, progress, exact=True)
    return {space: (one.features(), one.described) for space, one in zip(spaces, all_readers, strict=True)}


def _read(
    fitted: TorchModel,
    all_readers: Sequence[Reader],
    labels: IntArray,
    edges: IntArray,
    progress: bool,
    shows: Sequence[Callable[[IntArray, Tensor, IntArray], None]] = (),
    exact: bool = False,
) -> None:
    """One pass over the data in batches with these `edges`."""
    n = len(labels)
    done = min((reader.done for reader in all_readers), default=n)
    names = list(dict.fromkeys(name for reader in all_readers for name in reader.watched))
    differentiate = any(reader.differentiates for reader in all_readers)
    module = uncompiled(fitted.module)
    with (
        watching(module, names, differentiate) as captured,
        progress_bar("representing", n, progress) as advance,
        torch.enable_grad() if differentiate else torch.no_grad(),
    ):
        for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            if end <= done and not shows:
                advance(end - start)
                continue
            indices = np.arange(start, end, dtype=np.int64)
            inputs = fitted.inputs(indices)
            captured.clear()
            with nullcontext() if exact else fitted.running():
                logits = module(inputs).float()
            if not torch.isfinite(logits).all():
                bad = (~torch.isfinite(logits).all(1)).nonzero()[:, 0].cpu().numpy() + start
                raise ModelError(
                    f"NaN or infinite logits in {rows(bad)}", "finite ones", "train with a lower learning rate"
                )
            for show in shows:
                show(indices, logits, labels[indices])
            advance(end - start)
            if end <= done:
                continue
            given = torch.tensor(labels[start:end], device=logits.device)
            batch = Batch(slice(start, end), inputs, given, logits, softmax_delta(logits, given), captured)
            for reader in all_readers:
                reader.read(batch)
