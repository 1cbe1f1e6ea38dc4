"""Refusals of files and folders, and of streams that lie in a folder."""

import json
import os
import shutil
from pathlib import Path

import datasets

from dataaudit.data.files import open_data
from dataaudit.data.formats import TableFormat
from dataaudit.data.rewriting import rewrite_images, rewrite_table
from tests.advice.data_rows import HUGGING, IMAGES, TABLE, N, read

LINES = TABLE.round(3).to_csv(index=False)
STREAM = HUGGING.to_iterable_dataset()


def opened(source, format=None, delimiter=None, encoding=None, missing=None, **options):
    """A data set on disk, as the command line opens it; `source` makes it here."""
    given = source() if callable(source) else source
    return open_data(given, table=TableFormat(format, delimiter, encoding, missing), **options)


def file(content=LINES, name="t.csv"):
    """A function that writes a file."""

    def write():
        path = Path(name)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def folder(sizes=1, classes=("a", "b"), name="{}.png"):
    """A function that makes a folder of images."""

    def make():
        shutil.rmtree("images", ignore_errors=True)
        Path("images").mkdir()
        for row, image in enumerate(IMAGES):
            place = Path("images", classes[row % 2] if classes else "")
            place.mkdir(exist_ok=True)
            image.resize((8 + row % sizes, 8)).save(
                os.fsdecode(os.path.join(os.fsencode(place), name.format(row).encode("latin-1")))
            )
        return Path("images")

    return make


def saved(damaged=False):
    def make():
        shutil.rmtree("saved", ignore_errors=True)
        HUGGING.save_to_disk("saved")
        if damaged:
            Path("saved/state.json").write_text("{}")
        return Path("saved")

    return make


def tables():
    """A folder that `load_dataset` reads."""
    Path("tables").mkdir()
    file()().rename("tables/t.csv")
    return "tables"


def empty():
    Path("empty").mkdir(exist_ok=True)
    return Path("empty")


def lines(*odd):
    """JSON lines, some of which are odd."""
    return "\n".join([*odd, *(json.dumps(row) for row in TABLE.to_dict("records"))])


def kept(dataset, cache="folder", begun=STREAM, change=None):
    """A stream in a folder where another call has left its own."""
    if not Path("folder").exists():
        read(begun, cache="folder")
        if change is not None:
            change(Path("folder/stream"))
    if not Path("folder").joinpath("stream").exists() and cache == "folder":
        shutil.rmtree("folder")
    read(dataset, cache=cache)


def damage(stored):
    """A file that is damaged, of a stream that is shorter now."""
    next(stored.glob("*.arrow")).write_bytes(b"")


def renamed(stored):
    """A manifest that names a file elsewhere."""
    manifest = json.loads((stored / "stream.json").read_text())
    for part in json.loads(json.dumps(manifest)).get("parts", []):
        part["file"] = "../elsewhere"
    (stored / "stream.json").write_text(json.dumps(manifest).replace("part-000000.arrow", "../elsewhere"))


def streamed(*last, rows=264):
    """A stream that declares nothing about its columns."""
    given = [*(TABLE.to_dict("records") * 11)[:rows], *last]
    return datasets.IterableDataset.from_generator(lambda: iter(given))


def rewritten(out, format=None):
    source = file()()
    rewrite_table(source, Path(out), TableFormat(format), "label", set(), {}, TABLE)


def copied(files):
    shutil.rmtree("target", ignore_errors=True)
    rewrite_images(folder()(), Path("target"), files)


CASES = {
    "delimiter of a folder": (opened, {"source": saved(), "delimiter": ";"}),
    "delimiter of several signs": (
        opened,
        {"source": file(LINES.replace(",", ";")), "delimiter": ";;"},
        {"'tab'": {"source": file(LINES.replace(",", "\t")), "delimiter": "tab"}},
    ),
    "encoding that is none": (opened, {"source": file(), "encoding": "utf-9"}),
    "encoding that differs": (
        opened,
        {"source": file(TABLE.assign(label=["\xe4", "b"] * (N // 2)).to_csv(index=False).encode("latin-1"))},
    ),
    "saved and damaged": (opened, {"source": saved(True)}, {"save it again": {"source": saved()}}),
    "folder without images": (opened, {"source": empty}, {"holds some": {"source": folder()}}),
    "images without classes": (opened, {"source": folder(classes=())}, {"by their labels": {"source": folder()}}),
    "images with odd names": (opened, {"source": folder(name="\xe4{}.png")}, {"rename": {"source": folder()}}),
    "images of several sizes": (opened, {"source": folder(sizes=2)}),
    "rows of several lengths": (opened, {"source": file(LINES + "1,2,3,4,5,6\n")}, {"again": {"source": file()}}),
    "a file of another name": (
        opened,
        {"source": file(name="t.txt")},
        {"convert": {"source": file()}},
    ),
    "delimiter of JSON": (opened, {"source": file(lines(), "t.jsonl"), "delimiter": ";"}),
    "a line that is no JSON": (
        opened,
        {"source": file(lines("{"), "t.jsonl")},
        {"correct that line": {"source": file(lines(), "t.jsonl")}},
    ),
    "a line that is no object": (
        opened,
        {"source": file(lines("3"), "t.jsonl")},
        {"one object a row": {"source": file(lines(), "t.jsonl")}},
    ),
    "two columns of one name in a file": (
        opened,
        {"source": file(LINES.replace("a,b", "a,a", 1))},
        {"rename": {"source": file()}},
    ),
    "another delimiter": (opened, {"source": file(LINES.replace(",", ";"))}),
    "records that are no rows": (
        opened,
        {"source": file(LINES.replace("\n", '\n\n"  "\n', 1))},
        {"again": {"source": file()}},
    ),
    "another stream in the folder": (
        kept,
        {"dataset": HUGGING.rename_column("a", "d").to_iterable_dataset()},
        {"begun with": {"dataset": STREAM}},
    ),
    "a manifest that leads elsewhere": (
        kept,
        {"dataset": STREAM, "change": renamed},
        {"remove the folder": {"dataset": STREAM, "cache": "new"}},
    ),
    "a stream that became shorter": (
        kept,
        {"dataset": streamed(rows=260), "begun": streamed(), "change": damage},
        {"begun with": {"dataset": streamed()}},
    ),
    "a stream that does not fit": (
        read,
        {"dataset": streamed({"a": "x", "b": 1.0, "c": 1.0, "label": 1}), "cache": "folder"},
        {"declare": {"dataset": STREAM, "cache": "other"}, "repair": {"dataset": streamed()}},
    ),
    "nothing of that name": (
        opened,
        {"source": "hf:nothing/of/that name"},
        {"check its name": {"source": lambda: f"hf:{tables()}", "split": "train"}},
    ),
    "a file of another format": (rewritten, {"out": "clean.parquet"}),
    "images of one name": (
        copied,
        {"files": {"a/0.png": "b", "b/0.png": "b"}},
        {"rename": {"files": {"a/0.png": "b", "b/1.png": "b"}}},
    ),
}
