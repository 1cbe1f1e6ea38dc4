"""Progress off a terminal: a line from time to time, with the time left."""

import io
import sys
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from dataaudit.common.progress import EVERY, FIRST, PlainProgress, progress_bar, working


@given(st.lists(st.tuples(st.integers(1, 50), st.floats(0.01, 100)), min_size=1, max_size=30))
def test_lines_come_from_time_to_time_and_tell_the_time_left(visits):
    now, stream = [0.0], io.StringIO()
    total = sum(steps for steps, _ in visits)
    shown = PlainProgress("training", total, stream, lambda: now[0])
    written = []
    for steps, seconds in visits:
        now[0] += seconds
        before = stream.getvalue()
        shown.advance(steps)
        if stream.getvalue() != before:
            written.append(now[0])
    lines = stream.getvalue().splitlines()
    assert len(lines) == len(written)
    assert all(line.startswith("training: ") and line.endswith(" left") for line in lines)
    assert not written or written[0] >= FIRST
    assert all(later - earlier >= EVERY * (1 - 1e-9) for earlier, later in pairwise(written))


def test_what_is_quick_or_not_to_be_shown_is_silent(capfd):
    for show in (True, False):
        with progress_bar("training", 3, show) as advance:
            for _ in range(3):
                advance(1)
    assert capfd.readouterr() == ("", "")


def test_what_cannot_be_counted_is_said_at_once_on_a_terminal_alone(capfd, monkeypatch):
    with working("reading data.csv", True):
        pass
    assert capfd.readouterr() == ("", "")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with working("reading data.csv", True):
        assert capfd.readouterr() == ("", "reading data.csv\r")
    assert capfd.readouterr() == ("", "\x1b[K")
    with working("reading data.csv", False):
        pass
    assert capfd.readouterr() == ("", "")


def test_a_steady_run_says_how_long_it_takes():
    now, stream = [0.0], io.StringIO()
    shown = PlainProgress("training", 100, stream, lambda: now[0])
    for _ in range(25):
        now[0] += 4.0
        shown.advance(1)
    assert stream.getvalue().splitlines()[0] == "training: 3%, about 6 min left"
    assert stream.getvalue().splitlines()[-1].startswith("training: 19%, about 5 min")
