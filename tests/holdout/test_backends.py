"""Every backend keeps the contract that plug-ins must keep, and gives what a plain loop gives."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
import pytest
from filelock import FileLock
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.naive_bayes import GaussianNB

from dataaudit.errors import MissingPackageError, SettingError
from dataaudit.holdout.backends import Joblib, Ray, Serial
from dataaudit.holdout.plan import Run
from dataaudit.testing import BackendContract


class TestSerial(BackendContract):
    workers_die = False

    def backend(self):
        return Serial()


class TestJoblib(BackendContract):
    def backend(self):
        return Joblib(n_jobs=2, retries=1)


@pytest.mark.usefixtures("local_ray")
class TestRay(BackendContract):
    def backend(self):
        return Ray(retries=1)


class TestJoblibInAContext(BackendContract):
    """Whatever joblib's context names; that backend decides what a death costs."""

    workers_die = False

    @pytest.fixture(autouse=True)
    def _context(self):
        with joblib.parallel_config("multiprocessing", n_jobs=2):
            yield

    def backend(self):
        return Joblib()

    def test_it_says_so(self):
        assert self.backend().describe() == {"joblib_backend": "MultiprocessingBackend", "n_jobs": 2}


@pytest.mark.usefixtures("local_ray")
class TestJoblibOnRay(TestJoblibInAContext):
    """Joblib's own way to Ray."""

    @pytest.fixture(autouse=True)
    def _context(self, local_ray):
        from ray.util.joblib import register_ray

        register_ray()
        with joblib.parallel_config("ray", n_jobs=2):
            yield

    def test_it_says_so(self):
        assert self.backend().describe() == {"joblib_backend": "RayBackend", "n_jobs": 2}


def algorithm_1(model, inputs, labels, ratio, runs, seed):
    """The paper's algorithm 1, as it is printed (with the accuracy of equation 2)."""
    n, size = len(labels), round(ratio * len(labels))
    held_out, correct = np.zeros((runs, n), bool), np.zeros((runs, n), bool)
    for number in range(runs):
        order = np.random.default_rng([seed, round(ratio * 1e6), number]).permutation(n)
        train = np.sort(order[:size])
        held_out[number] = ~np.isin(np.arange(n), train)
        fitted = clone(model).fit(inputs[train], labels[train])
        correct[number] = fitted.predict(inputs) == labels
    return (held_out & correct).sum(0) / held_out.sum(0)


@pytest.mark.parametrize("backend", ["serial", "joblib", "ray"])
def test_algorithm_1_bit_for_bit(scored, backend, request):
    if backend == "ray":
        request.getfixturevalue("local_ray")
    inputs, labels = load_digits(return_X_y=True)
    audit = scored(GaussianNB(), (inputs, labels), runs=60, seed=3, backend=backend)
    np.testing.assert_array_equal(audit.columns["c_score"], algorithm_1(GaussianNB(), inputs, labels, 0.7, 60, 3))
    assert audit.settings["holdout"]["backend"]["name"] == backend


def test_threads_are_refused():
    with joblib.parallel_config("threading"), pytest.raises(SettingError, match="runs threads"):
        Joblib().check()


def test_a_missing_ray_is_named_with_its_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'dataaudit\[ray\]'"):
        Ray().check()


@pytest.mark.parametrize("setting", [{"n_jobs": 0}, {"n_jobs": True}, {"threads": 0}, {"retries": -1}, {"n_jobs": "2"}])
def test_wrong_settings_of_joblib(setting):
    with pytest.raises(SettingError, match=next(iter(setting))):
        Joblib(**setting)


@pytest.mark.parametrize("setting", [{"num_cpus": -1}, {"num_gpus": "1"}, {"retries": float("inf")}])
def test_wrong_settings_of_ray(setting):
    with pytest.raises(SettingError, match=next(iter(setting))):
        Ray(**setting)


@dataclass(frozen=True)
class Dying:
    """A job whose worker dies at the first try; it leaves the time of each."""

    folder: str

    def __call__(self, group):
        tries = list(Path(self.folder).iterdir())
        (Path(self.folder) / str(time.time())).touch()
        if not tries:
            os.kill(os.getpid(), signal.SIGKILL)
        return group[0].number


def test_ray_waits_before_it_tries_again(local_ray, tmp_path):
    """Until then a dead node would be asked again."""
    local_ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    group = (Run(0.5, 3),)
    assert list(Ray().map(Dying(str(tmp_path)), [group])) == [(group, 3)]
    first, second = sorted(float(path.name) for path in tmp_path.iterdir())
    assert second - first > 1


DRIVER = """
import sys, time
from contextlib import nullcontext
from pathlib import Path
import joblib
from filelock import FileLock
from dataaudit.holdout.joblib import Joblib
from dataaudit.holdout.plan import Run

folder, context = sys.argv[1:]

def job(group):
    with FileLock(f"{folder}/{group[0].number}.lock"):
        Path(folder, f"{group[0].number}.held").touch()
        time.sleep(120)

with joblib.parallel_config(context) if context else nullcontext():
    list(Joblib(2).map(job, [(Run(0.5, 0),), (Run(0.5, 1),)]))
"""


@pytest.mark.parametrize(("context", "ended"), [("", signal.SIGKILL), ("multiprocessing", signal.SIGTERM)])
def test_workers_end_with_their_driver(context, ended, tmp_path):
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, str(tmp_path), context], start_new_session=True)
    try:
        until = time.monotonic() + 60
        while len(list(tmp_path.glob("*.held"))) < 2 and time.monotonic() < until:
            time.sleep(0.05)
        driver.send_signal(ended)
        driver.wait()
        for number in range(2):
            FileLock(tmp_path / f"{number}.lock").acquire(timeout=8)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(driver.pid, signal.SIGKILL)
