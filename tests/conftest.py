"""Data that many tests share, and what runs the Python blocks of Markdown pages."""

import gc
import hashlib
import os
import re
import resource
import signal
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings
from torch import nn

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell's background jobs ignore Ctrl-C, and so would the programs that tests interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)
if not torch.cuda.is_available():
    # Before Triton is imported: its kernels then run without a GPU.
    os.environ.setdefault("TRITON_INTERPRET", "1")
if "NUMBA_CACHE_DIR" not in os.environ:
    # Before Numba is imported: what is compiled serves every process of the tests, as long as no source changes.
    root = Path(__file__).parent.parent
    rooms = [root / "kernels", root / "dataaudit" / "neighbours"]
    sources = b"".join(path.read_bytes() for room in rooms for path in sorted(room.rglob("*.py")))
    os.environ["NUMBA_CACHE_DIR"] = str(root / ".pytest_cache/compiled" / hashlib.sha256(sources).hexdigest()[:16])

from dataaudit import Recipe

# A busy machine draws and runs slowly, which is no fault of a test.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_collection_finish():
    """Leave what was imported out of garbage collections: the Trainers make a whole one in each training."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish():
    """Let the interpreter's end collect it: some packages print what they find left."""
    gc.unfreeze()


@pytest.fixture(scope="session")
def noisy():
    """300 rows of three separable classes, 15 of them with a wrong label: inputs, labels, wrong [n] bool."""
    rng = np.random.default_rng(0)
    truth = np.arange(300) % 3
    inputs = (rng.normal(size=(300, 6)) + 5.0 * np.eye(3, 6)[truth]).astype(np.float32)
    labels = truth.copy()
    wrong = np.zeros(300, bool)
    wrong[rng.choice(300, 15, replace=False)] = True
    labels[wrong] = (truth[wrong] + 1) % 3
    return inputs, labels, wrong


@pytest.fixture
def network():
    """A factory for `noisy`."""
    return lambda: nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 3))


@pytest.fixture
def quick():
    """A short recipe."""
    return Recipe(epochs=4, batch_size=32, precision="float32")


def run_blocks(path, names):
    """Execute the Python blocks of a Markdown file in their order; tracebacks name its lines. Returns their number."""
    text = path.read_text("utf-8")
    blocks = list(re.finditer(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE))
    for block in blocks:
        above = "\n" * text.count("\n", 0, block.start(1))
        exec(compile(above + block[1], str(path), "exec"), names)
    return len(blocks)


ROOT = Path(__file__).parents[1]
WITHOUT_BLOCKS = {"README", "benchmarks", "comparison", "glossary", "questions", "what-it-takes"}
"""Pages of docs/ that say all in words and tables."""


def _write_news():
    """The README's file: 200 texts about two subjects, twenty of them under the other's label."""
    rng = np.random.default_rng(0)
    words = {
        "sport": ["match", "goal", "team", "coach", "season", "league", "injury", "record", "fans", "stadium"],
        "weather": ["rain", "wind", "cloud", "storm", "sunny", "degrees", "forecast", "coast", "snow", "frost"],
    }
    lines = ["text,label"]
    for row in range(200):
        subject, other = ["sport", "weather"][:: 1 if row % 2 else -1]
        text = " ".join(rng.permutation([*rng.choice(words[subject], 5, replace=False), "today", f"day{row % 9}"]))
        lines.append(f"{text},{other if row % 20 in (5, 10) else subject}")
    Path("news.csv").write_text("\n".join(lines), "utf-8")


@pytest.fixture(scope="session")
def first_audit(tmp_path_factory):
    """What the blocks of the README define; the pages of docs/ begin there."""
    names = {"__name__": "readme"}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("readme"))
        _write_news()
        assert run_blocks(ROOT / "README.md", names)
    return names


@pytest.fixture
def run_page(first_audit, tmp_path, monkeypatch):
    """Run the blocks of a page of docs/ in a folder of its own; returns the names that they define."""
    monkeypatch.chdir(tmp_path)

    def run(page):
        names = {**first_audit, "__name__": page}
        count = run_blocks(ROOT / f"docs/{page}.md", names)
        assert count or page in WITHOUT_BLOCKS
        return names

    return run


@pytest.fixture
def full():
    """Context manager in which the operating system refuses to make files larger than so many bytes."""

    @contextmanager
    def limited(size):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, handler)

    return limited
