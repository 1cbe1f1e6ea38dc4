"""How the defaults were chosen: the recipe among lengths, rates and optimisers, the score among its constants.

    python -m benchmarks.peers.defaults recipe [--fashion FOLDER]
    python -m benchmarks.peers.defaults score [--fashion FOLDER] [--satellite FILE.csv]
    python -m benchmarks.peers.defaults transformer --texts FILE.csv [--first N]

Seeds 0-2 for the score and seed 0 for the recipe; benchmarks/peers/label_errors.py confirms on others. For the score:
Fashion-MNIST at three sizes with two networks, the digits and (if given) a table of satellite readings, each with
noise of several kinds. A variant is judged by its mean average precision over all cases, and by its regret: how far it
falls behind the best variant in its worst case. The third choice is the recipe of a small transformer that starts from
random weights: two layers of 128 units, its words those of the texts, 20 % symmetric noise, seed 0.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

import dataaudit
from benchmarks.common import FASHION, PAIRS, Array, fashion, merit, paired, symmetric, table, write
from benchmarks.peers.cases import small_transformer, texts
from dataaudit import scores
from dataaudit.evidence.base import Evidence, Need
from dataaudit.learners.recipes import PLAIN, TRANSFORMER, Recipe

SEEDS = (0, 1, 2)
RECIPES: dict[str, Recipe] = {
    "sgd 0.1, 10 epochs (default)": PLAIN,
    "sgd 0.1, 5 epochs": replace(PLAIN, epochs=5),
    "sgd 0.1, 20 epochs": replace(PLAIN, epochs=20),
    "sgd 0.03, 10 epochs": replace(PLAIN, learning_rate=0.03),
    "adamw 0.001, 10 epochs": replace(PLAIN, optimizer="adamw", learning_rate=0.001),
}
TRANSFORMERS: dict[str, Recipe] = {
    "adamw 0.0003, 10 epochs": replace(TRANSFORMER, learning_rate=3e-4, epochs=10),
    "adamw 0.001, 10 epochs": replace(TRANSFORMER, learning_rate=1e-3, epochs=10),
    "adamw 0.0003, 5 epochs": replace(TRANSFORMER, learning_rate=3e-4, epochs=5),
    "adamw 0.001, 5 epochs": replace(TRANSFORMER, learning_rate=1e-3, epochs=5),
    "adamw 0.00005, 5 epochs (finetune)": replace(TRANSFORMER, learning_rate=5e-5, epochs=5),
    "sgd 0.1, batch 128, 10 epochs (other networks' default)": PLAIN,
}
Case = tuple[str, Any, Array, Array, Array]


def noises(labels: Array, pairs: dict[int, int], seed: int) -> Iterator[tuple[str, Array]]:
    classes = int(labels.max()) + 1
    yield "20% symmetric", symmetric(labels, classes, 0.2, seed)
    yield "20% pairs", paired(labels, pairs, 0.2, seed)


def fashion_cases(folder: str, n: int, seed: int) -> Iterator[Case]:
    images, labels = fashion(folder, n)
    for noise, noisy in noises(labels, PAIRS, seed):
        for network in ("mlp", "small_cnn"):
            model = dataaudit.networks.build(network, (1, 28, 28), 10)
            yield f"fashion {n} {network} {noise}", model, images, noisy, noisy != labels


def table_cases(name: str, inputs: Array, labels: Array, seed: int) -> Iterator[Case]:
    classes = int(labels.max()) + 1
    model = dataaudit.networks.build("mlp", inputs.shape[1:], classes)
    neighbours = {c: c ^ 1 for c in range(classes - classes % 2)}
    for noise, noisy in noises(labels, neighbours, seed):
        yield f"{name} mlp {noise}", model, inputs, noisy, noisy != labels
    for share in (0.05, 0.4):
        noisy = symmetric(labels, classes, share, seed)
        yield f"{name} mlp {share:.0%} symmetric", model, inputs, noisy, noisy != labels
    noisy = paired(labels, {c: (c + 1) % classes for c in range(classes)}, 0.1, seed)
    yield f"{name} mlp 10% next class", model, inputs, noisy, noisy != labels


def score_cases(folder: str, satellite: Path | None, seed: int) -> Iterator[Case]:
    for n in (1000, 3000, 20000):
        yield from fashion_cases(folder, n, seed)
    digits = load_digits()
    yield from table_cases("digits", (digits.data / 16).astype(np.float32), digits.target, seed)
    if satellite is not None:
        import pandas as pd

        frame = pd.read_csv(satellite)
        readings = frame.drop(columns="label").to_numpy(np.float64)
        standardised = ((readings - readings.mean(0)) / readings.std(0)).astype(np.float32)
        labels = frame["label"].astype("category").cat.codes.to_numpy().astype(np.int64)
        yield from table_cases("satellite", standardised, labels, seed)


def variants(evidence: Evidence) -> Iterator[tuple[str, Array]]:
    """Every score of the training dynamics, and the default score with other constants and weights."""
    assert evidence.dynamics is not None
    for name in scores.REGISTRY.builtin_names():
        scorer = scores.REGISTRY.get(name)
        if scorer.needs == {Need.DYNAMICS}:
            yield name, scorer.score(evidence).values
    el2n = evidence.dynamics.mean_el2n
    for structure in (0.04, 0.07, 0.12):
        for floor in (0.01, 0.02, 0.05):
            values = dataaudit.scorers.LabelQuality(structure, floor).score(evidence).values
            yield f"label_quality, structure {structure}, floor {floor}", values
            if (structure, floor) == (0.07, 0.02):
                for weight in (0.0, 0.5, 2.0):
                    yield f"posterior - {weight} EL2N", values + (1.0 - weight) * el2n


def choose_score(folder: str, satellite: Path | None) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for seed in SEEDS:
        for case, model, inputs, noisy, wrong in score_cases(folder, satellite, seed):
            audit = dataaudit.score(model, (inputs, noisy), "el2n", seed=seed, progress=False)
            for name, values in variants(Evidence(audit.labels, audit.class_names, dynamics=audit.dynamics)):
                auroc, average = merit(values, wrong)
                figures = {"auroc": round(auroc, 5), "average_precision": round(average, 5)}
                rows.append({"case": case, "seed": seed, "score": name, **figures})
        print(f"seed {seed}", flush=True)
    names = list(dict.fromkeys(row["score"] for row in rows))
    cases = list(dict.fromkeys(row["case"] for row in rows))
    found = {
        (name, case): np.median(
            [(row["auroc"], row["average_precision"]) for row in rows if (row["score"], row["case"]) == (name, case)],
            axis=0,
        )
        for name in names
        for case in cases
    }
    best = {case: max(found[name, case][1] for name in names) for case in cases}
    lines = []
    for name in names:
        auroc, average = np.mean([found[name, case] for case in cases], axis=0)
        regret = max(best[case] - found[name, case][1] for case in cases)
        lines.append([name, f"{auroc:.4f}", f"{average:.4f}", f"{regret:.3f}"])
    table([f"{len(cases)} cases, medians of 3 seeds", "mean AUROC", "mean AP", "worst regret"], lines)
    return rows


def choose_recipe(folder: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for seed in SEEDS[:1]:
        for case, model, inputs, noisy, wrong in fashion_cases(folder, 20000, seed):
            for name, recipe in RECIPES.items():
                audit = dataaudit.score(model, (inputs, noisy), recipe=recipe, seed=seed, progress=False)
                auroc, average = merit(audit.columns[audit.default], wrong)
                figures = {"auroc": round(auroc, 5), "average_precision": round(average, 5)}
                seconds = round(audit.timings["train"], 2)
                rows.append({"case": case, "seed": seed, "recipe": name, **figures, "seconds": seconds})
        print(f"seed {seed}", flush=True)
    cases = list(dict.fromkeys(row["case"] for row in rows))
    lines = []
    for name in RECIPES:
        cells = []
        for case in cases:
            chosen = [row for row in rows if (row["recipe"], row["case"]) == (name, case)]
            middle = [
                float(np.median([row[key] for row in chosen])) for key in ("auroc", "average_precision", "seconds")
            ]
            cells.append("{:.4f} / {:.3f} / {:.0f} s".format(*middle))
        lines.append([name, *cells])
    table(["AUROC / average precision / training", *cases], lines)
    return rows


def choose_transformer(path: Path, first: int | None) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    words, labels, _ = texts(path)
    words, labels = words[:first], labels[:first]
    classes = int(labels.max()) + 1
    model, tokenizer = small_transformer(words, classes)
    noisy = symmetric(labels, classes, 0.2, 0)
    for name, recipe in TRANSFORMERS.items():
        audit = dataaudit.score(model, (words, noisy), processor=tokenizer, recipe=recipe, seed=0, progress=False)
        auroc, average = merit(audit.columns["label_quality"], noisy != labels)
        figures = {"auroc": round(auroc, 5), "average_precision": round(average, 5)}
        seconds = round(audit.timings["train"], 2)
        case = f"{path.stem} {len(words)} transformer 20% symmetric"
        rows.append({"case": case, "seed": 0, "recipe": name, **figures, "seconds": seconds})
        print(rows[-1], flush=True)
    cells = [
        [row["recipe"], f"{row['auroc']:.4f}", f"{row['average_precision']:.3f}", f"{row['seconds']:.0f}"]
        for row in rows
    ]
    table([rows[0]["case"], "AUROC", "average precision", "training, s"], cells)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["recipe", "score", "transformer"])
    parser.add_argument("--fashion", default=FASHION, metavar="FOLDER")
    parser.add_argument("--satellite", type=Path, metavar="FILE.csv")
    parser.add_argument("--texts", type=Path, metavar="FILE.csv", help="columns text and label")
    parser.add_argument("--first", type=int, metavar="N", help="only so many of the texts")
    options = parser.parse_args()
    results = Path(__file__).parent / "results"
    if options.what == "recipe":
        write(results / "default_recipe.csv", choose_recipe(options.fashion))
    elif options.what == "transformer":
        if options.texts is None:
            parser.error("transformer needs --texts FILE.csv, with columns text and label")
        name = "default_transformer" + ("" if options.first is None else f"_{options.first}")
        write(results / f"{name}.csv", choose_transformer(options.texts, options.first))
    else:
        write(results / "default_score.csv", choose_score(options.fashion, options.satellite))


if __name__ == "__main__":
    main()
