import pickle
import tracemalloc

import datasets
import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from torch import nn
from torch.utils.data import Dataset, TensorDataset

import dataaudit
from dataaudit import Recipe, Recorder, networks
from dataaudit.data import as_examples
from dataaudit.errors import ModelError
from dataaudit.learners.layout import GIVEN, Layout
from dataaudit.learners.torch import TorchLearner

CPU = torch.device("cpu")
LAST = "images [n, H, W, c] turned to [n, c, H, W]"
NONE = "images [n, H, W] turned to [n, 1, H, W]"
SHORT = Recipe(epochs=2, batch_size=16, precision="float32")


def images(channels=3, n=60, sides=(10, 9)):
    """Pixels [n, H, W, c] whose brightness tells three classes apart, and labels."""
    labels = np.arange(n) % 3
    pixels = np.random.default_rng(0).integers(0, 150, (n, *sides, channels)) + 50 * labels[:, None, None, None]
    return pixels.astype(np.uint8), labels


def first(pixels):
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))


def cnn(channels=3, classes=3):
    return nn.Sequential(
        nn.Conv2d(channels, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, classes)
    )


class Turns(nn.Module):
    """Takes channels last."""

    def forward(self, x):
        return x.permute(0, 3, 1, 2)


class Pairs(Dataset):
    def __init__(self, inputs, labels):
        self.inputs, self.labels = inputs, labels

    def __len__(self):
        return len(self.inputs)

    def __getitem__(self, row):
        return self.inputs[row], int(self.labels[row])


def scored(model, dataset, scorers="auto", **options):
    return dataaudit.score(model, dataset, scorers, recipe=SHORT, progress=False, **options)


def checked(model, dataset):
    learner = TorchLearner(model, as_examples(dataset), SHORT, CPU)
    learner.check(0)
    return learner


def assert_equal(audit, other):
    assert set(audit.columns) == set(other.columns)
    for name, values in audit.columns.items():
        np.testing.assert_array_equal(values, other.columns[name], err_msg=name)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_channels_last_score_as_the_array_that_was_turned_by_hand(channels):
    pixels, labels = images(channels)
    audit = scored(lambda: cnn(channels), (pixels, labels))
    by_hand = scored(lambda: cnn(channels), (first(pixels), labels))
    assert_equal(audit, by_hand)
    assert audit.settings["layout"] == LAST
    assert "layout" not in by_hand.settings


def test_grey_images_without_channels_get_one():
    pixels, labels = images(1)
    audit = scored(lambda: cnn(1), (pixels[..., 0], labels))
    assert_equal(audit, scored(lambda: cnn(1), (first(pixels), labels)))
    assert audit.settings["layout"] == NONE


def test_a_module_is_audited_as_a_factory_is():
    pixels, labels = images()
    torch.manual_seed(0)
    module = cnn()
    audit = scored(module, (pixels, labels))
    assert_equal(audit, scored(module, (first(pixels), labels)))
    assert audit.settings["layout"] == LAST


@pytest.mark.parametrize("kind", ["float32", "float64", "tensor", "TensorDataset", "Dataset", "transform", "column"])
def test_however_the_numbers_arrive(kind):
    pixels, labels = images()
    unit = pixels.astype(np.float64 if kind == "float64" else np.float32) / 255
    options = {}
    if kind == "tensor":
        given = torch.tensor(pixels), torch.tensor(labels)
    elif kind == "TensorDataset":
        given = TensorDataset(torch.tensor(pixels), torch.tensor(labels))
    elif kind == "Dataset":
        given = Pairs(pixels, labels)
    elif kind == "transform":
        given, options = (first(pixels), labels), {"transform": lambda image: image.transpose(1, 2, 0)}
    elif kind == "column":
        features = datasets.Features(
            {"x": datasets.Array3D((10, 9, 3), "uint8"), "label": datasets.ClassLabel(names=list("abc"))}
        )
        given = datasets.Dataset.from_dict({"x": list(pixels), "label": labels}, features=features)
    else:
        given = unit, labels
    hand = (first(unit) if kind.startswith("float") else first(pixels)), labels
    audit = scored(cnn, given, "el2n", **options)
    assert audit.settings["layout"] == LAST
    np.testing.assert_array_equal(audit.columns["el2n"], scored(cnn, hand, "el2n").columns["el2n"])


