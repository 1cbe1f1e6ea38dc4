"""Density engines by name and class: those that come with the library and those that packages register."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dataaudit.common.registry import Registry
from dataaudit.common.types import IntArray
from dataaudit.density.base import PLAIN, BlockEngine, Context, DensityEngine
from dataaudit.density.sums import DensitySums
from dataaudit.representations.base import Features, are_rows

__all__ = ["BlockEngine", "Context", "DensityEngine", "DensitySums", "describe", "names"]

REGISTRY = Registry(
    "engine",
    {
        "reference": "dataaudit.density.exact:ReferenceEngine",
        "cpu": "dataaudit.density.exact:CpuEngine",
        "triton": "dataaudit.density.exact:TritonEngine",
        "sampled": "dataaudit.density.sampled:SampledEngine",
        "faiss": "dataaudit.density.near:FaissEngine",
        "ray": "dataaudit.cluster.engine:RayEngine",
    },
    group="dataaudit.engines",
)

names, describe, __getattr__ = REGISTRY.names, REGISTRY.describe, REGISTRY.class_called


def __dir__() -> list[str]:
    return sorted([*__all__, *REGISTRY.classes()])


EXACT_ROWS = 100_000
"""Most rows of which "auto" sums all pairs."""


@dataclass(frozen=True)
class AutomaticEngine(DensityEngine):
    """All pairs on the CPU up to `exact_rows` rows, and for factors of gradients; a sample beyond.

    By benchmarks/scale/engines.py. The audit's settings name the engine that ran.
    """

    exact_rows: int = EXACT_ROWS
    name: str = "auto"

    def choose(self, features: Features) -> DensityEngine:
        """Engine for a representation."""
        return resolve("cpu" if not are_rows(features) or len(features) <= self.exact_rows else "sampled")

    def check(self) -> None:
        """Raise unless both engines run here."""
        resolve("cpu")
        resolve("sampled")

    def sums(self, features: Features, labels: IntArray, bandwidth: float, context: Context = PLAIN) -> DensitySums:
        """As `DensityEngine.sums`, by the engine that is chosen."""
        return self.choose(features).sums(features, labels, bandwidth, context)


def resolve(engine: str | DensityEngine) -> DensityEngine:
    """Engine by name or instance, checked.

    "auto" chooses by the number of rows, `AutomaticEngine`, and never a GPU, which others may be using and whose memory
    has to hold all rows: whoever has one to spare names "triton".

    Raises
    ------
    SettingError
        If the name is unknown, the object is no engine, or this machine cannot run it.
    """
    named: Any = AutomaticEngine() if isinstance(engine, str) and engine == "auto" else engine
    expected = "the name of an engine, or one"
    resolved: DensityEngine = REGISTRY.resolve(named, DensityEngine, f"engine={engine!r}", expected, "auto")
    resolved.check()
    return resolved
