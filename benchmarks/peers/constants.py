"""Constants of the consensus: chosen on one half of the data sets, reported on the other; the choice is printed.

    python -m benchmarks.peers.constants --data FOLDER [--fashion FOLDER] [--cache FOLDER] [--only NAME ...] [--table]

The choosing half is digits, TREC, Fashion-MNIST, wine, breast cancer, and the first 5000 natural images with
`very_careless` labels: a network's, and features of them. The reporting half is Hausa and Yoruba news, satellite
readings, and natural images from the 5001st on: 3000 with `careless` labels and a network, and the features of 5000
with each labelling. Errors that people made lie in both. No data set lies in both but the natural images, and of those
no image; the people who labelled them are the same.

Every case is audited once, by a plain call; what its sources say is kept in --cache, and the grid is evaluated from
there by the library's own functions. Empty that folder after a change of what sources say. Cases fall into families, by
which sources there are and how they came about. Of each family the grid goes through one constant at a time around
those that ship, and through pairs that work against each other: the weights of two sources, all weights and the log
odds, the loss's power and the pull. Variants are also label_posterior over all families that share their constants.

A variant is judged by its average precision minus the best, in hindsight, of the audit's other scores and of what each
source alone says of the given label; clipped to -.02 and .02, so that no small table decides; the mean over the cases
of each data set, then over data sets, then over families. The best variant is chosen if it is more than .001 above the
one that ships and more than two standard errors of the paired difference: of some dozens of variants the best is always
a little ahead. Else the choice is what ships. The reporting half is evaluated afterwards, by the shipped and the best
variants alone. Every cell is appended to results/constants.csv, and skipped when it is there.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np

from benchmarks.common import FASHION, Array, merit, table
from benchmarks.peers import small_tables
from benchmarks.peers.cases import Case, Source, cases, sources
from benchmarks.peers.cells import Book, Row, cell, key
from benchmarks.peers.families import ALL, EPOCHS, FAMILIES, HIDDEN, NAMES, RIDGE, SETS, STAGED, kept
from benchmarks.peers.people import DATA, LABELLINGS, features, pictures
from dataaudit.labels.combine import WEIGHTS, SourceWeights
from dataaudit.labels.posterior import CONSTANTS, Constants

RESULTS = Path(__file__).parent / "results" / "constants.csv"
COLUMNS = ("half", "family", "average_precision", "best_single")
CLIP, LEAST, ERRORS, BELOW = 0.02, 0.001, 2.0, 0.01
HALF, LINEAR = 5000, ("none", "probe", "logistic")

GradientFactors = dict[str, float]
"""Values of the constants that matter in a family, by name."""

STEPS = (0.5, 0.75, 1.25, 1.5)
"""Weights, as multiples of those that ship."""
SCALES = (0.7, 1.0, 1.4, 2.0)
"""All weights of a family at once, as multiples, beside the log odds."""
VALUES: dict[str, tuple[float, ...]] = {
    "pull": (1, 3, 30, 100, 1000),
    "structure": (0.02, 0.03, 0.07, 0.1),
    "floor": (0.005, 0.01, 0.04),
    "el2n": (0, 0.5, 1.5, 2),
    "margin": (0, 0.1, 0.5, 1),
    "odds": (0, 0.02, 0.1, 0.2),
}
"""Constants that families share."""
POWERS, PULLS = (0.0, 0.3, 0.5, 0.9, 1.0), (3.0, 30.0)
"""Of the loss beside ridge regression, and pulls beside its powers."""

SMALL = {"choosing": (("wine", "breast cancer", "digits 600"), (0, 1)), "reporting": (("satellite 700",), (1, 2))}
"""Tables of `small_tables`, and seeds of their noise."""
WHERE: dict[str, dict[str, int]] = {
    "choosing": {"digits mlp": 2, "trec embeddings": 1, "trec words": 1, "fashion 10000 cnn": 1},
    "reporting": {
        **{f"{language}_news {kind}": 1 for language in ("hausa", "yoruba") for kind in ("embeddings", "words")},
        **{"satellite mlp": 1, "satellite boosting": 1},
    },
}
"""Sources of `cases`, and how many seeds."""


def made_of(half: str, options: argparse.Namespace) -> dict[str, Callable[[], Iterator[Case]]]:
    """All cases of a half, by the name of data set and model."""

    def small(name: str, model: str, seeds: Sequence[int]) -> Iterator[Case]:
        x, y = small_tables.rows_of(name, options.data)
        source = Source(name, model, small_tables.model_of(model), x, x, y, {})
        for noise, seed in product(small_tables.NOISES, seeds):
            yield Case(source, noise, seed, small_tables.planted(name, options.data, noise, seed))

    def large(make: Callable[[], Source], count: int) -> Iterator[Case]:
        yield from cases(make(), list(range(count)))

    names, seeds = SMALL[half]
    made, data = sources(options), options.data
    people: dict[str, dict[str, Callable[[], Source]]] = {
        "choosing": {
            **{f"first features {model}": partial(features, data, "very_careless", model, HALF) for model in LINEAR},
            "first images cnn": partial(pictures, data, "very_careless", n=HALF),
        },
        "reporting": {
            **{
                f"last features {labelling} {model}": partial(features, data, labelling, model, HALF, HALF)
                for labelling, model in product(LABELLINGS, LINEAR)
            },
            "last images cnn": partial(pictures, data, "careless", n=3000, first=HALF),
        },
    }
    return {
        **{f"{name} {model}": partial(small, name, model, seeds) for name in names for model in small_tables.MODELS},
        **{name: partial(large, made[name], count) for name, count in WHERE[half].items()},
        **{name: partial(large, make, 1) for name, make in people[half].items()},
    }


def cases_of(half: str, options: argparse.Namespace) -> Iterator[Case]:
    """All cases of a half, or those that were asked for."""
    for name, make in made_of(half, options).items():
        if not options.only or name in options.only:
            yield from make()


def shipped(family: str) -> GradientFactors:
    """The constants that matter in a family."""
    found = dict(WEIGHTS.hidden if family == HIDDEN else WEIGHTS.fixed[SETS[family]])
    if family == STAGED:
        found["dynamics"] = WEIGHTS.staged
    if family != HIDDEN:
        found |= {"power": WEIGHTS.bounded, "pull": WEIGHTS.pull}
    return found | asdict(CONSTANTS)


def built(family: str, factors: GradientFactors) -> tuple[SourceWeights, Constants]:
    """What the library takes."""
    own: GradientFactors = {name: factors[name] for name in NAMES if name in factors}
    constants = Constants(**{name: factors[name] for name in asdict(CONSTANTS)})
    if family == HIDDEN:
        return replace(WEIGHTS, hidden=own), constants
    staged = WEIGHTS.staged
    if family == STAGED:
        # The exponent of epochs, which share the others, stays.
        staged, own["dynamics"] = own["dynamics"], WEIGHTS.fixed[ALL]["dynamics"]
    fixed = {**WEIGHTS.fixed, frozenset(own): own}
    weights = replace(WEIGHTS, fixed=fixed, staged=staged, bounded=factors["power"], pull=factors["pull"])
    return weights, constants


def steps_of(factors: GradientFactors, names: Sequence[str]) -> Iterator[GradientFactors]:
    """Weights one at a time, and the last two of `names` together."""
    every = {name: [round(factors[name] * step, 4) for step in STEPS] for name in names}
    for name, values in every.items():
        yield from ({name: value} for value in values)
    one, other = names[-2:]
    yield from ({one: a, other: b} for a, b in product(every[one], every[other]))


def values_of(factors: GradientFactors) -> Iterator[GradientFactors]:
    """Shared constants, one at a time."""
    for name, values in {**VALUES, "power": POWERS}.items():
        yield from ({name: value} for value in values if name in factors)


def grid(family: str) -> list[GradientFactors]:
    """What is changed in the variants of a family, the shipped one first."""
    factors = shipped(family)
    names = [name for name in NAMES if name in factors]
    found: list[GradientFactors] = [{}, *steps_of(factors, names), *values_of(factors)]
    for scale, odds in product(SCALES, (CONSTANTS.odds, *VALUES["odds"])):
        found.append({**{name: round(factors[name] * scale, 4) for name in names}, "odds": odds})
    if family != HIDDEN:
        found += [{"power": power} for power in POWERS]
        found += [{"power": power, "pull": pull} for power, pull in product(POWERS, PULLS)]
    return found


@dataclass(frozen=True)
class Section:
    """Families that are judged together, and what is changed in all of them that have it."""

    title: str
    families: tuple[str, ...]
    changes: tuple[GradientFactors, ...]

    @classmethod
    def of(cls, title: str, families: Sequence[str], changes: Sequence[GradientFactors]) -> Section:
        """Without what ships, or comes twice."""
        different = {variant(families[0], change): change for change in changes}
        return cls(title, tuple(families), tuple(different.values()))


def sections() -> list[Section]:
    """Every family, those that share weights, and all."""
    found = [Section.of(family, (family,), grid(family)) for family in FAMILIES]
    changes = [{}, *steps_of(shipped(EPOCHS), ("heldout", "neighbours", "ridge"))]
    found.append(Section.of(f"{EPOCHS} | {STAGED}", (EPOCHS, STAGED), changes))
    shared = (RIDGE, *(family for family in FAMILIES if family != RIDGE))
    return [*found, Section.of("all families", shared, [{}, *values_of(shipped(RIDGE))])]


def variant(family: str, change: GradientFactors) -> str:
    """Every constant that matters in a family, as the cell is named by."""
    factors = shipped(family)
    factors |= {name: value for name, value in change.items() if name in factors}
    return " ".join(f"{name} {value:g}" for name, value in factors.items())


def said(family: str, change: GradientFactors) -> str:
    """What differs from the shipped constants."""
    factors = shipped(family)
    different = (f"{name} {value:g}" for name, value in change.items() if factors.get(name) != value)
    return ", ".join(different) or "shipped"


def evaluate(case: Case, half: str, changes: Mapping[str, Sequence[GradientFactors]], book: Book, cache: Path) -> None:
    """Append the cells of a case that are not there.

    Parameters
    ----------
    case
        What is audited.
    half
        Where it lies.
    changes
        What is evaluated, by family.
    book, cache
        Where cells go, and where audits are kept.
    """
    found = kept(case, cache)
    family, there = found.family, {key(row) for row in book.rows()}
    fresh: list[Row] = []
    for name, change in {variant(family, change): change for change in changes[family]}.items():
        what = cell(case, "dataaudit", name)
        if key(what) in there:
            continue
        factors = {part: change.get(part, value) for part, value in shipped(family).items()}
        average = merit(found.consensus(*built(family, factors)), found.given != found.true)[1]
        best = max(found.singles.values())
        numbers = {"average_precision": round(average, 5), "best_single": round(best, 5)}
        fresh.append({**what, "half": half, "family": family, **numbers})
    if fresh:
        book.append(fresh)
        print(f"{half}: {case.source.name}, {case.noise}, seed {case.seed}: {len(fresh)} variants", flush=True)


def data_set(row: Mapping[str, str]) -> str:
    """Data set of a row, whatever rows or features of it."""
    return row["data"].removesuffix(" features").rstrip("0123456789 ") if row["data"] != DATA else DATA


@dataclass(frozen=True)
class Gains:
    """Average precision minus the best single score's, of variants on the cases of a half.

    Attributes
    ----------
    values
        Float64 [variants, cases].
    weights
        How much a case counts in a mean, float64 [cases].
    sets
        Number of data sets.
    """

    values: Array
    weights: Array
    sets: int

    @classmethod
    def of(cls, rows: Sequence[Row], half: str, section: Section, changes: Sequence[GradientFactors]) -> Gains:
        """Of cases that have every one of the variants."""
        columns, weights, sets = [], [], set()
        for family in section.families:
            by: dict[tuple[str, ...], dict[str, float]] = {}
            data: dict[tuple[str, ...], str] = {}
            for row in rows:
                if row["half"] == half and row["family"] == family:
                    case = key({**row, "trained": ""})
                    data[case] = data_set(row)
                    by.setdefault(case, {})[row["trained"]] = float(row["average_precision"]) - float(
                        row["best_single"]
                    )
            names = [variant(family, change) for change in changes]
            whole = [case for case in by if set(names) <= set(by[case])]
            counts = {name: sum(data[case] == name for case in whole) for name in {data[case] for case in whole}}
            sets |= set(counts)
            columns += [[by[case][name] for name in names] for case in whole]
            weights += [1.0 / (len(counts) * counts[data[case]]) for case in whole]
        share = np.array(weights)
        return cls(np.array(columns).reshape(len(columns), len(changes)).T, share / max(share.sum(), 1e-12), len(sets))

    @property
    def clipped(self) -> Array:
        """What variants are judged by, float64 [variants]."""
        return np.asarray(np.clip(self.values, -CLIP, CLIP) @ self.weights)

    def ahead(self, place: int) -> tuple[float, float]:
        """How far a variant is ahead of the first one, and the standard error of that."""
        apart = np.clip(self.values[place], -CLIP, CLIP) - np.clip(self.values[0], -CLIP, CLIP)
        spread = apart.std(ddof=1) if len(apart) > 1 else np.inf
        return float(apart @ self.weights), float(spread * np.sqrt((self.weights**2).sum()))

    def line(self, place: int, name: str) -> list[str]:
        """A row of a table."""
        values = self.values[place]
        below = int((values < -BELOW).sum())
        mean = float(values @ self.weights)
        return [
            name,
            f"{self.clipped[place]:+.5f}",
            f"{mean:+.4f}",
            f"{values.min():+.4f}",
            f"{below} of {len(values)}",
        ]


HEAD = ("clipped gain", "mean gain", "worst", "more than .01 below")


def leading(section: Section, rows: Sequence[Row]) -> int | None:
    """Place of the best variant on the choosing half; None without cases."""
    gains = Gains.of(rows, "choosing", section, section.changes)
    # Of equal ones the shipped.
    return int(gains.clipped.round(9).argmax()) if gains.values.size else None


def tell(section: Section, rows: Sequence[Row]) -> None:
    """Print the best variants, the choice, and what it does on the reporting half."""
    best = leading(section, rows)
    if best is None:
        return
    gains = Gains.of(rows, "choosing", section, section.changes)
    names = [said(section.families[0], change) for change in section.changes]
    order = list(np.argsort(-gains.clipped.round(9), kind="stable"))
    cases, count = gains.values.shape[1], len(names)
    print(f"\n{section.title}\nchoosing half, {cases} cases of {gains.sets} data sets, {count} variants")
    lines = [gains.line(place, names[place]) for place in order[:5]]
    table(["", *HEAD], [*lines, gains.line(0, f"shipped, place {order.index(0) + 1}")])
    ahead, error = gains.ahead(best)
    better = ahead > LEAST and ahead > ERRORS * error
    if best:
        print(f"best ahead of shipped by {ahead:+.5f}, standard error {error:.5f}")
    print(f"THE CHOICE: {names[best] if better else 'shipped'}")
    two = [section.changes[0], section.changes[best]]
    there = Gains.of(rows, "reporting", section, two)
    if there.values.size:
        print(f"reporting half, {there.values.shape[1]} cases of {there.sets} data sets")
        lines = [there.line(0, "shipped")]
        if best:
            lines.append(there.line(1, f"{names[best]}{' (the choice)' if better else ' (not chosen)'}"))
        table(["", *HEAD], lines)


def run(options: argparse.Namespace, book: Book) -> None:
    """All cells that are not there: the choosing half by the whole grid, the other by what that leaves."""
    for case in cases_of("choosing", options):
        evaluate(case, "choosing", {family: grid(family) for family in FAMILIES}, book, options.cache)
    rows, left = book.rows(), {family: [GradientFactors()] for family in FAMILIES}
    for section in sections():
        best = leading(section, rows)
        for family in section.families if best is not None else ():
            left[family].append(section.changes[best or 0])
    for case in cases_of("reporting", options):
        evaluate(case, "reporting", left, book, options.cache)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data"), metavar="FOLDER")
    parser.add_argument("--fashion", default=FASHION, metavar="FOLDER")
    parser.add_argument("--cache", type=Path, default=Path("constants_cache"), metavar="FOLDER")
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", help="of a data set and model; the others keep their cells"
    )
    parser.add_argument("--table", action="store_true", help="print what is there, run nothing")
    options = parser.parse_args()
    book = Book(RESULTS, COLUMNS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not options.table:
            options.cache.mkdir(parents=True, exist_ok=True)
            run(options, book)
    rows = book.rows()
    for section in sections():
        tell(section, rows)


if __name__ == "__main__":
    main()