def test_a_memory_map_is_turned_batch_by_batch(tmp_path):
    """A sparse file of 2 GB: a copy of it, however brief, would not pass unnoticed."""
    path = tmp_path / "images.bin"
    with path.open("wb") as file:
        file.truncate(2 * 10**9)
    inputs = np.memmap(path, dtype=np.uint8, mode="r", shape=(20_000, 200, 125, 4))
    tracemalloc.start()
    try:
        learner = checked(lambda: cnn(4), (inputs, np.arange(20_000) % 3))
        assert learner.inputs(np.arange(0, 20_000, 1000)).shape == (20, 4, 200, 125)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20 * 10**6
    assert learner.layout == Layout("last")


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (lambda: networks.MLP(10 * 9 * 3, 3), (10, 9, 3)),
        (lambda: networks.MLP(90, 3), (10, 9)),
        (lambda: nn.Sequential(Turns(), cnn()), (10, 9, 3)),
        # Channels as many as the images are high, for which 3 is a width.
        (lambda: nn.Sequential(nn.Conv2d(10, 4, 1), nn.Flatten(), nn.Linear(108, 3)), (10, 9, 3)),
        (lambda: cnn(3), (3, 10, 4)),
        (lambda: cnn(3), (3, 10, 3)),
        (lambda: nn.Sequential(nn.Conv1d(10, 4, 3), nn.Flatten(), nn.Linear(28, 3)), (10, 9)),
        (lambda: nn.Sequential(nn.Linear(9, 4), nn.Flatten(), nn.Linear(40, 3)), (10, 9)),
    ],
)
def test_a_model_that_takes_the_given_layout_gets_it(model, shape):
    inputs = np.random.default_rng(0).normal(size=(30, *shape)).astype(np.float32)
    learner = checked(model, (inputs, np.arange(30) % 3))
    assert learner.layout == GIVEN
    assert "layout" not in learner.description
    np.testing.assert_array_equal(learner.inputs(np.array([4, 2])), inputs[[4, 2]])


@pytest.mark.parametrize("lazy", [False, True])
def test_a_batch_is_never_taken_for_the_channels_of_one_image(lazy):
    """Two grey rows are an image of two channels to a Conv2d, and its two channels are two outputs."""
    layers = nn.Conv2d(1, 2, 3), nn.LazyConv2d(2, 3)
    inputs = np.random.default_rng(0).normal(size=(30, 5, 5)).astype(np.float32)

    def model():
        return nn.Sequential(
            layers[lazy], nn.AdaptiveAvgPool2d((3, 1)), nn.Flatten(-2), nn.Flatten(1), nn.LazyLinear(2)
        )

    def blind():
        return nn.Sequential(nn.Conv2d(2, 2, 3), nn.Flatten(-2), nn.Linear(9, 2))

    assert checked(model, (inputs, np.arange(30) % 2)).layout == Layout("none")
    with pytest.raises(ModelError, match=r"fails on inputs \(3, 5, 5\)"):
        checked(blind, (inputs, np.arange(30) % 2))


def test_lazy_convolutions_get_channels_first_by_look():
    pixels, labels = images()
    pool = nn.AdaptiveAvgPool2d(2), nn.Flatten()

    def lazy(*before):
        return lambda: nn.Sequential(*before, nn.LazyConv2d(8, 3), *pool, nn.Linear(32, 3))

    learner = checked(lazy(), (pixels, labels))
    assert learner.layout == Layout("last", by_look=True)
    assert (
        learner.description["layout"]
        == LAST + "; by look: the model has lazy layers, which take any number of channels"
    )
    assert checked(lazy(), (first(pixels), labels)).layout == GIVEN
    assert checked(lazy(Turns()), (pixels, labels)).layout == GIVEN
    assert checked(lazy(nn.Conv2d(3, 10, 1)), (pixels, labels)).layout == Layout("last")
    assert checked(lambda: nn.Sequential(nn.Flatten(), nn.LazyLinear(3)), (pixels, labels)).layout == GIVEN
    assert nn.parameter.is_lazy(learner.module(0)[0].weight)
    module = lazy()()
    audit = scored(module, (pixels, labels), "el2n")
    assert nn.parameter.is_lazy(module[0].weight)
    assert np.isfinite(audit.columns["el2n"]).all()


def test_a_model_may_refuse_a_layout_as_it_likes():
    class Strict(nn.Module):
        def __init__(self, sides):
            super().__init__()
            self.sides, self.body = sides, cnn()

        def forward(self, x):
            assert tuple(x.shape[2:]) == self.sides, "other sides"
            return self.body(x)

    pixels, labels = images()
    assert checked(lambda: Strict((10, 9)), (pixels, labels)).layout == Layout("last")
    with pytest.raises(AssertionError, match="other sides"):
        checked(lambda: Strict((5, 5)), (pixels, labels))


@pytest.mark.parametrize("backend", ["serial", dataaudit.backends.Joblib(n_jobs=1)])
def test_holdout_runs_see_the_turned_images(backend):
    pixels, labels = images()
    audit, by_hand = (
        scored(cnn, (given, labels), "holdout_probability", holdout=dataaudit.Holdout(runs=2, backend=one))
        for given, one in ((pixels, backend), (first(pixels), "serial"))
    )
    assert audit.settings["layout"] == LAST
    np.testing.assert_allclose(
        audit.columns["holdout_probability"], by_hand.columns["holdout_probability"], rtol=1e-5, atol=1e-6
    )


