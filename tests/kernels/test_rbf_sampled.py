"""Sums from a sample: against the oracle, all pairs, and their own errors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from dataaudit_kernels import reference, sampled_reference
from dataaudit_kernels.agreement import SCORES, estimated_agreement, spearman, without_unknown
from dataaudit_kernels.rbf_sampled import sampled_sums
from dataaudit_kernels.sampled_estimate import GROUPS, SIGNS, Sample, estimate, from_afar
from dataaudit_kernels.taylor import Moments, basis_of, direct_sums


def mixture(n, d, classes, seed=0, first=0):
    """Rows of several classes, `first` of them of class 0 at least, and a bandwidth by the paper's rule."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=n)
    labels[:first] = 0
    rows = rng.normal(size=(classes, d))[labels] + rng.normal(size=(n, d))
    return rows.astype(np.float32), labels, float(np.sqrt(2 * d * 2) / 2)


@pytest.fixture(scope="module")
def case():
    rows, labels, h = mixture(3000, 12, 4, first=900)
    total, same = reference.rbf_sums(rows, labels, h)
    return rows, labels, h, total, same


@pytest.mark.parametrize(("d", "most"), [(1, 1), (5, 5), (40, 40), (40, 6)])
@pytest.mark.parametrize("m", [40, 300])
def test_equals_the_oracle(d, most, m):
    rng = np.random.default_rng(d)
    population = (rng.normal(size=(600, d)) * np.arange(1, d + 1) ** -0.6).astype(np.float32)
    h = float(np.sqrt(2 * population.var(0).sum()))
    basis = basis_of(population, float(np.log2(np.e) / h**2), most)
    rows = rng.normal(size=(50, d)).astype(np.float32)
    members = rng.permutation(600)[:m]
    sample, moments = Sample(population[members], basis), Moments(d, basis.rank)
    squares = (population.astype(np.float64) ** 2).sum(1)
    moments.add(population, basis.low(population), basis.weights(squares))
    low = basis.low(rows)
    controls = moments.sums(rows, low, *basis.factors(rows, low))
    size = np.full(50, 600)
    plain = estimate(sample.moments(rows), size, None)
    found = estimate(sample.moments(rows), size, controls)
    for row in range(50):
        wide = population.astype(np.float64), members, h
        want = sampled_reference.estimated_sum(rows[row].astype(np.float64), *wide, control=False)
        np.testing.assert_allclose((plain.total[row], plain.stderr[row]), want, rtol=1e-5)
        if basis.rank == d and d > 1:  # In one dimension the three are so alike that slopes differ.
            want = sampled_reference.estimated_sum(rows[row].astype(np.float64), *wide)
            np.testing.assert_allclose((found.total[row], found.stderr[row]), want, rtol=2e-3)
    if d > 1:
        assert np.median(found.stderr / plain.stderr) < 0.8


def test_exact_sums_of_control_variates():
    rows, _, h = mixture(200, 7, 3)
    basis = basis_of(rows, float(np.log2(np.e) / h**2), 7)
    wide = rows.astype(np.float64)
    weights = basis.weights((wide**2).sum(1))
    low = basis.low(rows)
    by, low_by = basis.factors(rows, low)
    products = wide @ wide.T
    first = (products * weights).sum(1) * by
    second = (products**2 * weights).sum(1) * low_by**2
    want = np.stack([np.full(200, weights.sum()), first, second])
    moments = Moments(7, basis.rank)
    for start in range(0, 200, 33):
        part = slice(start, start + 33)
        moments.add(rows[part], low[part], weights[part])
    np.testing.assert_allclose(moments.sums(rows, low, by, low_by).T, want, rtol=1e-4, atol=1e-4 * weights.sum())
    alike = np.ones((200, 200), bool)
    np.testing.assert_allclose(direct_sums(rows, low, by, low_by, weights, alike).T, want, rtol=1e-4, atol=1e-3)
    assert moments.count == 200
    moments.minus(moments)
    assert not moments.sums(rows, low, by, low_by).any()


