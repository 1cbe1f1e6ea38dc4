"""What lies in the representations asked for, found as soon as each exists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from dataaudit.density.base import DensityNeed, DensitySums
from dataaudit.errors import ModelError, SettingError
from dataaudit.types import IntArray

if TYPE_CHECKING:
    from dataaudit.data.examples import Examples
    from dataaudit.density.engines import DensityEngine
    from dataaudit.evidence import Timer
    from dataaudit.learners.base import Fitted, Learner
    from dataaudit.representations.base import Represented
    from dataaudit.representations.collect import TorchModel, Wanted


class Crowds:
    """Densities asked for, computed as soon as their representation exists, which is then let go."""

    def __init__(
        self,
        needs: Sequence[DensityNeed],
        labels: IntArray,
        engine: DensityEngine | None,
        seed: int,
        progress: bool,
        timer: Timer,
    ) -> None:
        self.of_model = [need for need in needs if need.space != "input"]
        self._of_inputs = [need for need in needs if need.space == "input"]
        self._labels, self._engine, self._seed = labels, engine, seed
        self._progress, self._timer = progress, timer
        self.found: dict[DensityNeed, DensitySums] = {}

    @property
    def watch(self) -> Any:
        """What looks at the model after every epoch; None where nothing is asked for before the last."""
        chosen = {need.epoch for need in self.of_model} - {None}
        if not chosen:
            return None

        def look(epoch: int, fitted: Fitted) -> None:
            if epoch in chosen:
                self.take(fitted, epoch)

        return look

    def check(self, learner: Learner, epochs: int) -> None:
        """Raise unless the model has every representation, and training has every epoch, asked for."""
        from dataaudit.representations.collect import readers

        if not hasattr(learner, "module"):
            raise ModelError(
                f"a {learner.description['model']}, for a density of {self.of_model[0].space!r}",
                "a torch module, whose layers can be read",
                "ask for 'density/input', or pass a torch module",
            )
        late = sorted({need.epoch for need in self.of_model if need.epoch is not None and need.epoch > epochs})
        if late:
            raise SettingError(
                f"a density after epoch {late[0]}",
                f"epochs 1 to {epochs}" if epochs else "the end of training, for nothing is trained here",
                "leave epochs=None, or raise the recipe's epochs",
            )
        wanted = self._wanted(self.of_model)
        readers(cast("TorchModel", learner.untrained()), wanted, len(self._labels), self._seed)

    @staticmethod
    def _wanted(needs: Sequence[DensityNeed]) -> list[Wanted]:
        from dataaudit.representations.collect import Wanted

        return list(dict.fromkeys(Wanted(need.space, need.layer, need.loss) for need in needs))

    def of_inputs(self, examples: Examples | None) -> None:
        """Compute the densities of inputs."""
        if not self._of_inputs:
            return
        if examples is None:
            raise ModelError(
                "no data set, for a density of inputs", "the inputs", "use dataaudit.score(None, dataset, ...)"
            )
        from dataaudit.representations.input import input_rows

        with self._timer.stage("represent"):
            represented, described = input_rows(examples)
        for need in self._of_inputs:
            self._add(need, represented, described)

    def take(self, fitted: Fitted, epoch: int | None) -> None:
        """Compute the densities of the model as it is after `epoch` (None: at the end)."""
        from dataaudit.representations.collect import Wanted, represent

        now = [need for need in self.of_model if need.epoch == epoch]
        if not now:
            return
        with self._timer.stage("represent"):
            made = represent(cast("TorchModel", fitted), self._wanted(now), self._labels, self._seed, self._progress)
        for need in now:
            self._add(need, *made[Wanted(need.space, need.layer, need.loss)])

    def _add(self, need: DensityNeed, represented: Represented, described: dict[str, Any]) -> None:
        from dataaudit.density.compute import density_sums

        assert self._engine is not None
        with self._timer.stage("density"):
            self.found[need] = density_sums(
                need, represented, described, self._labels, self._engine, self._seed, self._progress
            )
