"""Neighbours and rows that findings are computed from: the audit's own, its model's, or its data set's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from dataaudit.common import checks
from dataaudit.common.types import AnyArray, IntArray
from dataaudit.data.texts import inputs_are_texts
from dataaudit.errors import DataError, ModelError
from dataaudit.neighbours.base import NeighbourNeed, Neighbours
from dataaudit.representations.spaces import Space

if TYPE_CHECKING:
    from dataaudit.data.examples import Examples
    from dataaudit.evidence.base import Evidence
    from dataaudit.evidence.trained import TrainedModel

SPACES = ("auto", "input", "hidden")


def check_space(by: Any, also: tuple[str, ...] = ()) -> None:
    """Raise unless `by` is a representation, "auto", or one of `also`."""
    checks.choice(f"by={by!r}", by, (*SPACES, *also), "a known choice")


def check_count(name: str, value: Any, advice: str) -> int:
    """Return `value` as a number of examples, or raise `SettingError`."""
    return checks.whole(name, value, 1, advice)


def known_graph(evidence: Evidence | None, space: str) -> Neighbours | None:
    """Deepest graph that the audit found in a representation, at the end of training and of the last layer."""
    graphs = [
        graph
        for need, graph in (evidence.neighbours if evidence is not None else {}).items()
        if need.space == Space(space)
    ]
    return max(graphs, key=lambda graph: graph.depth, default=None)


def graph(
    space: str,
    depth: int,
    labels: IntArray,
    evidence: Evidence | None,
    model: TrainedModel | None,
    examples: Examples | None,
    seed: int,
) -> tuple[Neighbours, str]:
    """Neighbours of each example, at least `depth` where there are as many, and the representation they are in.

    "auto" takes the audit's input neighbours, then the inputs of the data set, and only without either the audit's
    hidden neighbours: among these, outliers that were trained on are outliers no more (benchmarks/findings/novelty.py).

    Raises
    ------
    DataError
        If neither neighbours nor a data set are at hand.
    ModelError
        If the hidden representation is asked for and no model is in memory.
    """
    most = min(depth, len(labels) - 1)
    chosen = "input" if space == "auto" else space
    spaces = ("input", "hidden") if space == "auto" and examples is None else (chosen,)
    for one in spaces:
        known = known_graph(evidence, one)
        if known is not None and known.depth >= most and _in_one_unit(known, examples):
            return known, one
    rows = hidden_rows(model, labels, seed) if chosen == "hidden" else _inputs(examples)
    from dataaudit.neighbours.compute import neighbour_graph
    from dataaudit.neighbours.search import resolve

    need = NeighbourNeed(Space(chosen), depth)
    return neighbour_graph(need, rows, {}, resolve("auto"), seed, False), chosen


def space_of(by: str, examples: Examples, model: TrainedModel | None) -> str:
    """Representation that `by` stands for: "auto" is "hidden" for texts where a model with layers is in memory."""
    if by != "auto":
        return by
    return "hidden" if model is not None and model.readable and inputs_are_texts(examples) else "input"


def needed(examples: Examples | None, option: str = "dataset") -> Examples:
    """The data set, or a `DataError` if there is none."""
    if examples is None:
        raise DataError(
            "an audit without its data set, which was loaded or recorded",
            "the inputs, for distances between examples",
            f"pass the audited data set: {option}=...",
        )
    return examples


def _inputs(examples: Examples | None) -> Any:
    from dataaudit.representations.input import place_rows

    return place_rows(needed(examples))[0]


def _in_one_unit(known: Neighbours, examples: Examples | None) -> bool:
    """Test whether a graph of the audit is of rows in one unit, as findings need; scores take arrays as they are."""
    from dataaudit.representations.input import AS_THEY_ARE, in_one_unit

    return examples is None or known.settings.get("inputs") != AS_THEY_ARE or in_one_unit(examples)


def hidden_rows(
    model: TrainedModel | None,
    labels: IntArray,
    seed: int,
    examples: Examples | None = None,
    progress: bool = False,
) -> AnyArray:
    """Input of the last linear layer, float32 [n, d], of the audited rows, or of other `examples`.

    Raises
    ------
    ModelError
        If there is no model in memory, or it has no layers that can be read.
    """
    if model is None or not model.readable:
        raise ModelError(
            "no model in memory" if model is None else f"a {model.described}",
            "a torch module trained in this process, for its hidden representation",
            "pass by='input', or run dataaudit.score with a torch module",
        )
    from dataaudit.representations.collect import TorchModel, represent

    fitted = model.fitted(progress) if examples is None else model.on(examples, progress)
    hidden = Space("hidden")
    return cast("AnyArray", represent(cast("TorchModel", fitted), [hidden], labels, seed, progress)[hidden][0])