@given(st.integers(1, 90), st.integers(1, 9), st.integers(0, 2**16))
@settings(max_examples=25, deadline=None)
def test_members_left_out_are_as_if_never_drawn(m, d, seed):
    rng = np.random.default_rng(seed)
    drawn, rows = rng.normal(size=(m, d)).astype(np.float32), rng.normal(size=(3, d)).astype(np.float32)
    labels, mine = rng.integers(3, size=m), rng.integers(4, size=3)
    basis = basis_of(drawn, 0.3, d)
    single = [np.flatnonzero(rng.random(m) < 0.2) for _ in range(3)]
    start = np.cumsum([0, *map(len, single)])
    found = Sample(drawn, basis, labels).moments(rows, mine, (start, np.concatenate(single))).sum(1)
    for row in range(3):
        kept = (labels != mine[row]) & ~np.isin(np.arange(m), single[row])
        want = Sample(drawn[kept], basis).moments(rows[[row]]).sum(1)[0]
        np.testing.assert_allclose(found[row], want, rtol=1e-5, atol=1e-6)


def test_the_whole_population_gives_its_sum():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(70, 3)).astype(np.float32)
    basis = basis_of(rows, 0.5, 3)
    found = estimate(Sample(rows, basis).moments(rows), np.full(70, 70), np.zeros((70, 3)))
    want = np.exp2(-0.5 * ((rows[:, None].astype(np.float64) - rows) ** 2).sum(-1)).sum(1)
    np.testing.assert_allclose(found.total, want, rtol=1e-6)
    assert not found.stderr.any()


def test_fewer_than_two_members_are_no_estimate():
    rows = np.zeros((1, 2), np.float32)
    basis = basis_of(np.ones((4, 2), np.float32), 0.5, 2)
    assert np.isinf(estimate(Sample(rows, basis).moments(rows), np.array([5]), None).stderr).all()
    empty = estimate(Sample(rows[:0], basis).moments(rows), np.array([0]), None)
    assert empty.total.tolist() == empty.stderr.tolist() == [0.0]


def test_far_rows_keep_their_size():
    rng = np.random.default_rng(1)
    members = rng.normal(size=(50, 2)).astype(np.float32)
    rows = np.array([[25.0, 0.0], [0.0, 0.0]], np.float32)
    basis = basis_of(members, 0.5, 2)
    sample, size = Sample(members, basis), np.full(2, 400)
    found = estimate(sample.moments(rows), size, None)
    assert found.total[0] == 0
    from_afar(found, np.array([0]), rows, sample, np.arange(50) == np.array([[3]]), size)
    values = np.exp2(-0.5 * ((np.delete(members, 3, 0).astype(np.float64) - rows[0]) ** 2).sum(1))
    np.testing.assert_allclose(found.total[0], 400 * values.mean(), rtol=1e-5)
    np.testing.assert_allclose(found.stderr[0], 400 * values.std(ddof=1) / 7 * np.sqrt(1 - 49 / 400), rtol=1e-5)
    assert found.total[1] > 1
    # Halves part the groups that members are dealt out to in turn; member 3 is left out.
    group, kept = np.arange(50) % GROUPS, np.arange(50) != 3
    side = [SIGNS[:, group[kept]] == sign for sign in (1, -1)]
    means = [[values[part].mean() for part in parts] for parts in side]
    np.testing.assert_allclose(found.halves[0], 400 * (np.array(means[0]) - means[1]) / 2, rtol=1e-5)
    np.testing.assert_allclose(found.effective[0], values.sum() ** 2 / (values**2).sum(), rtol=1e-5)


@pytest.mark.parametrize("share", [0.12, 0.06])
def test_a_tolerance_is_not_met_where_sums_rest_on_few_members(share):
    rng = np.random.default_rng(0)
    rows, labels = rng.normal(size=(2500, 20)).astype(np.float32), rng.integers(3, size=2500)
    h = share * float(np.sqrt(40) / 2)
    total, same = reference.rbf_sums(rows, labels, h)
    found = sampled_sums(rows, labels, h, sample=1200, exact_class=0)
    for name in ("density", "relative_density", "parzen"):
        score = SCORES[name]
        truth = 1 - spearman(score(found.total - found.same, found.same), score(total - same, same))
        assert truth > 0.05
        assert 1 - found.agreement[name] > truth


def test_sums_of_which_nothing_was_seen_are_no_agreement():
    # Every row is out of reach of all others, but for pairs that a sample seldom holds.
    rows = np.repeat(np.arange(1500.0), 2)[:, None] * 1e4
    found = sampled_sums(rows, np.arange(3000), 1.0, tolerance=None, sample=200)
    assert found.agreement["density"] == found.agreement["parzen"] == 0
    # Classes of one row are summed exactly.
    assert found.agreement["class_density"] == 1


