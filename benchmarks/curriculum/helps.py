"""Does training with the scores help? Test accuracy by strategy, at equal steps, against plain training.

    python -m benchmarks.curriculum.helps --data FOLDER [--fashion FOLDER] [--cache FOLDER]

Needs cifar10_human.npz, cifar10_human_features.npy and trec.csv in --data. Data, errors that people made first:
features of 10000 natural images by a network that learned from others, with the careless labels, 3000 of them the test
set; the first images of Fashion-MNIST's training set, halved to 14 x 14 pixels, tested on all 10000 test images;
MiniLM embeddings of TREC's questions, a third of them the test set; all with an MLP of one hidden layer (--hidden).
Test labels are true; training labels of the last two get symmetric noise. One audit with default settings
for each data set, noise and seed serves all strategies; its time is told beside that of a training, which is quick
because all strategies train in one stack of networks. The trainings of a seed share the initial weights, the recipe
and the number of steps. "sampler": batches are drawn with replacement by `CurriculumSampler`; "loss": batches come as
in plain training, and each example's loss is multiplied by its weight. "uniform" draws with replacement without a
preference. Differences to plain training are paired by seed; their 95 % interval is Student's. A way that goes by the
estimated share has no accuracy (NaN) where how many labels are wrong is not known.
"""

from __future__ import annotations

import argparse
import functools
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import t as student
from torch.nn import functional

import dataaudit
from benchmarks.common import FASHION, Array, fashion, fashion_test, symmetric, table, write
from benchmarks.peers.cases import embedded, texts
from benchmarks.peers.people import DATA, labels_of
from dataaudit.errors import ModelError
from dataaudit.learners.networks import MLP
from dataaudit.learners.recipes import PLAIN

BATCH = 128

Weigh = Callable[[dataaudit.Audit, dataaudit.Recorder, int, int], Array]


@dataclass(frozen=True)
class Way:
    """How one row of the table trains."""

    name: str
    by: str
    weigh: Weigh | None = None
    records: bool = False


@dataclass(frozen=True)
class Source:
    name: str
    model: Callable[[], torch.nn.Module]
    inputs: Array
    labels: Array
    test_inputs: Array
    test_labels: Array
    given: Array | None = None
    """Labels that people gave, int64 [n]; None where noise is planted."""


def named(strategy: str, **options: Any) -> Weigh:
    return lambda audit, _, epoch, epochs: audit.weights(strategy, epoch, epochs, **options)


WAYS = (
    Way("plain", "-"),
    Way("uniform", "sampler", lambda audit, *_: np.ones(len(audit))),
    Way("easy_to_hard, sqrt", "sampler", named("easy_to_hard")),
    Way("easy_to_hard, linear", "sampler", named("easy_to_hard", pacing="linear")),
    Way("easy_to_hard, step", "sampler", named("easy_to_hard", pacing="step")),
    Way("hard_to_easy, sqrt", "sampler", named("hard_to_easy")),
    Way("balanced easy_to_hard", "sampler", named("balanced", inner="easy_to_hard")),
    Way("balanced", "sampler", named("balanced")),
    Way("drop 10 %", "sampler", named("drop_least_regular")),
    Way("drop estimated share", "sampler", named("drop_least_regular", share=None)),
    Way("suspects", "sampler", named("suspects")),
    Way("suspects", "loss", named("suspects")),
    Way("self_paced, audit", "loss", named("self_paced")),
    Way(
        "self_paced, recorder",
        "loss",
        lambda audit, recorder, *moment: audit.weights(dataaudit.SelfPaced(recorder), *moment),
        True,
    ),
    Way(
        "self_paced, recorder, full=1",
        "loss",
        lambda audit, recorder, *moment: audit.weights(dataaudit.SelfPaced(recorder, full=1.0), *moment),
        True,
    ),
    Way(
        "small_loss, gradual=3",
        "loss",
        lambda audit, recorder, *moment: audit.weights(dataaudit.SmallLoss(recorder, gradual=3), *moment),
        True,
    ),
    Way(
        "small_loss",
        "loss",
        lambda audit, recorder, *moment: audit.weights(dataaudit.SmallLoss(recorder), *moment),
        True,
    ),
)


