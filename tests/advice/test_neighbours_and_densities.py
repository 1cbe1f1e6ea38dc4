"""Refusals of neighbours, densities, clusters, findings and pages: whatever they advise works when it is followed."""

import os
import shutil
from contextlib import closing
from functools import cache
from pathlib import Path

import faiss
import numpy as np
import pytest
import torch
from torch import nn

import dataaudit
from dataaudit import Audit, Density, Recipe
from dataaudit.cluster.engine import RayEngine
from dataaudit.cluster.folder import BlockFolder
from dataaudit.cluster.search import RaySearch
from dataaudit.cluster.source import Source
from dataaudit.density.engines import REGISTRY, DensityEngine
from dataaudit.density.exact import CpuEngine, TritonEngine
from dataaudit.neighbours import faiss_search
from dataaudit.neighbours.faiss_search import Faiss
from dataaudit.neighbours.search import Auto, Torch
from dataaudit.representations.base import GradientFactors
from dataaudit.scores.neighbours import NeighbourCScore

N = 24
LABELS = np.arange(N) % 2
ROWS = np.random.default_rng(0).normal(size=(N, 3)).astype(np.float32) + 3 * LABELS[:, None]
MANY = np.random.default_rng(0).normal(size=(500, 4)).astype(np.float32), np.arange(500) % 2
FAR = np.array([[0.0], [1.0], [2.0], [1e30]]), [0, 1, 0, 1]
ONE = Recipe(epochs=1)


class Net(nn.Module):
    """A network whose hidden rows are NaN where it takes logarithms of what is negative."""

    def __init__(self, logarithms):
        super().__init__()
        self.first, self.last, self.logarithms = nn.Linear(3, 4), nn.Linear(4, 2), logarithms

    def forward(self, x):
        x = self.first(x)
        return torch.nan_to_num(self.last(torch.log(x) if self.logarithms else x))


class Refusing(DensityEngine):
    """An engine of another package, which gives its refusals no three parts."""

    name = "refusing"

    def check(self):
        """Runs everywhere."""

    def sums(self, *arguments):
        raise ValueError("no such rows")


class Nearest(Torch):
    """A search that no package registered."""


def score(model=None, dataset=(ROWS, LABELS), **more):
    return dataaudit.score(model, dataset, progress=False, **more)


def network(logarithms, scorers="auto"):
    score(Net(logarithms), recipe=ONE, scorers=scorers, device="cpu")


def nearest(representation, kind=NeighbourCScore):
    network(False, kind(representation))


def search(index="exact", gpu=None, devices=0, **more):
    """Search on a machine that is made up: devices, of whose memory nothing is free."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(faiss, "get_num_gpus", lambda: devices, raising=False)
        patch.setattr(faiss_search, "free_memory", lambda: 0)
        score(scorers="knn_c_score/input", search=Faiss(index, gpu=gpu, **more))


def on_device(engine):
    """Densities where no kernel is interpreted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TRITON_INTERPRET", raising=False)
        score(scorers="density/input", engine=engine)


def between(engine):
    """Sums over gradients in two blocks."""
    rows = [GradientFactors(np.ones((3, 2), np.float32), np.ones((3, 2), np.float32), True)]
    made = REGISTRY.instance(engine)
    made.block_sums(rows, np.arange(3), rows, np.arange(3), 1.0, None)


def precise(kind, precision):
    score(scorers="density/input", engine=kind(precision=precision))


def checked(kind, **options):
    kind(**options).check()


def opened(folder="blocks", labels="l", rows="r"):
    """Open a folder of block sums, of which the first is begun with the labels 'l' and the rows 'r'."""
    for path, data, digest in (("blocks", "l", "r"), (folder, labels, rows)):
        BlockFolder(path, {"labels": data}, {"bandwidth": 2.0}, {"rows": digest}, ["/rows.npy"]).close()


def damaged(again=False):
    """Read a block of a folder, which is damaged once."""
    with closing(BlockFolder("blocks", {}, {}, {"rows": "r"}, [])) as folder:
        folder.write(0, np.ones((2, 3)))
        if not again:
            (path,) = Path("blocks").rglob("000000-*.npy")
            path.write_bytes(b"")
        folder.read(0)


def mapped(mode="r", there=True, written=False):
    """Read rows of a file, as a worker does, which may be away or was written to."""
    path = Path("rows.npy")
    np.save(path, ROWS)
    source = Source.of(np.load(path, mmap_mode=mode))
    if written:
        os.utime(path, ns=(0, 0))
    if not there:
        path.unlink()
    source.part(slice(2))
    source.check_unchanged()


def found(search=None, model=None, saved=True, by="auto", dataset=None):
    """Outliers by an audit, saved and loaded or as it is."""
    audit = score(model, scorers="parzen/input", search=search or "auto", **({"recipe": ONE} if model else {}))
    if saved:
        shutil.rmtree("audit", ignore_errors=True)
        audit = Audit.load(audit.save("audit"))
    audit.outliers(by=by, dataset=dataset)


