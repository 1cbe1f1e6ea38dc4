import sys

import numpy as np
import pytest
import torch

import dataaudit
from dataaudit.density.blocks import BlockEngine
from dataaudit.density.engines import CpuEngine, DensityEngine, ReferenceEngine, TritonEngine, resolve
from dataaudit.errors import MissingPackageError, SettingError
from dataaudit.representations.base import GradientFactors
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
    layers = [GradientFactors(rng.normal(size=(80, 4)).astype("f"), rng.normal(size=(80, 9)).astype("f"), True)]
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


@pytest.mark.parametrize("engine", [ReferenceEngine(), CpuEngine(), TritonEngine()], ids=lambda engine: engine.name)
def test_sums_over_two_ranges_and_between_them_add_up(engine):
    rng = np.random.default_rng(0)
    rows, labels = rng.normal(size=(100, 9)).astype(np.float32), rng.integers(3, size=100)
    settled = engine.settled(rows, 1)
    assert isinstance(settled, BlockEngine)
    a, b = slice(None, 37), slice(37, None)
    found = np.zeros((2, 100))
    for part in (a, b):
        found[:, part] = settled.sums(rows[part], labels[part], 2.0, lambda share: None)
    for part, sums in zip((a, b), settled.block_sums(rows[a], labels[a], rows[b], labels[b], 2.0, None), strict=True):
        assert sums.shape == found[:, part].shape
        found[:, part] += sums
    np.testing.assert_allclose(found, ReferenceEngine().sums(rows, labels, 2.0, lambda share: None), rtol=1e-4)


def test_what_an_engine_would_choose_by_machine_is_settled():
    gradients = [GradientFactors(np.ones((4, 2), np.float32), np.ones((4, 3), np.float32), True)]
    assert CpuEngine().settled(np.zeros((4, 2), np.float64), 3) == CpuEngine("float32", 3)
    assert CpuEngine(threads=2).settled(gradients, 3) == CpuEngine("float32", 2)
    labels = np.zeros(4, int)
    with pytest.raises(SettingError, match="factors of gradients for blocks of engine 'triton'"):
        TritonEngine().block_sums(gradients, labels, gradients, labels, 1.0, None)
