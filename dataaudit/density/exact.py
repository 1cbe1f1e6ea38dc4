"""Engines that sum over every pair: the float64 oracle, the CPU, and CUDA devices."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dataaudit.common import checks
from dataaudit.common.types import FloatArray, IntArray
from dataaudit.density.base import PLAIN, BlockEngine, Context
from dataaudit.density.sums import DensitySums
from dataaudit.errors import SettingError, parts_of, require
from dataaudit.representations.base import Features, are_rows


@dataclass(frozen=True)
class ReferenceEngine(BlockEngine):
    """The float64 oracle: slow, for checks."""

    name: str = "reference"

    def record(self, features: Features) -> dict[str, Any]:
        """Precision."""
        return {"precision": "float64"}

    def check(self) -> None:
        """Accept every machine."""

    def sums(self, features: Features, labels: IntArray, bandwidth: float, context: Context = PLAIN) -> DensitySums:
        """As `DensityEngine.sums`; gradients are written out."""
        from dataaudit_kernels import reference

        total, same = reference.rbf_sums(_written_out(features), labels, bandwidth)
        context.advance(1.0)
        return DensitySums(total, same, self.record(features))

    def pinned(self, features: Features, threads: int) -> ReferenceEngine:
        """As `BlockEngine.pinned`: there is nothing to choose."""
        return self

    def block_sums(
        self, a: Features, labels_a: IntArray, b: Features, labels_b: IntArray, bandwidth: float, centre: Any
    ) -> tuple[FloatArray, FloatArray]:
        """As `BlockEngine.block_sums`; gradients are written out."""
        from dataaudit_kernels import reference

        x, y = _written_out(a), _written_out(b)
        of_a = reference.rbf_sums(x, labels_a, bandwidth, y, labels_b)
        return np.stack(of_a), np.stack(reference.rbf_sums(y, labels_b, bandwidth, x, labels_a))


def _written_out(features: Features) -> Any:
    from dataaudit_kernels.reference import written_out

    return features if are_rows(features) else written_out(features)


@dataclass(frozen=True)
class CpuEngine(BlockEngine):
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

    def record(self, features: Features) -> dict[str, Any]:
        """Precision of products."""
        from dataaudit_kernels.rbf_cpu import kind_of

        return {"precision": kind_of(self.precision, [features]) if are_rows(features) else "float32"}

    def check(self) -> None:
        """Raise unless this CPU multiplies in that precision."""
        from dataaudit_kernels.products import supported

        if self.precision not in ("auto", *supported()):
            raise SettingError(
                f"precision={self.precision!r}",
                f"one that this CPU multiplies: auto, {', '.join(supported())}",
                "pass precision='auto'",
            )
        if self.threads is not None:
            checks.whole("threads", self.threads, 1, "pass None", expected="a whole number of at least 1, or None")

    def sums(self, features: Features, labels: IntArray, bandwidth: float, context: Context = PLAIN) -> DensitySums:
        """As `DensityEngine.sums`."""
        from dataaudit_kernels import rbf_cpu

        options: dict[str, Any] = {"threads": self.threads, "advance": context.advance}
        if are_rows(features):
            sums = rbf_cpu.rbf_sums(features, labels, bandwidth, precision=self.precision, **options)
        else:
            sums = rbf_cpu.gradient_rbf_sums(features, labels, bandwidth, **options)
        return DensitySums(*sums, self.record(features))

    def pinned(self, features: Features, threads: int) -> CpuEngine:
        """As `BlockEngine.pinned`."""
        return replace(self, precision=self.record(features)["precision"], threads=self.threads or threads)

    def block_sums(
        self, a: Features, labels_a: IntArray, b: Features, labels_b: IntArray, bandwidth: float, centre: Any
    ) -> tuple[FloatArray, FloatArray]:
        """As `BlockEngine.block_sums`."""
        from dataaudit_kernels import rbf_blocks

        if are_rows(a) and are_rows(b):
            options: dict[str, Any] = {"centre": centre, "precision": self.precision, "threads": self.threads}
            return rbf_blocks.block_sums(a, labels_a, b, labels_b, bandwidth, **options)
        assert not are_rows(a)
        assert not are_rows(b)
        return rbf_blocks.gradient_block_sums(a, labels_a, b, labels_b, bandwidth, threads=self.threads)


@dataclass(frozen=True)
class TritonEngine(BlockEngine):
    """Every pair once, on the tensor cores of a CUDA device.

    Parameters
    ----------
    precision
        "tf32x3" (nearly float32), "tf32", "bfloat16", "float16" or "float32": see
        ``dataaudit_kernels.rbf_triton.rbf_sums``. Gradients take "float32" if it is named, else "tf32x3".
    device
        Such as "cuda:1"; the current one if None.
    """

    precision: str = "tf32x3"
    device: str | None = None
    name: str = "triton"

    def record(self, features: Features) -> dict[str, Any]:
        """Precision of products, and the device."""
        from dataaudit_kernels.rbf_triton import device_name

        of_gradients = "float32" if self.precision == "float32" else "tf32x3"
        precision = self.precision if are_rows(features) else of_gradients
        return {"precision": precision, "device": device_name(self.device)}

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
            arrived, _, _ = parts_of(error) or (str(error), "", "")
            raise SettingError(
                f"{arrived}, for engine 'triton'",
                "a CUDA device of compute capability 8.0 or later",
                "pass engine='cpu'",
            ) from error

    def sums(self, features: Features, labels: IntArray, bandwidth: float, context: Context = PLAIN) -> DensitySums:
        """As `DensityEngine.sums`."""
        from dataaudit_kernels import rbf_triton

        record = self.record(features)
        options = {"precision": record["precision"], "device": self.device, "advance": context.advance}
        if are_rows(features):
            return DensitySums(*rbf_triton.rbf_sums(features, labels, bandwidth, **options), record)
        return DensitySums(*rbf_triton.gradient_rbf_sums(features, labels, bandwidth, **options), record)

    def pinned(self, features: Features, threads: int) -> TritonEngine:
        """As `BlockEngine.pinned`: the device is that of the worker."""
        return self

    def block_sums(
        self, a: Features, labels_a: IntArray, b: Features, labels_b: IntArray, bandwidth: float, centre: Any
    ) -> tuple[FloatArray, FloatArray]:
        """As `BlockEngine.block_sums`: every pair twice, and rows alone."""
        from dataaudit_kernels import rbf_triton

        if not (are_rows(a) and are_rows(b)):
            raise SettingError("factors of gradients for blocks of engine 'triton'", "rows", "pass engine='cpu'")
        options: dict[str, Any] = {"precision": self.precision, "device": self.device}
        of_a = rbf_triton.rbf_sums(a, labels_a, bandwidth, b, labels_b, **options)
        return np.stack(of_a), np.stack(rbf_triton.rbf_sums(b, labels_b, bandwidth, a, labels_a, **options))
