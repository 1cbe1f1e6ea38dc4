"""Time, memory and size of the page of an audit, and how fast a browser shows it and scrolls.

    python -m benchmarks.report.page [--sizes 10000 100000 1000000] [--classes 100]

Audits of random scores, with ten epochs of dynamics, twelve scores and 7 % of the labels flagged, of pictures 8 x 8
and of texts; each page, of all that is flagged, is made in a process of its own, whose largest memory is read at its
end, the data set and the audit included. Where chromium and chromedriver are on the path and selenium is there, each
page is opened (time until all of it stands, by the browser's own clock), and its list scrolled from end to end in 100
steps: the longest frame, and how long the page's main thread worked for one in the mean, by its own clock, which other
programs of a busy machine do not stop.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import table, write

HEAD = (
    *("data", "examples", "seconds", "CPU seconds", "MiB", "page MB", "shown", "stands after s", "longest frame ms"),
    "CPU ms a frame",
)
STEPS = 100
WORDS = ("a", "page", "of", "an", "audit", "holds", "texts", "like", "this", "one", "with", "twenty", "words", "each")
SCROLL = """
const done = arguments[0], box = document.getElementById('queue'), all = box.scrollHeight;
let step = 0, last = performance.now(), longest = 0;
function next(now) {
  if (step > 1) longest = Math.max(longest, now - last);
  last = now;
  if (step++ > 100) { done(longest); return; }
  box.scrollTop = all * step / 100;
  requestAnimationFrame(next);
}
requestAnimationFrame(next);
"""


def audit_of(kind: str, n: int, classes: int) -> Any:
    """An audit of random values, with its data set at hand."""
    from dataaudit.audit.base import Audit
    from dataaudit.data import as_examples
    from dataaudit.dynamics.summary import Dynamics
    from dataaudit.labels.label_errors import LabelErrors

    rng = np.random.default_rng(0)
    labels = rng.integers(classes, size=n)
    if kind == "pictures":
        inputs: Any = rng.integers(256, size=(n, 1, 8, 8), dtype=np.uint8)
    else:
        inputs = [" ".join(WORDS[at] for at in words) for words in rng.integers(len(WORDS), size=(n, 20)).tolist()]
    names = np.array([f"class {label}" for label in range(classes)])
    examples = as_examples((inputs, names[labels]))
    probability = rng.random(n) ** 9
    epochs, ones = 10, np.full(n, 10)
    bits = rng.integers(256, size=(epochs, -(-n // 8)), dtype=np.uint8)
    by_epoch = rng.random((2, epochs, n), np.float32).astype(np.float16)
    dynamics = Dynamics(
        epochs=epochs,
        classes=classes,
        seen=ones,
        correct=ones,
        first_correct=ones,
        forgetting=ones,
        mean_margin=rng.random(n),
        mean_confidence=rng.random(n),
        variability=rng.random(n),
        mean_el2n=rng.random(n),
        cumulative_loss=rng.random(n),
        suggested=examples.labels,
        mean_probabilities=np.zeros((n, 8), np.float32),
        probability_classes=np.zeros((n, 8), np.int32),
        kept_epochs=np.arange(1, epochs + 1),
        confidence_by_epoch=by_epoch[0],
        max_confidence_by_epoch=by_epoch[1],
        correct_bits=bits,
        seen_bits=np.full_like(bits, 255),
        epoch_weights=np.ones(epochs),
    )
    pairs = np.stack([np.arange(classes), np.roll(np.arange(classes), 1)], 1)
    errors = LabelErrors(
        probability,
        (examples.labels + 1) % classes,
        0.1,
        0.08,
        0.12,
        {},
        pairs,
        np.full(classes, 0.1 * n / classes),
        True,
    )
    columns = {name: rng.random(n) for name in ("consensus", *(f"score {at}" for at in range(11)))}
    settings = {"model": "none", "seed": 0, "fingerprint": f"{kind}-{n}", "scorers": list(columns), "source": kind}
    return Audit(
        columns, {}, examples.labels, examples.class_names, "consensus", errors.rival, rng.random(n), settings, {},
        dynamics, label_errors=errors, _examples=examples,
    )  # fmt: skip


def measure(kind: str, n: int, classes: int, path: Path) -> None:
    """Make one page; prints seconds, seconds of the processor and MiB."""
    from dataaudit.audit.report import page_of
    from dataaudit.report.html import write_report

    audit = audit_of(kind, n, classes)
    start, busy = time.perf_counter(), time.process_time()
    # What report() does but for the fingerprint: that of a data set at hand was read when it was scored.
    write_report(page_of(audit, audit._examples, "flagged"), path)
    took, busy = time.perf_counter() - start, time.process_time() - busy
    print(took, busy, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def browsed(path: Path) -> tuple[float, float, float]:
    """Seconds until the page stands, and milliseconds of its scroll: the longest frame, and the processor's for one.

    NaN without a browser.
    """
    import shutil

    browser, server = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or server is None:
        return np.nan, np.nan, np.nan
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for argument in ("headless=new", "no-sandbox", "window-size=1280,900"):
        options.add_argument(f"--{argument}")
    driver = webdriver.Chrome(options, webdriver.ChromeService(server))
    try:
        driver.set_script_timeout(300)
        driver.get(path.as_uri())
        stands = driver.execute_script("return performance.getEntriesByType('navigation')[0].loadEventStart / 1000")
        driver.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
        before = _worked(driver)
        longest = float(driver.execute_async_script(SCROLL))
        return float(stands), longest, 1000 * (_worked(driver) - before) / STEPS
    finally:
        driver.quit()


def _worked(driver: Any) -> float:
    """Seconds that the main thread of the page has worked."""
    metrics = driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    return next(float(one["value"]) for one in metrics if one["name"] == "TaskDuration")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--one", nargs=2, metavar=("KIND", "FILE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        kind, file = arguments.one
        measure(kind, arguments.sizes[0], arguments.classes, Path(file))
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("pictures", "texts"):
            for n in arguments.sizes:
                path = Path(folder) / "page.html"
                command = [sys.executable, "-m", "benchmarks.report.page", "--sizes", str(n)]
                command += ["--classes", str(arguments.classes), "--one", kind, str(path)]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                seconds, busy, memory = map(float, done.stdout.split())
                text = path.read_text("utf-8")
                shown = int(text.split(" examples, the most suspicious first")[0].rsplit(">", 1)[1].replace(",", ""))
                size = path.stat().st_size / 1e6
                rows.append((kind, n, seconds, busy, memory, size, shown, *browsed(path)))
    rounded = [[f"{cell:.3g}" if isinstance(cell, float) else cell for cell in row] for row in rows]
    table(HEAD, rounded)
    write(Path(__file__).parent / "results/page.csv", [dict(zip(HEAD, row, strict=True)) for row in rounded])


if __name__ == "__main__":
    main()
