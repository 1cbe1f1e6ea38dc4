"""Networks by name, for inputs of a data set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dataaudit.errors import SettingError, did_you_mean

if TYPE_CHECKING:
    from dataaudit.data.examples import Examples

BLOCKS_FROM = 24
"""Fewest pixels a side of images for which the network of blocks is the default."""


def network_for(name: str | None, examples: Examples) -> Any:
    """Build the network called `name`, or the one that suits the inputs; a factory."""
    import numpy as np

    import dataaudit
    from dataaudit.learners.layout import channels_first

    shape = np.asarray(examples.read(np.zeros(1, np.int64))).shape[1:]
    if len(shape) == 3:
        shape = channels_first(shape)
    if name is None:
        name = "mlp" if len(shape) != 3 else "block_cnn" if min(shape[1:]) >= BLOCKS_FROM else "small_cnn"
    if name not in dataaudit.networks.names():
        raise SettingError(f"--network {name}", "a named network", did_you_mean(name, dataaudit.networks.names()))
    if name != "mlp":
        shape = channels_first(shape)
    return dataaudit.networks.build(name, shape, len(examples.class_names))
