"""Refusals of `score` and `embed`: whatever they advise in Python's words works when it is followed."""

import inspect

import datasets
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression

import dataaudit
from dataaudit.errors import DataAuditError, arguments

N = 24
LABELS = np.arange(N) % 2
ROWS = np.random.default_rng(0).normal(size=(N, 3)).astype(np.float32) + 3 * LABELS[:, None]
GAPS = ROWS.copy()
GAPS[3, 1] = np.nan
TEXTS = np.array([f"{word} {row % 5}" for row, word in enumerate(["red", "green"] * (N // 2))], object)
TABLE = pd.DataFrame(ROWS, columns=list("abc"))
TABLE["label"] = LABELS
SPLITS = datasets.DatasetDict({"train": datasets.Dataset.from_pandas(TABLE)})
IMAGES = [Image.new("RGB", (8 + row % 2, 8), (200 * int(label), 10 * (row % 5), 0)) for row, label in enumerate(LABELS)]
MODEL = LogisticRegression()
ENCODER = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten())
RECORDER = dataaudit.Recorder(N, 2)
RECORDER.update(np.arange(N), torch.eye(2)[LABELS], torch.from_numpy(LABELS))
RECORDER.end_epoch()


def shrunk(image):
    return torch.from_numpy(np.asarray(image.resize((4, 4)), np.float32).transpose(2, 0, 1).copy())


NAMES = {"dataaudit": dataaudit, "np": np, "Recipe": dataaudit.Recipe, "Holdout": dataaudit.Holdout}

REFUSED = {
    "seed": {"dataset": (ROWS, LABELS), "seed": -1},
    "progress": {"dataset": (ROWS, LABELS), "progress": "no"},
    "holdout": {"model": MODEL, "dataset": (ROWS, LABELS), "holdout": 200},
    "cache": {"dataset": (ROWS, LABELS), "cache": ""},
    "repeats": {"dataset": (ROWS, LABELS), "repeats": 0},
    "on_bad_rows": {"dataset": (ROWS, LABELS), "on_bad_rows": "skip"},
    "gaps": {"model": MODEL, "dataset": (GAPS, LABELS)},
    "a label that cannot be right": {"dataset": (ROWS, [np.inf, *LABELS[1:]])},
    "missing text": {"dataset": (np.array([None, *TEXTS[1:]], object), LABELS)},
    "split": {"dataset": SPLITS},
    "recipe without a model": {"dataset": (ROWS, LABELS), "recipe": "plain"},
    "device without a model": {"dataset": (ROWS, LABELS), "device": "mps"},
    "recipe of a probe": {"model": dataaudit.LinearProbe(), "dataset": (ROWS, LABELS), "recipe": "plain"},
    "device of a classifier": {"model": MODEL, "dataset": (ROWS, LABELS), "device": "mps"},
    "processor of a classifier": {"model": MODEL, "dataset": (ROWS, LABELS), "processor": print},
    "label of arrays": {"dataset": (ROWS, LABELS), "label": "label"},
    "resize of numbers": {"dataset": (ROWS, LABELS), "resize": 8},
    "vectors beside texts": {"dataset": pd.DataFrame({"row": list(ROWS), "text": TEXTS, "label": LABELS})},
    "no vector in a row": {"dataset": pd.DataFrame({"row": [None, *list(ROWS)[1:]], "label": LABELS})},
    "no list in a row": {"dataset": datasets.Dataset.from_dict({"row": [None, *ROWS.tolist()[1:]], "label": LABELS})},
    "no size": {"model": MODEL, "dataset": (IMAGES, LABELS), "resize": -1},
    "no image in a row": {"model": MODEL, "dataset": ([*(IMAGES[::2] * 2)[:-1], None], LABELS)},
    "unknown label": {"dataset": TABLE, "label": "lable"},
    "unknown search": {"dataset": (ROWS, LABELS), "search": "fais"},
    "unknown engine": {"dataset": (ROWS, LABELS), "engine": "gpu"},
    "images of several sizes, for a classifier": {"model": MODEL, "dataset": (IMAGES, LABELS)},
    "images of several sizes": {"dataset": (IMAGES, LABELS), "embed": ENCODER},
    "numbers as images": {"dataset": (ROWS, LABELS), "embed": ENCODER},
    "a missing image": {"dataset": ([*IMAGES[:-1], None], LABELS), "embed": ENCODER, "processor": shrunk},
    "vectors of a text": {"dataset": ([*TEXTS[:-1], " "], LABELS), "embed": ENCODER},
    "embed= beside no data set": {"model": RECORDER, "embed": ENCODER},
}
IN_WORDS = {
    "unknown label",
    "unknown search",
    "unknown engine",
    "images of several sizes",
    "vectors of a text",
    "embed= beside no data set",
}
"""Refusals whose advice no argument follows: it is for a person to choose."""


def followed(given, advice):
    """Arguments of the call as an advice has them; None where it names none that can be set or dropped."""
    known = inspect.signature(dataaudit.score).parameters
    changed = dict(given)
    for found in arguments(advice):
        if found.name not in known:
            return None
        if found.value:
            try:
                value = eval(found.value, NAMES)
            except (NameError, SyntaxError):
                return None
            assert changed.get(found.name) != value or found.name not in given, f"advises what was passed: {advice}"
            changed[found.name] = value
        elif found.name in changed and advice.startswith(("drop", "leave")):
            del changed[found.name]
        else:
            return None
    return None if changed.keys() == given.keys() and all(changed[key] is given[key] for key in given) else changed


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_advised_works(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = {"model": None, "progress": False} | REFUSED[kind]
    with pytest.raises(DataAuditError) as refused:
        dataaudit.score(**given)
    advised = [followed(given, advice) for advice in refused.value.alternatives]
    assert any(advised) == (kind not in IN_WORDS), refused.value.alternatives
    for changed in filter(None, advised):
        assert len(dataaudit.score(**changed)) >= N - 2
