"""Locks keep out processes and threads, and are given back by those that end."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from dataaudit.common import folders
from dataaudit.errors import StorageError

HOLD = (
    "import sys, time; from pathlib import Path; from dataaudit.common import folders\n"
    "held = folders.lock(Path(sys.argv[1])); print('held', flush=True); time.sleep(600)"
)


def test_a_lock_refuses_a_second_user_until_its_process_is_dead(tmp_path):
    path = tmp_path / "rows.npy"
    path.write_bytes(b"rows")
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StorageError) as caught:
            folders.lock(path)
        assert (caught.value.arrived, caught.value.expected, caught.value.action) == (
            f"{path}, which another process or thread is writing",
            "one at a time",
            "wait for it to end, or name another folder",
        )
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    assert (tmp_path / "rows.npy.lock").exists()
    with folders.lock(path):
        pass
    assert path.read_bytes() == b"rows"


def test_a_lock_that_was_copied_by_a_hard_link_is_held_by_one(tmp_path):
    """Whoever waits for it holds no file that was removed since, though that has another name."""
    path, taken = tmp_path / "rows.npy", []
    held = folders.lock(path)
    os.link(tmp_path / "rows.npy.lock", tmp_path / "copy.lock")
    os.rename(tmp_path / "copy.lock", tmp_path / "kept.lock")
    waiting = threading.Thread(target=lambda: taken.append(folders.lock(path, 5)))
    waiting.start()
    held.close()
    waiting.join(10)
    with pytest.raises(StorageError):
        folders.lock(path)
    taken[0].close()


def test_a_forked_process_does_not_keep_a_lock(tmp_path):
    held = folders.lock(tmp_path / "rows.npy")
    wait, go = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(go)
        os.read(wait, 1)
        os._exit(0)
    try:
        with pytest.raises(StorageError, match="another process or thread is writing"):
            folders.lock(tmp_path / "rows.npy")
        held.close()
        folders.lock(tmp_path / "rows.npy").close()
    finally:
        os.close(go)
        os.waitpid(child, 0)
        os.close(wait)


def test_a_lock_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="with room"):
        folders.lock(tmp_path / "file" / "rows.npy")


def test_threads_are_kept_out_and_wait_as_long_as_is_said(tmp_path):
    held, refused = folders.lock(tmp_path / "rows.npy"), []

    def waiting(seconds):
        try:
            folders.lock(tmp_path / "rows.npy", seconds).close()
        except StorageError as error:
            refused.append(error.arrived)

    for seconds in (0.1, 30):
        thread = threading.Thread(target=waiting, args=(seconds,))
        thread.start()
        if seconds == 30:
            held.close()
        thread.join(20)
        assert not thread.is_alive()
    assert refused == [f"{tmp_path / 'rows.npy'}, which another process or thread is writing, for 0.1 seconds and more"]


INTERRUPTS = """
import ctypes, random, sys, threading, time
from pathlib import Path
from dataaudit.common import folders

def take(path):
    try:
        while True:
            folders.lock(path).close()
    except KeyboardInterrupt:
        pass

rng = random.Random(0)
for number in range(200):
    thread = threading.Thread(target=take, args=(Path(sys.argv[1], str(number)),), daemon=True)
    thread.start()
    time.sleep(0.003 * rng.random())
    # One that falls into a finaliser is dropped.
    while thread.is_alive():
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(KeyboardInterrupt))
        thread.join(0.1)
folders.lock(Path(sys.argv[1], "last")).close()
"""


def test_an_interrupt_within_a_lock_does_not_keep_others_waiting(tmp_path):
    subprocess.run([sys.executable, "-c", INTERRUPTS, str(tmp_path)], check=True, timeout=60)
