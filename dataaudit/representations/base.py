"""What a representation is: rows, or gradients of linear layers as the factors of outer products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias, TypeGuard

from dataaudit.common.types import AnyArray


class GradientFactors(NamedTuple):
    """Per-example gradients of one linear layer: outer(delta_i, [inputs_i, 1]), never written out.

    Parameters
    ----------
    delta
        Loss gradient at the layer's output, float32 [n, p].
    inputs
        The layer's input, float32 [n, q].
    bias
        Whether the layer has a bias, and the 1 stands.
    """

    delta: AnyArray
    inputs: AnyArray
    bias: bool


Features: TypeAlias = AnyArray | Sequence[GradientFactors]
"""Rows [n, d], which may lie on disk or in pieces that only give rows at positions; or factors, one a layer."""


def are_rows(represented: Features) -> TypeGuard[AnyArray]:
    """Whether these are rows: an array, or pieces with a shape and a type."""
    return hasattr(represented, "shape") and hasattr(represented, "dtype")


def rows_of(represented: Features) -> int:
    """Number of examples n."""
    return len(represented) if are_rows(represented) else len(represented[0].delta)
