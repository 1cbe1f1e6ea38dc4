import itertools

import pytest
import torch

import dataaudit
from dataaudit.errors import SettingError
from dataaudit.learners.recipes import CropFlip, Recipe, get, names


def test_the_papers_recipes_are_there():
    assert set(names()) == {
        "auto",
        "plain",
        "transformer",
        "finetune",
        "mnist",
        "cifar10",
        "cifar100",
        "imagenet",
        "resnet18",
    }
    mnist, cifar = get("mnist"), get("cifar10")
    assert (mnist.epochs, mnist.batch_size, mnist.learning_rate, mnist.momentum) == (20, 256, 0.1, 0.9)
    assert (cifar.epochs, cifar.batch_size, cifar.learning_rate) == (80, 512, 0.4)
    assert get("cifar100").epochs == 160
    imagenet = get("imagenet")
    assert (imagenet.epochs, imagenet.batch_size, imagenet.milestones) == (100, 896, (0.3, 0.6, 0.9))
    residual = get("resnet18")
    assert (residual.epochs, residual.batch_size, residual.weight_decay, residual.decay) == (200, 32, 5e-4, 0.2)
    assert dataaudit.recipes.get("plain") == Recipe()
    assert dataaudit.recipes.get("auto") == dataaudit.recipes.auto()


def test_the_schedule_rises_then_falls():
    recipe = Recipe(warmup=0.15, schedule="linear")
    rates = [recipe.rate(step, 100) for step in range(100)]
    assert rates[14] == 1.0
    assert rates[0] == pytest.approx(1 / 15)
    assert max(rates) == 1.0
    assert rates[-1] == pytest.approx(1 / 85)
    assert all(b < a for a, b in itertools.pairwise(rates[15:]))
    assert Recipe(schedule="cosine", warmup=0.0).rate(50, 100) == pytest.approx(0.5)
    assert Recipe(schedule="constant", warmup=0.0).rate(99, 100) == 1.0
    step = Recipe(schedule="step", milestones=(0.5, 0.75), warmup=0.0, decay=0.1)
    assert [step.rate(s, 100) for s in (0, 49, 50, 75)] == [1.0, 1.0, 0.1, pytest.approx(0.01)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"epochs": 1.5},
        {"epochs": True},
        {"batch_size": -1},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"learning_rate": "fast"},
        {"momentum": 1.5},
        {"weight_decay": -1.0},
        {"warmup": 2.0},
        {"optimizer": "adm"},
        {"schedule": "triangle"},
        {"precision": "float16"},
        {"init": "rest"},
        {"milestones": (0.5,)},
        {"schedule": "step"},
        {"schedule": "step", "milestones": (0.7, 0.3)},
        {"augment": "flip"},
        {"evaluations": -1},
        {"evaluations": 11},
        {"evaluations": True},
        {"label_smoothing": 1.5},
    ],
)
def test_wrong_values_are_refused(wrong):
    with pytest.raises(SettingError, match="expected"):
        Recipe(**wrong)


@pytest.mark.parametrize("epochs", [0, 1.5, True])
def test_a_length_that_is_none_is_refused(epochs):
    with pytest.raises(SettingError, match="whole number of at least 1"):
        dataaudit.recipes.auto(epochs=epochs)


@pytest.mark.parametrize("padding", [-1, 1.5, True])
def test_a_padding_that_is_none_is_refused(padding):
    with pytest.raises(SettingError, match="whole number of pixels"):
        CropFlip(padding)


def test_an_unknown_recipe_is_suggested_for():
    with pytest.raises(SettingError, match="did you mean 'cifar10'"):
        get("cifar-10")


def test_crops_move_pixels_by_at_most_the_padding_and_flips_mirror():
    image = torch.zeros(64, 1, 9, 9)
    image[:, 0, 4, 4] = 1.0
    out = CropFlip(padding=2, flip=False)(image, torch.Generator().manual_seed(0))
    assert out.shape == image.shape
    places = out.flatten(1).argmax(1)
    rows, columns = places // 9, places % 9
    assert set(rows.tolist()) == set(columns.tolist()) == {2, 3, 4, 5, 6}
    ramp = torch.arange(5.0).repeat(32, 1, 5, 1)
    flipped = CropFlip(padding=0, flip=True)(ramp, torch.Generator().manual_seed(0))
    first = flipped[:, 0, 0, 0]
    assert set(first.tolist()) == {0.0, 4.0}
    again = CropFlip(padding=0, flip=True)(ramp, torch.Generator().manual_seed(0))
    assert torch.equal(flipped, again)


def test_settings_are_json():
    import json

    assert json.loads(json.dumps(get("cifar10").to_dict()))["epochs"] == 80
