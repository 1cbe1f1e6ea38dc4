"""Figures in the words of docs/: each is what the committed results files say, and none lacks a source."""

import re
from pathlib import Path

import pytest

from benchmarks.review import looks
from tests.measured import (
    ALL_RUNS,
    TABLES,
    TREC,
    arrays,
    beside,
    beside_wilson,
    best_rate,
    by_wilson,
    calls,
    cell,
    cleaned,
    evaluations,
    factor,
    first_line,
    frames,
    gains,
    helped,
    kernel,
    label,
    longer,
    million,
    outcomes,
    over_loop,
    paged,
    pairs,
    peak,
    peers_of_the_cnn,
    proxy,
    recording,
    ridge,
    rounded,
    searches,
    seconds,
    shares,
    simulated,
    stage,
    told,
    verdicts,
)

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "docs/benchmarks.md"
NOT_MEASURED = (
    r"cleanlab 2\.9\.0|skrub 0\.11|\(13\.2 % wrong\)|\(4\.7 %\)|has 20\.1 % wrong"
    r"|we aim at \.42, \.53 and \.53|\(aim \.30\)|\(aim \.33\)|; 1\.15 was aimed at"
)
"""Versions, shares of wrong labels that a data set was made with, and aims."""


def words(path):
    """A page in one line, without its tables and fenced blocks."""
    text = re.sub(r"^```.*?^```\n", "", path.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"^\|.*\n", "", text, flags=re.MULTILINE)
    return " ".join(text.split())


