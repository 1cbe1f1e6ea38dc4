from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

import dataaudit
from dataaudit.data import as_examples
from dataaudit.learners import precisions
from dataaudit.learners.networks import MLP, BlockCNN
from dataaudit.learners.precisions import WORTHWHILE, for_network, multiply_adds, native_bfloat16, resolve_precision
from dataaudit.learners.recipes import Recipe
from dataaudit.learners.torch import TorchLearner
from dataaudit.representations.collect import represent
from dataaudit.representations.spaces import Space

CPU = torch.device("cpu")
ROUNDED = Recipe(epochs=1, precision="bfloat16", batch_size=16)


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.gru, self.last = nn.Embedding(20, 8), nn.GRU(8, 12, batch_first=True), nn.Linear(12, 3)

    def forward(self, ids):
        return self.last(self.gru(self.words(ids))[0][:, -1])


class Wide(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 3))


@pytest.fixture
def native(monkeypatch):
    monkeypatch.setattr(precisions, "native_bfloat16", lambda device: True)


def data(rows=24):
    rng = np.random.default_rng(0)
    return rng.normal(size=(rows, 6)).astype(np.float32), np.arange(rows) % 3


def learner(recipe=ROUNDED):
    made = TorchLearner(Wide, as_examples(data()), recipe, CPU)
    made.check(0)
    return made


@pytest.mark.parametrize(
    ("module", "inputs", "expected"),
    [
        (nn.Linear(5, 3), torch.zeros(2, 5), 15),
        (MLP(12, 4, (7,)), torch.zeros(3, 3, 4), 12 * 7 + 7 * 4),
        (nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Flatten(), nn.LazyLinear(2)), torch.zeros(2, 3, 6, 5),
         8 * 30 * 27 + 8 * 30 * 2),
        (Recurrent(), torch.zeros(2, 9, dtype=torch.int64), 9 * (36 * 8 + 36 * 12) + 36),
    ],
    ids=["linear", "mlp", "convolution", "recurrent"],
)  # fmt: skip
def test_multiply_adds_are_those_of_the_products(module, inputs, expected):
    module(inputs)
    state = torch.get_rng_state()
    assert multiply_adds(module, inputs) == expected
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(part._forward_hooks for part in module.modules())


def test_auto_rounds_large_networks_that_give_logits_where_the_processor_multiplies_bfloat16(native):
    small, large = torch.zeros(2, 3, 12, 12), torch.zeros(2, 3, 32, 32)
    network = BlockCNN(3, 10).eval()
    assert multiply_adds(network, large) > WORTHWHILE > multiply_adds(nn.Flatten(), small)
    assert for_network("auto", CPU, network, large, False)[0] == "bfloat16"
    assert for_network("auto", CPU, MLP(432, 10), small, False)[0] == "float32"
    assert for_network("auto", CPU, network, large, True) == (
        "float32",
        "precision auto: float32, for the model's outputs are probabilities",
    )
    assert for_network("bfloat16", CPU, MLP(432, 10), small, True)[0] == "bfloat16"


def test_auto_is_float32_without_native_products(monkeypatch):
    monkeypatch.setattr(precisions, "native_bfloat16", lambda device: False)
    assert for_network("auto", CPU, BlockCNN(3, 10).eval(), torch.zeros(2, 3, 32, 32), False)[0] == "float32"


def test_a_network_is_evaluated_in_the_precision_that_it_was_trained_in():
    rows = np.arange(24)
    fitted = learner().fit(rows, 0, None, False)
    logits = fitted.logits(rows)
    inputs = fitted.inputs(rows)
    with torch.no_grad():
        own = fitted.module(inputs)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = fitted.module(inputs).float()
    assert torch.equal(logits, rounded)
    assert not torch.equal(logits, own)
    torch.testing.assert_close(logits, own, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("others", [[], ["gradient"], ["gradient_linear"], ["gradient_sketch"]])
def test_what_a_pass_reads_and_shows_does_not_depend_on_what_else_is_read(others):
    fitted, labels, shown = learner().fit(np.arange(24), 0, None, False), data()[1], []
    spaces = [Space("hidden"), *map(Space, others)]
    found = represent(
        fitted, spaces, labels, 0, False, shows=[lambda rows, logits, given: shown.append(logits.clone())]
    )
    assert torch.equal(torch.cat(shown), fitted.logits(np.arange(24)))
    np.testing.assert_array_equal(
        found[Space("hidden")][0], represent(fitted, [Space("hidden")], labels, 0, False)[Space("hidden")][0]
    )


def test_gradients_are_those_of_the_weights_as_they_are():
    fitted, labels = learner().fit(np.arange(24), 0, None, False), data()[1]
    found = represent(fitted, [Space("hidden"), Space("gradient")], labels, 0, False)
    deltas, inputs, _ = found[Space("gradient")][0][0]
    with torch.no_grad():
        hidden = fitted.module[1](fitted.module[0](fitted.inputs(np.arange(24))))
        expected = fitted.module(fitted.inputs(np.arange(24))).softmax(1).numpy() - np.eye(3)[labels]
    np.testing.assert_allclose(deltas, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(inputs, hidden, rtol=1e-6)
    assert np.abs(found[Space("hidden")][0] - inputs).max() > 0


def test_the_model_of_another_loop_runs_in_its_own_precision(native, monkeypatch):
    monkeypatch.setattr(precisions, "WORTHWHILE", 0)
    inputs, labels = data()
    module, recorder = Wide(), dataaudit.Recorder(24, 3)
    for _ in range(2):
        recorder.update(np.arange(24), module(torch.tensor(inputs)), torch.tensor(labels))
        recorder.end_epoch()
    audit = dataaudit.score(recorder, (inputs, labels), "confidence", trained=module, progress=False)
    with torch.no_grad():
        expected = module(torch.tensor(inputs)).softmax(1)[torch.arange(24), torch.tensor(labels)]
    np.testing.assert_allclose(audit.scores["confidence"], expected, rtol=1e-6)
    assert audit.settings["precision"] == "float32"
    assert any("trained elsewhere" in note for note in audit.settings["notes"])
    # So does one that is passed as the model, and repeats the labels already.
    fitted = learner(Recipe(epochs=300, batch_size=8, learning_rate=0.2)).fit(np.arange(24), 0, None, False).module
    passed = dataaudit.score(fitted, (inputs, labels), "confidence", progress=False)
    assert passed.settings["already_fits"] > 0.9
    assert passed.settings["precision"] == "float32"
    # One that it trains itself is rounded.
    own = dataaudit.score(Wide(), (inputs, labels), "confidence", recipe=Recipe(epochs=1), progress=False)
    assert own.settings["precision"] == "bfloat16"


def test_precision_is_the_hardwares_for_a_network_of_unknown_size():
    assert resolve_precision("float32", CPU)[0] == "float32"
    assert resolve_precision("auto", CPU)[0] == ("bfloat16" if native_bfloat16(CPU) else "float32")


def test_probabilities_are_not_rounded(native, monkeypatch):
    monkeypatch.setattr(precisions, "WORTHWHILE", 0)
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(40, 6)).astype(np.float32)
    factory = partial(nn.Sequential, nn.Linear(6, 1), nn.Sigmoid())
    audit = dataaudit.score(factory, (inputs, np.arange(40) % 2), "confidence", recipe=Recipe(epochs=1), progress=False)
    assert audit.settings["precision"] == "float32"
    assert len(np.unique(audit.scores["confidence"])) == 40