@pytest.mark.parametrize("exact_class", [0, None])
def test_errors_are_what_they_say(case, exact_class):
    rows, labels, h, total, same = case
    inside, own, apart, told = [], [], [], []
    for seed in range(8):
        found = sampled_sums(rows, labels, h, tolerance=None, sample=400, exact_class=exact_class, seed=seed, threads=1)
        other = found.total - found.same
        inside.append(np.abs(other - (total - same)) <= 1.96 * found.other_stderr)
        if exact_class == 0:
            # The smaller classes are summed exactly, and have no errors.
            large = found.same_stderr > 0
            own.append((np.abs(found.same - same) <= 1.96 * found.same_stderr)[large].mean())
        else:
            np.testing.assert_allclose(found.same, same, rtol=1e-5)
            assert not found.same_stderr.any()
        for name, score in SCORES.items():
            apart.append(1 - spearman(score(other, found.same), score(total - same, same)))
            told.append(1 - found.agreement[name])
    assert 0.90 < np.mean(inside) < 0.97
    if own:
        assert 0.90 < np.mean(own) < 0.97
    apart, told = (np.reshape(some, (8, 4)).mean(0) for some in (apart, told))
    np.testing.assert_allclose(told, apart, rtol=0.35, atol=1e-7)


def test_control_variates_take_variance_away(case):
    rows, labels, h, total, _ = case
    errors = []
    for control in (True, False):
        found = sampled_sums(rows, labels, h, tolerance=None, sample=400, control=control)
        errors.append(np.abs(found.total - total).mean())
    assert errors[0] < 0.5 * errors[1]


def test_a_tolerance_is_met_or_what_was_reached_is_told(case):
    rows, labels, h, _, _ = case
    rows, labels = np.concatenate([rows, rows + 0.1]), np.concatenate([labels, labels])
    easy = sampled_sums(rows, labels, h, tolerance=0.02)
    assert 1 - min(easy.agreement.values()) <= 0.02
    assert easy.sample < 3000
    reached = sampled_sums(rows, labels, h, tolerance=1e-7, sample=1100)
    assert reached.sample == 1100
    assert 1 - min(reached.agreement.values()) > 1e-7
    all_pairs = sampled_sums(rows, labels, h, tolerance=1e-9)
    assert all_pairs.sample == 6000
    assert set(all_pairs.agreement.values()) == {1.0}


class Pieces:
    """Rows that can only be asked for by position."""

    def __init__(self, rows):
        self._rows, self.shape, self.dtype = rows, rows.shape, rows.dtype

    def __len__(self):
        return len(self._rows)

    def __getitem__(self, which):
        return self._rows[which]


def test_rows_on_disk_and_in_pieces_give_the_same_bits(case, tmp_path):
    rows, labels, h, _, _ = case
    np.save(tmp_path / "rows.npy", rows)
    given = [rows, np.load(tmp_path / "rows.npy", mmap_mode="r"), Pieces(rows)]
    found = []
    for some, threads in zip(given, (1, 2, 2), strict=True):
        found.append(sampled_sums(some, labels, h, tolerance=None, sample=200, threads=threads))
    for other in found[1:]:
        np.testing.assert_array_equal(found[0].total, other.total)
        np.testing.assert_array_equal(found[0].other_stderr, other.other_stderr)
        assert found[0].agreement == other.agreement
    again = sampled_sums(rows, labels, h, tolerance=None, sample=200, seed=1)
    assert (again.total != found[0].total).any()


def test_rare_classes_and_one_that_is_nearly_all():
    rows, _, h = mixture(4000, 6, 2)
    labels = np.zeros(4000, int)
    labels[:30], labels[30] = 1, 2
    total, same = reference.rbf_sums(rows, labels, h)
    found = sampled_sums(rows, labels, h, tolerance=None, sample=1000, exact_class=4000)
    other = total - same
    # The others of the large class are so few that all of them are looked at.
    np.testing.assert_allclose((found.total - found.same)[31:], other[31:], rtol=1e-4)
    assert not found.other_stderr[31:].any()
    assert (found.other_stderr[:31] > 0).all()
    assert found.same[30] == 0
    assert (found.members[31:] == 31).all()


def test_many_small_classes():
    rng = np.random.default_rng(0)
    labels = rng.integers(700, size=3000)
    rows = (rng.normal(size=(700, 5))[labels] + rng.normal(size=(3000, 5))).astype(np.float32)
    total, same = reference.rbf_sums(rows, labels, 2.0)
    found = sampled_sums(rows, labels, 2.0, tolerance=None, sample=500)
    np.testing.assert_allclose(found.same, same, rtol=1e-5, atol=1e-12)
    assert 0.9 < np.mean(np.abs(found.total - total) <= 1.96 * found.other_stderr) < 0.98