CLAIMS = [
    ("reach {:.3f} / {:.4f} on", lambda: longer("36 epochs")),
    (
        "two runs of 20 epochs {:.3f} / {:.4f}.",
        lambda: longer("20 epochs, 2 runs"),
    ),
    ("Over the {} rows that cleanlab has, the default is above its best in {:.0f} % by AUROC and in {:.0f} %", shares),
    ("Hausa news (AUROC {:.3f}, to", lambda: [label("AUROC, gain", data="hausa_news", model="words")]),
    ("few errors (average precision {:.3f}) and", lambda: [label("AP, gain", **TREC)]),
    ("errors (average precision {:.3f}).", lambda: [label("AP, gain", data="digits", labels="nearest 10%")]),
    ("measured {} of these rows", lambda: [len(gains("label-errors-before"))]),
    ("by {:.3f} (Spearman)", lambda: [cell("votes", "now", score="consensus")]),
    ("ahead in {} of {} rows", lambda: [(gains("mixed-tables")["gain"] > 0).sum(), len(gains("mixed-tables"))]),
    (
        "in films (average precision {:.3f} to {:.3f})",
        lambda: [cell("mixed-tables", who, data="movies", model="none") for who in ("skrub", "ours")],
    ),
    ("makes {} cases of 15 data sets", lambda: [factor("all", "number")]),
    ("the truth in {:.0f} % of the cases", lambda: [factor("all", "interval holds the truth, %")]),
    ("cases, in {:.0f} % of those with real", lambda: [factor("real errors", "interval holds the truth, %")]),
    ("errors and in {:.0f} % of those with small", lambda: [factor("small data", "interval holds the truth, %")]),
    ("aims at. In {:.0f} % of the cases the count", lambda: [factor("all", "not known, %")]),
    ("a factor of e^{:.2f} in the median", lambda: [factor("all", "error of the estimate")]),
    ("num_label_issues` by e^{:.2f}.", lambda: [factor("all", "error of cleanlab's")]),
    ("[Of {} cases with a count]", lambda: [len(gains("probabilities"))]),
    ("is {:.3f} in the median. What is flagged", lambda: [gains("probabilities")["calibration error"].median()]),
    ("Weighting gains {:.4f} on", lambda: [cleaned("weighted")]),
    ("relabelling {:.4f},", lambda: [cleaned("relabelled")]),
    ("dropping {:.4f}, where", lambda: [cleaned("dropped")]),
    ("would gain {:.4f};", lambda: [cleaned("true")]),
    ("more than {:.4f} below doing nothing", lambda: [-gains("cleaning")["gain"].min()]),
    (
        "gains {:.4f} ± {:.4f};",
        lambda: [helped(column, "natural features mlp", "careless") for column in ("gain", "± (95 %)")],
    ),
    ("weights cost {:.4f} on TREC", lambda: [-helped("gain", "trec embeddings mlp", "0.0")]),
    ("reach a test accuracy of {:.3f} on", lambda: [best_rate("SGD, stage-wise")]),
    ("Adam {:.3f}.", lambda: [best_rate("Adam")]),
    ("adds {:.2f} % to the processor time", recording),
    ("features take {:.0f} s on two cores", lambda: [cell("growth", "seconds", n=4000000)]),
    (
        "a million rows take {:.2f} of the time of IVF ({:.0f} s, {:.0f} s)",
        lambda: million("pynndescent", "ivf"),
    ),
    ("at 60000 rows ({:.1f} s beside {:.1f} of", lambda: [pairs(index, 64) for index in ("torch", "ivf")]),
    ("numbers, {:.1f} beside {:.1f} of 384)", lambda: [pairs(index, 384) for index in ("torch", "ivf")]),
    (
        "sums take {:.2f}, {:.2f} and {:.2f} of the time of such a product",
        lambda: [kernel("sums, float32", d) for d in (64, 512, 2048)],
    ),
    (
        "state of them took {:.2f}, {:.2f} and {:.2f}.",
        lambda: [kernel("sums, float32", d, "kernels-avx512") for d in (64, 512, 2048)],
    ),
    (
        "Pixels take {:.2f} at 784 and {:.2f} at 3072",
        lambda: [kernel("sums, uint8", d) for d in (784, 3072)],
    ),
    (
        "bfloat16 takes {:.2f} at 512 and {:.2f} at 2048",
        lambda: [kernel("sums, bfloat16", d, "kernels-avx512") for d in (512, 2048)],
    ),
    ("folds reach {:.3f} (Spearman)", lambda: [proxy("heldout_confidence")]),
    ("dynamics {:.3f}, the", lambda: [proxy("label_quality")]),
    ("consensus {:.3f}, hidden", lambda: [proxy("consensus")]),
    ("C-scores {:.3f}. Many", lambda: [proxy("knn_c_score/hidden")]),
    ("broken, has {:.3f}.", lambda: [proxy("c_score")]),
    ("rows in {:.0f} s, of which", lambda: [ridge("LinearProbe, nested")]),
    ("alone would take {:.0f} s; scikit", lambda: [ridge("floor: Gram products alone")]),
    ("would take {:.0f} s. Holdout", lambda: [ridge("scikit-learn Ridge, subset by subset")]),
    (
        "is {:.2f} times that of one by joblib, {:.2f} in one process",
        lambda: [cell("throughput", "over_plain", way=f"ours, {way}, float32") for way in ("joblib", "serial")],
    ),
    (
        "processor's time, it is {:.3f} times",
        lambda: [cell("throughput-one-thread", "over_plain", way="ours, serial, float32")],
    ),
    ("takes {:.2f} times as long for a small CNN", lambda: [beside("BlockCNN", epochs="3")]),
    ("images ({:.1f} s to {:.1f} s),", lambda: [seconds("score", "3"), seconds("plain", "3")]),
    ("{:.2f} times on 20000.", lambda: [beside("BlockCNN, twice the rows", epochs="3")]),
    ("a ResNet of width 16 it is {:.2f} times", lambda: [beside("ResNet18(16)", epochs="3")]),
    (
        "folds take {:.1f} times as long as the loop for the MLP, and {:.1f} times for",
        lambda: [beside(case, "cleanlab") for case in ("MLP", "vectors + linear")],
    ),
    (
        "An MLP on pixels takes {:.2f} times as long, a small transformer {:.2f}, boosting on a table {:.2f} and",
        lambda: list(map(beside, ("MLP", "transformer", "boosting"))),
    ),
    ("on 384 numbers {:.1f} times", lambda: [beside("vectors + linear")]),
    (
        "for the CNN, in one run, {:.1f} times, and the `aum` package {:.2f}.",
        lambda: peers_of_the_cnn("cleanlab", "aum"),
    ),
    (
        "{:.2f} times the loop's for the CNN and {:.2f} on 20000 images,",
        lambda: [peak(case, "3") for case in ("BlockCNN", "BlockCNN, twice the rows")],
    ),
    (
        "but {:.2f} for the MLP, {:.2f} for boosting, {:.2f} for the linear layer and {:.2f} for the transformer",
        lambda: list(map(peak, ("MLP", "boosting", "vectors + linear", "transformer"))),
    ),
    ("second, it costs {:.0f} %.", lambda: [100 * (over_loop("recorder") - 1)]),
    ("`duplicates()` takes {:.2f} s", lambda: [cell("texts", "seconds", what="duplicates, first")]),
    ("`outliers()` {:.2f} s", lambda: [cell("texts", "seconds", what="outliers, first")]),
    ("of two {:.2f} s.", lambda: [cell("texts", "seconds", what="score_new of two, first")]),
    ("costs {:.1f} % of the training", lambda: [100 * cell("recording", "value", what="share of training, mlp")]),
    ("and {:.1f} % of a CNN's", lambda: [100 * cell("recording", "value", what="share of training, small_cnn")]),
    ("takes {:.2f} times its own forward", lambda: [cell("plain-loop", "ratio", case="BlockCNN")]),
    (
        "one training run agrees by {:.3f} (Spearman), 50 runs at each of nine ratios, whose reliability is {:.3f}, "
        "by {:.3f}.",
        lambda: [
            cell("fast-truth", "Spearman", means="one training run, mean margin"),
            *(cell("fast-truth", column, means=ALL_RUNS) for column in ("reliability", "Spearman")),
        ],
    ),
    ("[Of the {}", lambda: [sum(verdicts("mnist"))]),
    ("find {} that hold on MNIST, {} that do not and {} that cannot be told;", lambda: verdicts("mnist")),
    (
        "by people {}, {} and {}, on Fashion-MNIST {}, {} and {}.",
        lambda: [*verdicts("cifar10_human"), *verdicts("fashion")],
    ),
    ("takes {:.2f} of the time of float32", lambda: [rounded("BlockCNN, 32 x 32 x 3", "evaluation", 136)]),
    (
        "takes {:.2f} of the time, of 32 rows {:.2f})",
        lambda: [rounded("MLP 784-512-256", "step", batch) for batch in (128, 32)],
    ),
    ("an evaluation would take {:.2f}.", lambda: [rounded("MLP 784-512-256", "evaluation", 1024)]),
    ("consensus is {:.5f}, {:.2f} of ten", lambda: [evaluations("spearman", "min"), evaluations("neighbours_shared")]),
    (
        "is {:.3f} in bfloat16 and {:.3f} in float32",
        lambda: [evaluations(f"precision_{name}") for name in ("bfloat16", "float32")],
    ),
    ("take at most {:.2f} s each, and", lambda: [max(calls("seconds").values())]),
    (
        "at most {:.2f} times the memory of the audit's own arrays",
        lambda: [max(size for call, size in calls("peak_mib").items() if call != "to_frame") / arrays()],
    ),
    ("(`to_frame` {:.2f} times)", lambda: [calls("peak_mib")["to_frame"] / arrays()]),
    ("`clean` takes the longest, {:.1f} s", lambda: [max(calls("seconds", 10**7).values())]),
    ("is there after {:.2f} s.", lambda: [first_line()]),
    ("(exponent {:.2f}, {:.0f} s at ten million)", lambda: stage("model", "evidence")),
    ("evaluations hardly ({:.2f}).", lambda: [stage("model", "Training: evaluate")[0]]),
    (
        "exponents of {:.2f} and {:.2f} make {:.0f} and {:.0f} minutes",
        lambda: searches("vectors", "texts"),
    ),
    ("[{} trials]", lambda: outcomes("faults", "trials")),
    (
        "{} lost something, {} gave another result without a word, and {}",
        lambda: outcomes("faults-before", "lost", "silent", "bare"),
    ),
]
"""Words with figures, and where these come from, in the order of docs/benchmarks.md."""
REAL = {"labels": "careless", "rows": 10000}
NONE = {**REAL, "data": "cifar10_human features", "model": "none"}
NETWORK = {**REAL, "data": "cifar10_human", "model": "cnn"}
WORDS, EMBEDDED = ({"data": "yoruba_news", "model": model} for model in ("words", "embeddings"))
PAIRS, NEAREST = ({"data": "trec", "labels": labels} for labels in ("pairs 20%", "nearest 10%"))
ELSEWHERE = {
    "choose": [
        (
            "an average precision of {:.3f} with no training, and a network trained on the images {:.3f}.",
            lambda: [label("AP, consensus", **where) for where in (NONE, NETWORK)],
        ),
        ("find more: {:.3f} after 36 epochs", lambda: longer("36 epochs")[:1]),
        ("and {:.3f} after two runs of 20", lambda: longer("20 epochs, 2 runs")[:1]),
        ("passes finds {:.3f}.", lambda: [label("AP, consensus", **NETWORK)]),
        (
            "{:.3f} without a model and {:.3f} by embeddings",
            lambda: [label("AP, consensus", **where) for where in (WORDS, EMBEDDED)],
        ),
        (
            "nearest class it reaches {:.3f} where words reach {:.3f}; with",
            lambda: [label("AP, consensus", **NEAREST, model=model) for model in ("transformer", "words")],
        ),
        *(
            (text, lambda model=model: [label("AP, consensus", **PAIRS, model=model)])
            for text, model in (
                ("pairs it has {:.3f}, as", "transformer"),
                ("it has {:.3f}, as words have", "words"),
                ("and vectors {:.3f}.", "embeddings"),
            )
        ),
    ],
    "vectors": [
        ("(average precision {:.3f})", lambda: [label("AP, consensus", **NONE)]),
        ("trained on the images ({:.3f};", lambda: [label("AP, consensus", **NETWORK)]),
    ],
    "review": [
        (
            "reviews of {} images by somebody who knows the truth, with other draws each time: errors planted in "
            "{:.0f} % of the labels, the careless labels of people ({:.1f} % wrong) and single annotators' "
            "({:.1f} %). {} reviews each, stopping at any of {} looks:",
            simulated,
        ),
        ("holds in {:.0f} to {:.0f} % of the samples at a size", lambda: by_wilson("covered at 200")),
        ("before, and in {:.0f} to {:.0f} % for who", lambda: by_wilson("covered at all looks")),
        (
            "ours is {:.2f}, {:.2f} and {:.2f} times as wide as that,",
            lambda: [beside_wilson(case, '`"estimate"`') for case in looks.CASES["width"]],
        ),
        (
            "and {:.2f} times where the audit's probabilities say nothing",
            lambda: [beside_wilson("planted", '`"estimate"`, all probabilities alike')],
        ),
        ("means of the first {} reviews", lambda: [looks.MEASURED]),
        (
            "at most {:.0f} % of the labels are wrong with 95 % confidence, where {} % are ({} reviews of at most "
            "{} looks)",
            lambda: [100 * looks.GOAL, 100 * looks.LEFT, *gains("certify")["repeats"].unique(), looks.MOST],
        ),
        ("hold the {} errors that", lambda: gains("certify")["wrong"].unique()),
    ],
    "report-and-command-line": [
        ("examples took {:.1f} s (pictures) and {:.1f} s (texts) on two cores", lambda: paged("seconds")),
        ("included; it has {:.1f} MB and", lambda: [max(paged("page MB"))]),
        ("stands after {:.1f} s.", lambda: [max(paged("stands after s"))]),
        (
            "end to end in {} steps, took {:.0f} ms ({:.0f} ms of 10000 pictures), and the main thread worked "
            "{:.0f} to {:.0f} ms a frame on pages of 10000",
            frames,
        ),
    ],
}
"""The same of other pages of docs/."""
BOUNDS = {
    "is at most .0006.": lambda: TABLES["accuracy"].compared().query("way == 'control variates' and cost == 0.095"),
    "within .10, in about half of the cases": lambda: TABLES["probabilities"].raw(),
    "correlate by .94 and more": lambda: TABLES["proxies"].compared(),
}


