"""Two Ray nodes give the bits of one; a node that is killed costs its blocks alone."""

import logging
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import dataaudit
from dataaudit.cluster.engine import RayEngine
from dataaudit.cluster.search import RaySearch
from dataaudit.density.base import Context
from dataaudit.density.exact import ReferenceEngine
from dataaudit.errors import ClusterError, DataError, SettingError, StorageError
from dataaudit.neighbours.search import PyNNDescent
from dataaudit.testing import EngineContract, SearchContract

ray = pytest.importorskip("ray")


@pytest.fixture(scope="module", autouse=True)
def cluster():
    """Two node processes of one CPU each."""
    from ray.cluster_utils import Cluster

    # Workers cannot import this module.
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    # A dead node is noticed after 5 seconds instead of 15.
    head = {
        "num_cpus": 1,
        "resources": {"first": 1},
        "include_dashboard": False,
        "_system_config": {"health_check_period_ms": 1000},
    }
    made = Cluster(initialize_head=True, head_node_args=head)
    mortal = made.add_node(num_cpus=1)
    ray.init(address=made.address, log_to_driver=False, logging_level=logging.ERROR)
    yield made, mortal
    ray.shutdown()
    made.shutdown()
    ray.cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


@dataclass(frozen=True)
class Traced(ReferenceEngine):
    """Leaves a file named after its node for each block, and waits until two nodes have; one node never goes on."""

    folder: str = ""
    stuck: str = ""

    def _leave(self):
        node = ray.get_runtime_context().get_node_id()
        (Path(self.folder) / f"{node}-{time.time_ns()}").touch()
        end = time.monotonic() + 100
        while (len(nodes_in(self.folder)) < 2 or node == self.stuck) and time.monotonic() < end:
            time.sleep(0.02)

    def sums(self, *arguments):
        self._leave()
        return ReferenceEngine.sums(self, *arguments)

    def block_sums(self, *arguments):
        self._leave()
        return ReferenceEngine.block_sums(self, *arguments)


def nodes_in(folder):
    return {path.name.split("-")[0] for path in Path(folder).iterdir()}


@dataclass(frozen=True)
class Failing(ReferenceEngine):
    """Raises what is none of this library's errors."""

    def block_sums(self, *arguments):
        raise RuntimeError("no such device")


@dataclass(frozen=True)
class Opened:
    """All distances to rows, in float64."""

    rows: np.ndarray
    settings: dict
    exact: bool = True

    def __call__(self, queries, depth):
        apart = ((queries[:, None].astype(np.float64) - self.rows[None]) ** 2).sum(-1)
        return np.argsort(apart, axis=1, kind="stable")[:, :depth]


@dataclass(frozen=True)
class Plain:
    """A search that is quick to load."""

    name: str = "plain"

    def check(self):
        """Runs everywhere."""

    def open(self, rows, depth):
        return Opened(np.asarray(rows[:]), {"index": "exact"})


class TestRayEngine(EngineContract):
    tolerance = 1e-12

    def engine(self):
        return RayEngine("reference", block_rows=50)


class TestRaySearch(SearchContract):
    def search(self):
        return RaySearch(Plain(), block_queries=40)


def test_two_nodes_give_the_bits_of_one_whatever_block_ends_first(rows, tmp_path):
    """Rows lie in a file."""
    traces = tmp_path / "traces"
    traces.mkdir()
    np.save(tmp_path / "x.npy", rows[0])
    x = np.load(tmp_path / "x.npy", mmap_mode="r")
    two = RayEngine(Traced(folder=str(traces)), block_rows=20).sums(x, rows[1], 2.0)
    one = RayEngine("reference", block_rows=20, resources={"first": 0.01}).sums(x, rows[1], 2.0)
    assert (two.settings["nodes"], one.settings["nodes"]) == (2, 1)
    assert two.settings["blocks_begun"] == one.settings["blocks_begun"] == 36
    np.testing.assert_array_equal(two.total, one.total)
    np.testing.assert_array_equal(two.same, one.same)
    np.testing.assert_allclose(two.total, ReferenceEngine().sums(*rows, 2.0).total, rtol=1e-12)


