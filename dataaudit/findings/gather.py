"""Neighbours and rows that findings are computed from: the audit's own, its model's, or its data set's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from dataaudit.common import checks
from dataaudit.common.types import AnyArray, IntArray
from dataaudit.data.texts import inputs_are_texts
from dataaudit.errors import DataError, ModelError, SettingError
from dataaudit.neighbours.graph import NeighbourNeed, Neighbours
from dataaudit.representations.spaces import Space

if TYPE_CHECKING:
    import pandas as pd

    from dataaudit.data.examples import Examples
    from dataaudit.evidence.base import Evidence
    from dataaudit.evidence.trained import TrainedModel
    from dataaudit.neighbours.base import NeighbourSearch

SPACES = ("auto", "input", "hidden")
GRAPH = "graph"
"""Name of neighbours in what is kept, with that of the representation."""


def check_space(by: Any, also: tuple[str, ...] = ()) -> None:
    """Raise unless `by` is a representation, "auto", or one of `also`."""
    checks.choice(f"by={by!r}", by, (*SPACES, *also), "a known choice")


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
    search: str | NeighbourSearch,
    seed: int,
    kept: dict[Any, Any],
) -> Neighbours:
    """Neighbours of each example, at least `depth` where there are as many: the audit's own, or by its `search`.

    Those that are searched for are put in `kept`, and taken from there when they are asked for again.

    "auto" takes the audit's input neighbours, then the inputs of the data set, and only without either the audit's
    hidden neighbours: among these, outliers that were trained on are outliers no more (benchmarks/findings/novelty.py).

    Raises
    ------
    DataError
        If neither neighbours nor a data set are at hand.
    MissingPackageError, SettingError
        If the search is not to be had here.
    ModelError
        If the hidden representation is requested and no model is in memory.
    """
    most = min(depth, len(labels) - 1)
    chosen = "input" if space == "auto" else space
    spaces = ("input", "hidden") if space == "auto" and examples is None else (chosen,)
    for one in spaces:
        known = known_graph(evidence, one)
        if known is not None and known.depth >= most and _in_one_unit(known, examples):
            return known
        earlier: Neighbours | None = kept.get((GRAPH, one))
        if earlier is not None and earlier.depth >= most:
            return earlier
    from dataaudit.neighbours.compute import neighbour_graph

    rows, described = (hidden_rows(model, labels, seed), {}) if chosen == "hidden" else _inputs(examples)
    need, near = NeighbourNeed(Space(chosen), depth), None if evidence is None else evidence.neighbour_labels
    candidates = None if near is None else near.candidates
    found = neighbour_graph(need, rows, described, _resolved(search), seed, False, candidates=candidates)
    kept[GRAPH, chosen] = found
    return found


def graphs(evidence: Evidence | None, kept: Mapping[Any, Any]) -> dict[str, Neighbours]:
    """Neighbours that were found by now, by representation: those that findings searched for, or a score's deepest."""
    found = {space: known_graph(evidence, space) for space in ("hidden", "input")}
    searched = {space: kept.get((GRAPH, space)) for space in found}
    # Rows of those that were searched for have one unit, which those of a score need not have.
    return {space: graph for space in found if (graph := searched[space] or found[space]) is not None}


def as_kept(graphs: Mapping[str, Neighbours]) -> dict[Any, Any]:
    """What `graphs` gave, as `graph` takes it."""
    return {(GRAPH, space): graph for space, graph in graphs.items()}


def report_search(table: pd.DataFrame, graph: Neighbours) -> pd.DataFrame:
    """`table` with the search that found its neighbours, and the share of these that it found, in ``attrs``."""
    table.attrs |= {"search": graph.settings["search"], "recall": graph.settings.get("recall", 1.0)}
    return table


def _resolved(search: str | NeighbourSearch) -> NeighbourSearch:
    """The audit's search, checked; a loaded audit knows its name alone."""
    from dataaudit.neighbours.search import REGISTRY, resolve

    if isinstance(search, str) and search not in ("auto", *REGISTRY.names()):
        raise SettingError(
            f"an audit made with search {search!r}, which is not registered here",
            "the search that the audit was made with: no other takes its place",
            [
                "ask the audit before it is saved",
                "register the search in the entry-point group 'dataaudit.searches'",
                "score again with search='auto'",
            ],
        )
    return resolve(search)


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


def _inputs(examples: Examples | None) -> tuple[Any, dict[str, Any]]:
    from dataaudit.representations.input import place_rows

    return place_rows(needed(examples))


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
    if examples is None and model.hidden is not None:
        return model.hidden
    from dataaudit.representations.collect import TorchModel, represent

    fitted = model.fitted(progress) if examples is None else model.on(examples, progress)
    hidden = Space("hidden")
    rows = cast("AnyArray", represent(cast("TorchModel", fitted), [hidden], labels, seed, progress)[hidden][0])
    if examples is None:
        model.keep_hidden(rows)
    return rows
