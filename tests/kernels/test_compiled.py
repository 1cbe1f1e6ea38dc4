"""Compiled functions are kept beside their source, never longer than it, and only where Python keeps its own code."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock, Timeout
from numba.core import config
from numba.core.caching import FunctionCache

from dataaudit_kernels.compiled import compiled, keeps

SOURCE = """
import sys
from dataaudit_kernels.compiled import compiled

{helper}

@compiled()
def twice(x):
    return add(x, x)

print(twice(int(sys.argv[1])), sum(twice.stats.cache_hits.values()))
"""
HELPER = "from helper import add"
ADDS = """
from dataaudit_kernels.compiled import compiled

@compiled()
def add(x, y):
    return x + y{more}
"""


def run(folder: Path, **environment: str) -> tuple[int, int]:
    """What the program prints: its result and how often code was found."""
    dropped = ("NUMBA_CACHE_DIR", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    kept |= {"HOME": str(folder / "home"), **environment}
    command = [sys.executable, "main.py", "21"]
    done = subprocess.run(command, cwd=folder, env=kept, capture_output=True, text=True, check=True)
    result, hits = done.stdout.split()
    return int(result), int(hits)


def program(folder: Path) -> None:
    (folder / "main.py").write_text(SOURCE.format(helper=HELPER))
    (folder / "helper.py").write_text(ADDS.format(more=""))


def code(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.nb[ic]"))


def test_a_second_process_finds_what_the_first_compiled_until_a_callee_in_another_file_changes(tmp_path):
    program(tmp_path)
    assert run(tmp_path) == (42, 0)
    assert {path.parent for path in code(tmp_path)} == {tmp_path / "__pycache__"}
    assert run(tmp_path) == (42, 1)
    (tmp_path / "helper.py").write_text(ADDS.format(more=" + 1"))
    assert run(tmp_path) == (43, 0)
    assert not (tmp_path / "home").exists()


def test_nothing_is_kept_where_python_keeps_no_byte_code(tmp_path):
    program(tmp_path)
    assert run(tmp_path, PYTHONDONTWRITEBYTECODE="1") == (42, 0)
    assert code(tmp_path) == []
    elsewhere = tmp_path / "elsewhere"
    assert run(tmp_path, PYTHONDONTWRITEBYTECODE="1", NUMBA_CACHE_DIR=str(elsewhere)) == (42, 0)
    assert run(tmp_path, PYTHONDONTWRITEBYTECODE="1", NUMBA_CACHE_DIR=str(elsewhere)) == (42, 1)
    assert not (tmp_path / "home").exists()


def test_one_process_writes_at_a_time(tmp_path, monkeypatch):
    """Two that number their files at once would give one number to code for different types."""
    held = []

    def save(cache, sig, data):
        with pytest.raises(Timeout):
            FileLock(Path(cache.cache_path) / "dataaudit-kernels.lock").acquire(timeout=0)
        held.append(sig)

    monkeypatch.setattr(FunctionCache, "save_overload", save)
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))
    half = compiled()(lambda x: x / 2)
    assert half(1) == half(1.0) == 0.5
    assert len(held) == 2


def test_a_folder_that_cannot_be_made_is_no_fault(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)
    assert keeps(tmp_path)
    (tmp_path / "file").write_text("")
    assert not keeps(tmp_path / "file")
    old = tmp_path / "__pycache__" / "f.nbi"
    old.write_text("")
    os.utime(old, (0, 0))
    (tmp_path / "source.py").write_text("")
    new = tmp_path / "__pycache__" / "g.nbi"
    new.write_text("")
    os.utime(new, (time.time() + 5, time.time() + 5))
    keeps.cache_clear()
    assert keeps(tmp_path)
    assert not old.exists()
    assert new.exists()
