"""Whatever the caller has set in the process: results are the same, and all is put back."""

import random
import signal
import sys
import threading

import numpy as np
import pytest
import torch
from torch import nn

from dataaudit import Holdout, Interrupted, LinearProbe, score
from dataaudit.common import guest
from tests.pipeline.callers import (
    COMMAND,
    ENTRIES,
    INPUTS,
    LABELS,
    RECIPE,
    SETTINGS,
    audit,
    net,
    process,
    scored,
    usual,
)


@pytest.fixture(scope="module", autouse=True)
def imported():
    """Packages that are imported by the first call: some set filters of warnings, and the environment."""
    audit()


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("usual")


# A command has a process of its own, whose start decides about most of it.
OF_A_PROCESS = ("warnings are errors", "errors of NumPy", "handlers")


def pairs():
    """Every entry with all settings at once and with every fourth alone, so that every setting meets every kind."""
    for i, entry in enumerate(ENTRIES):
        for j, setting in enumerate(SETTINGS):
            if entry == COMMAND:
                if setting in OF_A_PROCESS:
                    yield entry, setting
            elif setting == "all at once" or (i + j) % 4 == 0:
                yield entry, setting


@pytest.mark.parametrize(("entry", "setting"), list(pairs()))
def test_results_are_the_same_and_all_is_put_back(entry, setting, folder, tmp_path):
    expected = usual(entry, folder)
    with SETTINGS[setting]():
        before = process()
        found = ENTRIES[entry](tmp_path)
        after = process()
    assert after == before
    np.testing.assert_equal(found, expected)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("nothing", None),
        ("no_grad", ["torch.no_grad"]),
        ("default dtype", ["default dtype torch.float64"]),
        ("autocast twice", ["torch.autocast('cpu')"]),
        ("warnings are errors", ["warnings as errors"]),
        ("all at once", ["warnings as errors", "np.seterr", "torch.inference_mode", "default device meta",
                         "torch.autocast('cpu')"]),
    ],
)  # fmt: skip
def test_the_settings_say_what_was_set_aside(setting, said):
    with SETTINGS[setting]():
        found = score(LinearProbe(), (INPUTS, LABELS), "confidence", progress=False)
    assert found.settings.get("set_aside") == said


class Stopped(Exception):
    pass


@pytest.mark.parametrize("error", [Stopped, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("setting", ["nothing", "default dtype", "all at once"])
def test_all_is_put_back_where_an_error_passes(error, setting):
    calls = []

    class Model(nn.Linear):
        def forward(self, inputs):
            calls.append((torch.rand(1), random.random(), np.random.rand()))  # noqa: NPY002
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            if self.training and len(calls) > 6:
                raise error
            return super().forward(inputs)

    model = Model(5, 3)
    with SETTINGS[setting]():
        before = process()
        with pytest.raises((error, Interrupted)):
            score(model, (INPUTS, LABELS), "mean_margin", recipe=RECIPE, progress=False)
        assert process() == before


def interrupted(moment):
    """Visit, with a real Ctrl-C at the moment of that number at which Python looks for one; False if there are fewer.

    It looks when a function begins, and after one of C.
    """
    moments = 0

    def profile(frame, event, argument):
        nonlocal moments
        if event in ("call", "c_return") and frame.f_code.co_filename.endswith(OURS):
            moments += 1
            if moments == moment:
                sys.setprofile(None)
                signal.raise_signal(signal.SIGINT)

    sys.setprofile(profile)
    try:
        with guest.visiting():
            pass
    except KeyboardInterrupt:
        return True
    finally:
        sys.setprofile(None)
    return False


OURS = ("guest.py", "interrupts.py", "contextlib.py")


def visit():
    with guest.visiting():
        pass


def test_all_is_put_back_wherever_ctrl_c_comes():
    with SETTINGS["default dtype"](), SETTINGS["errors of NumPy"]():
        before, moment = process(), 1
        while interrupted(moment):
            assert process() == before, moment
            in_threads(visit, timeout=5)
            moment += 1
    assert moment > 100


# Threads.


def in_threads(*calls, timeout=60):
    """Results of calls that begin at once, each in a thread."""
    results, gate = [None] * len(calls), threading.Barrier(len(calls))

    def run(place, call):
        gate.wait()
        results[place] = call()

    threads = [threading.Thread(target=run, args=pair, daemon=True) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout)
        assert not thread.is_alive()
    return results


def drawn(seed):
    return scored(net, scorers="mean_margin", recipe=RECIPE, seed=seed)


@pytest.mark.parametrize("other", list(ENTRIES))
def test_two_threads_give_what_each_gives_alone(other, folder, tmp_path):
    if other == COMMAND:
        pytest.skip("its runner takes standard output from all threads")
    expected, alone, before = usual(other, folder), drawn(1), process()
    found = in_threads(lambda: drawn(1), lambda: ENTRIES[other](tmp_path), lambda: drawn(1))
    np.testing.assert_equal(found, [alone, expected, alone])
    assert process() == before


class Threads:
    """A backend of threads, as a package may register."""

    name = "threads"

    def describe(self):
        return {}

    def check(self):
        pass

    def map(self, job, groups):
        results = in_threads(*(lambda group=group: job(group) for group in groups))
        yield from zip(groups, results, strict=True)


def test_runs_in_threads_are_those_one_after_another():
    options = {"scorers": "c_score", "recipe": RECIPE}
    backends = ("serial", Threads())
    one, other = (scored(net, holdout=Holdout(runs=4, backend=each), **options) for each in backends)
    np.testing.assert_equal(other, one)


def test_a_model_may_call_the_library():
    alone, inner = drawn(1), []

    class Model(nn.Linear):
        def forward(self, inputs):
            if not inner:
                inner.append(None)
                inner[0] = drawn(1)
            return super().forward(inputs)

    for backend in ("serial", Threads()):
        inner.clear()
        score(lambda: Model(5, 3), (INPUTS, LABELS), "c_score", recipe=RECIPE, progress=False,
              holdout=Holdout(runs=2, backend=backend))  # fmt: skip
        np.testing.assert_equal(inner[0], alone)
