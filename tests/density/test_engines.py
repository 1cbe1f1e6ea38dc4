import sys

import numpy as np
import pytest
import torch

import dataaudit
from dataaudit.density.engines import CpuEngine, DensityEngine, ReferenceEngine, TritonEngine, resolve
from dataaudit.errors import MissingPackageError, SettingError
from dataaudit.representations.base import Factors
from dataaudit.testing import EngineContract
from dataaudit_kernels.products import supported


class TestCpu(EngineContract):
    def engine(self):
        return CpuEngine()


class TestOneThread(EngineContract):
    def engine(self):
        return CpuEngine(precision="float32", threads=1)


class TestTriton(EngineContract):
    """On a CUDA device, or in Triton's interpreter."""

    def engine(self):
        return TritonEngine()


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
    assert resolve("auto").name == "auto"
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


def test_triton_is_an_engine_by_name_that_says_where_it_ran():
    found = resolve("triton")
    assert found.name == "triton"
    assert set(found.describe(np.zeros((3, 2)))) == {"precision", "device"}
    with pytest.raises(SettingError, match="tf32x3"):
        resolve(TritonEngine(precision="float8"))


def test_gradients_keep_their_precision_on_triton():
    rng = np.random.default_rng(0)
    layers = [Factors(rng.normal(size=(80, 4)).astype("f"), rng.normal(size=(80, 9)).astype("f"), True)]
    labels = rng.integers(3, size=80)
    found = TritonEngine(precision="bfloat16").sums(layers, labels, 5.0, lambda share: None)
    np.testing.assert_allclose(found, ReferenceEngine().sums(layers, labels, 5.0, lambda share: None), rtol=1e-4)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_triton_without_a_device_is_refused_before_training(monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET")
    inputs, labels = np.zeros((4, 2), np.float32), np.array([0, 1, 0, 1])
    with pytest.raises(SettingError, match="pass engine='cpu'"):
        dataaudit.score(None, (inputs, labels), "density/input", engine="triton", progress=False)


def test_triton_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "triton", None)
    with pytest.raises(MissingPackageError, match=r"dataaudit\[gpu\]"):
        resolve("triton")
