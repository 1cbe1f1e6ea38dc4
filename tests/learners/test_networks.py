import pytest
import torch

from dataaudit import networks
from dataaudit.errors import SettingError


@pytest.mark.parametrize("name", networks.names())
@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 9, 12), (3, 32, 32)])
def test_every_network_gives_one_logit_a_class(name, shape):
    if min(shape[1:]) < networks.SMALLEST.get(name, 1):
        with pytest.raises(SettingError, match="at least 9 pixels a side"):
            networks.build(name, shape, 7)
        return
    network = networks.build(name, shape, 7)()
    assert network(torch.zeros(3, *shape)).shape == (3, 7)


@pytest.mark.parametrize("name", networks.names())
def test_every_call_is_a_fresh_initialisation(name):
    factory = networks.build(name, (1, 12, 12), 3)
    a, b = factory(), factory()
    assert a is not b
    assert any(not torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))


def test_the_papers_sizes():
    mlp = networks.build("mlp", (28, 28), 10)()
    assert [tuple(p.shape) for p in mlp.parameters() if p.ndim == 2] == [(512, 784), (256, 512), (10, 256)]
    inception = networks.SmallInception(3, 10)
    assert inception.classifier.in_features == 336
    assert sum(p.numel() for p in networks.ResNet18(3, 10).parameters()) == 11_173_962


def test_a_quarter_of_the_width_has_a_sixteenth_of_the_weights():
    whole, quarter = networks.ResNet18(3, 10), networks.ResNet18(3, 10, width=16)
    assert quarter[-1].in_features == 128
    ratio = sum(p.numel() for p in whole.parameters()) / sum(p.numel() for p in quarter.parameters())
    assert 15 < ratio < 16


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [("mpl", (4,), "did you mean 'mlp'"), ("resnet18", (28, 28), "channels, height, width")],
)
def test_what_cannot_be_built_is_refused(name, shape, message):
    with pytest.raises(SettingError, match=message):
        networks.build(name, shape, 2)
