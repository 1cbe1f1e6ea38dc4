"""What computes kernel sums over all pairs: the protocol, the engines that come with it, and their choice."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from dataaudit.common import checks
from dataaudit.common.registry import Registry
from dataaudit.common.types import FloatArray, IntArray
from dataaudit.density.base import DensitySums
from dataaudit.errors import SettingError, did_you_mean, require
from dataaudit.representations.base import Features, are_rows

if TYPE_CHECKING:
    from dataaudit.neighbours.base import Neighbours

REGISTRY = Registry(
    "engine",
    {
        **{name: f"dataaudit.density.engines:{name}" for name in ("reference", "cpu", "triton")},
        "sampled": "dataaudit.density.sampled:sampled",
        "faiss": "dataaudit.density.near:faiss",
        "ray": "dataaudit.cluster.engine:ray",
    },
    group="dataaudit.engines",
)


@runtime_checkable
class DensityEngine(Protocol):
    """Kernel sums over all pairs.

    Laws
    ----
    - ``sums`` agrees with ``dataaudit_kernels.reference`` to the engine's stated precision, and gives the same
      bits for the same arguments on the same machine.
    - Whatever it cannot do, it refuses; it never hands over to another engine.

    `dataaudit.testing.EngineContract` checks them. A package registers engines (instances) in the entry-point
    group ``dataaudit.engines``.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """Name, for the audit's settings."""

    @abstractmethod
    def describe(self, represented: Features) -> dict[str, Any]:
        """What else an audit records of sums over `represented`; JSON values."""

    @abstractmethod
    def check(self) -> None:
        """Raise `SettingError` or `MissingPackageError` where this machine cannot run it."""

    @abstractmethod
    def sums(
        self, represented: Features, labels: IntArray, bandwidth: float, advance: Callable[[float], Any]
    ) -> tuple[FloatArray, FloatArray]:
        """Sums over all others and over those of the same label, float64 [n] each.

        Parameters
        ----------
        represented
            Rows [n, d], or factors of gradients.
        labels
            int64 [n].
        bandwidth
            h > 0.
        advance
            Called with shares of the work that add up to 1.
        """


@runtime_checkable
class EstimatingEngine(DensityEngine, Protocol):
    """An engine whose sums are estimates, with their errors.

    Laws
    ----
    - Rows may be memory-mapped, or come in pieces that give rows at positions and nothing else: they are read in
      blocks, and never copied whole.
    - Errors are honest: about 95 % of the sums lie within 1.96 standard errors of the exact ones, where a sum rests on
      many members of a sample. They are those of sampling, and leave out what the engine's precision adds. Where slopes
      of control variates are fitted to fewer than a thousand members, they are somewhat too small.
    - Equal arguments give equal bits.
    """

    @abstractmethod
    def estimates(
        self,
        represented: Features,
        labels: IntArray,
        bandwidth: float,
        seed: int,
        advance: Callable[[float], Any],
    ) -> DensitySums:
        """Sums with errors, and what to record of how they came about.

        Parameters
        ----------
        represented, labels, bandwidth, advance
            As in `sums`.
        seed
            Of the sample, where the engine has none of its own.
        """


@runtime_checkable
class NearEngine(EstimatingEngine, Protocol):
    """An engine that sums near rows exactly, and takes the neighbour graph where there is one.

    Laws
    ----
    Those of `EstimatingEngine`, whatever the graph's recall.
    """

    @property
    @abstractmethod
    def depth(self) -> int:
        """Neighbours that it asks for."""

    @abstractmethod
    def estimates(
        self,
        represented: Features,
        labels: IntArray,
        bandwidth: float,
        seed: int,
        advance: Callable[[float], Any],
        graph: Neighbours | None = None,
    ) -> DensitySums:
        """As `EstimatingEngine.estimates`; a graph of its own where none is handed over."""


