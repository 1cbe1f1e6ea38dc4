"""Both that stand on the driver of Ray tasks, holdout runs and blocks, on a Ray of one thread with a clock of its own.

Real workers and nodes die in tests/holdout/test_backends.py and tests/cluster/test_ray.py.
"""

import sys
from contextlib import closing
from functools import partial
from itertools import pairwise
from types import SimpleNamespace

import pytest

from dataaudit.cluster.tasks import refuse
from dataaudit.common import ray_tasks
from dataaudit.common.ray_tasks import RayPool, TaskResources
from dataaudit.errors import ClusterError, SettingError
from dataaudit.holdout.backends import Ray
from dataaudit.holdout.base import Failure
from dataaudit.holdout.plan import Run


class RayError(Exception):
    pass


class RayTaskError(RayError):
    def __init__(self, cause):
        super().__init__(f"ray says: {cause}")
        self.cause = cause


class Lost(BaseException):
    """The death of a worker within its task."""


class OneThread:
    """A Ray whose tasks run when they are waited for; waiting takes a second each time."""

    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)

    def __init__(self, running=False, there=None):
        self.running, self.there = running, there or {"CPU": 2.0, "GPU": 0.0}
        self.now, self.most, self.cancelled, self.pending = 0.0, 0, 0, {}

    def is_initialized(self):
        return self.running

    def init(self, address, **quiet):
        assert not self.running
        if address == "nowhere":
            raise ConnectionError("no answer")
        self.running = True

    def shutdown(self):
        self.running = False

    def put(self, common):
        if common == "too large":
            raise RayError("full")
        return common

    def nodes(self):
        return [{"Alive": True, "Resources": self.there}, {"Alive": False, "Resources": {"CPU": 99.0}}]

    def cluster_resources(self):
        return self.there

    def get_runtime_context(self):
        return SimpleNamespace(get_node_id=lambda: "node")

    def remote(self, **options):
        def submitted(function, *arguments):
            reference = object()
            self.pending[reference] = partial(function, *arguments)
            self.most = max(self.most, len(self.pending))
            return reference

        return lambda function: SimpleNamespace(remote=partial(submitted, function))

    def wait(self, references, num_returns, timeout):
        self.now += 1.0
        return references[:num_returns], references[num_returns:]

    def get(self, reference):
        try:
            return self.pending.pop(reference)()
        except Lost:
            raise RayError("lost") from None
        except Exception as error:
            raise RayTaskError(error) from error

    def cancel(self, reference, force):
        self.cancelled += force

    def sleep(self, seconds):
        self.now += seconds


@pytest.fixture
def one_thread(monkeypatch):
    def make(**options):
        made = OneThread(**options)
        monkeypatch.setitem(sys.modules, "ray", made)
        monkeypatch.setattr(ray_tasks, "time", SimpleNamespace(monotonic=lambda: made.now, sleep=made.sleep))
        return made

    return make


def runs(function, count, *, ahead=float("inf"), **options):
    """Results of holdout runs by number, in the order in which they end."""
    groups = [(Run(0.5, number),) for number in range(count)]
    with closing(Ray(**options).map(lambda group: function(group[0].number), groups)) as results:
        for group, result in results:
            yield group[0].number, result


def blocks(function, count, *, ahead=float("inf"), num_cpus=1, num_gpus=0, address=None, retries=3):
    """Results of tasks as the engine of a cluster gets them."""
    resources = TaskResources(num_cpus, num_gpus, None, address, retries)
    with (
        RayPool(resources, "tasks of RayEngine") as pool,
        closing(
            pool.run(pool.share(function), range(count), partial(refuse, "RayEngine", "block_rows=20"), ahead)
        ) as results,
    ):
        yield from results


both = pytest.mark.parametrize("carry_out", [runs, blocks])


class Dying:
    """Dies at a number, as often as said; keeps when it was called."""

    def __init__(self, fake, at, deaths):
        self.fake, self.at, self.deaths, self.calls = fake, at, deaths, []

    def __call__(self, number):
        self.calls.append((number, self.fake.now))
        if number == self.at and self.deaths:
            self.deaths -= 1
            raise Lost
        return 10 * number