@pytest.mark.parametrize(("text", "figures"), CLAIMS, ids=[text for text, _ in CLAIMS])
def test_a_figure_is_what_the_results_say(text, figures):
    assert told(text, figures) in words(BENCHMARKS)


@pytest.mark.parametrize("page", ELSEWHERE)
def test_figures_of_other_pages(page):
    for text, figures in ELSEWHERE[page]:
        assert told(text, figures) in words(ROOT / f"docs/{page}.md")


def test_bounds_hold():
    ranked = ["density", "class density", "relative density", "Parzen"]
    assert BOUNDS["is at most .0006."]()[ranked].max().max() <= 0.00065
    flagged = BOUNDS["within .10, in about half of the cases"]().dropna(subset=["precision", "expected"])
    assert 0.4 < ((flagged["precision"] - flagged["expected"]).abs() <= 0.1).mean() < 0.6
    correlated = BOUNDS["correlate by .94 and more"]().set_index("score")["holdout_probability"]
    assert correlated[["heldout_confidence", "consensus"]].min() > 0.935


def test_bounds_of_the_page_hold():
    said = words(ROOT / "docs/report-and-command-line.md")
    assert "and less than 1 GiB, data and audit" in said
    assert max(paged("MiB")) < 1024
    assert "The file is below 15 MB whatever" in said
    assert gains("page")["page MB"].max() < 15
    assert "on two cores" in said
    assert all("2 threads" in machine for machine in TABLES["page"].origin()["machine"])


@pytest.mark.parametrize(
    ("page", "claims"),
    [("benchmarks", CLAIMS), *((page, ELSEWHERE[page]) for page in ("choose", "review", "report-and-command-line"))],
)
def test_no_figure_is_without_a_source(page, claims):
    text = re.sub(NOT_MEASURED, "", words(ROOT / f"docs/{page}.md"))
    for claim in [told(*claim) for claim in claims] + list(BOUNDS):
        # What is code stays apart from what is not.
        text = text.replace(claim, "`" * claim.count("`"))
    text = re.sub(r"`[^`]*`|\]\([^)]*\)", "", text)
    assert re.findall(r".{30}(?<!\w)\.\d+|.{30}\d+\.\d+ [%s]", text) == []
