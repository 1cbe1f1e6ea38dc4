"""Images that no layout fits: what the error says, and of which layout."""

import numpy as np
import pytest
from torch import nn

import dataaudit
from dataaudit import networks
from dataaudit.errors import ModelError


def cnn(channels=3, classes=3):
    return nn.Sequential(
        nn.Conv2d(channels, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, classes)
    )


class Turns(nn.Module):
    """Takes channels last."""

    def forward(self, x):
        return x.permute(0, 3, 1, 2)


def scored(model, dataset):
    return dataaudit.score(model, dataset, progress=False)


@pytest.mark.parametrize(
    ("model", "shape", "classes", "message"),
    [
        (lambda: cnn(3), (10, 9, 2), 3, "fails on inputs (2, 10, 9, 2) of torch.float32: Given groups=1"),
        (lambda: networks.MLP(270, 4), (10, 9, 3), 3, "model outputs of shape (2, 4) for 2 rows"),
        (lambda: nn.Sequential(Turns(), cnn()), (10, 9, 3), 4, "model outputs of shape (2, 3) for 2 rows"),
    ],
)
def test_where_the_given_layout_is_the_right_one_the_error_is_of_it(model, shape, classes, message):
    inputs = np.zeros((30, *shape), np.float32)
    with pytest.raises(ModelError) as caught:
        scored(model, (inputs, np.arange(30) % classes))
    assert message in str(caught.value)
    assert "turned" not in str(caught.value)


@pytest.mark.parametrize(("channels", "shape"), [(3, (10, 9, 3)), (4, (10, 9, 4)), (1, (10, 9, 1)), (1, (10, 9))])
def test_a_wrong_number_of_classes_is_named_of_images_that_need_turning(channels, shape):
    inputs = np.zeros((30, *shape), np.float32)
    with pytest.raises(ModelError) as caught:
        scored(lambda: cnn(channels), (inputs, np.arange(30) % 5))
    error = caught.value
    assert error.arrived.startswith("model outputs of shape (2, 3) for 2 rows, images [n, H, W")
    assert "channels" not in str(error)
    assert error.expected.startswith("(2, 5): one logit for each of the 5 classes")
    assert error.action.startswith("give the last layer 5 outputs")


@pytest.mark.parametrize("classes", [3, 5])
@pytest.mark.parametrize(
    ("channels", "shape", "first_axis", "there"),
    [
        (4, (10, 9, 3), 10, 3),
        (3, (10, 9, 1), 10, 1),
        (1, (10, 9, 3), 10, 3),
        (3, (10, 9), None, 1),
        (5, (3, 10, 4), 3, 4),
    ],
)
def test_a_wrong_number_of_channels_is_named_in_both_layouts(channels, shape, first_axis, there, classes):
    inputs = np.zeros((30, *shape), np.float32)
    with pytest.raises(ModelError) as caught:
        scored(lambda: cnn(channels), (inputs, np.arange(30) % classes))
    told = str(caught.value)
    assert "in neither layout" in told
    assert f"to have {channels} channels, but got {there} channels" in told
    if first_axis is not None:
        assert f"to have {channels} channels, but got {first_axis} channels" in told
    assert "first layer" in caught.value.action


def test_a_failure_that_is_no_matter_of_layout_is_told_once():
    class Broken(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 2)

        def forward(self, x):
            raise ValueError("out of order")

    with pytest.raises(ModelError) as caught:
        scored(Broken, (np.zeros((30, 10, 9, 3), np.float32), np.arange(30) % 3))
    assert str(caught.value).count("out of order") == 1
