"""Tables in docs/: each cell is what the committed results files say, and every one of these files is shown."""

import itertools
from pathlib import Path

from benchmarks.peers import headline
from benchmarks.review import looks
from tests.measured import TABLES, WAYS, gains, told

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "docs/benchmarks.md"


def test_the_tables_of_label_errors_are_those_of_the_results():
    lines = BENCHMARKS.read_text("utf-8").splitlines()
    head = "| data | {} | `consensus` | cleanlab, best |"
    for name, rows in (("labels", headline.real()), ("errors", headline.planted())):
        begin = lines.index(head.format(name))
        assert lines[begin + 2 : begin + 2 + len(rows)] == rows
        assert not lines[begin + 2 + len(rows)]


def rows_below(page, head):
    """Cells of a table of a page, row by row; a blank first cell is that of the row before."""
    lines = (ROOT / f"docs/{page}.md").read_text("utf-8").splitlines()
    begin = lines.index(head) + 2
    end = next(at for at in range(begin, len(lines)) if not lines[at].startswith("|"))
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[begin:end]]
    for before, row in itertools.pairwise(rows):
        row[0] = row[0] or before[0]
    return rows


def test_the_widths_of_reviews_are_those_of_the_results():
    cases = dict(zip(("planted", "careless", "single annotators"), looks.CASES["width"], strict=True))
    head = "| labels | looks | truth never excluded | mean width after 200, % of the labels | found |"
    said = {(cases[of], WAYS[way.removeprefix("random sample, ").removesuffix("'s interval")]): cells
            for of, way, *cells in rows_below("review", head)}  # fmt: skip
    measured = gains("width")
    assert list(said) == list(zip(measured["case"], measured["way"], strict=True))
    found = zip(measured["covered at all looks"], measured["width at 200"], measured["found"], strict=True)
    told = [[f"{100 * holds:.1f} %", f"{100 * wide:.1f}", f"{wrong:.0f}"] for holds, wide, wrong in found]
    assert list(said.values()) == told


def test_the_looks_of_reviews_are_those_of_the_results():
    head = "| labels | ours | cleanlab, self-confidence | cleanlab, normalised margin | chance |"
    measured = gains("find")
    told = [list(map(str, measured.query("case == @case")["looks for 90%"])) for case in looks.CASES["find"]]
    assert [row[1:] for row in rows_below("review", head)] == told
    assert [row[0] for row in rows_below("review", head)] == ["planted", "careless", "single annotators"]

    measured = gains("certify")
    rows = rows_below("review", "| labels | looks | reached | median | wrongly |")
    assert [WAYS[way] for _, way, *_ in rows] == measured["way"].tolist()
    assert [row[0][:7] for row in rows] == [case[:7] for case in measured["case"]]
    columns = measured[["certified within 1500", "median looks", "wrongly"]].itertuples(index=False, name=None)
    assert [row[2:] for row in rows] == [
        [f"{100 * share:.0f} %", f"{median:.0f}" if median <= looks.MOST else f"beyond {looks.MOST}", str(wrongly)]
        for share, median, wrongly in columns
    ]


def test_searches_side_by_side_are_those_of_the_results():
    measured = TABLES["scale-libraries"].raw().replace({"engine": {"hnsw on one thread": "hnsw"}})
    last = measured.groupby(["data", "engine"]).last()
    cases = {"60000 x 784, pixels": "fashion", "100000 x 64, a hundredth far out": "far-100000-64"}
    for rows, *cells in rows_below("benchmarks", "| rows | IVF | pynndescent | HNSW |"):
        n, _, d, data = rows.replace(",", "").split(maxsplit=3)
        for engine, said in zip(("ivf", "pynndescent", "hnsw"), cells, strict=True):
            found = last.loc[cases.get(rows, f"{data}-{n}-{d}"), engine]
            figures = [found["core_seconds"], found["recall_50"]]
            assert said.replace("*", "") == told("{:.0f}, {:.4f}", lambda figures=figures: figures), (rows, engine)


def test_every_results_file_has_a_table_and_says_where_it_was_made():
    files = {table.file for table in TABLES.values()}
    assert files == set(ROOT.glob("benchmarks/*/results/*.csv"))
    for table in TABLES.values():
        assert len(table.compared()), table.name
        assert all(map(len, table.origin().values())), table.name
