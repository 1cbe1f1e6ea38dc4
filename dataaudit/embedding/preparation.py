"""From pictures to the batch of numbers that a network of images takes, by the processor that belongs to it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dataaudit.common.types import IntArray
from dataaudit.data.images import is_gray
from dataaudit.data.kinds import is_a, is_image, is_tensor
from dataaudit.embedding.pictures import as_eight_bits
from dataaudit.errors import DataError, ModelError, RowError

SIZE = (3, 224, 224)
"""Channels, height and width that a timm model takes unless it says otherwise."""


@dataclass
class Counts:
    """Pictures that were brought to what the model takes."""

    grey: int = 0
    floats: int = 0

    @property
    def notes(self) -> list[str]:
        """In words."""
        notes = [f"{self.grey} grey images became RGB, which the model takes"] if self.grey else []
        return notes + ([f"{self.floats} images of floats were brought to 8 bits"] if self.floats else [])


@dataclass
class Preparation(ABC):
    """Makes a batch [b, ...] of pictures, see `dataaudit.embedding.pictures`."""

    counts: Counts = field(default_factory=Counts, init=False)

    @property
    @abstractmethod
    def described(self) -> str:
        """The processor, in words."""

    @property
    @abstractmethod
    def settings(self) -> Any:
        """Everything that batches depend on."""

    @abstractmethod
    def batch(self, pictures: Sequence[Any], rows: IntArray) -> Tensor:
        """Batch on the CPU; a `DataError` names the row, of `rows`, that does not fit."""

    def rgb(self, picture: Any, row: int) -> Any:
        """PIL image of three channels; what was changed for that is counted."""
        if not is_image(picture):
            self.counts.floats += 1
            picture = as_eight_bits(picture, row)
        if is_gray(picture):
            self.counts.grey += 1
            picture = picture.convert("RGB")
        return picture


@dataclass
class HuggingFacePreparation(Preparation):
    """A transformers image processor."""

    processor: Any

    @property
    def described(self) -> str:
        """Its class."""
        return type(self.processor).__name__

    @property
    def settings(self) -> Any:
        """Its own settings."""
        return repr(sorted(self.processor.to_dict().items(), key=str))

    def batch(self, pictures: Sequence[Any], rows: IntArray) -> Tensor:
        """As `Preparation.batch`."""
        images = [self.rgb(picture, row) for picture, row in zip(pictures, rows.tolist(), strict=True)]
        pixels = self.processor(images=images, return_tensors="pt")["pixel_values"]
        if not isinstance(pixels, Tensor) or pixels.ndim != 4:
            raise ModelError(
                f"a {self.described} that makes no batch [b, channels, h, w]",
                "an image processor that makes images of one size",
                "pass processor= a function of one PIL image that returns a tensor",
            )
        return pixels.float()


@dataclass
class EachImage(Preparation):
    """A function of one PIL image that returns a tensor [channels, h, w]: torchvision's and timm's transforms."""

    transform: Callable[[Any], Any]

    @property
    def described(self) -> str:
        """Its class or name."""
        return getattr(self.transform, "__name__", type(self.transform).__name__)

    @property
    def settings(self) -> Any:
        """The function."""
        return self.transform

    def batch(self, pictures: Sequence[Any], rows: IntArray) -> Tensor:
        """As `Preparation.batch`."""
        return stacked([self._one(picture, row) for picture, row in zip(pictures, rows.tolist(), strict=True)], rows)

    def _one(self, picture: Any, row: int) -> Tensor:
        try:
            made = self.transform(self.rgb(picture, row))
        except DataError:
            raise
        except Exception as error:  # A caller's function raises whatever it likes.
            raise RowError(
                f"a failing processor= in row {row} ({type(error).__name__}: {error})",
                "a function of one PIL image",
                "correct it: processor= takes weights.transforms() of torchvision, for example",
            ) from error
        if not is_tensor(made) or made.ndim != 3:
            shape = f" of shape {tuple(made.shape)}" if is_tensor(made) else ""
            raise ModelError(
                f"a {type(made).__name__}{shape} from processor=",
                "a tensor [channels, h, w] of one PIL image",
                "have it return a tensor: end it with ToTensor(), for example",
            )
        return torch.as_tensor(made).float()


@dataclass
class Divided(Preparation):
    """Pixels divided by 255, and floats as they are: for networks that come without a processor."""

    channels: int | None
    """That the network takes; None where it does not say."""

    described = "pixels divided by 255, floats as they are"

    @property
    def settings(self) -> Any:
        """The number of channels."""
        return [self.described, self.channels]

    def batch(self, pictures: Sequence[Any], rows: IntArray) -> Tensor:
        """As `Preparation.batch`."""
        return stacked([self._one(picture, row) for picture, row in zip(pictures, rows.tolist(), strict=True)], rows)

    def _one(self, picture: Any, row: int) -> Tensor:
        if is_image(picture):
            pixels = np.asarray(picture, np.float32) / np.float32(255)
            made = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
        else:
            made = picture
        if self.channels not in (None, len(made)):
            if len(made) != 1:
                raise DataError(
                    f"an image of {len(made)} channels in row {row} for a model of {self.channels}",
                    "as many channels as the model takes; colour images are never greyed silently",
                    "pass image.convert('L') of each",
                )
            self.counts.grey += 1
            made = np.repeat(made, int(self.channels or 1), axis=0)
        return torch.from_numpy(np.ascontiguousarray(made))


@dataclass
class TimmPreparation(EachImage):
    """What timm does to an image before one of its models, by the settings that the model carries.

    The shorter side is resized to the size by the share `crop_pct`, and the middle is cut out.
    """

    transform: Callable[[Any], Any] = field(init=False)
    settings_of_model: Mapping[str, Any]

    described = "timm's settings of the model"

    def __post_init__(self) -> None:
        mode = self.settings_of_model.get("crop_mode") or "center"
        size = tuple(self.settings_of_model.get("input_size") or SIZE)
        if mode != "center" or size[1] != size[2]:
            raise ModelError(
                f"a timm model with crop_mode={mode!r} and input_size={size}",
                "'center', and squares",
                "pass processor=timm.data.create_transform(**timm.data.resolve_data_config(model=model))",
            )
        self.transform = self._prepared

    @property
    def settings(self) -> Any:
        """The settings."""
        names = ("input_size", "interpolation", "mean", "std", "crop_pct")
        return [self.settings_of_model.get(name) for name in names]

    def _prepared(self, image: Any) -> Tensor:
        from PIL import Image

        known = self.settings_of_model
        side = int((known.get("input_size") or SIZE)[-1])
        shorter, least = math.floor(side / (known.get("crop_pct") or 0.875)), min(image.size)
        way = Image.Resampling[str(known.get("interpolation") or "bicubic").upper()]
        image = image.resize([shorter * length // least for length in image.size], way)
        left, top = (round((length - side) / 2) for length in image.size)
        pixels = np.asarray(image.crop((left, top, left + side, top + side)), np.float32) / np.float32(255)
        mean = np.asarray(known.get("mean") or (0.485, 0.456, 0.406), np.float32)
        spread = np.asarray(known.get("std") or (0.229, 0.224, 0.225), np.float32)
        return torch.from_numpy(np.ascontiguousarray(((pixels - mean) / spread).transpose(2, 0, 1)))


def stacked(images: Sequence[Tensor], rows: IntArray) -> Tensor:
    """Batch of tensors of one shape; a `DataError` names the first row of another."""
    for image, row in zip(images, rows.tolist(), strict=True):
        if image.shape != images[0].shape:
            raise DataError(
                f"an image of shape {tuple(image.shape)} in row {row}, after {tuple(images[0].shape)}",
                "images of one size, or a processor that makes them so",
                "pass processor= a function of one PIL image that resizes it and returns a tensor",
            )
    return torch.stack(list(images))


def preparation_of(processor: Any, name: str) -> Preparation:
    """Preparation by a processor that was passed with the model `name`."""
    own = getattr(processor, "image_processor", processor)
    if is_a(own, "transformers.image_processing_base", "ImageProcessingMixin"):
        return HuggingFacePreparation(own)
    transforms = getattr(processor, "transforms", None)
    if not isinstance(processor, type) and hasattr(processor, "get_state_dict") and callable(transforms):
        # Weights of torchvision, which know their transforms.
        return EachImage(transforms())
    if callable(processor) and not is_a(processor, "transformers.tokenization_utils_base", "PreTrainedTokenizerBase"):
        return EachImage(processor)
    raise ModelError(
        f"processor= of type {type(processor).__name__} for the images of a {name}",
        "a transformers image processor, or a function of one PIL image that returns a tensor",
        "pass processor=AutoImageProcessor.from_pretrained(...), or weights.transforms() of torchvision",
    )
