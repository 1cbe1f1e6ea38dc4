"""Visits wait for one another, are left by forks, and let the caller say which warnings count."""

import os
import subprocess
import sys
import threading
import warnings

import pytest

from dataaudit.common import guest
from dataaudit.errors import AuditWarning


def visit():
    with guest.visiting(patience=0.1):
        pass


def test_who_waits_for_long_says_so():
    with warnings.catch_warnings(record=True) as heard, guest.visiting():
        warnings.simplefilter("always")
        waiting = threading.Thread(target=visit, daemon=True)
        waiting.start()
        waiting.join(0.6)
        assert waiting.is_alive()
    waiting.join(5)
    assert not waiting.is_alive()
    assert [one.category for one in heard] == [AuditWarning]
    assert "another thread" in str(heard[0].message)


def test_warnings_of_the_library_are_the_callers():
    """Those of other packages do not end a call where all are to be errors, and stay silent where the caller wants."""

    def both(filter_):
        with warnings.catch_warnings(record=True) as heard:
            warnings.resetwarnings()
            filter_()
            with guest.visiting():
                warnings.warn("somebody's", DeprecationWarning, stacklevel=2)
                warnings.warn("ours", AuditWarning, stacklevel=2)
        return [str(one.message) for one in heard]

    with pytest.raises(AuditWarning, match="ours"):
        both(lambda: warnings.simplefilter("error"))
    assert both(lambda: warnings.simplefilter("error", DeprecationWarning)) == ["somebody's", "ours"]
    assert both(lambda: warnings.simplefilter("ignore")) == []
    assert both(lambda: warnings.simplefilter("always")) == ["somebody's", "ours"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks")
def test_a_forked_process_waits_for_nobody():
    code = """
import os, threading, time
from dataaudit.common.guest import visiting
held, done = threading.Event(), threading.Event()
def hold():
    with visiting():
        held.set()
        done.wait(60)
thread = threading.Thread(target=hold)
thread.start()
held.wait()
child = os.fork()
if not child:
    with visiting():
        os._exit(7)
end = time.monotonic() + 20
while not (status := os.waitpid(child, os.WNOHANG))[0] and time.monotonic() < end:
    time.sleep(0.02)
done.set()
thread.join()
print(os.waitstatus_to_exitcode(status[1]) if status[0] else "hangs")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "7"


def test_worker_processes_bear_strict_warnings():
    """They take the flags of the interpreter, before the library is imported."""
    code = """
import numpy as np, dataaudit
from dataaudit import Holdout, LinearProbe, backends
if __name__ == "__main__":
    rows = np.random.default_rng(0).normal(size=(30, 3))
    holdout = Holdout(runs=2, backend=backends.Joblib(n_jobs=1))
    data = (rows, np.arange(30) % 2)
    audit = dataaudit.score(LinearProbe("logistic"), data, "c_score", holdout=holdout, progress=False)
    print(audit.settings["holdout"]["failed"], audit.settings["set_aside"])
"""
    environment = {**os.environ, "PYTHONWARNINGS": "error::RuntimeWarning,error::FutureWarning"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=100, env=environment, check=False
    )
    assert done.stdout.strip() == "[] ['warnings as errors']", done.stderr