def test_an_interrupted_call_goes_on_from_finished_blocks(rows, tmp_path):
    engine, done = RayEngine("reference", folder=tmp_path, block_rows=20), []

    def stop(share):
        done.append(share)
        if len(done) == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        engine.sums(*rows, 2.0, Context(advance=stop))
    found = engine.sums(*rows, 2.0)
    assert found.settings["blocks_from_folder"] >= 19
    assert found.settings["blocks_begun"] + found.settings["blocks_from_folder"] == 36
    np.testing.assert_array_equal(found.total, RayEngine("reference", block_rows=20).sums(*rows, 2.0).total)


def test_a_mapped_file_that_changes_underneath_is_refused(rows, tmp_path):
    x, labels = rows
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    engine = RayEngine("reference", folder=tmp_path / "blocks", block_rows=15)

    def change(share):
        with (tmp_path / "x.npy").open("r+b") as file:
            file.seek(-4, 2)
            file.write(np.float32(7).tobytes())

    with pytest.raises(StorageError, match=r"x\.npy, which was changed"):
        engine.sums(mapped, labels, 2.0, Context(advance=change))
    with pytest.raises(StorageError, match=r"x\.npy, which was changed"):
        engine.sums(mapped, labels, 2.5)


def test_what_a_worker_raises_arrives(rows):
    x, labels = rows
    far = x.copy()
    far[3] = 1e30
    with pytest.raises(ValueError, match="over 1e15 bandwidths"):
        RayEngine(block_rows=100).sums(far, labels, 2.0)
    with pytest.raises(ClusterError, match="no such device"):
        RayEngine(Failing(), block_rows=100).sums(x, labels, 2.0)
    with pytest.raises(SettingError, match=r"take \{'CPU': 99.* expected a node that has as much"):
        RayEngine(num_cpus=99).sums(x, labels, 2.0)


def test_densities_and_neighbours_of_an_audit(rows, tmp_path):
    names = ["density/input", "parzen/input", "knn_c_score/input"]
    engine = RayEngine("reference", folder=tmp_path, block_rows=60)
    here = dataaudit.score(None, rows, names, engine="reference", search="torch", progress=False)
    there = dataaudit.score(
        None, rows, names, engine=engine, search=RaySearch(Plain(), block_queries=50), progress=False
    )
    for name in names:
        np.testing.assert_allclose(there.columns[name], here.columns[name], rtol=1e-9)
    (told,) = there.settings["density"]["parzen/input"]
    assert (told["engine"], told["block_engine"], told["blocks"]) == ("ray", "reference", 6)
    with pytest.raises(DataError, match="missing values"):
        dataaudit.score(None, (rows[0] * np.nan, rows[1]), names[:1], engine=engine, progress=False)


@pytest.mark.parametrize(
    "options", [{"block_rows": 0}, {"num_cpus": -1}, {"retries": float("nan")}, {"folder": 3}, {"engine": "sampled"}]
)
def test_what_is_no_setting_is_refused(options):
    with pytest.raises(SettingError):
        RayEngine(**options).check()


@pytest.mark.parametrize(
    "options",
    [{"block_queries": 0}, {"num_gpus": "1"}, {"search": "ray"}, {"search": "pynndescent"}, {"search": PyNNDescent()}],
)
def test_what_is_no_setting_of_a_search_is_refused(options):
    with pytest.raises(SettingError):
        RaySearch(**options).check()


def test_a_killed_node_costs_only_its_blocks(rows, cluster, tmp_path):
    """The last test: what is left is one node."""
    (made, mortal), traces, folder = cluster, tmp_path / "traces", tmp_path / "blocks"
    traces.mkdir()

    def kill():
        while mortal.node_id not in nodes_in(traces):
            time.sleep(0.02)
        made.remove_node(mortal, allow_graceful=False)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    engine = RayEngine(Traced(folder=str(traces), stuck=mortal.node_id), folder=folder, block_rows=20)
    found = engine.sums(*rows, 2.0)
    killer.join()
    told = found.settings
    # The dead node was at one block; others may have been on their way there.
    assert 1 <= told["blocks_lost"] <= 3
    assert told["blocks_begun"] == 36 + told["blocks_lost"]
    assert 37 <= len(list(traces.iterdir())) <= told["blocks_begun"]
    undisturbed = RayEngine("reference", block_rows=20).sums(*rows, 2.0)
    np.testing.assert_array_equal(found.total, undisturbed.total)
    np.testing.assert_array_equal(found.same, undisturbed.same)
    again = engine.sums(*rows, 2.0)
    assert (again.settings["blocks_begun"], again.settings["blocks_from_folder"]) == (0, 36)
    np.testing.assert_array_equal(again.total, found.total)
