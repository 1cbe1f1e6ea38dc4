"""Figures of committed results files, by what they measure."""

import functools
import re

from benchmarks.report import page as page_speed
from benchmarks.review import looks
from benchmarks.summary import tables

TABLES = tables()
ALL_RUNS = "MLP, 50 runs of each of nine ratios"
NATURAL = {"data": "natural images, BlockCNN"}
WAYS = {
    '`"estimate"`': "estimate, audit's",
    '`"both"`': "both, audit's",
    '`"estimate"`, all probabilities alike': "estimate, all alike",
    "Wilson": "random sample, Wilson",
}
"""Ways to look, as docs/review.md and the results call them."""
TREC = {"data": "trec", "labels": "symmetric 5%", "model": "embeddings"}


def told(text, figures):
    """Figures in the words; those below 1 without their zero."""
    filled = re.sub(r"(?<![\d.])(-?)0\.(\d+)(?! %)", r"\1.\2", text.format(*figures()))
    return re.sub(r"(?<![\d.])0\.(\d+ %)", r".\1", filled)


def cell(name, column, **where):
    """The figure of one row of a table."""
    frame = gains(name)
    for other, value in where.items():
        frame = frame[frame[other.replace("_", " ")] == value]
    assert len(frame) == 1, (name, where)
    return frame[column].item()


@functools.cache
def gains(name):
    return TABLES[name].compared()


def factor(name, column):
    return cell("counts", column, cases=name)


def longer(trained):
    where = {"trained": trained, "score": "consensus (default)", "noise": "careless", "rows": 10000}
    return [cell("cost-curve", figure, **where) for figure in ("AP", "AUROC")]


def cleaned(way):
    return cell("cleaning", way, **NATURAL) - cell("cleaning", "given", **NATURAL)


def helped(column, data, errors):
    return cell("helps", column, data=data, errors=errors, strategy="suspects", weighs="loss")


def label(column, **where):
    return cell("label-errors", column, **where)


def verdicts(data):
    """How many of the paper's claims hold on a data set, do not, and cannot be told."""
    found = TABLES["laws"].raw().query("data == @data")["verdict"]
    return [int((found == verdict).sum()) for verdict in ("holds", "does not hold", "cannot be told here")]


def seconds(job, epochs):
    return cell("score-speed", "seconds", case="BlockCNN", job=job, examples=10000, epochs=epochs)


def beside(case, job="score", epochs="chosen"):
    """Seconds of an audit, or of another job, beside those of the loop."""
    taken, loop = (cell("score-speed", "seconds", case=case, job=name, epochs=epochs) for name in (job, "plain"))
    return taken / loop


def peak(case, epochs="chosen"):
    """Peak memory of an audit beside that of the loop."""
    ours, loop = (cell("score-speed", "peak MiB", case=case, job=job, epochs=epochs) for job in ("score", "plain"))
    return ours / loop


def peers_of_the_cnn(*jobs):
    """Seconds of peers beside those of the loop in the one run that has them all."""
    frame = TABLES["score-speed"].raw().query("case == 'BlockCNN'")
    run = frame[frame["commit"] == frame[frame["job"] == "cleanlab"]["commit"].item()].set_index("job")["seconds"]
    return [run[job] / run["plain"] for job in jobs]


def over_loop(job):
    """Seconds of a job beside those of the training loop alone, for a linear layer."""
    taken, loop = (cell("score-speed", "seconds", case="vectors + linear", job=name) for name in (job, "loop"))
    return taken / loop


def calls(column, rows=10**6):
    """Figures of what an audit of so many rows is asked, by call."""
    frame = TABLES["calls"].raw().query("rows == @rows and call != 'score'")
    return dict(zip(frame["call"], frame[column], strict=True))


def arrays(rows=10**6):
    """MiB of the arrays of an audit."""
    return TABLES["calls"].raw().query("rows == @rows")["held_mib"].iloc[0]


def stage(case, part):
    """Exponent of a part of an audit, and its seconds at ten million examples."""
    frame = (
        TABLES["scale-stages"].raw().query("run == 3 and case == @case and part == @part").dropna(subset=["exponent"])
    )
    return [frame["exponent"].item(), frame["seconds_at_1e7"].item()]


def searches(*cases):
    """Exponents of the search for neighbours, and their minutes at ten million examples."""
    found = [stage(case, "InputSpaces: neighbours") for case in cases]
    return [*(exponent for exponent, _ in found), *(seconds / 60 for _, seconds in found)]


def first_line():
    return TABLES["start"].raw().query("what == 'first line'")["seconds"].item()


def kernel(what, d, name="kernels"):
    """Time of sums beside a plain product."""
    return TABLES[name].raw().query("what == @what and d == @d")["median"].item()


def pairs(index, d):
    """Seconds of the neighbours of 60000 rows."""
    return cell("all-pairs", "seconds", data="clustered", n=60000, d=d, index=index)


def million(*engines):
    """Seconds of the neighbours of a million rows, and their ratio before them."""
    frame = TABLES["scale-libraries"].raw().query("data == 'clustered-1000000-64' and run == 4")
    first, second = (frame[frame["engine"] == engine]["seconds"].iloc[-1] for engine in engines)
    return [first / second, first, second]


def proxy(score, column="c_score"):
    return cell("proxies", column, score=score)


def ridge(case):
    return cell("linear-probe", "seconds", case=case)


def outcomes(name, *columns):
    return [int(TABLES[name].frame()[column].sum()) for column in columns]


def best_rate(optimizer):
    return cell("learning-rates", "test accuracy", examples="all", optimizer=optimizer)


def shares():
    frame = gains("label-errors").dropna(subset=["AP, gain"])
    return [len(frame), *(100 * (frame[f"{name}, gain"] > 0).mean() for name in ("AUROC", "AP"))]


def recording():
    spent = TABLES["trainer"].raw()
    return [100 * spent["inside"].median()]


def evaluations(column, summary="mean"):
    """A figure of the audits of images on which nothing was decided."""
    frame = TABLES["evaluations"].raw().query("case == 'images, second half, very_careless'")
    assert len(frame) == 2
    return getattr(frame[column], summary)()


def rounded(network, work, batch):
    return cell("precisions", "ratio", network=network, work=work, batch=batch)


def width(column, *rows):
    return [cell("width", column, case=case, way=WAYS[way]) for case, way in rows]


def by_wilson(column):
    """Least and largest, in percent."""
    found = gains("width").query("way == @WAYS['Wilson']")[column]
    return [100 * found.min(), 100 * found.max()]


def beside_wilson(case, way):
    ours, theirs = width("width at 200", (case, way), (case, "Wilson"))
    return ours / theirs


def simulated():
    examples, repeats = (gains("width")[column].unique() for column in ("examples", "repeats"))
    wrong = [100 * width("wrong", (case, "Wilson"))[0] / examples[0] for case in looks.CASES["width"]]
    return [*examples, *wrong, *repeats, looks.LOOKS]


def paged(column):
    """Of a million pictures and of as many texts."""
    return [cell("page", column, data=data, examples=1000000) for data in ("pictures", "texts")]


def frames():
    few = cell("page", "longest frame ms", data="pictures", examples=10000)
    worked = gains("page")["CPU ms a frame"]
    return [page_speed.STEPS, max(paged("longest frame ms")), few, worked.min(), worked.max()]
