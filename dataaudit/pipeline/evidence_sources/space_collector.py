"""Densities and neighbours, among the inputs and in the layers of a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias, cast

from dataaudit.common.types import AnyArray
from dataaudit.data.examples import Examples
from dataaudit.density.base import DensityEngine
from dataaudit.density.compute import density_sums
from dataaudit.density.engines import AutomaticEngine
from dataaudit.density.sums import DensityNeed, DensitySums
from dataaudit.errors import ModelError, SettingError
from dataaudit.learners.base import Fitted, Watch
from dataaudit.neighbours.base import NeighbourSearch
from dataaudit.neighbours.compute import neighbour_graph
from dataaudit.neighbours.graph import NeighbourNeed, Neighbours
from dataaudit.neighbours.labels import NeighbourLabels, NeighbourLabelsNeed, labels_around
from dataaudit.pipeline.evidence_sources.base import Record, Run
from dataaudit.pipeline.evidence_sources.evaluations import Show
from dataaudit.pipeline.evidence_sources.space_records import density_record, neighbour_record
from dataaudit.pipeline.looks import Layers
from dataaudit.representations.base import Features
from dataaudit.representations.collect import TorchModel, represent, weights_of
from dataaudit.representations.input import InputRows, stored_inputs
from dataaudit.representations.keep import Keep
from dataaudit.representations.learned import stays
from dataaudit.representations.spaces import Space
from dataaudit.representations.store import RowStore
from dataaudit.scores.base import Scorer

SpaceNeed: TypeAlias = DensityNeed | NeighbourNeed | NeighbourLabelsNeed


@dataclass
class Tools:
    """Engine of densities, search of neighbours and folder of rows; None where none is needed.

    The store is set when all else has been checked.
    """

    engine: DensityEngine | None
    search: NeighbourSearch | None
    store: RowStore | None = None


class SpaceCollector:
    """Densities and neighbours requested, computed as soon as their representation exists.

    Of the representations the last hidden layer at the end of training stays, as `hidden`, if it is small; others are
    let go.

    Parameters
    ----------
    run
        The call.
    needs
        What is requested.
    tools
        What computes, finds and keeps them.
    layers
        Of the model that is asked; None of inputs, and where it was looked at before.
    """

    def __init__(self, run: Run, needs: Sequence[SpaceNeed], tools: Tools, layers: Layers | None = None) -> None:
        self.needs, self._run, self._layers = list(needs), run, layers
        self._engine, self._search, self._tools = tools.engine, tools.search, tools
        self.densities: dict[DensityNeed, DensitySums] = {}
        self.neighbours: dict[NeighbourNeed, Neighbours] = {}
        self.neighbour_labels: NeighbourLabels | None = None
        self.further = 0
        """Passes over all examples besides the last one, which others see too."""
        self.hidden: AnyArray | None = None
        self._depths = self._deepest()
        self._graphs: dict[Space, Neighbours] = {}

    def of_another_run(self, run: Run) -> SpaceCollector:
        """Collector of labels of neighbours alone in another run of the model, whose layers are kept nowhere."""
        needs = [need for need in self.needs if isinstance(need, NeighbourLabelsNeed)]
        return SpaceCollector(run, needs, Tools(None, self._search))

    def parts(self) -> dict[str, Any]:
        """Fields of `Evidence`."""
        parts: dict[str, Any] = {"densities": self.densities, "neighbours": self.neighbours}
        return parts if self.neighbour_labels is None else {**parts, "neighbour_labels": self.neighbour_labels}

    def record(self, scorers: Sequence[Scorer]) -> Record:
        """Record of the densities and neighbours of `scorers`."""
        return density_record(scorers, self.densities).with_(neighbour_record(scorers, self.neighbours))

    @property
    def watch(self) -> Watch | None:
        """Callback that looks at the model after every epoch; None where nothing is requested before the last."""
        chosen = {need.space.epoch for need in self.needs} - {None}
        if not chosen:
            return None

        def look(epoch: int, fitted: Fitted) -> None:
            if epoch in chosen:
                self.take(fitted, epoch)

        return look

    def check(self, epochs: int) -> None:
        """Raise unless the model has every representation, and training has every epoch, requested."""
        assert self._layers is not None
        if not self._layers.learner.readable:
            raise ModelError(
                f"a {self._layers.learner.description['model']}, for the representation {self.needs[0].space.name!r}",
                "a torch module, whose layers can be read",
                ["pass scorers='parzen/input'", "pass model= a torch module"],
            )
        requested = {need.space.epoch for need in self.needs}
        late = sorted(epoch for epoch in requested if epoch is not None and epoch > epochs)
        if late:
            raise SettingError(
                f"a representation after epoch {late[0]}",
                f"epochs 1 to {epochs}" if epochs else "the end of training, for nothing is trained here",
                [
                    "leave epochs=None of the scorer",
                    *([f"train for longer: recipe=Recipe(epochs={late[-1]})"] if epochs else []),
                ],
            )
        self._layers.check(need.space for need in self.needs)

    def takes_pieces(self, examples: Examples) -> bool:
        """True if no density needs its rows in one array."""
        if not any(isinstance(need, DensityNeed) for need in self.needs):
            return True
        engine = self._engine
        if isinstance(engine, AutomaticEngine) and examples.array is not None:
            engine = engine.choose(examples.array)
        return engine is not None and engine.reads_pieces

    def take_inputs(self, inputs: InputRows) -> None:
        """Compute what lies among the inputs."""
        with self._run.timer.stage("represent"):
            rows = [inputs.level if isinstance(need, NeighbourLabelsNeed) else inputs.plain for need in self.needs]
        for need, (features, described) in zip(self.needs, rows, strict=True):
            self._add(need, cast("Features", features), described)
        if self._tools.store is not None:
            self._tools.store.check_unchanged()

    def take(self, fitted: Fitted, epoch: int | None, shows: Sequence[Show] = ()) -> bool:
        """Compute what lies in the model as it is after `epoch` (None: at the end), in a pass that others see too.

        Returns
        -------
        bool
            Whether there was a pass.
        """
        now = [need for need in self.needs if need.space.epoch == epoch]
        if not now:
            return False
        model, keeps = cast("TorchModel", fitted), None
        with self._run.timer.stage("represent"):
            if self._tools.store is not None:
                store, weights = self._tools.store, weights_of(model)

                def keeps(space: Space) -> Keep:
                    of = {"layer": space.layer, "loss": space.loss, "epoch": epoch, "rounded": model.rounds}
                    return store.keeper(space.name, len(self._run.labels), of, weights)

            collected = represent(
                model, _spaces(now), self._run.labels, self._run.seed, self._run.progress, keeps, shows
            )
        # Gradients of a network that is rounded have a pass of their own.
        plain = bool(shows) or any(need.space.name == "hidden" for need in now)
        own = model.rounds and any(need.space.name != "hidden" for need in now)
        self.further += (epoch is not None) + (plain and own)
        last = Space("hidden")
        if last in collected and stays(rows := cast("AnyArray", collected[last][0])):
            self.hidden = rows
        for need in now:
            self._add(need, *collected[need.space])
        if self._tools.store is not None:
            self._tools.store.check_unchanged()
        return True

    def _add(self, need: SpaceNeed, features: Features, described: dict[str, Any]) -> None:
        run = self._run
        if isinstance(need, NeighbourNeed):
            with run.timer.stage("neighbours"):
                self.neighbours[need] = self._graph(need, features, described)
        elif isinstance(need, NeighbourLabelsNeed):
            assert self._search is not None
            with run.timer.stage("neighbours"):
                self.neighbour_labels = labels_around(
                    need, features, described, run.labels, run.classes, self._search, run.seed, run.progress
                )
        else:
            groups = run.task.groups(run.labels)
            assert self._engine is not None
            assert groups is not None
            graph = self._near(need, features, described)
            with run.timer.stage("density"):
                self.densities[need] = density_sums(
                    need, features, described, groups, self._engine, run.seed, run.progress, graph
                )

    def _near(self, need: DensityNeed, features: Features, described: dict[str, Any]) -> Neighbours | None:
        """The graph for an engine that takes one, of a representation that neighbours are searched in."""
        if self._engine is None or not self._engine.depth or not need.space.searchable or len(self._run.labels) < 2:
            return None
        deepest = NeighbourNeed(need.space, self._engine.depth)
        with self._run.timer.stage("neighbours"):
            return self._graph(deepest, features, described)

    def _deepest(self) -> dict[Space, int]:
        """The most neighbours that scores or the engine want, by representation: one search serves them all."""
        near = 0 if self._engine is None else self._engine.depth
        depths: dict[Space, int] = {}
        for need in self.needs:
            if isinstance(need, NeighbourNeed):
                depth = need.depth
            elif isinstance(need, DensityNeed) and need.space.searchable:
                depth = near
            else:
                continue
            depths[need.space] = max(depths.get(need.space, 0), depth)
        return depths

    def _graph(self, need: NeighbourNeed, features: Features, described: dict[str, Any]) -> Neighbours:
        if need.space not in self._graphs:
            assert self._search is not None
            widest = replace(need, depth=self._depths[need.space])
            self._graphs[need.space] = neighbour_graph(
                widest, features, described, self._search, self._run.seed, self._run.progress
            )
        return self._graphs[need.space].first(need.depth)


def _spaces(needs: Sequence[SpaceNeed]) -> list[Space]:
    return list(dict.fromkeys(need.space for need in needs))


class Inputs:
    """Inputs of the data set as rows, read when a source first asks for them.

    Parameters
    ----------
    run
        The call.
    examples
        The data set.
    spaces
        Computes what lies among them.
    tools
        Hold what keeps them if they lie in no array yet.
    """

    def __init__(self, run: Run, examples: Examples, spaces: SpaceCollector, tools: Tools) -> None:
        self._run, self._examples, self._spaces, self._tools = run, examples, spaces, tools

    @cached_property
    def rows(self) -> InputRows:
        """The rows; in the store where there is one."""
        if self._tools.store is None:
            return InputRows(self._examples)
        # Engines that sum all pairs want one array; the others read rows in pieces.
        whole = not self._spaces.takes_pieces(self._examples)
        with self._run.timer.stage("represent"):
            keep = self._tools.store.keeper("input", len(self._examples), {}, None)
            return InputRows(stored_inputs(self._examples, keep, whole, self._run.progress))
