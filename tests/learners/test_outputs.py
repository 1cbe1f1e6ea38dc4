"""What torch modules return, and which of them count as trained."""

import copy
from collections import namedtuple

import numpy as np
import pytest
import torch
from torch import nn

import dataaudit
from dataaudit import Recipe
from dataaudit.data import as_examples
from dataaudit.errors import ModelError
from dataaudit.learners.torch import TorchLearner

CPU = torch.device("cpu")
RNG = np.random.default_rng(0)
TRUTH = np.arange(120) % 3
INPUTS = (RNG.normal(size=(120, 6)) + 4 * np.eye(3, 6)[TRUTH]).astype(np.float32)
SHORT = Recipe(epochs=2, batch_size=32, precision="float32")
Named = namedtuple("Named", "logits extra")


class Wrapped(nn.Module):
    """A linear layer, and what is made of its output."""

    def __init__(self, answer, outputs):
        super().__init__()
        self.layer, self.answer = nn.Linear(6, outputs), answer

    def forward(self, inputs):
        return self.answer(self.layer(inputs))


def fitted(answer, classes, outputs):
    torch.manual_seed(0)
    learner = TorchLearner(Wrapped(answer, outputs), as_examples((INPUTS, TRUTH % classes)), SHORT, CPU)
    learner.check(0)
    every = np.arange(120)
    return learner, learner.fit(every, 0, None, False).logits(every).softmax(1).numpy()


def model_output(logits):
    from transformers.modeling_outputs import SequenceClassifierOutput

    return SequenceClassifierOutput(logits=logits)


ALIKE = {
    "a dict": lambda z: {"logits": z, "hidden": z * 2},
    "a tuple": lambda z: (z, z * 2),
    "a list": lambda z: [z],
    "a named tuple": lambda z: Named(z, None),
    "a ModelOutput": model_output,
    "log-probabilities": lambda z: z.log_softmax(1),
    "probabilities": lambda z: z.softmax(1),
    "a dict of probabilities": lambda z: {"logits": z.softmax(1)},
}


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("case", ALIKE)
def test_outputs_of_any_form_train_alike(case, classes):
    learner, found = fitted(ALIKE[case], classes, classes)
    _, expected = fitted(lambda z: z, classes, classes)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    noted = any("probabilities of the classes" in note for note in learner.description["notes"])
    assert noted == case.endswith(" probabilities") or noted == (case == "probabilities")


ONE = {
    "a column": lambda z: z,
    "numbers": lambda z: z[:, 0],
    "squeezed": lambda z: z.squeeze(),
    "a sigmoid's": lambda z: z.sigmoid(),
    "a squeezed sigmoid's": lambda z: z.sigmoid().squeeze(-1),
}


@pytest.mark.parametrize("case", ONE)
def test_one_number_of_two_classes_is_the_seconds_logit(case):
    learner, found = fitted(ONE[case], 2, 1)
    _, expected = fitted(lambda z: torch.cat([-z / 2, z / 2], 1), 2, 1)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert any("second" in note for note in learner.description["notes"])


def test_logits_within_0_and_1_are_no_probabilities():
    """Only a sum of one in every row, or a sigmoid, makes them so."""
    for outputs in (1, 2):
        learner, _ = fitted(lambda z: 0.5 + 0.01 * z.clamp(-9, 9), 2, outputs)
        assert not any("probabilities" in note for note in learner.description["notes"])


def test_a_sigmoid_is_told_in_a_frozen_model_that_came_trained():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(6, 1), nn.Sigmoid())
    given = []
    for frozen in (False, True):
        learner = TorchLearner(module.requires_grad_(not frozen), as_examples((INPUTS, TRUTH % 2)), SHORT, CPU)
        learner.comes_trained = True
        learner.check(0)
        given.append(learner.untrained().logits(np.arange(120)).softmax(1)[:, 1])
    assert torch.equal(*given)
    torch.testing.assert_close(given[0], module(torch.from_numpy(INPUTS))[:, 0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("answer", [lambda z: z[:, :1], lambda z: {"scores": z}, lambda z: None, lambda z: (None, z)])
def test_other_outputs_are_refused(answer):
    with pytest.raises(ModelError, match="logit"):
        fitted(answer, 3, 3)


@pytest.mark.parametrize("answer", [torch.detach, lambda z: z.round().long()])
def test_outputs_without_gradient_are_refused_where_they_are_trained(answer):
    learner = TorchLearner(Wrapped(answer, 3), as_examples((INPUTS, TRUTH)), SHORT, CPU)
    learner.check(0)
    with pytest.raises(ModelError, match="a Wrapped whose outputs have no gradient in training"):
        learner.fit(np.arange(120), 0, None, False)


@pytest.mark.parametrize("answer", [lambda z: {"logits": z.sigmoid()}, lambda z: z[:, 0]])
def test_all_scores_are_had_of_one_number(answer):
    torch.manual_seed(0)
    labels = TRUTH % 2
    audit = dataaudit.score(Wrapped(answer, 1), (INPUTS, labels), recipe=SHORT, progress=False)
    assert audit.dynamics.epochs == 2
    names = ["density/hidden", "density/gradient_sketch"]
    dense = dataaudit.score(Wrapped(answer, 1), (INPUTS, labels), names, recipe=SHORT, progress=False)
    assert all(np.isfinite(dense.columns[name]).all() for name in names)


def separable(classes, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, 200)
    centres = rng.normal(size=(classes, 6)) * 4
    return (centres[labels] + rng.normal(size=(200, 6))).astype(np.float32), labels


def initialised(kind, classes):
    module = nn.Linear(6, classes, bias=kind != "without bias")
    if kind == "layers":
        module = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, classes))
    if kind == "zero bias":
        nn.init.xavier_normal_(module.weight)
        nn.init.zeros_(module.bias)
    return module


@pytest.mark.parametrize("kind", ["torch's own", "without bias", "zero bias", "layers"])
@pytest.mark.parametrize("classes", [2, 3])
def test_random_weights_that_happen_to_fit_are_not_trained(kind, classes):
    fits = 0
    for seed in range(12):
        inputs, labels = separable(classes, seed)
        torch.manual_seed(seed)
        module = initialised(kind, classes)
        if kind == "layers":
            # Statistics of inputs that went through are no training.
            module(torch.tensor(inputs))
        with torch.inference_mode():
            predicted = module.eval()(torch.tensor(inputs)).argmax(1).numpy()
        if classes == 2 and (predicted == labels).mean() < 0.5:
            labels = 1 - labels
        fits += (predicted == labels).mean() > 0.8
        assert TorchLearner(module, as_examples((inputs, labels)), SHORT, CPU).already_fits(0) is None
    assert fits or classes > 2, "no seed that happens to fit"


@pytest.mark.parametrize("kind", ["torch's own", "layers"])
@pytest.mark.parametrize("grads", [True, False])
def test_weights_that_training_moved_are(kind, grads):
    inputs, labels = separable(3, 1)
    torch.manual_seed(0)
    module = initialised(kind, 3)
    fresh = copy.deepcopy(module)
    optimizer = torch.optim.Adam(module.parameters(), 0.02)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(torch.tensor(inputs)), torch.tensor(labels)).backward()
        optimizer.step()
    if not grads:
        for parameter in module.parameters():
            parameter.grad = None
    examples = as_examples((inputs, labels))
    assert TorchLearner(module, examples, SHORT, CPU).already_fits(0) > 0.8
    if kind == "layers" and not grads:
        # A head that nobody trained makes a model that is to be trained.
        module[-1] = fresh[-1]
        assert TorchLearner(module, examples, SHORT, CPU).already_fits(0) is None
