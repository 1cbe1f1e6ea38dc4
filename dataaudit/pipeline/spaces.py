"""What lies in the representations asked for, found as soon as each exists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from dataaudit.common.types import IntArray
from dataaudit.density.base import DensityNeed, DensitySums
from dataaudit.errors import ModelError, SettingError
from dataaudit.neighbours.base import NeighbourNeed, Neighbours
from dataaudit.neighbours.labels import NeighbourLabels, NeighbourLabelsNeed
from dataaudit.representations.spaces import Space

if TYPE_CHECKING:
    from dataaudit.common.timing import Timer
    from dataaudit.data.examples import Examples
    from dataaudit.density.protocol import DensityEngine
    from dataaudit.learners.base import Fitted, Learner
    from dataaudit.neighbours.protocol import NeighbourSearch
    from dataaudit.pipeline.evaluations import Show
    from dataaudit.representations.base import Features
    from dataaudit.representations.collect import TorchModel
    from dataaudit.representations.input import InputRows
    from dataaudit.representations.keep import Keep
    from dataaudit.representations.store import RowStore


class SpaceCollector:
    """Densities and neighbours asked for, found as soon as their representation exists, which is then let go."""

    def __init__(
        self,
        needs: Sequence[DensityNeed | NeighbourNeed | NeighbourLabelsNeed],
        labels: IntArray,
        classes: int,
        engine: DensityEngine | None,
        search: NeighbourSearch | None,
        seed: int,
        progress: bool,
        timer: Timer,
        store: RowStore | None = None,
    ) -> None:
        self.of_model = [need for need in needs if need.space.of_model]
        self._of_inputs = [need for need in needs if not need.space.of_model]
        self._labels, self._classes = labels, classes
        self._engine, self._search, self._seed = engine, search, seed
        self._progress, self._timer, self._store = progress, timer, store
        self.densities: dict[DensityNeed, DensitySums] = {}
        self.neighbours: dict[NeighbourNeed, Neighbours] = {}
        self.around: NeighbourLabels | None = None
        self._depths = self._deepest(needs)
        self._graphs: dict[Space, Neighbours] = {}

    def of_another_run(self, seed: int) -> SpaceCollector:
        """What looks for labels of neighbours alone in another run of the model, whose layers are kept nowhere."""
        from dataaudit.common.timing import Timer

        needs = [need for need in self.of_model if isinstance(need, NeighbourLabelsNeed)]
        # The run's time is told as a whole.
        return SpaceCollector(needs, self._labels, self._classes, None, self._search, seed, self._progress, Timer())

    @property
    def watch(self) -> Any:
        """What looks at the model after every epoch; None where nothing is asked for before the last."""
        chosen = {need.space.epoch for need in self.of_model} - {None}
        if not chosen:
            return None

        def look(epoch: int, fitted: Fitted) -> None:
            if epoch in chosen:
                self.take(fitted, epoch)

        return look

    def check(self, learner: Learner, epochs: int) -> None:
        """Raise unless the model has every representation, and training has every epoch, asked for."""
        if not learner.readable:
            raise ModelError(
                f"a {learner.description['model']}, for the representation {self.of_model[0].space.name!r}",
                "a torch module, whose layers can be read",
                "ask for a score of 'input', or pass a torch module",
            )
        asked = {need.space.epoch for need in self.of_model}
        late = sorted(epoch for epoch in asked if epoch is not None and epoch > epochs)
        if late:
            raise SettingError(
                f"a representation after epoch {late[0]}",
                f"epochs 1 to {epochs}" if epochs else "the end of training, for nothing is trained here",
                "leave epochs=None, or raise the recipe's epochs",
            )
        check_readable(learner, self.of_model, len(self._labels), self._seed)

    def stored(self, examples: Examples | None, vectors: bool) -> Examples | None:
        """The data set, its inputs in the store where there is one and they are asked for.

        Parameters
        ----------
        examples
            The data set.
        vectors
            Whether something else is computed from inputs that are vectors.
        """
        if self._store is None or examples is None or not (self._of_inputs or vectors):
            return examples
        from dataaudit.representations.input import stored_inputs

        # Engines that sum all pairs want one array; the others read rows in pieces.
        summed = any(isinstance(need, DensityNeed) for need in self._of_inputs) and not self._takes_pieces(examples)
        with self._timer.stage("represent"):
            keep = self._store.keeper("input", len(examples), {}, None)
            return stored_inputs(examples, keep, summed, self._progress)

    def _takes_pieces(self, examples: Examples) -> bool:
        from dataaudit.density.engines import AutomaticEngine

        engine = self._engine
        if isinstance(engine, AutomaticEngine) and examples.array is not None:
            engine = engine.choose(examples.array)
        return engine is not None and engine.reads_pieces

    def of_inputs(self, inputs: InputRows | None) -> None:
        """Find what lies among the inputs."""
        if not self._of_inputs:
            return
        if inputs is None:
            raise ModelError(
                "no data set, for a score of inputs", "the inputs", "use dataaudit.score(None, dataset, ...)"
            )
        with self._timer.stage("represent"):
            found = {
                need: inputs.level if isinstance(need, NeighbourLabelsNeed) else inputs.found
                for need in self._of_inputs
            }
        for need, (represented, described) in found.items():
            self._add(need, cast("Features", represented), described)
        if self._store is not None:
            self._store.check_unchanged()

    def take(self, fitted: Fitted, epoch: int | None, shows: Sequence[Show] = ()) -> bool:
        """Find what lies in the model as it is after `epoch` (None: at the end), in a pass that others see too.

        Returns
        -------
        bool
            Whether there was a pass.
        """
        from dataaudit.representations.collect import represent, weights_of

        now = [need for need in self.of_model if need.space.epoch == epoch]
        if not now:
            return False
        model, keeps = cast("TorchModel", fitted), None
        with self._timer.stage("represent"):
            if self._store is not None:
                store, weights = self._store, weights_of(model)

                def keeps(space: Space) -> Keep:
                    of = {"layer": space.layer, "loss": space.loss, "epoch": epoch}
                    return store.keeper(space.name, len(self._labels), of, weights)

            made = represent(model, _spaces(now), self._labels, self._seed, self._progress, keeps, shows)
        for need in now:
            self._add(need, *made[need.space])
        if self._store is not None:
            self._store.check_unchanged()
        return True

    def _add(
        self, need: DensityNeed | NeighbourNeed | NeighbourLabelsNeed, represented: Features, described: dict[str, Any]
    ) -> None:
        if isinstance(need, NeighbourLabelsNeed):
            from dataaudit.neighbours.labels import labels_around

            assert self._search is not None
            with self._timer.stage("neighbours"):
                self.around = labels_around(
                    need, represented, described, self._labels, self._classes, self._search, self._seed, self._progress
                )
            return
        if isinstance(need, NeighbourNeed):
            with self._timer.stage("neighbours"):
                self.neighbours[need] = self._graph(need, represented, described)
            return
        from dataaudit.density.compute import density_sums

        assert self._engine is not None
        graph = self._near(need, represented, described)
        with self._timer.stage("density"):
            self.densities[need] = density_sums(
                need, represented, described, self._labels, self._engine, self._seed, self._progress, graph
            )

    def _near(self, need: DensityNeed, represented: Features, described: dict[str, Any]) -> Neighbours | None:
        """The graph for an engine that takes one, of a representation that neighbours are searched in."""
        if self._engine is None or not self._engine.depth or not need.space.searchable or len(self._labels) < 2:
            return None
        asked = NeighbourNeed(need.space, self._engine.depth)
        with self._timer.stage("neighbours"):
            return self._graph(asked, represented, described)

    def _deepest(self, needs: Sequence[DensityNeed | NeighbourNeed | NeighbourLabelsNeed]) -> dict[Space, int]:
        """The most neighbours that scores or the engine want, by representation: one search serves them all."""
        near = 0 if self._engine is None else self._engine.depth
        found: dict[Space, int] = {}
        for need in needs:
            if isinstance(need, NeighbourNeed):
                depth = need.depth
            elif isinstance(need, DensityNeed) and need.space.searchable:
                depth = near
            else:
                continue
            found[need.space] = max(found.get(need.space, 0), depth)
        return found

    def _graph(self, need: NeighbourNeed, represented: Features, described: dict[str, Any]) -> Neighbours:
        from dataaudit.neighbours.compute import neighbour_graph

        if need.space not in self._graphs:
            assert self._search is not None
            widest = replace(need, depth=self._depths[need.space])
            self._graphs[need.space] = neighbour_graph(
                widest, represented, described, self._search, self._seed, self._progress
            )
        return self._graphs[need.space].first(need.depth)


def check_readable(
    learner: Learner, needs: Sequence[DensityNeed | NeighbourNeed | NeighbourLabelsNeed], n: int, seed: int
) -> None:
    """Raise `ModelError` unless the model's layers give every representation of `needs`."""
    from dataaudit.pipeline.evaluations import own_generator
    from dataaudit.representations.collect import readers

    with own_generator(seed):
        readers(
            cast("TorchModel", learner.untrained()),
            list(dict.fromkeys(replace(space, epoch=None) for space in _spaces(needs))),
            n,
            seed,
        )


def _spaces(needs: Sequence[DensityNeed | NeighbourNeed | NeighbourLabelsNeed]) -> list[Space]:
    return list(dict.fromkeys(need.space for need in needs))