@dataclass(frozen=True)
class ReferenceEngine:
    """The float64 oracle: slow, for checks."""

    name: str = "reference"

    def describe(self, represented: Features) -> dict[str, Any]:
        """Precision."""
        return {"precision": "float64"}

    def check(self) -> None:
        """Runs everywhere."""

    def sums(
        self, represented: Features, labels: IntArray, bandwidth: float, advance: Callable[[float], Any]
    ) -> tuple[FloatArray, FloatArray]:
        """As `DensityEngine.sums`; gradients are written out."""
        from dataaudit_kernels import layers as kernel
        from dataaudit_kernels import reference

        if isinstance(represented, np.ndarray):
            found = reference.rbf_sums(represented, labels, bandwidth)
        else:
            layers = [kernel.LinearGradient(*factors) for factors in represented]
            found = reference.gradient_rbf_sums(layers, labels, bandwidth)
        advance(1.0)
        return found

    def settled(self, represented: Features, threads: int) -> ReferenceEngine:
        """As `dataaudit.density.blocks.BlockEngine.settled`: there is nothing to choose."""
        return self

    def block_sums(
        self, a: Features, labels_a: IntArray, b: Features, labels_b: IntArray, bandwidth: float, centre: Any
    ) -> tuple[FloatArray, FloatArray]:
        """As `dataaudit.density.blocks.BlockEngine.block_sums`; gradients are written out."""
        from dataaudit_kernels import layers as kernel
        from dataaudit_kernels import reference

        rows = [
            part if are_rows(part) else reference.written_out([kernel.LinearGradient(*factors) for factors in part])
            for part in (a, b)
        ]
        of_a = reference.rbf_sums(rows[0], labels_a, bandwidth, rows[1], labels_b)
        return np.stack(of_a), np.stack(reference.rbf_sums(rows[1], labels_b, bandwidth, rows[0], labels_a))


@dataclass(frozen=True)
class CpuEngine:
    """Every pair once, on all cores.

    Parameters
    ----------
    precision
        "auto" (exact for 8-bit pixels, otherwise float32), "float32", "bfloat16" or "uint8": see
        ``dataaudit_kernels.rbf_cpu.rbf_sums``. Gradients are always float32.
    threads
        All cores if None.
    """

    precision: str = "auto"
    threads: int | None = None
    name: str = "cpu"

    def describe(self, represented: Features) -> dict[str, Any]:
        """What products multiply."""
        from dataaudit_kernels.rbf_cpu import kind_of

        return {"precision": kind_of(self.precision, [represented]) if are_rows(represented) else "float32"}

    def check(self) -> None:
        """Raise unless this CPU multiplies in the precision asked for."""
        from dataaudit_kernels.products import supported

        if self.precision not in ("auto", *supported()):
            raise SettingError(
                f"precision={self.precision!r}",
                f"one that this CPU multiplies: auto, {', '.join(supported())}",
                "pass precision='auto'",
            )
        if self.threads is not None:
            checks.whole("threads", self.threads, 1, "pass None", expected="a whole number of at least 1, or None")

    def sums(
        self, represented: Features, labels: IntArray, bandwidth: float, advance: Callable[[float], Any]
    ) -> tuple[FloatArray, FloatArray]:
        """As `DensityEngine.sums`."""
        from dataaudit_kernels import layers as kernel
        from dataaudit_kernels import rbf_cpu

        options: dict[str, Any] = {"threads": self.threads, "advance": advance}
        if isinstance(represented, np.ndarray):
            return rbf_cpu.rbf_sums(represented, labels, bandwidth, precision=self.precision, **options)
        layers = [kernel.LinearGradient(*factors) for factors in represented]
        return rbf_cpu.gradient_rbf_sums(layers, labels, bandwidth, **options)

    def settled(self, represented: Features, threads: int) -> CpuEngine:
        """As `dataaudit.density.blocks.BlockEngine.settled`."""
        return replace(self, precision=self.describe(represented)["precision"], threads=self.threads or threads)

    def block_sums(
        self, a: Features, labels_a: IntArray, b: Features, labels_b: IntArray, bandwidth: float, centre: Any
    ) -> tuple[FloatArray, FloatArray]:
        """As `dataaudit.density.blocks.BlockEngine.block_sums`."""
        from dataaudit_kernels import layers as kernel
        from dataaudit_kernels import rbf_blocks

        if are_rows(a) and are_rows(b):
            options: dict[str, Any] = {"centre": centre, "precision": self.precision, "threads": self.threads}
            return rbf_blocks.block_sums(a, labels_a, b, labels_b, bandwidth, **options)
        ours, theirs = ([kernel.LinearGradient(*factors) for factors in part] for part in (a, b))
        return rbf_blocks.gradient_block_sums(ours, labels_a, theirs, labels_b, bandwidth, threads=self.threads)