def fashion_source(folder: str, n: int, hidden: int) -> Source:
    images, labels = fashion(folder, n)

    def halved(pictures: Array) -> Array:
        """Means of 2 x 2 pixels, float32 [n, 196]."""
        means: Array = pictures.reshape(-1, 14, 2, 14, 2).mean((2, 4), dtype=np.float32)
        return means.reshape(-1, 196) / 255

    others, theirs = fashion_test(folder)
    model = functools.partial(MLP, 196, 10, (hidden,))
    return Source("fashion mlp", model, halved(images), labels, halved(others), theirs)


def trec_source(path: Path, cache: Path, n: int, hidden: int) -> Source:
    words, labels, _ = texts(path)
    vectors = embedded(path, words, cache)
    held = np.random.default_rng(0).permutation(len(labels)) % 3 == 0
    model = functools.partial(MLP, vectors.shape[1], int(labels.max()) + 1, (hidden,))
    trained = np.flatnonzero(~held)[:n]
    return Source("trec embeddings mlp", model, vectors[trained], labels[trained], vectors[held], labels[held])


def natural_source(folder: Path, hidden: int) -> Source:
    """Features of natural images with careless labels: 7000 to train on, 3000 to test."""
    vectors = np.load(folder / f"{DATA}_features.npy").astype(np.float32)
    true, given = labels_of(folder, "careless", len(vectors))
    order = np.random.default_rng(0).permutation(len(true))
    trained, tested = order[:7000], order[7000:]
    model = functools.partial(MLP, vectors.shape[1], 10, (hidden,))
    return Source(
        "natural features mlp", model, vectors[trained], true[trained], vectors[tested], true[tested], given[trained]
    )


