"""Representations against gradients that autograd writes out, one example at a time."""

import numpy as np
import pytest
import torch
from torch import nn

from dataaudit import Recipe
from dataaudit.data import as_examples
from dataaudit.density.bandwidth import mean_distance
from dataaudit.errors import ModelError, SettingError
from dataaudit.learners.torch import TorchLearner
from dataaudit.representations import sketch
from dataaudit.representations.collect import represent
from dataaudit.representations.readers import Reader, softmax_delta
from dataaudit.representations.spaces import SPACES, Space, SpaceKind
from dataaudit_kernels.layers import GradientFactors
from dataaudit_kernels.reference import written_out

N = 37


class Net(nn.Module):
    """Two linear layers around an activation in place, a frozen one, and one without a bias at the end."""

    def __init__(self, bias=False):
        super().__init__()
        self.first, self.frozen = nn.Linear(6, 5), nn.Linear(5, 5)
        self.act, self.drop, self.last = nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Linear(5, 3, bias=bias)
        self.frozen.requires_grad_(False)

    def forward(self, x):
        return self.last(self.drop(self.act(self.frozen(self.act(self.first(x))))))


class Conv(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 4, 2), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3))

    def forward(self, x):
        return self.body(x.reshape(-1, 1, 2, 3))


def fitted(module, seed=0):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(N, 6)).astype(np.float32), np.arange(N) % 3
    learner = TorchLearner(module, as_examples((x, y)), Recipe(), torch.device("cpu"))
    return learner.untrained(), torch.tensor(x), y


def autograd(module, x, y, parameters, loss=None):
    rows = []
    for i in range(len(x)):
        logits = module(x[i : i + 1])
        given = torch.tensor(y[i : i + 1])
        value = nn.functional.cross_entropy(logits, given) if loss is None else loss(logits, given).sum()
        rows.append(torch.cat([g.flatten() for g in torch.autograd.grad(value, parameters)]).numpy())
    return np.array(rows, np.float64)


def distances(rows):
    gram = rows @ rows.T
    return np.diag(gram)[:, None] + np.diag(gram) - 2 * gram


class LogitsReader(Reader):
    """Logits: the reader of a space that the library does not have."""

    def __init__(self, module, inputs, keep, space, seed):
        self.watched, self.described, self.kept = [], {"classes": module(inputs).shape[1]}, [keep("rows")]

    def read(self, batch):
        self.kept[0].put(batch.rows.start, batch.logits.detach().numpy())

    def features(self):
        return self.kept[0].whole()


def test_a_new_space_is_a_reader_and_a_line(monkeypatch):
    monkeypatch.setitem(SPACES, "logits", SpaceKind("the logits", f"{__name__}:LogitsReader", searchable=True))
    model, x, y = fitted(Net())
    space = Space("logits", epoch=2)
    assert space.of_model
    assert space.searchable
    rows, described = represent(model, [space], y, 0, False)[space]
    np.testing.assert_array_equal(rows, model.module(x).detach().numpy())
    assert described == {"classes": 3}
    with pytest.raises(SettingError, match="for 'hidden' alone"):
        Space("logits", layer="last")


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("space", ["gradient", "gradient_linear"])
def test_factors_are_the_gradients_that_autograd_gives(bias, space):
    torch.manual_seed(0)
    model, x, y = fitted(Net(bias))
    module = model.module
    layers, described = represent(model, [Space(space)], y, 0, False, batch_size=10)[Space(space)]
    names = ["last"] if space == "gradient" else ["first", "last"]
    assert described["layers"] == names
    parameters = [p for name in names for p in module.get_submodule(name).parameters()]
    truth = autograd(module, x, y, parameters)
    found = written_out([GradientFactors(*layer) for layer in layers])
    np.testing.assert_allclose(distances(found), distances(truth), rtol=1e-4, atol=1e-6)


