"""Nets of skorch: torch modules that train as scikit-learn classifiers, whose epochs can be watched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dataaudit.common.types import AnyArray, IntArray
from dataaudit.data.kinds import is_a


def is_net(estimator: Any) -> bool:
    """Tell whether an estimator is a net of skorch."""
    return is_a(estimator, "skorch.net", "NeuralNet")


def net_inputs(inputs: AnyArray) -> AnyArray:
    """Inputs as a module's layers take them: pixels in [0, 1], numbers float32, tokens as they are."""
    if inputs.dtype == np.uint8:
        return inputs.astype(np.float32) / 255.0
    return inputs.astype(np.float32) if inputs.dtype.kind == "f" else inputs


def fit_net(net: Any, inputs: AnyArray, targets: IntArray, after: Callable[[int], None]) -> None:
    """Train a net, without its printed table, and call `after` with the number of every epoch, from 1."""
    from skorch.callbacks import Callback

    class Follow(Callback):  # type: ignore[misc]
        def on_epoch_end(self, net: Any, **_: Any) -> None:
            after(len(net.history))

    net.set_params(verbose=0, callbacks=[*(net.callbacks or []), Follow()])
    # Binary nets compare one logit with a number.
    binary = is_a(net, "skorch.classifier", "NeuralNetBinaryClassifier")
    net.fit(inputs, targets.astype(np.float32) if binary else targets)
