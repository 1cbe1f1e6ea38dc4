"""Search by torch: in full precision, in any default type, and the smallest by groups."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dataaudit.neighbours.compute import neighbour_graph
from dataaudit.neighbours.graph import NeighbourNeed
from dataaudit.neighbours.search import Torch
from dataaudit.neighbours.torch_search import smallest
from dataaudit.representations.spaces import Space

DEPTH = 20


def distances(x):
    return neighbour_graph(NeighbourNeed(Space("input"), depth=DEPTH), x, {}, Torch(), 0, False).distances


def expected(x):
    """Distances of all pairs in float64, but to the row itself."""
    wide = x.astype(np.float64)
    apart = ((wide[:, None] - wide[None]) ** 2).sum(-1)
    np.fill_diagonal(apart, np.inf)
    return np.sqrt(np.sort(apart, axis=1)[:, :DEPTH])


def _in_medium():
    torch.set_float32_matmul_precision("medium")


def _in_tf32():
    torch.backends.cuda.matmul.fp32_precision = "tf32"
    torch.backends.mkldnn.matmul.fp32_precision = "bf16"


def _precisions():
    return [one.matmul.fp32_precision for one in (torch.backends.cuda, torch.backends.mkldnn)]


@pytest.mark.skipif(not hasattr(torch.backends.mkldnn, "matmul"), reason="this torch has one setting for all devices")
@pytest.mark.parametrize("allow", [lambda: None, _in_medium, _in_tf32])
def test_products_are_in_full_where_the_caller_allows_fewer_bits(monkeypatch, allow):
    x, seen = np.random.default_rng(0).normal(size=(300, 40)).astype(np.float32), []
    product = torch.addmm

    def watched(*given, **options):
        seen.append(_precisions())
        return product(*given, **options)

    monkeypatch.setattr(torch, "addmm", watched)
    before = _precisions()
    try:
        allow()
        allowed = _precisions()
        np.testing.assert_allclose(distances(x), expected(x), rtol=1e-12, atol=0)
        assert _precisions() == allowed
    finally:
        torch.backends.cuda.matmul.fp32_precision, torch.backends.mkldnn.matmul.fp32_precision = before
    assert seen
    assert all(one == ["ieee", "ieee"] for one in seen)


def test_a_default_type_of_the_callers_changes_no_search():
    x = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
    torch.set_default_dtype(torch.float64)
    try:
        np.testing.assert_allclose(distances(x), expected(x), rtol=1e-12, atol=0)
    finally:
        torch.set_default_dtype(torch.float32)


@settings(max_examples=50, deadline=None)
@given(
    st.integers(1, 400),
    st.integers(1, 60),
    st.integers(1, 20),
    st.integers(1, 9),
    st.integers(2, 30),
    st.integers(0, 99),
)
def test_the_smallest_of_groups_are_the_smallest_of_all(n, k, strides, b, levels, seed):
    n += -n % strides
    k = min(k, n)
    rng = np.random.default_rng(seed)
    # Few levels make ties, which may be broken anyhow.
    values = torch.from_numpy(rng.integers(levels, size=(b, n)).astype(np.float32))
    found, where = smallest(values, k, strides)
    np.testing.assert_array_equal(found, values.sort(1)[0][:, :k])
    np.testing.assert_array_equal(found, values.gather(1, where))
    assert all(len({*row}) == k for row in where.tolist())
