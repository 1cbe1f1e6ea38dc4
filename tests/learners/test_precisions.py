from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

import dataaudit
from dataaudit.data import as_examples
from dataaudit.errors import ModelError
from dataaudit.learners import precisions
from dataaudit.learners.batched import _Runs
from dataaudit.learners.fitted import TorchFitted
from dataaudit.learners.networks import MLP, BlockCNN
from dataaudit.learners.precisions import NARROWEST, WORTHWHILE, for_network, multiply_adds
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


class Packed(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.last = nn.LSTM(8, 12, batch_first=True), nn.Linear(12, 3)

    def forward(self, x):
        lengths = torch.tensor([5, 3])
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True)
        return self.last(self.lstm(packed)[1][0][-1])


class Attending(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.last = nn.TransformerEncoderLayer(16, 2, 24, batch_first=True), nn.Linear(16, 3)

    def forward(self, x):
        return self.last(self.layer(x).mean(1))


CONVOLVED = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Flatten(), nn.LazyLinear(2))
SIZES = {
    "linear": (nn.Linear(5, 3), torch.zeros(2, 5), 15),
    "mlp": (MLP(12, 4, (7,)), torch.zeros(3, 3, 4), 12 * 7 + 7 * 4),
    "convolution": (CONVOLVED, torch.zeros(2, 3, 6, 5), 8 * 30 * 27 + 8 * 30 * 2),
    "recurrent": (Recurrent(), torch.zeros(2, 9, dtype=torch.int64), 9 * (36 * 8 + 36 * 12) + 36),
    "packed": (Packed(), torch.zeros(2, 5, 8), 4 * (48 * 8 + 48 * 12) + 36),
    "attention": (Attending().eval(), torch.zeros(2, 6, 16), 6 * (4 * 256 + 2 * 16 * 24) + 48),
    "parametrized": (nn.utils.parametrizations.weight_norm(nn.Linear(50, 40)), torch.zeros(2, 50), 2000),
    "compiled": (torch.compile(nn.Sequential(nn.Linear(5, 3))), torch.zeros(2, 5), 15),
}


@pytest.mark.parametrize("name", SIZES)
def test_multiply_adds_are_those_of_the_weights(name):
    module, inputs, expected = SIZES[name]
    getattr(module, "_orig_mod", module)(inputs)
    state = torch.get_rng_state()
    assert multiply_adds(module, inputs) == expected
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(part._forward_hooks for part in module.modules())


LARGE = torch.zeros(2, 3, 32, 32)


def name_of(module, inputs, probabilities=False, precision="auto", **options):
    return for_network(precision, CPU, module.eval(), inputs, probabilities, **options).name


def test_auto_rounds_large_networks_that_give_logits(native):
    network = BlockCNN(3, 10)
    chosen = for_network("auto", CPU, network.eval(), LARGE, False)
    assert chosen.name == "bfloat16"
    assert isinstance(network.get_submodule(chosen.last), nn.Linear)
    assert name_of(network, LARGE, probabilities=True) == "float32"
    small = torch.zeros(2, 3, 12, 12)
    assert name_of(MLP(432, 10), small) == "float32"
    assert name_of(MLP(432, 10), small, sized=False) == "bfloat16"
    # Asked for, it is done.
    assert name_of(MLP(432, 10), small, precision="bfloat16") == "bfloat16"


@pytest.mark.parametrize(("width", "expected"), [(NARROWEST - 1, "float32"), (NARROWEST, "bfloat16")])
def test_auto_leaves_narrow_hidden_layers_alone(native, width, expected):
    assert name_of(MLP(3072, 10, (1024, width)), LARGE) == expected


def test_auto_leaves_outputs_of_no_linear_layer_alone(native):
    module = nn.Sequential(nn.Conv2d(3, 64, 9), nn.ReLU(), nn.Conv2d(64, 10, 24), nn.Flatten())
    assert multiply_adds(module, LARGE) > WORTHWHILE
    assert name_of(module, LARGE) == "float32"


class Fails(nn.Module):
    """Reads a layer's numbers where NumPy has none, in evaluation or in training."""

    def __init__(self, in_training):
        super().__init__()
        self.body, self.last, self.in_training = MLP(3072, 64), nn.Linear(64, 10), in_training

    def forward(self, x):
        hidden = self.body(x)
        if self.training == self.in_training:
            hidden.detach().numpy()
        return self.last(hidden)


