"""The benchmark of the closed form runs, at small sizes."""

import csv
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_it_agrees_with_monte_carlo_and_writes_its_tables(tmp_path):
    command = [sys.executable, "-m", "benchmarks.holdout.closed_form", "--quick", "--results", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("agreement", "cost"):
        with (tmp_path / f"closed_form_{name}.csv").open() as file:
            assert len(list(csv.DictReader(file))) > 10