@cache
def audited():
    return score(scorers="parzen/input")


def page(path):
    audited().report(path)


WIDE = np.random.default_rng(0).normal(size=(N, 10000)).astype(np.float32), LABELS
HIDDEN = {"lower learning rate": {"logarithms": False}}
CASES = {
    "a search that finds too few": (
        score,
        {"dataset": MANY, "scorers": "knn_c_score/input", "search": Faiss("ivf", cells=40, probes=1)},
    ),
    "a device that is no answer": (Faiss, {"index": "ivf", "gpu": 3}),
    "a size that is none": (checked, {"kind": Auto, "all_pairs": "many"}),
    "a choice of another search": (checked, {"kind": Auto, "beyond": "ivf"}),
    "no device": (search, {"gpu": True}),
    "a device without room": (search, {"index": "ivf", "gpu": True, "devices": 1}),
    "no device of torch": (checked, {"kind": Torch, "device": "abacus"}),
    "neighbours among gradients": (
        nearest,
        {"representation": "gradient"},
        {"'knn_c_score/hidden'": {"representation": "hidden"}, "'density/gradient'": {"kind": Density}},
    ),
    "neighbours of what is no number": (network, {"logarithms": True, "scorers": "knn_c_score/hidden"}, HIDDEN),
    "densities of what is no number": (network, {"logarithms": True, "scorers": "density/hidden"}, HIDDEN),
    "densities of equal rows": (
        score,
        {"dataset": (0 * ROWS, LABELS), "scorers": "density/input"},
        {"as a number": {"scorers": Density("input", bandwidth=1.0)}},
    ),
    "a row that is too far out": (
        score,
        {"dataset": FAR, "scorers": Density("input", bandwidth=1.0)},
        {
            "larger bandwidth": {"scorers": Density("input")},
            "drop that row": {"dataset": (FAR[0][:3], FAR[1][:3])},
        },
    ),
    "rows that an engine refuses": (score, {"scorers": "density/input", "engine": Refusing()}),
    "no bandwidth": (Density, {"representation": "input", "bandwidth": -1}),
    "no precision of the CPU": (precise, {"kind": CpuEngine, "precision": "float8"}),
    "no precision of a device": (precise, {"kind": TritonEngine, "precision": "float8"}),
    "a device that is not there": (on_device, {"engine": TritonEngine(device="cuda:77")}),
    "gradients in blocks of a device": (between, {"engine": "triton"}),
    "gradients that are too long": (
        score,
        {
            "model": nn.Linear(10000, 2),
            "dataset": WIDE,
            "recipe": ONE,
            "engine": "sampled",
            "scorers": "density/gradient",
        },
    ),
    "no folder of blocks": (RayEngine, {"folder": 3}),
    "an engine without blocks": (checked, {"kind": RayEngine, "engine": "sampled"}),
    "a search of a cluster in its shards": (checked, {"kind": RaySearch, "search": "ray"}),
    "block sums of other labels": (
        opened,
        {"labels": "others"},
        {"another folder=": {"folder": "another"}, "pass what that one": {"labels": "l"}},
    ),
    "block sums of a file that changed": (
        opened,
        {"rows": "others"},
        {"another folder=": {"folder": "another"}, "restore the file": {"rows": "r"}},
    ),
    "a block that was damaged": (damaged, {}, {"call again": {"again": True}}),
    "a file that a worker does not find": (
        mapped,
        {"there": False},
        {"put the file there": {"there": True}, "into memory": {"mode": None}},
    ),
    "a file that is written to": (mapped, {"written": True}, {"let nothing write": {"written": False}}),
    "a search that is not registered": (
        found,
        {"search": Nearest(), "dataset": (ROWS, LABELS)},
        {"before it is saved": {"saved": False}, "register": "another package has to be installed"},
    ),
    "an audit without its data set": (found, {"search": "torch"}, {"dataset=": {"dataset": (ROWS, LABELS)}}),
    "no hidden rows": (
        found,
        {"by": "hidden", "search": "torch", "saved": False},
        {"with a torch module": {"model": Net(False)}},
    ),
    "a page in place of a folder": (page, {"path": "."}, {"name one": {"path": "report.html"}}),
    "a page in a folder that is not there": (
        page,
        {"path": "absent/report.html"},
        {"in such a folder": {"path": "report.html"}},
    ),
}

ELSEWHERE = {
    "cluster/tasks.py: refuse": "a worker has to be lost: tests/common/test_ray_tasks.py, with a stand-in for Ray"
}


@pytest.mark.parametrize("kind", CASES)
def test_what_is_advised_works(follow, kind):
    follow(*CASES[kind])


def test_no_advice_is_left_out(left):
    rooms = ("neighbours", "density", "cluster", "findings", "report", "evidence")
    assert set().union(*map(left, rooms)) == set(ELSEWHERE)