class Collects(nn.Module):
    """Puts logits among numbers of the hidden layer's precision, which are not those of the last layer."""

    def __init__(self):
        super().__init__()
        self.body, self.last = MLP(3072, 64), nn.Linear(64, 10)

    def forward(self, x):
        hidden = self.body(x)
        logits = hidden.new_zeros(len(x), 10)
        logits[torch.arange(len(x))] = self.last(hidden)
        return logits


def test_a_network_is_tried_as_it_will_run(native):
    with torch.autocast("cpu", torch.bfloat16):
        Collects()(LARGE)
    assert name_of(Collects(), LARGE) == "float32"


@pytest.mark.parametrize("in_training", [False, True])
def test_a_network_that_fails_in_bfloat16_is_told_before_training(native, in_training):
    assert name_of(Fails(in_training), LARGE) == "float32"
    with pytest.raises(ModelError, match="fails in bfloat16: TypeError"):
        name_of(Fails(in_training), LARGE, precision="bfloat16")


def test_auto_is_float32_without_native_products(monkeypatch):
    monkeypatch.setattr(precisions, "native_bfloat16", lambda device: False)
    assert name_of(BlockCNN(3, 10), LARGE) == "float32"


def test_a_network_is_evaluated_in_the_precision_that_it_was_trained_in_but_for_its_last_layer():
    rows = np.arange(24)
    fitted = learner().fit(rows, 0, None, False)
    logits, inputs = fitted.logits(rows), fitted.inputs(rows)
    first, _, last = fitted.module
    with torch.no_grad():
        own = last(torch.relu(first(inputs)))
        with torch.autocast("cpu", torch.bfloat16):
            hidden = torch.relu(first(inputs))
        expected = nn.functional.linear(hidden.float(), last.weight, last.bias)
    assert torch.equal(logits, expected)
    assert not torch.equal(logits, own)
    torch.testing.assert_close(logits, own, rtol=0.05, atol=0.05)
    # Logits of few digits would be equal to many others.
    assert not torch.equal(logits, logits.bfloat16().float())


@pytest.mark.parametrize("classes", [2, 3])
def test_copies_trained_at_once_are_evaluated_as_one_alone(classes):
    inputs, labels = data()
    examples = as_examples((inputs, labels % classes))
    one = TorchLearner(
        lambda: nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, classes)), examples, ROUNDED, CPU
    )
    one.check(0)
    together = _Runs(one, [0])
    rows = np.arange(24)
    with torch.inference_mode():
        logits = together.logits(one.inputs(rows)[None], training=False)[0]
    expected = one.untrained().logits(rows)
    alone = TorchFitted(one.module(0).eval(), one).logits(rows)
    # Products of several copies add up in another order, which rounding shows.
    torch.testing.assert_close(logits, alone, rtol=0, atol=4e-3)
    assert not torch.allclose(logits, expected, rtol=1e-5, atol=1e-6)
    assert not torch.equal(logits, logits.bfloat16().float())


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
    assert audit.settings["precision"] == "the model's own"
    assert "precision_reason" not in audit.settings
    # So does one that is passed as the model, and repeats the labels already.
    fitted = learner(Recipe(epochs=300, batch_size=8, learning_rate=0.2)).fit(np.arange(24), 0, None, False).module
    passed = dataaudit.score(fitted, (inputs, labels), "confidence", progress=False)
    assert passed.settings["already_fits"] > 0.9
    assert passed.settings["precision"] == "the model's own"
    # One that it trains itself is rounded.
    own = dataaudit.score(Wide(), (inputs, labels), "confidence", recipe=Recipe(epochs=1), progress=False)
    assert own.settings["precision"] == "bfloat16"
    assert own.settings["precision_reason"].endswith("multiplies natively")
    assert not any("bfloat16" in note for note in own.settings["notes"])


def test_probabilities_are_not_rounded(native, monkeypatch):
    monkeypatch.setattr(precisions, "WORTHWHILE", 0)
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(40, 6)).astype(np.float32)
    factory = partial(nn.Sequential, nn.Linear(6, 1), nn.Sigmoid())
    audit = dataaudit.score(factory, (inputs, np.arange(40) % 2), "confidence", recipe=Recipe(epochs=1), progress=False)
    assert audit.settings["precision"] == "float32"
    assert len(np.unique(audit.scores["confidence"])) == 40
