"""Refusals of representations of a model: whatever they advise works when it is followed."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.ensemble import HistGradientBoostingClassifier
from torch import nn

import dataaudit
from dataaudit import Density

N = 24
LABELS = np.arange(N) % 2
ROWS = np.random.default_rng(0).normal(size=(N, 6)).astype(np.float32) + 2 * LABELS[:, None]
GAPS = np.where(ROWS[3, 1] == ROWS, np.nan, ROWS)
SHORT = dataaudit.Recipe(epochs=1, batch_size=N, precision="float32")
RECORDER = dataaudit.Recorder(N, 2)
RECORDER.update(np.arange(N), torch.eye(2)[LABELS], torch.from_numpy(LABELS))
RECORDER.end_epoch()
ELSEWHERE = {
    "representations/store.py: check_unchanged": "a file changes while its rows are read; tests/representations/"
    "test_store.py changes it between two reads",
}


class Net(nn.Module):
    """A network of two linear layers, with a further part, and a way from inputs to logits that may be odd."""

    def __init__(self, way=None, part=None, tied=False):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last, self.part = nn.Linear(6, 6), nn.Linear(6, 2), part
        self.second = nn.Linear(6, 6)
        self.unused = nn.Identity()
        self.way = way
        if tied:
            self.second.weight = self.first.weight

    def forward(self, x):
        return self.way(self, x) if self.way is not None else self.last(self.second(self.first(x).relu()).relu())


def convolutions():
    return nn.Sequential(nn.Unflatten(1, (1, 6)), nn.Conv1d(1, 2, 6), nn.Flatten())


def met(statistics):
    """Batch normalisation, with statistics that run or not."""
    return nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5, track_running_stats=statistics), nn.Linear(5, 2))


def recurrent(net, x):
    return net.last(net.part(x[:, None])[0][:, -1])


def branching(net, x):
    return net.last(x if x.sum() > 0 else -x)


def squeezing(net, x):
    return net.last(x).squeeze()


def broken():
    net = Net()
    with torch.no_grad():
        net.last.weight[0, 0] = torch.nan
    return net


def score(model=None, dataset=(ROWS, LABELS), begun=None, **options):
    """Scores, after a call with other settings where the folder of cache= was begun by that."""
    if begun is not None and not Path("folder").exists():
        score(**{"model": model, "dataset": dataset, **options, **begun, "cache": "folder"})
    recipe = {"recipe": SHORT} if isinstance(model, nn.Module) and "recipe" not in options else {}
    return dataaudit.score(model, dataset, progress=False, device="cpu" if recipe else "auto", **recipe, **options)


def outliers(**options):
    score(**options).outliers()


def of(space, model=None, **more):
    return {"model": Net() if model is None else model, "scorers": f"density/{space}", **more}


def frozen(space):
    """Gradients of a network that came trained and frozen."""
    return {"model": RECORDER, "trained": Net().requires_grad_(False), "scorers": space}


def layered(layer, model=None):
    return {"model": Net() if model is None else model, "scorers": Density("hidden", layer=layer)}


FIRST = {"scorers": Density("hidden", layer="second")}
TREES = HistGradientBoostingClassifier(max_iter=3)
CASES = {
    "logits that are not finite": (
        score,
        {"model": RECORDER, "trained": broken(), "scorers": "density/hidden"},
        {"lower learning rate": {"trained": Net()}},
    ),
    "inputs with gaps": (
        outliers,
        {"model": TREES, "dataset": (GAPS, LABELS), "scorers": "heldout_confidence"},
        {"fill or drop": {"dataset": (ROWS, LABELS)}},
    ),
    "inputs without features": (
        score,
        {"model": RECORDER, "dataset": (ROWS[:, :0], LABELS), "scorers": "density/input"},
        {"one number a row": {"dataset": (ROWS, LABELS)}},
    ),
    "a layer that gives no tensor": (
        score,
        layered("part", Net(recurrent, nn.LSTM(6, 6, batch_first=True))),
        {"name another": {"scorers": Density("hidden", layer="last")}},
    ),
    "no linear layer": (
        score,
        of("hidden", convolutions()),
        {"a layer whose input": {"scorers": Density("hidden", layer="1")}},
    ),
    "examples that meet": (
        score,
        of("gradient_linear", met(False)),
        {"track_running_stats=True": {"model": met(True)}},
    ),
    "an unknown layer": (score, layered("secnd"), {"did you mean 'second'": FIRST}),
    "a layer that does not run": (score, layered("unused"), {"choose from": FIRST}),
    "a layer that runs twice": (
        score,
        layered("first", Net(lambda net, x: net.last(net.first(net.first(x))))),
        {"name another": {"scorers": Density("hidden", layer="last")}},
    ),
    "logits that are changed at the end": (score, of("gradient", nn.Sequential(nn.Linear(6, 2), nn.Tanh()))),
    "no linear layer that trains": (score, of("gradient_linear", convolutions())),
    "layers that share weights": (score, of("gradient_linear", Net(tied=True))),
    "a model that looks at values": (
        score,
        of("gradient_sketch", Net(branching)),
        {"replace": {"model": Net()}},
    ),
    "a frozen model": (score, frozen("density/gradient_sketch"), {"unfreeze": {"trained": Net()}}),
    "frozen linear layers": (score, frozen("density/gradient_linear"), {"unfreeze": {"trained": Net()}}),
    "a model that loses the batch": (score, of("gradient_sketch", Net(squeezing)), {"first axis": {"model": Net()}}),
    "a layer of inputs": (Density, {"representation": "input", "layer": "first"}),
    "a loss of hidden rows": (
        Density,
        {"representation": "hidden", "loss": torch.nn.functional.cross_entropy},
    ),
    "epochs of inputs": (Density, {"representation": "input", "epochs": [1]}),
    "rows of other data": (
        score,
        of("hidden", cache="folder", begun={"dataset": (ROWS[::-1].copy(), LABELS)}),
        {"begun with": {"dataset": (ROWS[::-1].copy(), LABELS)}},
    ),
    "rows of another seed": (
        score,
        of("hidden", cache="folder", begun={"seed": 1}),
        {"begun with": {"seed": 1}},
    ),
}


@pytest.mark.parametrize("kind", CASES)
def test_what_is_advised_works(follow, kind):
    follow(*CASES[kind])


def test_no_advice_is_left_out(left):
    assert left("representations") == set(ELSEWHERE)
