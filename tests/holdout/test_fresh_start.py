"""No run starts from weights that may have seen its holdouts."""

import numpy as np
import pytest
from torch import nn

from dataaudit import Recipe
from dataaudit.errors import ModelError


def test_torch_modules_start_afresh_in_every_run(scored, noisy, network, quick):
    inputs, labels, wrong = noisy
    module = network()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    audit = scored(module, (inputs, labels), recipe=quick, runs=12)
    assert all((value == before[name]).all() for name, value in module.state_dict().items())
    assert audit.settings["holdout"]["init"] == "reset"
    factory = scored(network, (inputs, labels), recipe=quick, runs=12)
    for found in (audit, factory):
        values = found.columns["c_score"]
        known = np.isfinite(values)
        assert values[known & wrong].mean() < 0.3 < 0.8 < values[known & ~wrong].mean()


class Stubborn(nn.Module):
    """A layer whose weights nothing renews."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(__import__("torch").ones(3))
        self.layer = nn.Linear(6, 3)

    def forward(self, x):
        return self.layer(x) * self.scale


def test_a_module_that_cannot_be_reset_is_refused(scored, noisy, quick):
    inputs, labels, _ = noisy
    with pytest.raises(ModelError, match="reset_parameters"):
        scored(Stubborn(), (inputs, labels), recipe=quick, runs=2)
    kept = scored(Stubborn(), (inputs, labels), recipe=Recipe(epochs=1, init="keep"), runs=2)
    assert kept.settings["holdout"]["init"] == "keep"


def test_a_fitted_model_is_refused(scored, noisy, network):
    import torch

    inputs, labels, _ = noisy
    torch.manual_seed(0)
    module = network()
    optimizer = torch.optim.Adam(module.parameters(), 0.01)
    for _ in range(300):
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(torch.tensor(inputs)), torch.tensor(labels)).backward()
        optimizer.step()
    with pytest.raises(ModelError, match="already classifies"):
        scored(module, (inputs, labels), recipe=Recipe(epochs=1, init="keep"), runs=2)
    scored(module, (inputs, labels), recipe=Recipe(epochs=1), runs=1)


def test_a_fitted_module_leaks_nowhere_on_its_way_to_a_fresh_start(scored):
    """Weights that no reset renews, and buffers that hold the answers."""
    import torch

    rng = np.random.default_rng(0)
    inputs, labels = rng.normal(size=(200, 5)).astype(np.float32), rng.integers(2, size=200)

    class Scaled(nn.Linear):
        def __init__(self, *sizes):
            super().__init__(*sizes)
            self.scale = nn.Parameter(torch.ones(sizes[1]))

        def forward(self, x):
            return super().forward(x) * self.scale

    class Remembering(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("seen", torch.tensor(inputs))
            self.register_buffer("answers", nn.functional.one_hot(torch.tensor(labels)).float())
            self.layer = nn.Linear(5, 2)

        def forward(self, x):
            near = torch.cdist(x, self.seen).argmin(1)
            return 9.0 * self.answers[near] + 0.01 * self.layer(x)

    short = Recipe(epochs=1, learning_rate=1e-4)
    for module, message in (
        (nn.utils.weight_norm(nn.Linear(5, 2)), "renews|copied"),
        (Scaled(5, 2), "'scale'"),
        (Remembering(), "already classifies"),
    ):
        with pytest.raises(ModelError, match=message):
            scored(module, (inputs, labels), recipe=short, runs=3)


def test_frozen_classifiers_are_refused(scored, blobs):
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.ensemble import VotingClassifier
    from sklearn.frozen import FrozenEstimator
    from sklearn.neighbors import KNeighborsClassifier

    fitted = FrozenEstimator(KNeighborsClassifier(1).fit(*blobs))
    for model in (CalibratedClassifierCV(fitted), VotingClassifier([("a", fitted)], voting="soft")):
        with pytest.raises(ModelError, match="stays as it was fitted"):
            scored(model, blobs, runs=3)
