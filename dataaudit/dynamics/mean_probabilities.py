"""Sum of the class probabilities of every example over epochs, within bounded memory.

While n x C is small the sums are exact. Beyond, every example keeps a few classes only: each epoch offers its
most probable classes, and the likeliest stay (a space-saving sketch). An example's likely classes are few, so
the likeliest class survives unless many classes share the mass evenly.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dataaudit.dynamics.buffers import copied, zeros
from dataaudit.dynamics.periods import Periods

DENSE_ELEMENTS = 2**24
"""Largest n x C that a recorder sums exactly by default (64 MiB, and as much again for the current epoch)."""

SLOTS = 8
OFFERED = 4


def is_exact(n: int, classes: int, dense_elements: int) -> bool:
    """Tell whether all classes of n examples are summed."""
    return n * classes <= dense_elements or classes <= SLOTS


class MeanProbabilities:
    """Running sums of class probabilities for n examples, on `device`."""

    def __init__(self, n: int, classes: int, device: torch.device, exact: bool) -> None:
        self.exact = exact
        width, offered = (classes, classes) if self.exact else (SLOTS, OFFERED)
        # One row more than examples: repeated rows of a batch are written there and forgotten.
        self.mass = zeros((n, width), "float32", device)
        self.classes = None if self.exact else torch.full((n, width), -1, dtype=torch.int32, device=device)
        self._staged = zeros((n + 1, offered), "float32", device)
        self._staged_classes = None if self.exact else zeros((n + 1, offered), "int32", device)
        self.periods = Periods(n, classes, device)

    def stage(self, target: Tensor, probabilities: Tensor) -> None:
        """Set this epoch's probabilities [b, C] of the rows `target` [b] (row n takes what is superseded)."""
        if self._staged_classes is None:
            self._staged.index_copy_(0, target, probabilities)
            return
        top, classes = probabilities.topk(OFFERED, dim=1)
        self._staged.index_copy_(0, target, top)
        self._staged_classes.index_copy_(0, target, classes.to(torch.int32))

    def commit(self, seen: Tensor) -> None:
        """Add the staged rows where `seen` (bool [n])."""
        if self.classes is None:
            self.mass.addcmul_(self._staged[:-1], seen.unsqueeze(1))
            self.periods.add(self._staged[:-1], seen)
            return
        assert self._staged_classes is not None
        self._absorb(self._staged_classes[:-1], self._staged[:-1], seen)

    def discard(self) -> None:
        """Forget what diverged in an epoch that is discarded: NaN would not be nothing where a row is not seen."""
        self._staged.nan_to_num_()

    def _absorb(self, classes: Tensor, mass: Tensor, rows: Tensor) -> None:
        """Merge (class, mass) pairs [n, k] into the slots of the rows where `rows`, in blocks."""
        assert self.classes is not None
        for start in range(0, len(mass), 65536):
            part = slice(start, start + 65536)
            held, held_mass = self.classes[part], self.mass[part]
            new, new_mass = classes[part], mass[part] * rows[part].unsqueeze(1)
            same = (new.unsqueeze(2) == held.unsqueeze(1)) & (new >= 0).unsqueeze(2)
            grown = held_mass + (same * new_mass.unsqueeze(2)).sum(1)
            # A class that already has a slot must not win a second one.
            fresh = torch.where(same.any(2), torch.full_like(new_mass, -1.0), new_mass)
            kept, order = torch.cat([grown, fresh], 1).topk(SLOTS, dim=1)
            self.mass[part] = kept.clamp_min(0.0)
            self.classes[part] = torch.where(
                kept > 0, torch.cat([held, new], 1).gather(1, order), torch.full_like(held, -1)
            )

    def merge(self, other: MeanProbabilities) -> None:
        """Add another's sums; both must be of the same n and C."""
        if self.classes is None:
            self.mass += other.mass.to(self.mass.device)
            self.periods.merge(other.periods)
            return
        assert other.classes is not None
        device = self.mass.device
        everything = torch.ones(len(self.mass), dtype=torch.bool, device=device)
        for start in range(0, SLOTS, OFFERED):
            part = slice(start, start + OFFERED)
            self._absorb(other.classes[:, part].to(device), other.mass[:, part].to(device), everything)

    def argmax_mean_probability(self) -> Tensor:
        """Class with the largest sum, int64 [n]; lowest class first on ties where exact."""
        best = self.mass.argmax(1, keepdim=True)
        return (best if self.classes is None else self.classes.gather(1, best)).squeeze(1).long()

    def state(self) -> dict[str, Tensor]:
        """Tensors to save; `load` takes them."""
        state = {"mass": self.mass, "staged": self._staged, "periods": self.periods.sums}
        if self.classes is not None and self._staged_classes is not None:
            state |= {"classes": self.classes, "staged_classes": self._staged_classes}
        return {name: copied(tensor) for name, tensor in state.items()}

    def load(self, state: dict[str, Tensor], epochs: int) -> None:
        """Restore what `state` gave after `epochs` epochs."""
        device = self.mass.device
        self.mass, self._staged = copied(state["mass"], device), copied(state["staged"], device)
        self.periods.load(state["periods"], epochs)
        if not self.exact:
            self.classes, self._staged_classes = (copied(state[name], device) for name in ("classes", "staged_classes"))
