"""The paper's claims, each tested on the user's data: holds, does not hold, or cannot be told here."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from benchmarks.paper import drawing, measures
from benchmarks.paper.item import Item
from benchmarks.paper.measures import Measure, equal_groups, hidden_gap, input_gap
from benchmarks.paper.result import Law, NotMade, Result
from benchmarks.paper.setting import Data, Setting

COLOURS = {"holds": "#2ca02c", "does not hold": "#d62728", "cannot be told here": "#7f7f7f"}


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper, and the number that tests it."""

    text: str
    measure: Measure

    def judge(self, setting: Setting, data: Data) -> Law:
        """Verdict on these data."""
        try:
            return Law.above(self.text, *self.measure(setting, data))
        except NotMade as reason:
            return Law.untold(self.text, str(reason))


CLAIMS = (
    Claim("Groups by C-score keep their order at every subset ratio (figure 3)", measures.order_of_ratios),
    Claim(
        "One subset ratio stands best for the integral (figure 5: .1 on MNIST, .3 on CIFAR-10; elsewhere neither the "
        "smallest nor the largest)",
        measures.peak_of_ratios,
    ),
    Claim(
        "Among inputs, the class density is a better proxy than the density (table 1)",
        input_gap("class_density", "density"),
    ),
    Claim(
        "Among inputs, the relative density is a better proxy than the density (table 1)",
        input_gap("relative_density", "density"),
    ),
    Claim(
        "In the hidden layer the relative density is better than the class density (figure 8)",
        hidden_gap("relative_density", "class_density"),
    ),
    Claim(
        "In the hidden layer the class density is better than the density (figure 8)",
        hidden_gap("class_density", "density"),
    ),
    Claim("The hidden relative density agrees more and more as training goes on (figure 8)", measures.hidden_growth),
    Claim("The label's probability is better than the largest one (figure 9b)", measures.label_above_largest),
    Claim("The label's probability agrees best early, and less in the end (figure 9b)", measures.early_above_last),
    Claim(
        "The label's probability is better than every density in the hidden layer (section 4.3)",
        measures.confidence_above_density,
    ),
    Claim(
        "Counting the epochs in which an example is right is better than confidences (section 4.3)",
        measures.counts_above_confidence,
    ),
    Claim("Counting those epochs is better than densities (section 4.3)", measures.counts_above_density),
    Claim("Groups are learned in the order of their C-scores, all of them (figure 9a)", measures.groups_in_order),
    Claim("Exceptions are learned later than regular examples (figure 9a)", measures.exceptions_last),
    Claim(
        "When the rate falls, exceptions gain more than regular examples (figures 9a and 17)",
        measures.falls_help_exceptions,
    ),
    Claim(
        "A large constant rate keeps exceptions from being learned, a small one does not (figure 10)",
        measures.large_rates_limit,
    ),
    Claim(
        "A small constant rate learns exceptions earlier than stage-wise rates do (figure 10)",
        measures.small_rates_early,
    ),
    Claim("Adam flattens the order in which groups are learned (figure 19)", measures.adam_flattens),
    Claim("Stage-wise rates generalise better than every other schedule (table 3)", measures.stagewise_generalises),
    Claim("Among groups of equal size the lowest is learned faster (figure 16)", equal_groups("low")),
    Claim("Among groups of equal size the highest is learned slower (figure 16)", equal_groups("high")),
    Claim("Among groups of equal size the highest still learns before the lowest (figure 16)", equal_groups("apart")),
)


def laws(setting: Setting, data: Data) -> Result:
    found = [claim.judge(setting, data) for claim in CLAIMS]
    verdicts = Counter(law.verdict for law in found)
    sentence = (
        f"Of {len(found)} claims: {verdicts['holds']} hold, {verdicts['does not hold']} not, and "
        f"{verdicts['cannot be told here']} cannot be told here."
    )

    def draw(path: Path) -> None:
        figure, axes = drawing.panels(1, 1, 11, 0.32 * len(found) + 1.2)
        ax = axes[0, 0]
        for line, law in enumerate(reversed(found)):
            ax.plot([law.lower, law.upper], [line, line], color=COLOURS[law.verdict], linewidth=2)
            ax.plot([law.value], [line], "o", color=COLOURS[law.verdict])
        ax.axvline(0, color="black", linewidth=0.7)
        ax.set_yticks(range(len(found)), [law.claim.split(" (")[0] for law in reversed(found)], fontsize=8)
        ax.set(xlabel="difference with its 95 % interval", title=data.name)
        drawing.save(figure, path)

    return Result("laws", data.name, sentence, draw=draw, laws=found)


ITEMS = (
    Item(
        "laws",
        "What the paper claims",
        "Each claim is tested by a difference: it holds where the whole 95 % interval lies above 0, does not hold "
        "where it lies below, and cannot be told otherwise. Each interval is of its claim alone, and "
        "of chance among examples: of many claims one may be judged wrongly, and another training may differ by more.",
        laws,
        after=("figure-2", "figure-8", "figure-9", "figure-10", "figure-16"),
    ),
)
