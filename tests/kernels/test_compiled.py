"""Compiled functions are kept beside their source, never longer than it, and only where Python keeps its own code."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock, Timeout
from numba.core import config
from numba.core.caching import FunctionCache

from dataaudit_kernels.compiled import compiled

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


def run(folder: Path, *arguments: str, **environment: str) -> tuple[int, int]:
    """What the program prints: its result and how often code was found."""
    dropped = ("NUMBA_CACHE_DIR", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    kept |= {"HOME": str(folder / "home"), **environment}
    command = [sys.executable, "main.py", "21", *arguments]
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


def test_functions_that_kept_code_calls_are_there_before_it_as_when_all_was_compiled(tmp_path):
    """Else its own copies of them run, whose sums may be rounded otherwise."""
    program(tmp_path)
    with (tmp_path / "main.py").open("a") as file:
        file.write("assert [sum(add.stats.cache_hits.values()), len(add.signatures)] == [int(sys.argv[2]), 1]")
    assert run(tmp_path, "0") == (42, 0)
    assert run(tmp_path, "1") == (42, 1)


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


def test_code_of_another_callee_is_not_run_from_a_folder_that_was_named(tmp_path):
    """The caller's file stays what it is, and so does the time of the callee's."""
    program(tmp_path)
    elsewhere = str(tmp_path / "elsewhere")
    assert run(tmp_path, NUMBA_CACHE_DIR=elsewhere) == (42, 0)
    (tmp_path / "helper.py").write_text(ADDS.format(more=" + 1"))
    os.utime(tmp_path / "helper.py", (0, 0))
    assert run(tmp_path, NUMBA_CACHE_DIR=elsewhere) == (43, 0)
    assert run(tmp_path, NUMBA_CACHE_DIR=elsewhere) == (43, 1)


def test_a_place_that_cannot_be_written_is_no_fault(tmp_path):
    program(tmp_path)
    file = tmp_path / "file"
    file.write_text("")
    (tmp_path / "__pycache__").write_text("")
    assert run(tmp_path) == (42, 0)
    assert run(tmp_path, NUMBA_CACHE_DIR=str(file)) == (42, 0)
    assert not (tmp_path / "home").exists()


def halving():
    return compiled()(lambda x: x / 2)


def test_what_cannot_be_read_or_kept_is_compiled(tmp_path, monkeypatch):
    """As are the files of another user: folders lie where files should."""
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))
    assert halving()(1) == 0.5
    for file in [*code(tmp_path), *tmp_path.rglob("*.lock")]:
        file.unlink()
        file.mkdir()
    assert halving()(1) == 0.5
    assert all(file.is_dir() for file in code(tmp_path))


def test_nobody_waits_for_ever_for_a_process_that_stopped_while_it_wrote(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))
    assert halving()(1) == 0.5
    [folder] = {file.parent for file in code(tmp_path)}
    for file in code(tmp_path):
        file.unlink()
    monkeypatch.setattr("dataaudit_kernels.compiled.PATIENCE", 0.1)
    with FileLock(folder / "dataaudit-kernels.lock"):
        assert halving()(1) == 0.5
    assert code(tmp_path) == []
    assert halving()(1) == 0.5
    assert len(code(tmp_path)) == 2
