"""Features of examples: rows, or gradients of linear layers as the factors of outer products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

from dataaudit.common.types import AnyArray
from dataaudit_kernels.layers import GradientFactors

if TYPE_CHECKING:
    from typing_extensions import TypeIs

__all__ = ["NOT_FINITE", "Features", "GradientFactors", "are_rows", "rows_of"]

NOT_FINITE = ("train with a lower learning rate", "leave the scores of that representation out of scorers=")
"""Advice where a representation holds NaN or infinity, though inputs and logits are finite."""

Features: TypeAlias = AnyArray | Sequence[GradientFactors]
"""Rows [n, d], which may lie on disk or in pieces that only give rows at positions; or factors, one a layer."""


def are_rows(features: Features) -> TypeIs[AnyArray]:
    """True for rows: an array, or pieces with a shape and a type."""
    return hasattr(features, "shape") and hasattr(features, "dtype")


def rows_of(features: Features) -> int:
    """Number of examples n."""
    return len(features) if are_rows(features) else len(features[0].delta)
