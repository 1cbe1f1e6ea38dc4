"""What a driver began ends with it, or when it is done with it, and nothing else does."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("ray")  # Brings a psutil.
import psutil

DRIVER = """
import os, subprocess, sys, time
sys.path.append(sys.argv[1])
from dataaudit.common.workers import kept

node, inner, outer = sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
subprocess.Popen(["sleep", "60"], pass_fds=[outer])
with kept("node"):
    subprocess.Popen([node], pass_fds=[inner])
    os.close(inner), os.close(outer)
    print("begun", flush=True)
    sys.stdin.readline()
print("left", flush=True)
time.sleep(60)
"""


def closed(end, seconds):
    """Tell whether all that hold the other end of a pipe have ended within so many seconds."""
    return bool(select.select([end], [], [], seconds)[0]) and not os.read(end, 1)


@pytest.fixture
def driver(tmp_path):
    """A driver that has begun a node, which has a child, and a bystander; ends of pipes that these hold."""
    node = tmp_path / "node"
    node.write_text("#!/bin/sh\nsleep 60 &\nwait\n")
    node.chmod(0o755)
    (inside, inner), (outside, outer) = os.pipe(), os.pipe()
    folder = str(Path(psutil.__file__).parents[1])
    command = [sys.executable, "-c", DRIVER, folder, str(node), str(inner), str(outer)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, pass_fds=[inner, outer], start_new_session=True, **pipes) as process:
        os.close(inner), os.close(outer)
        assert process.stdout.readline() == "begun\n"
        assert not closed(inside, 1.5)
        yield process, inside, outside
        os.killpg(process.pid, signal.SIGKILL)
    os.close(inside), os.close(outside)


@pytest.mark.parametrize("ended", [signal.SIGKILL, signal.SIGTERM])
def test_what_a_node_began_ends_with_the_driver_that_began_the_node(ended, driver):
    process, node, bystander = driver
    process.send_signal(ended)
    process.wait()
    assert closed(node, 8)
    assert not closed(bystander, 0)


def test_what_a_node_left_has_ended_when_the_driver_is_done_with_it(driver):
    process, node, bystander = driver
    process.stdin.write("go on\n")
    process.stdin.flush()
    assert process.stdout.readline() == "left\n"
    assert closed(node, 1)
    assert not closed(bystander, 0)
