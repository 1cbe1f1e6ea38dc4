"""Vectors that are learned from the rows themselves: of texts, of wide sparse rows and of tables of several kinds.

They are learned once and stay with the data set, so that whoever asks later, for duplicates or for what lies near new
rows, starts from them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np

from dataaudit.common.types import AnyArray
from dataaudit.data.examples import Examples

KEPT = 2**30
"""Most bytes of vectors that stay in memory; beyond, what was learned stays, and rows are computed again."""


def stays(rows: AnyArray) -> bool:
    """Test whether rows may stay in memory for later questions: neither large ones nor those on disk."""
    return rows.nbytes <= KEPT and not isinstance(rows, np.memmap)


VECTORS = "vectors"
"""Name of what is kept here, in `Examples.kept`."""


class Learned:
    """What was learned from some rows, and their vectors.

    Parameters
    ----------
    examples
        The rows.
    of
        Vectors float32 [m, d] of other examples.
    note
        What the vectors are, for an audit's settings.
    """

    def __init__(self, examples: Examples, of: Callable[[Examples], AnyArray], note: str) -> None:
        self.of, self.note = of, note
        vectors = of(examples)
        self._vectors = vectors if vectors.nbytes <= KEPT else None
        self._first: AnyArray | None = vectors

    def vectors(self, examples: Examples) -> AnyArray:
        """Vectors of the rows themselves, float32 [n, d]; nobody writes to them."""
        found = self._first if self._vectors is None else self._vectors
        self._first = None
        return self.of(examples) if found is None else found


def learned(examples: Examples, learn: Callable[[], Learned]) -> Learned:
    """What `learn` gives, the first time; afterwards that."""
    if VECTORS not in examples.kept:
        examples.kept[VECTORS] = learn()
    return cast("Learned", examples.kept[VECTORS])
