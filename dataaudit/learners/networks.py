"""Networks: the paper's (table 2, appendix A) and smaller ones."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class MLP(nn.Sequential):
    """Fully connected network on flattened inputs; 512 and 256 hidden units are the paper's for MNIST."""

    def __init__(self, features: int, classes: int, hidden: Sequence[int] = (512, 256)) -> None:
        layers: list[nn.Module] = [nn.Flatten()]
        for width in hidden:
            layers += [nn.Linear(features, width), nn.ReLU()]
            features = width
        super().__init__(*layers, nn.Linear(features, classes))


class SmallCNN(nn.Sequential):
    """Two strided convolutions and two linear layers: seconds an epoch on a CPU, pictures of 8 pixels or more."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__(
            nn.Conv2d(channels, 16, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(7),
            nn.Flatten(),
            nn.Linear(32 * 49, 128),
            nn.ReLU(),
            nn.Linear(128, classes),
        )


def _conv(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class _Block(nn.Module):
    def __init__(self, inputs: int, narrow: int, wide: int) -> None:
        super().__init__()
        self.narrow = _conv(inputs, narrow, 1)
        self.wide = _conv(inputs, wide, 3)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.narrow(x), self.wide(x)], 1)


class SmallInception(nn.Module):
    """The paper's Inception for small images (table 2)."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [_conv(channels, 96, 3)]
        width = 96
        stages = (
            ([(32, 32), (32, 48)], 160),
            ([(112, 48), (96, 64), (80, 80), (48, 96)], 240),
            ([(176, 160), (176, 160)], None),
        )
        for blocks, reduced in stages:
            for narrow, wide in blocks:
                layers.append(_Block(width, narrow, wide))
                width = narrow + wide
            if reduced is not None:
                layers.append(_conv(width, reduced, 3, stride=2))
                width = reduced
        self.features = nn.Sequential(*layers, nn.AdaptiveMaxPool2d(1), nn.Flatten())
        self.classifier = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [b, classes] of images [b, channels, height, width]."""
        out: Tensor = self.classifier(self.features(x))
        return out


class _Residual(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _conv(inputs, outputs, 3, stride),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.shortcut(x))


class ResNet18(nn.Sequential):
    """ResNet-18 for small images: a 3 x 3 first convolution and no first pooling.

    `width` is the channels of the first stage, doubled at each of the three that follow.
    """

    def __init__(self, channels: int, classes: int, width: int = 64) -> None:
        layers: list[nn.Module] = [_conv(channels, width, 3)]
        inputs = width
        for outputs, stride in ((width, 1), (2 * width, 2), (4 * width, 2), (8 * width, 2)):
            layers += [_Residual(inputs, outputs, stride), _Residual(outputs, outputs, 1)]
            inputs = outputs
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, classes))


class _Pair(nn.Sequential):
    """Two convolutions with batch normalisation and GELU, the first followed by halving pooling."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
            nn.MaxPool2d(2),
            nn.BatchNorm2d(outputs),
            nn.GELU(),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.GELU(),
        )


class BlockCNN(nn.Sequential):
    """Three blocks of convolutions that halve the image: natural images on a CPU, of 9 pixels a side or more."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__(
            nn.Conv2d(channels, 24, 2),
            nn.GELU(),
            _Pair(24, 64),
            _Pair(64, 128),
            _Pair(128, 128),
            nn.AdaptiveMaxPool2d(1),
            nn.Flatten(),
            nn.Linear(128, classes),
        )