@both
@pytest.mark.parametrize("count", [1, 40])
def test_a_lost_task_waits_until_a_dead_node_is_noticed_and_others_go_on(carry_out, count, one_thread):
    function = Dying(one_thread(), 0, 3)
    results = list(carry_out(function, count))
    assert sorted(results) == [(number, 10 * number) for number in range(count)]
    times = [now for number, now in function.calls if number == 0]
    # Ray notices within 15 seconds. Waiting for the tasks that are on their way takes a second each.
    rests = [later - sooner for sooner, later in pairwise(times)]
    assert all(least <= rest <= least + 6 for least, rest in zip((1, 4, 16), rests, strict=True))
    assert len(function.calls) == count + 3


def test_holdout_runs_that_are_lost_too_often_fail_and_others_are_made(one_thread):
    results = dict(runs(Dying(one_thread(), 1, 100), 4, retries=1))
    assert {number for number, result in results.items() if result == 10 * number} == {0, 2, 3}
    assert isinstance(results[1], Failure)
    assert results[1].runs == (Run(0.5, 1),)
    assert results[1].traceback.startswith("its worker or node died 2 times\n")


def test_blocks_that_are_lost_too_often_are_an_error(one_thread):
    with pytest.raises(
        ClusterError,
        match=r"a task of RayEngine whose worker or node was lost 2 times(.|\n)*pass block_rows=20, or call again",
    ):
        list(blocks(Dying(one_thread(), 1, 100), 4, retries=1))


def test_what_a_task_raises_is_not_tried_again(one_thread):
    calls = []

    def wrong(number):
        calls.append(number)
        raise ValueError("no such class")

    one_thread()
    ((_, failure),) = runs(wrong, 1)
    assert "no such class" in failure.traceback
    assert "died" not in failure.traceback
    with pytest.raises(ValueError, match="no such class"):
        list(blocks(wrong, 1))
    assert calls == [0, 0]
    with pytest.raises(ClusterError, match="a task of RayEngine that failed"):
        list(blocks(lambda number: {}[number], 1))


@both
def test_as_many_are_on_their_way_as_the_scarcest_resource_allows(carry_out, one_thread):
    fake = one_thread(there={"CPU": 64.0, "GPU": 2.0})
    assert len(list(carry_out(abs, 30, num_gpus=1))) == 30
    assert fake.most == 4


@pytest.mark.parametrize(("carry_out", "furthest"), [(runs, 20), (blocks, 5)])
def test_blocks_alone_wait_for_the_oldest_unfinished(carry_out, furthest, one_thread):
    """Their sums are added in order; runs are counted as they come."""
    function = Dying(one_thread(), 0, 3)
    assert len(list(carry_out(function, 100, ahead=3))) == 100
    called = [number for number, _ in function.calls]
    first_after = len(called) - called[::-1].index(0)
    reached = max(called[:first_after])
    assert reached == furthest if carry_out is blocks else reached > furthest


@both
@pytest.mark.parametrize("running", [False, True])
def test_leaving_cancels_what_is_on_its_way_and_shuts_down_an_own_ray(carry_out, running, one_thread):
    fake = one_thread(running=running)
    results = carry_out(abs, 30)
    next(results)
    assert fake.running
    results.close()
    assert fake.cancelled == len(fake.pending) == 3
    assert fake.running == running


@both
def test_ctrl_c_cancels_what_is_on_its_way(carry_out, one_thread, monkeypatch):
    fake = one_thread()

    def interrupted(references, num_returns, timeout):
        raise KeyboardInterrupt

    monkeypatch.setattr(fake, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(carry_out(abs, 30))
    assert fake.cancelled == 4
    assert not fake.running


@both
def test_a_cluster_that_is_not_there_is_named(carry_out, one_thread):
    fake = one_thread()
    with pytest.raises(ClusterError, match=r"found address='nowhere'.*run: ray start --head"):
        list(carry_out(abs, 1, address="nowhere"))
    assert not fake.running


@both
def test_a_task_that_fits_nowhere_is_refused_or_waits_for_a_node(carry_out, one_thread):
    fake = one_thread()
    with pytest.raises(SettingError, match=r"that take {'CPU': 9, 'GPU': 0}; expected a node .* largest has 2 CPUs"):
        list(carry_out(abs, 1, num_cpus=9))
    assert not fake.running
    with pytest.warns(UserWarning, match="waiting for such a node to join"):
        assert list(carry_out(abs, 1, num_cpus=9, address="somewhere")) == [(0, 0)]


def test_rows_that_do_not_fit_are_an_error(one_thread):
    one_thread()
    with pytest.raises(ClusterError, match=r"rows that do not fit .* start Ray with a larger"):
        list(blocks("too large", 1))
    with pytest.raises(ClusterError, match="rows that do not fit"), closing(Ray().map("too large", [])) as results:
        next(results)
