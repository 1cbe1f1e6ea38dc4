"""Encoder: what makes vectors of texts or of images, whatever it was made from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from dataaudit.common.fingerprints import fingerprint_of
from dataaudit.common.types import AnyArray, IntArray
from dataaudit.embedding.pictures import Kind
from dataaudit.errors import ModelError


class Encoder(ABC):
    """Makes a vector of each text or image; the module that it runs stays as it is.

    Laws
    ----
    - The vector of a row depends on that row alone, up to rounding: not on the others of its batch.
    - Nothing is drawn at random.
    """

    takes: Kind
    """What it reads."""
    module: nn.Module
    """Network, on its device."""

    @property
    @abstractmethod
    def described(self) -> dict[str, Any]:
        """Record for an audit's settings: JSON values."""

    @abstractmethod
    def batches(self, inputs: Sequence[Any], rows: IntArray, size: int) -> Iterator[tuple[IntArray, Tensor]]:
        """Yield positions [b] among `inputs`, and their vectors float32 [b, d] on any device, up to `size` at a time.

        `inputs` are texts or pictures (`dataaudit.embedding.pictures`); `rows` are their numbers, for errors.
        """

    @property
    @abstractmethod
    def settings(self) -> Any:
        """Everything beside the weights that the vectors depend on, for `identity`."""

    @property
    def notes(self) -> list[str]:
        """Notes on what was done to the inputs so far."""
        return []

    @property
    def identity(self) -> str:
        """Digest of weights and settings, 32 hexadecimal digits."""
        # NumPy knows no bfloat16.
        weights = {
            name: value.float() if isinstance(value, Tensor) and value.is_floating_point() else value
            for name, value in self.module.state_dict().items()
        }
        return fingerprint_of([weights, self.settings])

    def vectors(
        self, inputs: Sequence[Any], rows: IntArray, size: int, normalise: bool
    ) -> Iterator[tuple[IntArray, AnyArray]]:
        """As `batches`, in memory of the CPU and, if so wished, of length 1; `ModelError` unless they are finite."""
        with torch.inference_mode(), _evaluating(self.module):
            for positions, vectors in self.batches(inputs, rows, size):
                scaled = nn.functional.normalize(vectors) if normalise else vectors
                if not torch.isfinite(scaled).all():
                    raise ModelError(
                        f"NaN or infinite vectors from a {type(self.module).__name__}",
                        "finite ones",
                        "load it in float32",
                    )
                yield positions, scaled.cpu().numpy()


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode; every part is restored afterwards."""
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True