def test_constant_rows_and_one_class():
    rows, labels = np.ones((3000, 4), np.float32), np.arange(3000) % 3
    found = sampled_sums(rows, labels, 1.0, tolerance=None, sample=200)
    np.testing.assert_allclose(found.total, 2999, rtol=1e-6)
    assert not found.other_stderr.any()
    rows, _, h = mixture(3000, 4, 2)
    alone = sampled_sums(rows, np.zeros(3000, int), h, tolerance=None, sample=500, exact_class=0)
    np.testing.assert_array_equal(alone.total, alone.same)
    assert not alone.other_stderr.any()
    assert (alone.same_stderr > 0).all()


def test_a_row_that_is_not_a_number_is_named_before_the_long_part(case):
    rows, labels, h, _, _ = case
    rows = rows.copy()
    rows[2999, 3] = np.nan
    shares = []
    with pytest.raises(ValueError, match=r"rows 2999; expected finite"):
        sampled_sums(rows, labels, h, tolerance=None, sample=200, advance=shares.append)
    assert sum(shares) <= 0.1 + 1e-9
    rows[2999] = 1e30
    with pytest.raises(ValueError, match="row 2999 of x over 1e15 bandwidths"):
        sampled_sums(rows, labels, h, tolerance=None, sample=200)


def test_rows_that_change_while_they_are_read_are_named(case):
    rows, labels, h, _, _ = case
    rows = rows.copy()

    def change(share):
        rows[1234] += 0.5

    with pytest.raises(ValueError, match="row 1234 of x changed"):
        sampled_sums(rows, labels, h, tolerance=None, sample=200, advance=change, threads=1)


@pytest.mark.parametrize("wrong", [np.zeros(3), np.zeros((3, 0)), np.full((3, 2), "a")])
def test_what_are_no_rows_is_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        sampled_sums(wrong, np.zeros(3, int), 1.0)


@given(st.lists(st.integers(0, 5), min_size=2, max_size=30), st.integers(0, 2**16))
@settings(max_examples=50, deadline=None)
def test_rank_correlation_is_scipys(values, seed):
    first = np.array(values, float)
    second = np.random.default_rng(seed).integers(4, size=len(values)).astype(float)
    if np.ptp(first) and np.ptp(second):
        assert spearman(first, second) == pytest.approx(spearmanr(first, second).statistic, abs=1e-12)


@pytest.mark.parametrize("exact_class", [0, None])
def test_a_label_far_from_its_class_has_a_sum_of_its_own(exact_class):
    labels = np.arange(1300) % 2
    x = np.random.default_rng(0).normal(size=(1300, 3))
    x[:, 0] += 40.0 * labels
    labels[0] = 1
    found = sampled_sums(x, labels, 2.0, tolerance=None, sample=200, exact_class=exact_class)
    want = reference.rbf_sums(x[:1], [1], 2.0, x[1:], labels[1:])[1]
    assert 1e-300 < want[0] < 1e-40
    if exact_class is None:
        np.testing.assert_allclose(found.same[:1], want, rtol=2e-6 * (1 + 20.0**2))
    assert 0 < found.same[0] < 1300 * want[0]


def test_exact_sums_agree_with_themselves():
    same = np.arange(5.0)
    found = estimated_agreement(np.ones(5), same, np.zeros((5, 2)), np.zeros((5, 2)))
    assert set(found.values()) == {1.0}


def test_unknown_rows_count_as_no_agreement():
    other, same, halves = np.arange(1.0, 41.0), np.ones(40), np.zeros((40, 2))
    unseen = np.where(np.arange(40) < 10, np.inf, 0.1)
    apart = without_unknown(halves, unseen, np.full(40, 50.0))
    found = estimated_agreement(other, same, apart, halves)
    assert found == {"density": 0.75, "class_density": 1.0, "relative_density": 0.75, "parzen": 0.75}
    none = without_unknown(halves, np.full(40, np.inf), np.zeros(40))
    assert estimated_agreement(other, same, none, halves)["density"] == 0
    # One row in forty that rests on few members is left to its halves, three are not.
    for rare, unknown in ((1, 0), (3, 3)):
        few = np.where(np.arange(40) < rare, 1.0, 50.0)
        assert np.isnan(without_unknown(halves, np.ones(40), few)).all(1).sum() == unknown
