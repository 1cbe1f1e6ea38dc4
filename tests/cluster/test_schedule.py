"""Every unordered pair once, in an order that is a function of rows and ranges alone."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataaudit.cluster.schedule import SQUARE, BlockSchedule
from dataaudit.errors import SettingError


@given(rows=st.integers(0, 60), block=st.integers(1, 25))
def test_every_unordered_pair_is_in_exactly_one_task(rows, block):
    schedule = BlockSchedule(rows, block)
    seen, pairs, read = np.zeros((rows, rows), int), 0, 0
    for task in range(schedule.tasks):
        a, b = schedule.ranges_of(task)
        assert a <= b
        ours, theirs = (np.arange(rows)[schedule.slice_of(part)] for part in (a, b))
        assert 0 < len(ours) == schedule.size(a) <= block
        seen[np.ix_(ours, theirs)] += 1
        pairs += schedule.pairs(task)
        read += sum(map(schedule.size, {a, b}))
    above = np.triu(np.ones((rows, rows), int), 1)
    np.testing.assert_array_equal((seen + seen.T - np.diag(np.diag(seen)))[above > 0] > 0, True)
    assert seen.max(initial=0) <= 1
    assert pairs == schedule.all_pairs == above.sum()
    assert read == schedule.all_read


@given(rows=st.integers(1, 3000), block=st.integers(40, 100))
def test_tasks_in_a_row_share_what_they_read(rows, block):
    schedule = BlockSchedule(rows, block)
    assert len({tuple(pair) for pair in schedule.order.tolist()}) == schedule.tasks
    squares = [tuple(pair) for pair in (schedule.order // SQUARE).tolist()]
    # A square is left for good.
    changes = 1 + sum(first != second for first, second in itertools.pairwise(squares))
    assert changes == len(set(squares))


@pytest.mark.parametrize(("rows", "block"), [(-1, 3), (2.5, 3), (5, 0), (5, True), (5, "3")])
def test_what_is_no_schedule_is_refused(rows, block):
    with pytest.raises(SettingError, match="expected a whole number of at least"):
        BlockSchedule(rows, block)
