"""Exact kernel sums on a Ray cluster, block of pairs by block of pairs.

rows -> ranges; pairs of ranges -> tasks                 schedule
rows in memory, handed over once; files by name          source
tasks -> workers; lost ones again                        common/ray_tasks
blocks -> a folder, added in one order                   folder, tally
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np

from dataaudit.cluster.folder import BlockFolder
from dataaudit.cluster.schedule import AHEAD, BlockSchedule
from dataaudit.cluster.source import Source, changed
from dataaudit.cluster.tally import Tally
from dataaudit.cluster.tasks import MAPPED, refuse
from dataaudit.common import checks
from dataaudit.common.fingerprints import fingerprint_of
from dataaudit.common.ray_tasks import RayPool, TaskResources
from dataaudit.common.types import FloatArray, IntArray
from dataaudit.density.base import PLAIN, BlockEngine, Context, DensityEngine
from dataaudit.density.engines import REGISTRY
from dataaudit.density.sums import DensitySums
from dataaudit.errors import SettingError, require
from dataaudit.representations.base import Features, are_rows, rows_of


@dataclass(frozen=True)
class RayEngine(DensityEngine):
    """Exact sums over all pairs, in blocks on the workers of a Ray cluster.

    A block that was lost with its worker or node is computed again, and no other; results do not depend on who
    computed what, or how many. Rows that are memory-mapped are opened by the workers under the same path; rows in
    memory are handed over once, and every node holds a copy. Memory of the driver: 32 bytes a row, and some blocks.

    A Ray that is running in this process is used as it is. Otherwise one is started, or connected to, and left when
    the sums are done.

    Parameters
    ----------
    engine
        Engine that computes a block: "cpu", "triton" or "reference", or a `dataaudit.density.base.BlockEngine`.
        The CPU's threads are `num_cpus` where it does not say.
    folder
        Keeps finished blocks: killed, interrupted or stopped by a full disk, the same call goes on from them. It
        serves every representation and bandwidth of a data set. None keeps nothing.
    block_rows
        Rows of a range; a block is the pairs of two.
    num_cpus, num_gpus, resources
        What a block takes; as in ``ray.remote``.
    address
        Of a cluster to connect to, as in ``ray.init``; a local Ray if None.
    retries
        How often a block is computed again whose worker or node was lost.

    Raises
    ------
    SettingError
        If a number is none, or out of its range.
    """

    engine: str | BlockEngine = "cpu"
    folder: str | Path | None = None
    block_rows: int = 32768
    num_cpus: float = 1
    num_gpus: float = 0
    resources: Mapping[str, float] | None = None
    address: str | None = None
    retries: int = 3
    name: str = "ray"

    def __post_init__(self) -> None:
        checks.whole("block_rows", self.block_rows, 1, "leave out block_rows=")
        _ = self._resources
        if self.folder is not None and not isinstance(self.folder, (str, Path)):
            raise SettingError(f"folder={self.folder!r}", "a path, or None", "pass folder='blocks'")

    @property
    def _resources(self) -> TaskResources:
        return TaskResources(self.num_cpus, self.num_gpus, self.resources, self.address, self.retries)

    @property
    def _inner(self) -> BlockEngine:
        engine = REGISTRY.instance(self.engine) if isinstance(self.engine, str) else self.engine
        if not isinstance(engine, BlockEngine):
            raise SettingError(
                f"engine={self.engine!r} for blocks of RayEngine",
                "an engine that sums over the pairs of two ranges: 'cpu', 'triton', 'reference', or one's own",
                "pass engine='cpu'",
            )
        return engine

    def check(self) -> None:
        """Raise unless Ray is installed and the engine knows blocks; where those take a GPU, workers say if it runs."""
        require("ray", "ray", "engine 'ray'")
        inner = self._inner
        if not self.num_gpus:
            inner.check()

    def sums(self, features: Features, labels: IntArray, bandwidth: float, context: Context = PLAIN) -> DensitySums:
        """As `dataaudit.density.base.DensityEngine.sums`; finished blocks are kept if it raises.

        A mapped file that changes or that a worker cannot open, and a folder of something else or that cannot be
        written, raise `StorageError`; a block that failed, or was lost more often than `retries`, `ClusterError`.
        """
        from dataaudit_kernels.packing import centre_of
        from dataaudit_kernels.validation import check_bandwidth, check_labels, check_layers, check_rows

        h = check_bandwidth(bandwidth)
        if are_rows(features):
            check_rows(features, "x")
        else:
            check_layers(features)
        schedule = BlockSchedule(rows_of(features), self.block_rows)
        labels = check_labels(labels, schedule.rows, "labels")
        source = Source.of(features)
        inner = self._inner.pinned(features, max(1, int(self.num_cpus)))
        centre = centre_of(np.asarray(features)) if are_rows(features) else None
        digests = tuple(source.digests(schedule))
        folder = self._open(source, labels, h, self._inner.pinned(features, 1), digests)
        pool = RayPool(self._resources, "tasks of RayEngine")
        try:
            tally = Tally(schedule, folder, context.advance)
            if tally.missing:
                job = BlockJob(inner, schedule, source, labels, h, centre, digests)
                failed = partial(refuse, "RayEngine", f"block_rows={max(1, self.block_rows // 2)}")
                with pool, closing(pool.run(pool.share(job, MAPPED), tally.missing, failed, AHEAD)) as results:
                    for position, block in results:
                        tally.put(tally.missing[position], block)
            source.check_unchanged()
        finally:
            if folder is not None:
                folder.close()
        settings = {
            "block_engine": self._inner.name,
            # Where blocks take a GPU, it is the workers that have one.
            **({} if self.num_gpus else self._inner.record(features)),
            "block_rows": self.block_rows,
            "blocks": schedule.tasks,
            **self._resources.describe(),
            "nodes": len(pool.nodes),
            "blocks_begun": pool.started,
            "blocks_lost": pool.retried,
            "mapped_files": source.files,
            "blocks_from_folder": tally.resumed,
            "damaged_blocks": [] if folder is None else folder.damaged,
        }
        return DensitySums(tally.sums[0], tally.sums[1], settings)

    def _open(
        self, source: Source, labels: IntArray, h: float, inner: BlockEngine, digests: tuple[str, ...]
    ) -> BlockFolder | None:
        if self.folder is None:
            return None
        layout = {"form": source.form, "biases": source.biases and list(source.biases), "bandwidth": h}
        settings = {
            "block_rows": self.block_rows,
            "engine": inner.name,
            "engine's settings": fingerprint_of(inner),
            "dataaudit": version("dataaudit"),
        }
        belongs = {"rows": fingerprint_of(list(digests)), "settings": settings}
        return BlockFolder(self.folder, {"labels": fingerprint_of(labels)}, layout, belongs, source.files)


@dataclass(frozen=True)
class BlockJob:
    """Work that every worker is handed; `centre` float64 [d] is the middle of the bulk of all rows, None for gradients.

    `labels` are int64 [n], `digests` those of the rows of every range.
    """

    engine: BlockEngine
    schedule: BlockSchedule
    source: Source
    labels: IntArray
    bandwidth: float
    centre: FloatArray | None
    digests: tuple[str, ...]

    def __call__(self, task: int) -> FloatArray:
        """Sums of a task, float64 [2, rows of a and then of b]; `StorageError` if a mapped file is another by now."""
        a, b = self.schedule.ranges_of(task)
        self.source.check_unchanged()
        rows = self.schedule.slice_of(a)
        features, labels = self.source.part(rows), self.labels[rows]
        if a == b:
            if self.source.files and self.source.digest(rows) != self.digests[a]:
                raise changed(self.source.files[0], f"another digest of rows {rows.start} on", self.digests[a])
            sums = self.engine.sums(features, labels, self.bandwidth)
            block = np.stack([sums.total, sums.same])
        else:
            others = self.schedule.slice_of(b)
            theirs = self.source.part(others), self.labels[others]
            sides = self.engine.block_sums(features, labels, *theirs, self.bandwidth, self.centre)
            block = np.concatenate(sides, axis=1)
        self.source.check_unchanged()
        return np.ascontiguousarray(block)
