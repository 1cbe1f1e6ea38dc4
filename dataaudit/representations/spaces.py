"""Spaces: representations of examples, and their options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dataaudit.common import checks
from dataaudit.errors import SettingError


@dataclass(frozen=True)
class SpaceKind:
    """A row of the table of spaces; `options` are the attributes of `Space` that may be other than None.

    `reader` is "module:class" of the `dataaudit.representations.readers.Reader`, None for the inputs. Neighbours are
    not `searchable` among factors of gradients, which are no rows, nor in a sketch, which stands for the kernel alone.
    """

    summary: str
    reader: str | None = None
    options: tuple[str, ...] = ("epoch",)
    searchable: bool = False


_READERS = "dataaudit.representations.readers"

SPACES = {
    "input": SpaceKind("the inputs themselves", options=(), searchable=True),
    "hidden": SpaceKind("the input of the last linear layer", f"{_READERS}:HiddenReader", ("layer", "epoch"), True),
    "gradient": SpaceKind("the loss gradient of the last linear layer", f"{_READERS}:LastLayerReader"),
    "gradient_linear": SpaceKind("the loss gradient of every linear layer", f"{_READERS}:LinearReader"),
    "gradient_sketch": SpaceKind(
        "a random sketch of the loss gradient of all parameters", f"{_READERS}:SketchReader", ("epoch", "loss")
    ),
}
"""Spaces by name. A new one is a reader in a file of its own, and a line here."""


@dataclass(frozen=True)
class Space:
    """A representation of examples: where they lie.

    Parameters
    ----------
    name
        A key of `SPACES`.
    layer
        Module whose input is the hidden representation; the last linear layer if None. Only for "hidden".
    epoch
        Epoch after which the representation is taken, from 1; the end of training if None.
    loss
        ``loss(logits [b, C], labels [b]) -> [b]`` in torch; softmax cross-entropy if None. Only for
        "gradient_sketch".

    Raises
    ------
    SettingError
        If any of these is not as described.
    """

    name: str
    layer: str | None = None
    epoch: int | None = None
    loss: Callable[[Any, Any], Any] | None = None

    def __post_init__(self) -> None:
        checks.choice(f"representation {self.name!r}", self.name, SPACES, "a known one")
        if self.layer is not None and not (self._takes("layer") and isinstance(self.layer, str)):
            raise SettingError(
                f"layer={self.layer!r} for representation {self.name!r}",
                f"the name of a module, for {_with('layer')} alone",
                "leave layer=None",
            )
        if self.loss is not None and not (self._takes("loss") and callable(self.loss)):
            raise SettingError(
                f"loss={self.loss!r} for representation {self.name!r}",
                f"a function of logits and labels, for {_with('loss')} alone: the others hold for softmax "
                "cross-entropy only",
                ["pass representation='gradient_sketch'", "leave loss=None"],
            )
        if self.epoch is not None and not (self._takes("epoch") and checks.is_whole(self.epoch) and self.epoch >= 1):
            raise SettingError(
                f"epoch {self.epoch!r} for representation {self.name!r}",
                "a whole number from 1, for a representation of the model",
                "leave epochs=None for the end of training",
            )

    def _takes(self, option: str) -> bool:
        return option in SPACES[self.name].options

    @property
    def of_model(self) -> bool:
        """True if it is read off a model."""
        return SPACES[self.name].reader is not None

    @property
    def searchable(self) -> bool:
        """True if neighbours can be searched in it."""
        return SPACES[self.name].searchable


def _with(option: str) -> str:
    """Names of the spaces that have an option, quoted."""
    return " or ".join(repr(name) for name, kind in SPACES.items() if option in kind.options)
