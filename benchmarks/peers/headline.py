"""The tables of label errors that README.md and docs/benchmarks.md show, made from results/label_errors.csv.

    python -m benchmarks.peers.headline    # prints both

A figure is bold where it is the larger one of two, as they are rounded.
"""

from __future__ import annotations

from benchmarks.comparisons import label_errors
from benchmarks.peers.cases import NOISES, THREE
from benchmarks.summary import tables

FOLDS = " ({} passes)"
NATURAL = 'natural images, `BlockCNN(3, 10)`, "auto", {} passes, median of three seeds'
FEATURES = "64 features of a network trained elsewhere, no model"
REAL = (
    (NATURAL, "careless", ("cifar10_human", "careless", 10000, "cnn"), FOLDS),
    ('the same, "auto", {} passes', "one annotator", ("cifar10_human", "one_annotator", 10000, "cnn"), FOLDS),
    ("", "very careless", ("cifar10_human", "very_careless", 10000, "cnn"), FOLDS),
    ("the last 5000 of these images", "careless", ("cifar10_human", "careless", 5000, "cnn"), ""),
    ("the first 3000", "", ("cifar10_human", "careless", 3000, "cnn"), ""),
    ("the first 1000", "", ("cifar10_human", "careless", 1000, "cnn"), ""),
    ("the first 3000, `ResNet18(3, 10, width=16)`", "", ("cifar10_human", "careless", 3000, "resnet18"), ""),
    (FEATURES, "careless", ("cifar10_human features", "careless", 10000, "none"), ""),
    ("", "one annotator", ("cifar10_human features", "one_annotator", 10000, "none"), ""),
    ("", "very careless", ("cifar10_human features", "very_careless", 10000, "none"), ""),
    ("the same, `LinearProbe()`", "careless", ("cifar10_human features", "careless", 10000, "probe"), ""),
    ("", "one annotator", ("cifar10_human features", "one_annotator", 10000, "probe"), ""),
    ("", "very careless", ("cifar10_human features", "very_careless", 10000, "probe"), ""),
    ("the same, logistic regression", "careless", ("cifar10_human features", "careless", 10000, "logistic"), ""),
    ("", "one annotator", ("cifar10_human features", "one_annotator", 10000, "logistic"), ""),
    ("", "very careless", ("cifar10_human features", "very_careless", 10000, "logistic"), ""),
    ("Yoruba news, embeddings", "33 % wrong", ("yoruba_news", "real", 1340, "embeddings"), ""),
    ("Yoruba news, texts without a model", "", ("yoruba_news", "real", 1340, "words"), ""),
    ("Hausa news, embeddings", "50 % wrong", ("hausa_news", "real", 2045, "embeddings"), ""),
    ("Hausa news, texts without a model", "", ("hausa_news", "real", 2045, "words"), ""),
)  # fmt: skip
"""Words about the data, {} for the passes; about the labels; data, noise, rows and model; what follows cleanlab's."""
PLANTED = (
    ("digits, MLP", "digits", 1797, "mlp"),
    ("satellite, MLP", "satellite", 6435, "mlp"),
    ("satellite, boosting", "satellite", 6435, "boosting"),
    ("TREC, texts without a model", "trec", 5452, "words"),
    ("TREC, embeddings", "trec", 5452, "embeddings"),
)
FEW = (
    ("TREC, a transformer of one layer", "trec", 5452, "transformer"),
    ("Fashion-MNIST 10000, CNN (cleanlab: one seed)", "fashion", 10000, "cnn"),
)
"""With three kinds of errors alone."""
KINDS = (
    ("5 % / 20 % / 40 % symmetric", NOISES[:3]),
    ("10 % / 20 % pairs", NOISES[3:5]),
    ("10 % nearest", NOISES[5:]),
)


def short(value: float, digits: int) -> str:
    """A figure below 1, without its zero."""
    return f"{value:.{digits}f}".removeprefix("0")


def pair(ours: tuple[str, str], theirs: tuple[str, str]) -> tuple[str, str]:
    """Two cells of two figures each; the larger figure of each kind is bold."""
    cells = []
    for own, other in ((ours, theirs), (theirs, ours)):
        won = [mine > yours for mine, yours in zip(own, other, strict=True)]
        words = [f"**{word}**" if bold else word for word, bold in zip(own, won, strict=True)]
        cells.append(f"**{own[0]} / {own[1]}**" if all(won) else " / ".join(words))
    return cells[0], cells[1]


def frame() -> dict[tuple[str, str, int, str], dict[str, float]]:
    """Merged figures by data, labels, rows and model."""
    rows = label_errors(tables()["label-errors"].raw()).to_dict("records")
    return {(row["data"], row["labels"], row["rows"], row["model"]): row for row in rows}  # type: ignore[misc]


def figures(row: dict[str, float], order: tuple[tuple[str, int], ...]) -> tuple[str, str]:
    """Cells of one row; `order` names the two figures and their digits."""
    ours, theirs = (tuple(short(row[f"{name}, {who}"], n) for name, n in order) for who in ("consensus", "cleanlab"))
    return pair((ours[0], ours[1]), (theirs[0], theirs[1]))


def real() -> list[str]:
    """Rows of errors that people and rules made: average precision / AUROC."""
    found, lines = frame(), []
    for data, labels, place, after in REAL:
        row = found[place]
        ours, theirs = figures(row, (("AP", 3), ("AUROC", 4)))
        passes = int(row["passes"]) if row["passes"] == row["passes"] else ""
        folds = after.format(round(row["passes, cleanlab"])) if after else ""
        lines.append(f"| {data.format(passes)} | {labels} | {ours} | {theirs}{folds} |".replace("|  |", "| |"))
    return lines


def planted() -> list[str]:
    """Rows of planted errors: AUROC / average precision, several kinds in one."""
    found, lines = frame(), []
    for source in (*PLANTED, *FEW):
        words, data, rows, model = source
        kinds = KINDS if source in PLANTED else (("20 % symmetric / 20 % pairs / 10 % nearest", THREE),)
        for name, noises in kinds:
            cells = [figures(found[data, noise, rows, model], (("AUROC", 4), ("AP", 3))) for noise in noises]
            ours, theirs = (", ".join(cell[who] for cell in cells) for who in (0, 1))
            lines.append(f"| {words} | {name} | {ours} | {theirs} |".replace("|  |", "| |"))
            words = ""
    return lines


def main() -> None:
    """Print both tables."""
    print("| data | labels | `consensus` | cleanlab, best |", "|---|---|---|---|", *real(), sep="\n")
    print("\n| data | errors | `consensus` | cleanlab, best |", "|---|---|---|---|", *planted(), sep="\n")


if __name__ == "__main__":
    main()
