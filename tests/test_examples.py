"""The examples, and the Python blocks of the README and of every page of docs/, run as they stand."""

import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ON_A_CLUSTER = {"clusters"}
"""Pages that tests/cluster/test_page.py runs."""

PAGES = sorted({path.stem for path in (ROOT / "docs").glob("*.md")} - ON_A_CLUSTER)


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_example(path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(path)])
    # In this process: another one would compile every kernel anew.
    runpy.run_path(str(path), run_name="__main__")
    assert capsys.readouterr().out


def test_readme_blocks(first_audit):
    assert len(first_audit["audit"]) == 1797


@pytest.mark.parametrize("page", PAGES)
def test_page_blocks(page, run_page):
    run_page(page)