def accuracies(source: Source, given: Array, audit: dataaudit.Audit, epochs: int, seed: int) -> list[float]:
    """On the test set, after training in each way: all side by side, as one stack of networks that share nothing."""
    torch.manual_seed(seed)
    module, n, classes = source.model(), len(given), int(source.labels.max()) + 1
    weights = {
        name: value.detach().expand(len(WAYS), *value.shape).clone() for name, value in module.named_parameters()
    }
    stack = [value.requires_grad_() for value in weights.values()]
    outputs = torch.func.vmap(lambda own, rows: torch.func.functional_call(module, own, (rows,)))
    optimizer = torch.optim.SGD(stack, PLAIN.learning_rate, PLAIN.momentum, nesterov=True)
    x, y = torch.tensor(source.inputs), torch.tensor(given)
    recorders = [dataaudit.Recorder(n, classes) for _ in WAYS]
    steps, step = -(-n // BATCH) * epochs, 0
    unknown: set[str] = set()
    for epoch in range(epochs):
        drawn, factors = [], []
        for way, recorder in zip(WAYS, recorders, strict=True):
            try:
                weight = np.ones(n) if way.weigh is None else way.weigh(audit, recorder, epoch, epochs)
            except ModelError:
                # How many labels are wrong is not known: the network trains plainly, and its accuracy is not told.
                weight = np.ones(n)
                unknown.add(way.name)
            replace = way.by == "sampler"
            sampler = dataaudit.CurriculumSampler(weight if replace else np.ones(n), n, replacement=replace, seed=seed)
            sampler.set_epoch(epoch)
            drawn.append(list(sampler))
            factors.append(np.ones(n) if replace else weight)
        factor = torch.tensor(np.array(factors), dtype=torch.float32)
        for batch in torch.tensor(drawn).split(BATCH, dim=1):
            for group in optimizer.param_groups:
                group["lr"] = PLAIN.learning_rate * PLAIN.rate(step, steps)
            logits = outputs(weights, x[batch])
            losses = functional.cross_entropy(logits.flatten(0, 1), y[batch].flatten(), reduction="none")
            optimizer.zero_grad()
            # The sum of each network's mean loss: no network feels another's.
            (losses.view_as(batch) * factor.gather(1, batch)).mean(1).sum().backward()
            optimizer.step()
            for place, way in enumerate(WAYS):
                if way.records:
                    recorders[place].update(batch[place], logits[place], y[batch[place]])
            step += 1
        for way, recorder in zip(WAYS, recorders, strict=True):
            if way.records:
                recorder.end_epoch()
    assert step == steps
    tests = torch.tensor(source.test_inputs)
    with torch.no_grad():
        guessed = outputs(weights, tests.expand(len(WAYS), *tests.shape)).argmax(2).numpy()
    shares = (guessed == source.test_labels).mean(1)
    return [np.nan if way.name in unknown else float(share) for way, share in zip(WAYS, shares, strict=True)]


def run(source: Source, noise: float | str, seed: int, epochs: int) -> Iterator[dict[str, Any]]:
    given = source.given
    if given is None:
        given = symmetric(source.labels, int(source.labels.max()) + 1, float(noise), seed)
    start = time.process_time()
    audit = dataaudit.score(source.model, (source.inputs, given), seed=seed, progress=False)
    audited = time.process_time() - start
    start = time.process_time()
    reached = accuracies(source, given, audit, epochs, seed)
    trained = (time.process_time() - start) / len(WAYS)
    for way, accuracy in zip(WAYS, reached, strict=True):
        yield {
            "data": source.name,
            "examples": len(given),
            "noise": noise,
            "seed": seed,
            "epochs": epochs,
            "strategy": way.name,
            "by": way.by,
            "accuracy": round(accuracy, 5),
            "audit_seconds": round(audited, 2),
            "train_seconds": round(trained, 2),
        }


def interval(differences: Array) -> tuple[float, float]:
    """Mean, and half the width of its 95 % interval."""
    count = len(differences)
    if count < 2:
        return float(differences.mean()), float("nan")
    half = student.ppf(0.975, count - 1) * differences.std(ddof=1) / np.sqrt(count)
    return float(differences.mean()), float(half)


def show(rows: list[dict[str, Any]]) -> None:
    for case in dict.fromkeys((row["data"], row["noise"]) for row in rows):
        own = [row for row in rows if (row["data"], row["noise"]) == case]
        plain = {row["seed"]: row["accuracy"] for row in own if row["strategy"] == "plain"}
        audited = np.mean([row["audit_seconds"] for row in own])
        trained = np.mean([row["train_seconds"] for row in own])
        noise = f"{case[1]:.0%} symmetric noise" if isinstance(case[1], float) else f"{case[1]} labels"
        print(
            f"\n{case[0]}, {own[0]['examples']} examples, {noise}, {len(plain)} seeds, "
            f"{own[0]['epochs']} epochs; processor seconds: an audit {audited:.1f}, a training {trained:.2f}"
        )
        lines = []
        for way in WAYS:
            found = {r["seed"]: r["accuracy"] for r in own if (r["strategy"], r["by"]) == (way.name, way.by)}
            known = [seed for seed in plain if np.isfinite(found[seed])]
            if not known:
                lines.append([way.name, way.by, "not known", "", ""])
                continue
            mean, half = interval(np.array([found[seed] - plain[seed] for seed in known]))
            verdict = "" if not abs(mean) > half else "better" if mean > 0 else "worse"
            difference = "" if way.name == "plain" else f"{mean:+.4f} +- {half:.4f}"
            lines.append([way.name, way.by, f"{np.mean([found[seed] for seed in known]):.4f}", difference, verdict])
        table(["strategy", "by", "accuracy", "difference", "interval"], lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data"), metavar="FOLDER")
    parser.add_argument("--fashion", default=FASHION, metavar="FOLDER")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()), metavar="FOLDER")
    parser.add_argument("--rows", type=int, default=5000, help="examples to train on, at most")
    parser.add_argument("--hidden", type=int, default=256, help="units of the hidden layer")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--noises", type=float, nargs="+", default=[0.0, 0.2, 0.4])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "helps.csv", metavar="FILE")
    options = parser.parse_args()
    sources = (
        natural_source(options.data, options.hidden),
        trec_source(options.data / "trec.csv", options.cache, options.rows, options.hidden),
        fashion_source(options.fashion, options.rows, options.hidden),
    )
    rows: list[dict[str, Any]] = []
    # Seed by seed, so that a run that is stopped has compared everything on fewer seeds.
    for seed in options.seeds:
        for source in sources:
            for noise in options.noises if source.given is None else ["careless"]:
                rows += run(source, noise, seed, options.epochs)
        print(f"seed {seed}", flush=True)
        write(options.out, rows)
    show(rows)


if __name__ == "__main__":
    main()
