"""Awkward rows, and the tolerance that every implementation of the kernel sums is held to."""

import numpy as np
import pytest

from dataaudit_kernels import rbf_cpu, rbf_triton, reference
from dataaudit_kernels.layers import GradientFactors


@pytest.fixture(params=[rbf_cpu, rbf_triton], ids=["cpu", "triton"])
def kernels(request):
    """Every implementation."""
    return request.param


@pytest.fixture(scope="session")
def assert_close():
    def assert_close(got, rows, labels, h, references=None, reference_labels=None):
        """|error| <= 2e-6 (1 + R^2/h^2) S + 1e-30 n for both sums."""
        want = reference.rbf_sums(rows, labels, h, references, reference_labels)
        other = rows if references is None else references
        radius = np.linalg.norm(np.concatenate([rows, other]), axis=1).max()
        for ours, theirs in zip(got, want, strict=True):
            allowed = 2e-6 * (1 + radius**2 / h**2) * theirs + 1e-30 * len(other)
            assert ours.dtype == np.float64
            assert (np.abs(ours - theirs) <= allowed).all()

    return assert_close


@pytest.fixture(scope="session")
def made():
    def made(kind, n, d, rng):
        """Rows and labels; bandwidth by the paper's rule for normal rows."""
        labels = rng.integers(5, size=n)
        x = rng.normal(size=(n, d))
        if kind == "duplicates":
            x[n // 2 :] = x[: n - n // 2]
        elif kind == "far clusters":
            x[: n // 3] += 25.0
        elif kind == "one class":
            labels[:] = 3
        elif kind == "class of one":
            labels[:] = 0
            labels[n // 2] = 9
        elif kind == "shifted mean":
            x += 5.0
        elif kind == "all equal":
            x[:] = x[0]
        return x, labels, np.sqrt(2 * d) / 2

    return made


@pytest.fixture(scope="session")
def gradients():
    def gradients(rng, n, sizes, spread=0.0):
        layers = []
        for p, q, bias in sizes:
            delta = rng.normal(size=(n, p)) * np.exp(spread * rng.normal(size=(n, 1)))
            layers.append(GradientFactors(delta, rng.normal(size=(n, q)), bias))
        return layers

    return gradients
