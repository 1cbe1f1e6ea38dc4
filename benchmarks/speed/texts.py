"""Questions after an audit of texts without a model: the first time, and again.

    python -m benchmarks.speed.texts [--texts 20000]

Texts are made up of twelve words of six topics. What is learned from them in the audit stays with it, and so do the
neighbours that the audit and its findings looked for. Beside seconds of the clock stand those of all cores together,
which other work on the machine hardly changes. Compiled kernels are those of an earlier process: run it twice.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import dataaudit
from benchmarks.common import table, write

RESULTS = Path(__file__).parent / "results" / "texts.csv"
TOPICS, VOCABULARY, LENGTH = 6, 5000, 12


def made_up(count: int) -> tuple[list[str], Any]:
    """Texts and their topics."""
    rng = np.random.default_rng(0)
    words = np.array([f"w{number}" for number in range(VOCABULARY)])
    shares = rng.dirichlet(np.full(VOCABULARY, 0.02), TOPICS)
    topics = rng.integers(0, TOPICS, count)
    return [" ".join(rng.choice(words, LENGTH, p=shares[topic])) for topic in topics], topics


def main() -> None:
    """Print and write the seconds of each question."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--texts", type=int, default=20000)
    count = parser.parse_args().texts
    texts, topics = made_up(count)
    rows: list[dict[str, Any]] = []

    def timed(what: str, work: Callable[[], Any]) -> Any:
        core, clock = time.process_time(), time.perf_counter()
        found = work()
        core, clock = time.process_time() - core, time.perf_counter() - clock
        rows.append({"texts": count, "what": what, "seconds": round(clock, 2), "core_seconds": round(core, 2)})
        return found

    audit = timed("score", lambda: dataaudit.score(None, (texts, topics), progress=False))
    for time_asked in ("first", "again"):
        timed(f"duplicates, {time_asked}", audit.duplicates)
        timed(f"outliers, {time_asked}", audit.outliers)
        timed(f"ambiguous, {time_asked}", audit.ambiguous)
        new = (texts[:2], topics[:2])
        timed(f"score_new of two, {time_asked}", partial(audit.score_new, *new, progress=False))
    table(("what", "seconds", "core seconds"), [(row["what"], row["seconds"], row["core_seconds"]) for row in rows])
    write(RESULTS, rows)


if __name__ == "__main__":
    main()
