"""Recognise other packages' objects without importing those packages."""

from __future__ import annotations

import sys
from typing import Any


def is_a(value: Any, module: str, name: str) -> bool:
    """Tell whether `value` is an instance of ``module.name``; False where nobody has imported that module."""
    kind = getattr(sys.modules.get(module), name, None)
    return isinstance(kind, type) and isinstance(value, kind)


def is_tensor(value: Any) -> bool:
    """Tell whether `value` is a torch tensor."""
    return is_a(value, "torch", "Tensor")


def is_table(value: Any) -> bool:
    """Tell whether `value` is a pandas DataFrame."""
    return is_a(value, "pandas", "DataFrame")


def is_image(value: Any) -> bool:
    """Tell whether `value` is a PIL image."""
    return is_a(value, "PIL.Image", "Image")


def dimensions(value: Any) -> int:
    """Number of dimensions that an array, a tensor or a column says it has; 1 for anything else, such as a list."""
    return int(getattr(value, "ndim", 1))
