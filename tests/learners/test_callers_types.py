"""Modules within types and modes that the caller has set: what they are trained in, and what is refused."""

import numpy as np
import pytest
import torch
from torch import nn

from dataaudit import Recipe, score
from dataaudit.common import guest
from dataaudit.errors import ModelError, SettingError

LABELS = np.arange(60) % 3
INPUTS = (np.random.default_rng(0).normal(size=(60, 5)) + 3.0 * np.eye(3, 5)[LABELS]).astype(np.float32)
RECIPE = Recipe(epochs=2, precision="float32", batch_size=16)


def net(dtype=torch.float32):
    return nn.Sequential(nn.Linear(5, 16, dtype=dtype), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 3, dtype=dtype))


def margins(model, recipe):
    return score(model, (INPUTS, LABELS), "mean_margin", recipe=recipe, progress=False).columns["mean_margin"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_settings_tell_the_precision_that_was_trained_in(dtype, precision):
    ran = []

    class Model(nn.Linear):
        def forward(self, inputs):
            outputs = super().forward(inputs)
            if self.training:
                ran.append(outputs.dtype)
            return outputs

    with torch.autocast("cpu", torch.float16):
        found = score(
            Model(5, 3, dtype=dtype), (INPUTS, LABELS), "mean_margin", recipe=Recipe(epochs=1, precision=precision),
            progress=False,
        )  # fmt: skip
    assert {str(one) for one in ran} == {f"torch.{found.settings['precision']}"}


def test_a_model_without_values_is_refused_and_its_factory_is_not():
    with torch.device("meta"):
        with pytest.raises(ModelError, match="'meta'"):
            score(net(), (INPUTS, LABELS), recipe=RECIPE, progress=False)
        found = margins(net, recipe=RECIPE)
    np.testing.assert_equal(found, margins(net, recipe=RECIPE))


def test_a_model_that_a_factory_makes_is_of_the_callers_default_type():
    with guest.default_dtype(torch.float64):
        found = score(lambda: net(dtype=None), (INPUTS, LABELS), "mean_margin", recipe=RECIPE, progress=False)
    assert found.settings["precision"] == "float64"


def test_weights_in_training_are_cast_anew_within_the_callers_autocast():
    """Autocast keeps what it cast to its outermost end."""

    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(5, 5)
            self.last = nn.Linear(5, 3)

        def forward(self, inputs):
            return self.last(self.layer(self.layer(inputs)))

    torch.manual_seed(1)
    model, recipe = Twice(), Recipe(epochs=3, precision="bfloat16", batch_size=16)
    usual = margins(model, recipe=recipe)
    with torch.autocast("cpu", torch.bfloat16), torch.autocast("cpu", torch.bfloat16):
        np.testing.assert_equal(margins(model, recipe=recipe), usual)


class Undetermined(nn.Linear):
    def forward(self, inputs):
        outputs = super().forward(inputs)
        if self.training:
            torch.zeros(3).put_(torch.tensor([0]), torch.ones(1))
        return outputs


def test_operations_without_a_deterministic_version_are_explained():
    model = Undetermined(5, 3)
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        with pytest.raises(SettingError, match=r"use_deterministic_algorithms.*warn_only"):
            score(model, (INPUTS, LABELS), "mean_margin", recipe=RECIPE, progress=False)
    finally:
        torch.use_deterministic_algorithms(before)
    score(model, (INPUTS, LABELS), "mean_margin", recipe=RECIPE, progress=False)
