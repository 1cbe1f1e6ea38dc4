"""Models by name, for inputs of a data set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dataaudit.errors import InPython, ModelError, SettingError, did_you_mean

if TYPE_CHECKING:
    from dataaudit.data.examples import Examples

NONE = "none"
"""Name of no model: label errors are told by neighbours and a regression on the inputs."""
BLOCKS_FROM = 24
"""Fewest pixels a side of images for which the network of blocks is the default."""


def model_for(name: str | None, examples: Examples, lenient: bool) -> tuple[Any, Examples]:
    """The model called `name`, or the one that suits the inputs, and the examples as it reads them.

    "none" is None, and so is what suits texts. Rows of a table that hold infinity are left out if `lenient`.
    """
    if name == NONE:
        return None, examples
    from dataaudit.data.inspection import one_read
    from dataaudit.data.preparation import prepared
    from dataaudit.data.texts import is_text

    examples = prepared(examples, lenient)
    if not is_text(one_read(examples)):
        return network_for(name, examples), examples
    if name is not None:
        raise ModelError(f"model={name!r} for texts", "a model that reads them", f"pass model={NONE!r}")
    return None, examples


def check_training(model: Any, examples: Examples, given: Mapping[str, Any]) -> None:
    """Raise if it was said how to train, and no network is."""
    from dataaudit.data.inspection import one_read
    from dataaudit.data.texts import is_text

    said = [name for name, usual in (("recipe", "auto"), ("epochs", None)) if given[name] != usual]
    if model is not None or not said:
        return
    advice = [f"drop {' and '.join(f'{name}=' for name in said)}"]
    if given["model"] == NONE and given["embed"] is None and not is_text(one_read(examples)):
        advice.append("drop model=, for a network that suits the inputs")
    raise SettingError(
        f"{' and '.join(f'{name}={given[name]!r}' for name in said)} where no network is trained",
        "a network to train so",
        advice,
    )


@contextmanager
def for_texts(examples: Examples, name: str | None) -> Iterator[None]:
    """Advise no network where inputs are texts and no model was named: none of ours reads them."""
    from dataaudit.data.inspection import one_read
    from dataaudit.data.texts import is_text

    try:
        yield
    except ModelError as error:
        if name is not None or not is_text(one_read(examples)):
            raise
        raise ModelError(
            f"{error.arrived}, for texts",
            error.expected,
            ["leave scorers= and runs= out", InPython("score a transformers model, or a pipeline that reads texts")],
        ) from error


def network_for(name: str | None, examples: Examples) -> Any:
    """Build the network called `name`, or the one that suits the inputs; a factory."""
    import numpy as np

    import dataaudit
    from dataaudit.data.inspection import one_read
    from dataaudit.learners.layout import channels_first

    shape = np.asarray(one_read(examples)).shape[1:]
    if len(shape) == 3:
        shape = channels_first(shape)
    if name is None:
        name = "mlp" if len(shape) != 3 else "block_cnn" if min(shape[1:]) >= BLOCKS_FROM else "small_cnn"
    if name not in dataaudit.networks.names():
        known = [*dataaudit.networks.names(), NONE]
        raise SettingError(f"model={name!r}", "a network by name, or none", did_you_mean(name, known))
    if name != "mlp":
        shape = channels_first(shape)
    return dataaudit.networks.build(name, shape, len(examples.class_names))
