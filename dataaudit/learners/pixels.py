"""Batches of images for a transformers model."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dataaudit.common.types import IntArray
from dataaudit.data.examples import Examples
from dataaudit.errors import DataError
from dataaudit.learners.hooks import give_logits
from dataaudit.learners.layout import GIVEN, Layout, turned

VALUES = 2**22
"""Pixel values that run through a model at a time in evaluation."""


class PixelBatches:
    """Images for a transformers model, through its image processor whenever they are read.

    They are uint8, or floats from 0 to 1: [channels, height, width], or with the channels last or, grey, without any,
    which is turned. Without a processor, pixels are divided by 255 and nothing else. Grey images become as many equal
    `channels` as the model takes.
    """

    def __init__(self, examples: Examples, processor: Any, channels: int) -> None:
        self._examples, self._processor, self._channels = examples, processor, channels
        self._size = 0
        self.layout: Layout = GIVEN

    @property
    def rows(self) -> int:
        """Number of images that make `VALUES` pixel values."""
        return max(1, VALUES // max(1, self._size))

    @property
    def notes(self) -> list[str]:
        """Processor that stands before the model."""
        name = type(self._processor).__name__
        return ["pixels divided by 255, without an image processor" if self._processor is None else f"images by {name}"]

    @property
    def identity(self) -> str:
        """Digest of the processor's settings."""
        described = None if self._processor is None else self._processor.to_dict()
        settings = json.dumps([described, self._channels], sort_keys=True, default=repr)
        return hashlib.blake2b(settings.encode(), digest_size=16).hexdigest()

    def prepare(self) -> None:
        """Read one image, and settle how images are turned; others than the model takes are refused."""
        shape = np.shape(self._examples.read(np.zeros(1, np.int64)))
        other = turned(shape)
        self.layout = GIVEN
        if other is not None and not self._takes(shape) and self._takes(other.turn(np.empty(shape)).shape):
            self.layout = other
        self._size = self.batch(np.zeros(1, np.int64)).numel()

    def _takes(self, shape: Sequence[int]) -> bool:
        return len(shape) == 4 and shape[1] in (1, self._channels)

    def on(self, examples: Examples) -> PixelBatches:
        """Images of another data set, through the same processor and in the same layout."""
        other = copy.copy(self)
        other._examples = examples
        return other

    def attach(self, module: Any) -> None:
        """Have the model return its logits; it takes pixels as they come."""
        give_logits(module)

    def batch(self, indices: IntArray) -> Tensor:
        """Pixels of the rows `indices`, float32 [b, channels, height, width]."""
        images = np.ascontiguousarray(self.layout.turn(np.asarray(self._examples.read(indices))))
        whole = images.dtype == np.uint8
        if images.ndim != 4 or not (whole or images.dtype.kind == "f"):
            raise DataError(
                f"inputs of type {images.dtype} and shape {images.shape[1:]} for an image model",
                "images [channels, height, width], uint8, or floats from 0 to 1",
                "pass an image column, or arrays of that shape",
            )
        if images.shape[1] == 1:
            images = np.repeat(images, self._channels, axis=1)
        if images.shape[1] != self._channels:
            raise DataError(
                f"images of shape {images.shape[1:]} for a model of {self._channels} channels",
                "the channels first, and as many as the model takes, or one",
                "transpose them to [channels, height, width], by transform= for example"
                if images.shape[3] in (1, self._channels)
                else "convert the images by transform=, or set num_channels in the model's configuration",
            )
        if self._processor is None:
            scaled = images.astype(np.float32)
            return torch.from_numpy(scaled / np.float32(255) if whole else scaled)
        rescale = {} if whole else {"do_rescale": False}
        pixels: Tensor = self._processor(
            images=list(images), return_tensors="pt", input_data_format="channels_first", **rescale
        )["pixel_values"]
        return pixels.float()
