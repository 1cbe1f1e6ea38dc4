"""Models of two towers, one of texts and one of images, as CLIP is."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from dataaudit.errors import ModelError


def has_towers(module: Any) -> bool:
    """Tell whether a transformers model makes vectors of texts and of images, each in a tower of its own."""
    return callable(getattr(module, "get_image_features", None)) and callable(
        getattr(module, "get_text_features", None)
    )


def projected(output: Any) -> Tensor:
    """Vectors [b, d] of a tower's output, which is a tensor in some versions of transformers."""
    vectors = output if isinstance(output, Tensor) else getattr(output, "pooler_output", None)
    if not isinstance(vectors, Tensor) or vectors.ndim != 2:
        raise ModelError(
            f"a tower that gives a {type(output).__name__}", "one vector an example", "pass model.vision_model instead"
        )
    return vectors
