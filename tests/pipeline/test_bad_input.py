"""What cannot be audited is refused before any training, in three parts."""

import datasets
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from torch import nn
from torch.utils.data import IterableDataset

import dataaudit
from dataaudit import Recorder
from dataaudit.errors import DataAuditError, DataError, SettingError


def score(*arguments, **options):
    return dataaudit.score(*arguments, **{"progress": False, **options})


X, Y = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32), np.arange(30) % 3
NAN = X.copy()
NAN[[3, 17], 0] = np.nan
INFINITE = X.copy()
INFINITE[5, 1] = np.inf
IMAGES = np.zeros((30, 1, 4, 4), np.uint8)
TEXTS = np.array(["a text"] * 30)
FRAME = pd.DataFrame(X, columns=list("abcd")).assign(label=Y)


class Endless(IterableDataset):
    def __iter__(self):
        return iter([])


@pytest.mark.parametrize(
    ("data", "options", "words"),
    [
        ((X[:0], Y[:0]), {}, ["empty"]),
        ((X, np.zeros(30, int)), {}, ["one class"]),
        ((X[:2], np.array([0, 1])), {"names": 3}, ["2 examples of 3 classes"]),
        ((X, [None] * 30), {}, ["no label in any of 30 rows"]),
        ((X, Y + 0.5), {}, ["0.5", "row"]),
        ((NAN, Y), {}, ["NaN", "rows 3, 17"]),
        ((INFINITE, Y), {}, ["infinite", "row 5"]),
        ((X, Y[:20]), {}, ["30 inputs and 20 labels"]),
        (FRAME, {"label": "lable"}, ["lable", "label"]),
        (FRAME, {"label": "label", "inputs": ["a", "z"]}, ["z", "a"]),
        (Endless(), {}, ["without length"]),
        (iter([1]), {}, ["expected"]),
        ((X, Y), {"scorers": "mean_margn"}, ["did you mean 'mean_margin'"]),
        ((X, Y), {"device": "cdua"}, ["did you mean 'cuda'"]),
        ((X, Y), {"recipe": "cifar"}, ["did you mean 'cifar1"]),
        ((X, Y), {"recipe": 3}, ["recipe=3"]),
        ((X, Y), {"seed": -1}, ["seed=-1"]),
        ((X, Y), {"seed": 1.5}, ["seed=1.5"]),
        ((X, Y), {"progress": "no"}, ["progress='no'"]),
        ((X, Y), {"known_scores": "file"}, ["known_scores"]),
        ((X, Y), {"split": "train"}, ["split"]),
        ((X, Y), {"model": nn.Linear(4, 5)}, ["(2, 5)", "3 classes"]),
        ((X, Y), {"model": "resnet"}, ["model of type str"]),
        ((IMAGES, Y), {"model": None}, ["model=None", "no vectors", "label_quality", "scorers='parzen/input'"]),
        ((NAN, Y), {"model": None}, ["model=None", "missing values in rows 3, 17", "on_bad_rows"]),
        ((X, Y), {"model": None, "scorers": "el2n"}, ["model=None", "label_quality", "a Recorder"]),
        ((IMAGES, Y), {"model": None, "scorers": "consensus"}, ["for arrays inputs", "pass model=", "embed="]),
    ],
)
def test_bad_input_is_refused_before_any_training(data, options, words, monkeypatch):
    from dataaudit.learners.torch import TorchLearner

    def refuse(*arguments, **named):
        raise AssertionError("training began")

    monkeypatch.setattr(TorchLearner, "fit", refuse)
    options = dict(options)
    classes = options.pop("names", None)
    if classes:
        data = datasets.Dataset.from_dict({"x": data[0].tolist(), "label": data[1].tolist()}).cast_column(
            "label", datasets.ClassLabel(num_classes=classes)
        )
    model = options.pop("model", lambda: nn.Linear(4, 3))
    with pytest.raises(DataAuditError) as caught:
        score(model, data, **options)
    for part in (caught.value.arrived, caught.value.expected, caught.value.action):
        assert part
    for word in words:
        assert word.lower() in str(caught.value).lower()


def test_an_image_that_does_not_decode_is_named(tmp_path):
    from PIL import Image

    paths = []
    for number in range(6):
        path = tmp_path / f"{number}.png"
        Image.fromarray(np.full((8, 8), number * 20, np.uint8)).save(path)
        paths.append(str(path))
    (tmp_path / "4.png").write_bytes(b"no image")
    table = datasets.Dataset.from_dict({"image": paths, "label": [0, 1] * 3}).cast_column("image", datasets.Image())
    with pytest.raises(DataError, match="row 4"):
        score(dataaudit.networks.build("mlp", (1, 8, 8), 2), table)


def test_an_unknown_recipe_is_refused_even_without_a_torch_model(noisy):
    with pytest.raises(SettingError, match="recipe"):
        score(LogisticRegression(), noisy[:2], recipe="cifar")
    with pytest.raises(SettingError, match="device"):
        score(LogisticRegression(), noisy[:2], device="cuda")
    with pytest.raises(SettingError, match="nothing is trained"):
        score(Recorder(300, 3), noisy[:2], recipe="mnist")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p[:, :2], r"\(300, 3\)"),
        (lambda p: p[:5], "shape"),
        (lambda p: p * 2, "add up to 1 in rows 0, 1"),
        (lambda p: np.where(np.arange(300)[:, None] == 7, np.nan, p), "row 7"),
        (lambda p: "high", "probabilities"),
    ],
)
def test_wrong_probabilities_are_refused(noisy, change, message):
    inputs, labels, _ = noisy
    given = change(np.full((300, 3), 1 / 3))
    with pytest.raises(DataError, match=message):
        dataaudit.score(None, (inputs, labels), predictions=given, progress=False)
