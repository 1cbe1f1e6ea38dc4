import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

import dataaudit
from dataaudit.density.base import DensityEngine
from dataaudit.density.engines import REGISTRY, resolve
from dataaudit.density.exact import CpuEngine, ReferenceEngine, TritonEngine
from dataaudit.density.sampled import SampledEngine
from dataaudit.density.sums import SumErrors
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
        sums = super().sums(*arguments)
        return replace(sums, total=sums.total * 1.01)


class Boasting(SampledEngine):
    """An engine whose errors are a third of what they are."""

    def sums(self, *arguments):
        sums = super().sums(*arguments)
        small = replace(sums.errors, other=sums.errors.other / 3, same=sums.errors.same / 3)
        return replace(sums, errors=small)


class Guessing(ReferenceEngine):
    """An engine that calls exact sums estimates."""

    def sums(self, *arguments):
        sums, zero = super().sums(*arguments), np.zeros(len(arguments[1]))
        return replace(sums, errors=SumErrors(zero, zero, zero.astype(int), {}))


class Halving(CpuEngine):
    """An engine that forgets half of what lies between two ranges."""

    def block_sums(self, *arguments):
        of_a, of_b = super().block_sums(*arguments)
        return of_a / 2, of_b


@pytest.mark.parametrize(
    ("wrong", "law"),
    [
        (Scaled(), "test_rows"),
        (Guessing(), "test_rows"),
        (Boasting(tolerance=None, sample=256), "test_estimates_and_their_errors"),
        (Halving(), "test_sums_over_ranges_and_between_them_add_up"),
    ],
    ids=lambda part: getattr(type(part), "__name__", ""),
)
def test_the_contract_finds_an_engine_that_is_wrong(wrong, law):
    class Suite(EngineContract):
        estimates_from = 1500 if isinstance(wrong, SampledEngine) else None

        def engine(self):
            return wrong

    with pytest.raises(AssertionError):
        getattr(Suite(), law)()


@pytest.mark.skipif("bfloat16" not in supported(), reason="this CPU has no bfloat16 products")
def test_bfloat16_is_an_option():
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(300, 20)), rng.integers(3, size=300)
    found = CpuEngine(precision="bfloat16").sums(x, labels, 3.0)
    np.testing.assert_allclose(found.total, ReferenceEngine().sums(x, labels, 3.0).total, rtol=0.01)


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
    assert set(found.sums(np.zeros((3, 2)), np.zeros(3, int), 1.0).settings) == {"precision", "device"}
    with pytest.raises(SettingError, match="tf32x3"):
        resolve(TritonEngine(precision="float8"))


def test_gradients_keep_their_precision_on_triton():
    rng = np.random.default_rng(0)
    layers = [GradientFactors(rng.normal(size=(80, 4)).astype("f"), rng.normal(size=(80, 9)).astype("f"), True)]
    labels = rng.integers(3, size=80)
    found = TritonEngine(precision="bfloat16").sums(layers, labels, 5.0)
    np.testing.assert_allclose(found.total, ReferenceEngine().sums(layers, labels, 5.0).total, rtol=1e-4)


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


def test_engines_are_named_described_and_found_by_class():
    assert dataaudit.engines.names() == REGISTRY.names()
    assert set(dataaudit.engines.describe()) == set(REGISTRY.names())
    shown = set(dir(dataaudit.engines))
    assert {"CpuEngine", "TritonEngine", "SampledEngine", "FaissEngine", "ReferenceEngine", "RayEngine"} <= shown
    assert dataaudit.engines.CpuEngine is CpuEngine
    with pytest.raises(AttributeError, match="CpuEngine"):
        _ = dataaudit.engines.GpuEngine


def test_what_an_engine_would_choose_by_machine_is_pinned():
    gradients = [GradientFactors(np.ones((4, 2), np.float32), np.ones((4, 3), np.float32), True)]
    assert CpuEngine().pinned(np.zeros((4, 2), np.float64), 3) == CpuEngine("float32", 3)
    assert CpuEngine(threads=2).pinned(gradients, 3) == CpuEngine("float32", 2)
    labels = np.zeros(4, int)
    with pytest.raises(SettingError, match="factors of gradients for blocks of engine 'triton'"):
        TritonEngine().block_sums(gradients, labels, gradients, labels, 1.0, None)
