"""Every backend keeps the contract that plug-ins must keep."""

import joblib
import pytest

from dataaudit.errors import MissingPackageError, SettingError
from dataaudit.holdout import Joblib, Ray, Serial
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


def test_threads_are_refused():
    with joblib.parallel_config("threading"), pytest.raises(SettingError, match="runs threads"):
        Joblib().check()


def test_a_missing_ray_is_named_with_its_command(monkeypatch):
    import sys

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