def test_hidden_is_what_the_last_layer_sees_in_evaluation_mode():
    torch.manual_seed(1)
    model, x, y = fitted(Net())
    wanted = [Space("hidden"), Space("hidden", "frozen"), Space("hidden", "first")]
    found = represent(model, wanted, y, 0, False)
    module = model.module
    with torch.no_grad():
        inner = torch.relu(module.first(x))
        last = torch.relu(module.frozen(inner))
    np.testing.assert_allclose(found[wanted[0]][0], last, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found[wanted[1]][0], inner, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found[wanted[2]][0], x)
    assert [found[one][1]["layer"] for one in wanted] == ["last", "frozen", "first"]


def squared_error(logits, labels):
    return ((logits - (labels[:, None] == torch.arange(3)).float()) ** 2).sum(1)


@pytest.mark.parametrize("loss", [None, squared_error])
def test_small_models_have_their_whole_gradient(loss):
    torch.manual_seed(2)
    model, x, y = fitted(Conv())
    wanted = Space("gradient_sketch", loss=loss)
    found, described = represent(model, [wanted], y, 0, False)[wanted]
    truth = autograd(model.module, x, y, list(model.module.parameters()), loss)
    np.testing.assert_allclose(found, truth, rtol=1e-3, atol=1e-5)
    assert described["sketch"] is None
    assert described["loss"] == ("softmax cross-entropy" if loss is None else "squared_error")


def test_a_sketch_keeps_distances_and_depends_on_its_seed_alone():
    torch.manual_seed(3)
    wide = nn.Sequential(nn.Linear(6, 1000), nn.ReLU(), nn.Linear(1000, 10), nn.ReLU(), nn.Linear(10, 3))
    model, x, y = fitted(wide)
    wanted = Space("gradient_sketch")
    found, described = represent(model, [wanted], y, 0, False)[wanted]
    assert found.shape == (N, sketch.WIDTH)
    assert described["sketch"] == sketch.WIDTH
    truth = autograd(model.module, x, y, list(model.module.parameters()))
    pairs = ~np.eye(N, dtype=bool)
    relative = distances(found.astype(np.float64))[pairs] / distances(truth)[pairs] - 1
    assert abs(relative.mean()) < 0.02
    assert relative.std() < 2 * np.sqrt(2 / sketch.WIDTH)
    again = represent(model, [wanted], y, 0, False)[wanted][0]
    np.testing.assert_array_equal(found, again)
    assert (represent(model, [wanted], y, 1, False)[wanted][0] != found).any()


@pytest.mark.parametrize("together", [0, 1, 7, N])
def test_a_sketch_is_the_same_however_many_gradients_are_held_at_a_time(together):
    torch.manual_seed(3)
    wide = nn.Sequential(nn.Linear(6, 1000), nn.ReLU(), nn.Linear(1000, 3))
    _, x, y = fitted(wide)
    count = sum(parameter.numel() for parameter in wide.parameters())
    arguments = x, torch.tensor(y), softmax_delta(wide(x).detach(), torch.tensor(y))
    one, whole = sketch.Sketch(wide, None, 0, gradient_bytes=16 * count * together), sketch.Sketch(wide, None, 0)
    assert (one.batch, whole.batch >= N) == (max(1, together), True)
    torch.testing.assert_close(one.rows(*arguments), whole.rows(*arguments))


def test_confident_gradients_keep_their_digits():
    logits, labels = torch.tensor([[30.0, 0.0, -5.0]]), torch.tensor([0])
    delta = softmax_delta(logits, labels)
    assert delta[0, 1].item() == pytest.approx(np.exp(-30.0), rel=1e-6)
    assert delta[0, 0].item() == pytest.approx(-np.exp(-30.0), rel=1e-2)
    assert delta.sum().item() == pytest.approx(0.0, abs=1e-20)


