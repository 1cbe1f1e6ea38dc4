import numpy as np
import pytest

from dataaudit.density.engines import CpuEngine, DensityEngine, ReferenceEngine, resolve
from dataaudit.errors import SettingError
from dataaudit.testing import EngineContract
from dataaudit_kernels.products import supported


class TestCpu(EngineContract):
    def engine(self):
        return CpuEngine()


class TestOneThread(EngineContract):
    def engine(self):
        return CpuEngine(precision="float32", threads=1)


class TestReference(EngineContract):
    tolerance = 1e-12

    def engine(self):
        return ReferenceEngine()


class Scaled(ReferenceEngine):
    """An engine that is wrong by a percent."""

    def sums(self, *arguments):
        total, same = super().sums(*arguments)
        return total * 1.01, same


def test_the_contract_finds_an_engine_that_is_wrong():
    class Suite(EngineContract):
        def engine(self):
            return Scaled()

    with pytest.raises(AssertionError):
        Suite().test_rows()


@pytest.mark.skipif("bfloat16" not in supported(), reason="this CPU has no bfloat16 products")
def test_bfloat16_is_an_option():
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(300, 20)), rng.integers(3, size=300)
    found = CpuEngine(precision="bfloat16").sums(x, labels, 3.0, lambda share: None)
    np.testing.assert_allclose(found, ReferenceEngine().sums(x, labels, 3.0, lambda share: None), rtol=0.01)


def test_engines_by_name_and_instance(monkeypatch):
    assert resolve("auto").name == "cpu"
    assert resolve("reference").name == "reference"
    mine = CpuEngine(threads=1)
    assert resolve(mine) is mine
    assert isinstance(mine, DensityEngine)
    for wrong in ("gpu", 3, None, CpuEngine):
        with pytest.raises(SettingError, match=r"cpu.*reference"):
            resolve(wrong)
    with pytest.raises(SettingError, match="multiplies"):
        resolve(CpuEngine(precision="float8"))
    with pytest.raises(SettingError, match="at least 1"):
        resolve(CpuEngine(threads=0))