def test_a_learner_goes_to_other_processes_with_its_layout():
    pixels, labels = images()
    torch.manual_seed(0)
    learner = checked(cnn(), (pixels, labels))
    rows = np.array([5, 0, 5])
    assert torch.equal(pickle.loads(pickle.dumps(learner)).inputs(rows), learner.inputs(rows))
    assert torch.equal(learner.from_scratch().inputs(rows), learner.inputs(rows))
    assert torch.equal(learner.inputs(rows), torch.tensor(first(pixels)[rows]) / 255)


def test_representations_of_the_model_are_of_turned_images_and_those_of_inputs_are_not():
    pixels, labels = images()
    scorers = ["density/hidden", "density/gradient", "parzen/input"]
    audit, by_hand = (scored(cnn, (given, labels), scorers) for given in (pixels, first(pixels)))
    for name in scorers[:2]:
        np.testing.assert_array_equal(audit.columns[name], by_hand.columns[name])
    alone = dataaudit.score(None, (pixels, labels), "parzen/input", progress=False)
    np.testing.assert_array_equal(audit.columns["parzen/input"], alone.columns["parzen/input"])


def test_new_rows_are_turned_too():
    pixels, labels = images()
    audit, by_hand = (scored(cnn, (given, labels), "el2n") for given in (pixels, first(pixels)))
    new = images(n=12)[0][::-1]
    for by in ("input", "hidden"):
        found, same = audit.score_new(new, by=by), by_hand.score_new(first(new), by=by)
        np.testing.assert_array_equal(found["max_confidence"], same["max_confidence"])
    assert found.equals(same)


def test_a_module_beside_a_recorder_and_one_that_is_trained_are_asked_about_turned_images():
    pixels, labels = images()
    recipe = Recipe(epochs=30, batch_size=10, learning_rate=0.05, precision="float32")
    learner = TorchLearner(cnn, as_examples((first(pixels), labels)), recipe, CPU)
    module = learner.fit(np.arange(60), 0, None, False).module
    assert checked(module, (pixels, labels)).already_fits(0) == checked(module, (first(pixels), labels)).already_fits(0)
    assert checked(module, (pixels, labels)).already_fits(0) > 0.8
    audits = []
    for given in (pixels, first(pixels)):
        recorder = Recorder(60, 3)
        recorder.update(np.arange(60), np.eye(3)[labels], labels)
        recorder.end_epoch()
        audits.append(dataaudit.score(recorder, (given, labels), trained=module, progress=False))
    assert audits[0].settings["layout"] == LAST
    assert_equal(*audits)


def test_augmentation_sees_turned_images():
    pixels, labels = images()
    seen = set()

    def augment(batch, generator):
        seen.add(tuple(batch.shape[1:]))
        return batch

    dataaudit.score(cnn, (pixels, labels), "el2n", recipe=Recipe(epochs=1, augment=augment), progress=False)
    assert seen == {(3, 10, 9)}


def test_the_chosen_recipe_looks_at_turned_images():
    pixels, labels = images(1, n=120, sides=(16, 16))
    pixels[:, :, :8] //= 2
    for channels, given in ((1, pixels), (1, pixels[..., 0]), (3, pixels.repeat(3, axis=3))):
        model = lambda: cnn(channels)  # noqa: B023, E731
        audits = [
            dataaudit.score(model, (one, labels), "el2n", progress=False)
            for one in (given, first(given if given.ndim == 4 else given[..., None]))
        ]
        assert audits[0].settings["recipe"] == audits[1].settings["recipe"]
        assert_equal(*audits)


def test_images_that_a_model_turns_itself_are_neither_cropped_nor_mirrored():
    pixels, labels = images(sides=(16, 16))
    audit = dataaudit.score(lambda: nn.Sequential(Turns(), cnn()), (pixels, labels), "el2n", progress=False)
    assert audit.settings["recipe"]["augment"] is None
    assert checked(lambda: nn.Sequential(Turns(), cnn()), (pixels, labels)).unseen_view(0) is None
    assert any("(16, 16, 3) are no images [channels, height, width]" in note for note in audit.settings["notes"])


def test_scikit_learn_models_keep_the_given_layout():
    pixels, labels = images()
    shapes = set()

    def flat(inputs):
        shapes.add(inputs.shape[1:])
        return inputs.reshape(len(inputs), -1) / 255

    model = make_pipeline(FunctionTransformer(flat), LogisticRegression())
    audit = dataaudit.score(model, (pixels, labels), "heldout_confidence", progress=False)
    assert "layout" not in audit.settings
    assert shapes == {(270,)} or shapes == {(10, 9, 3)}


def test_rows_are_dropped_and_turned():
    pixels, labels = images()
    unit = pixels.astype(np.float32) / 255
    unit[7, 2, 2, 1] = np.nan
    audit = scored(cnn, (unit, labels), "el2n", on_bad_rows="drop")
    assert audit.settings["layout"] == LAST
    assert len(audit) == 59
