"""Per-example gradients of linear layers, kept as the two factors that they are outer products of."""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray


class GradientFactors(NamedTuple):
    """Gradients of one linear layer: outer(delta_i, [inputs_i, 1]) for each example i.

    Inner products need no gradient written out::

        <g_i, g_j> = (delta_i . delta_j) (inputs_i . inputs_j + 1)

    with the 1 only where the layer has a bias. For the last layer under softmax cross-entropy delta is the
    vector of probabilities minus the one-hot label.

    Parameters
    ----------
    delta
        Gradient of an example's loss at the layer's output, [n, p].
    inputs
        The layer's input, [n, q].
    bias
        Whether the layer has a bias.
    """

    delta: NDArray[Any]
    inputs: NDArray[Any]
    bias: bool = True