def test_reading_leaves_the_model_and_the_random_state_alone():
    model, _, y = fitted(Net())
    state = {name: value.clone() for name, value in model.module.state_dict().items()}
    hooks = [dict(module._forward_hooks) for module in model.module.modules()]
    before = torch.get_rng_state()
    every = [Space(space) for space in ("hidden", "gradient", "gradient_linear", "gradient_sketch")]
    together = represent(model, every, y, 0, False)
    assert torch.equal(before, torch.get_rng_state())
    for name, value in model.module.state_dict().items():
        assert torch.equal(value, state[name])
    assert all(parameter.grad is None for parameter in model.module.parameters())
    assert [dict(module._forward_hooks) for module in model.module.modules()] == hooks
    alone = represent(model, [Space("gradient_linear")], y, 0, False)[Space("gradient_linear")][0]
    for ours, theirs in zip(together[Space("gradient_linear")][0], alone, strict=True):
        np.testing.assert_array_equal(ours.delta, theirs.delta)
    assert mean_distance(alone, 0)[0] > 0


def test_a_model_that_diverged_is_named():
    model, _, y = fitted(Net())
    with torch.no_grad():
        model.module.last.weight[0, 0] = float("nan")
    with pytest.raises(ModelError, match="NaN or infinite logits in rows"):
        represent(model, [Space("hidden")], y, 0, False)


class Branching(nn.Module):
    """A model that looks at values, which vmap cannot."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 3)

    def forward(self, x):
        return self.linear(x if x.sum() > 0 else -x)


def test_a_model_that_vmap_cannot_run_is_refused_in_words():
    model, _, y = fitted(Branching())
    with pytest.raises(ModelError, match="example by example"):
        represent(model, [Space("gradient_sketch")], y, 0, False)


class Squeezing(nn.Module):
    """Drops the axis of the batch where it holds one example."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(6, 5), nn.Linear(5, 3)

    def forward(self, x):
        return self.last(self.first(x)[:, :, None, None].squeeze())


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 3)
        self.second.weight = self.first.weight

    def forward(self, x):
        return self.last(self.second(self.first(x)))


class Embedded(nn.Module):
    """A last layer that shares its weights with a part that is no linear layer."""

    def __init__(self):
        super().__init__()
        self.embedding, self.last = nn.Embedding(3, 6), nn.Linear(6, 3, bias=False)
        self.last.weight = self.embedding.weight

    def forward(self, x):
        return self.last(x + self.embedding.weight.mean(0))


class Regular(nn.Module):
    """A layer whose weights are used without it as well."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(6, 6), nn.Linear(6, 3)

    def forward(self, x):
        return self.last(self.first(x) + nn.functional.linear(x, self.first.weight))


class Aside(nn.Module):
    """A layer that runs last and gives nothing to the logits, and a body that is not trained."""

    def __init__(self):
        super().__init__()
        self.body, self.main, self.aside = nn.Linear(6, 5), nn.Linear(5, 3), nn.Linear(6, 2)

    def forward(self, x):
        with torch.no_grad():
            hidden = self.body(x)
        logits = self.main(hidden)
        self.aside(x)
        return logits


def test_a_model_that_loses_the_batch_is_refused_for_a_sketch():
    model, _, y = fitted(Squeezing())
    with pytest.raises(ModelError, match="squeeze"):
        represent(model, [Space("gradient_sketch")], y, 0, False)


@pytest.mark.parametrize("n", [1, 11, 21])
def test_no_batch_of_one_row_among_many(n):
    model, _x, y = fitted(Net())
    rows, _ = represent(model, [Space("hidden")], y[:n], 0, False, batch_size=10)[Space("hidden")]
    assert rows.shape == (n, 5)
    if n > 1:
        squeezing, _, _ = fitted(Squeezing())
        assert len(represent(squeezing, [Space("hidden")], y[:n], 0, False, batch_size=10)[Space("hidden")][0]) == n


@pytest.mark.parametrize(
    ("module", "space"),
    [
        (Tied, "gradient_linear"),
        (Embedded, "gradient_linear"),
        (Embedded, "gradient"),
        (Regular, "gradient_linear"),
    ],
)
def test_tied_layers_are_refused_in_factors(module, space):
    model, _, y = fitted(module())
    with pytest.raises(ModelError, match="used otherwise"):
        represent(model, [Space(space)], y, 0, False)


class Lowered(nn.Module):
    """Products in bfloat16 of weights in float32."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(6, 64), nn.Linear(64, 3)

    def forward(self, x):
        with torch.autocast("cpu", torch.bfloat16):
            return self.last(self.first(x).relu()).float()