@dataclass(frozen=True)
class TritonEngine:
    """Every pair once, on the tensor cores of a CUDA device.

    Parameters
    ----------
    precision
        "tf32x3" (nearly float32), "tf32", "bfloat16", "float16" or "float32": see
        ``dataaudit_kernels.rbf_triton.rbf_sums``. Gradients take "tf32x3" unless "float32" is asked for.
    device
        Such as "cuda:1"; the current one if None.
    """

    precision: str = "tf32x3"
    device: str | None = None
    name: str = "triton"

    def describe(self, represented: Features) -> dict[str, Any]:
        """What products multiply, and where."""
        from dataaudit_kernels.rbf_triton import device_name

        precision = self.precision if are_rows(represented) else self._of_gradients()
        return {"precision": precision, "device": device_name(self.device)}

    def _of_gradients(self) -> str:
        return "float32" if self.precision == "float32" else "tf32x3"

    def check(self) -> None:
        """Raise unless Triton and a device are there."""
        require("triton", "gpu", "engine 'triton'")
        from dataaudit_kernels.rbf_triton import find_device
        from dataaudit_kernels.triton_plan import PRECISIONS

        if self.precision not in PRECISIONS:
            raise SettingError(
                f"precision={self.precision!r}", f"one of {', '.join(PRECISIONS)}", "pass precision='tf32x3'"
            )
        try:
            find_device(self.device)
        except RuntimeError as error:
            raise SettingError(
                f"engine 'triton' where it cannot run: {error}",
                "a CUDA device of compute capability 8.0 or later",
                "pass engine='cpu'",
            ) from error

    def sums(
        self, represented: Features, labels: IntArray, bandwidth: float, advance: Callable[[float], Any]
    ) -> tuple[FloatArray, FloatArray]:
        """As `DensityEngine.sums`."""
        from dataaudit_kernels import layers as kernel
        from dataaudit_kernels import rbf_triton

        options: dict[str, Any] = {"device": self.device, "advance": advance}
        if isinstance(represented, np.ndarray):
            return rbf_triton.rbf_sums(represented, labels, bandwidth, precision=self.precision, **options)
        layers = [kernel.LinearGradient(*factors) for factors in represented]
        return rbf_triton.gradient_rbf_sums(layers, labels, bandwidth, precision=self._of_gradients(), **options)

    def settled(self, represented: Features, threads: int) -> TritonEngine:
        """As `dataaudit.density.blocks.BlockEngine.settled`: the device is that of the worker."""
        return self

    def block_sums(
        self, a: Features, labels_a: IntArray, b: Features, labels_b: IntArray, bandwidth: float, centre: Any
    ) -> tuple[FloatArray, FloatArray]:
        """As `dataaudit.density.blocks.BlockEngine.block_sums`: every pair twice, and rows alone."""
        from dataaudit_kernels import rbf_triton

        if not (are_rows(a) and are_rows(b)):
            raise SettingError("factors of gradients for blocks of engine 'triton'", "rows", "pass engine='cpu'")
        options: dict[str, Any] = {"precision": self.precision, "device": self.device}
        of_a = rbf_triton.rbf_sums(a, labels_a, bandwidth, b, labels_b, **options)
        return np.stack(of_a), np.stack(rbf_triton.rbf_sums(b, labels_b, bandwidth, a, labels_a, **options))


reference, cpu, triton = ReferenceEngine(), CpuEngine(), TritonEngine()

EXACT_ROWS = 100_000
"""Most rows of which "auto" sums all pairs."""


@dataclass(frozen=True)
class AutomaticEngine:
    """All pairs on the CPU up to `EXACT_ROWS` rows, and for factors of gradients; a sample beyond.

    By benchmarks/scale/engines.py. The audit's settings name the engine that ran.
    """

    name: str = "auto"

    def choose(self, represented: Features) -> DensityEngine:
        """Engine for a representation."""
        few = not are_rows(represented) or len(represented) <= EXACT_ROWS
        return cpu if few else _checked(REGISTRY.get("sampled"))

    def describe(self, represented: Features) -> dict[str, Any]:
        """What the chosen engine records."""
        return self.choose(represented).describe(represented)

    def check(self) -> None:
        """Raise unless both engines run here."""
        cpu.check()
        REGISTRY.get("sampled").check()

    def sums(
        self, represented: Features, labels: IntArray, bandwidth: float, advance: Callable[[float], Any]
    ) -> tuple[FloatArray, FloatArray]:
        """As `DensityEngine.sums`, by the engine that is chosen."""
        return self.choose(represented).sums(represented, labels, bandwidth, advance)


automatic = AutomaticEngine()


def resolve(engine: str | DensityEngine) -> DensityEngine:
    """Engine by name or instance, checked.

    "auto" chooses by the number of rows, `AutomaticEngine`, and never a GPU, which others may be using and whose memory
    has to hold all rows: whoever has one to spare asks for "triton".

    Raises
    ------
    SettingError
        If the name is unknown, the object is no engine, or this machine cannot run it.
    """
    if isinstance(engine, str) and engine == "auto":
        return _checked(automatic)
    return _checked(REGISTRY.get(engine) if isinstance(engine, str) else engine)


def _checked(engine: Any) -> DensityEngine:
    if not isinstance(engine, DensityEngine) or isinstance(engine, type):
        names = ["auto", *REGISTRY.names()]
        raise SettingError(f"engine={engine!r}", "the name of an engine, or one", did_you_mean(engine, names))
    engine.check()
    return engine