class Deployed(nn.Module):
    """No gradient, whoever asks."""

    def __init__(self):
        super().__init__()
        self.last = nn.Linear(6, 3)

    @torch.no_grad()
    def forward(self, x):
        return self.last(x)


@pytest.mark.parametrize(
    "module",
    [
        lambda: nn.Sequential(nn.Linear(6, 4), nn.utils.parametrizations.spectral_norm(nn.Linear(4, 3))),
        lambda: nn.Linear(6, 3),
        Lowered,
        Deployed,
    ],
)
def test_layers_of_other_kinds_are_none_that_share(module):
    model, _, y = fitted(module())
    assert represent(model, [Space("gradient")], y, 0, False)


def test_a_layer_with_two_names_shares_nothing():
    """Nor does one whose weights are kept in a list, for a penalty, or in a part that does not run."""
    module = nn.Sequential(nn.Linear(6, 4), nn.Linear(4, 3))
    module.head = nn.Identity()
    module.head.same, module.head.kept = module[1], nn.ParameterList([module[1].weight])
    module.head.unused = nn.Linear(4, 3)
    module.head.unused.weight = module[1].weight
    model, _, y = fitted(module)
    for space in ("gradient", "gradient_linear"):
        assert represent(model, [Space(space)], y, 0, False)


def test_layers_aside_are_no_part_of_the_gradient():
    model, x, y = fitted(Aside())
    found = represent(model, [Space("hidden"), Space("gradient"), Space("gradient_linear")], y, 0, False)
    assert found[Space("hidden")][1]["layer"] == "main"
    layers, described = found[Space("gradient_linear")]
    assert described["layers"] == ["main"]
    truth = autograd(model.module, x, y, list(model.module.main.parameters()))
    written = written_out([GradientFactors(*layer) for layer in layers])
    np.testing.assert_allclose(distances(written), distances(truth), rtol=1e-4, atol=1e-6)


def test_an_activation_after_the_last_layer_is_seen_in_any_batch():
    model, _x, y = fitted(nn.Sequential(nn.Linear(6, 3), nn.ReLU()))
    with torch.no_grad():
        model.module[0].weight.zero_()
        model.module[0].bias.fill_(1.0)
        model.module[0].weight[0, 0] = 1.0
    model.inputs = lambda rows: torch.where(torch.from_numpy(rows)[:, None] < 30, 0.0, -9.0) * torch.ones(1, 6)
    with pytest.raises(ModelError, match="gives out"):
        represent(model, [Space("gradient")], y, 0, False)


@pytest.mark.parametrize("space", ["gradient_linear", "gradient_sketch"])
def test_examples_that_meet_have_no_gradient_of_their_own(space):
    body = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5, track_running_stats=False), nn.Linear(5, 3))
    model, _, y = fitted(body)
    with pytest.raises(ModelError, match="running statistics"):
        represent(model, [Space(space)], y, 0, False)


@pytest.mark.parametrize("scale", [1e-170, 1e170])
def test_distances_of_any_scale(scale):
    rows = np.random.default_rng(0).normal(size=(50, 4))
    assert mean_distance(rows * scale, 0)[0] == pytest.approx(scale * mean_distance(rows, 0)[0])
