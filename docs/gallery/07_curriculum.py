"""
Training with the scores
========================

Three labels in ten of the training set are planted errors. We train a network on it three times: as it is, with less
weight for suspects, and with a sampler that leaves out more and more of the largest losses.
"""

from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

import dataaudit

digits = load_digits()
inputs, true = torch.tensor(digits.data / 16, dtype=torch.float32), torch.tensor(digits.target)
rng = np.random.default_rng(0)
train, test = torch.tensor(rng.permutation(len(true))).split([1200, 597])
x, y = inputs[train], true[train]
planted = rng.choice(1200, 360, replace=False)
y[planted] = (y[planted] + torch.tensor(rng.integers(1, 10, 360))) % 10
epochs = 15


def network() -> nn.Module:
    """A small one, with fresh weights."""
    return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))


def accuracies(weigh: Callable[[dataaudit.Recorder], Any]) -> list[float]:
    """Accuracy on clean test data after each epoch. Examples are drawn by weight."""
    torch.manual_seed(0)
    model, recorder, reached = network(), dataaudit.Recorder(1200, 10), []
    optimizer = torch.optim.AdamW(model.parameters(), 0.003)
    sampler = dataaudit.CurriculumSampler(weigh(recorder))
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        for batch in torch.tensor(list(sampler)).split(50):
            logits = model(x[batch])
            optimizer.zero_grad()
            nn.functional.cross_entropy(logits, y[batch]).backward()
            optimizer.step()
            recorder.update(batch, logits, y[batch])
        recorder.end_epoch()
        reached.append((model(inputs[test]).argmax(1) == true[test]).float().mean().item())
    return reached


# %%
# The audit gives a weight to each example. Suspects weigh less.

audit = dataaudit.score(network, (x.numpy(), y.numpy()), progress=False)
weights = audit.weights("suspects")
figure, ax = plt.subplots(layout="constrained")
ax.hist([np.delete(weights, planted), weights[planted]], 30, stacked=True, label=["right label", "planted error"])
ax.set(xlabel="weight", ylabel="examples")
ax.legend()

# %%
# The test labels are right. Without the wrong ones, training reaches more of them.

ways = {
    "as it is": lambda recorder: np.ones(1200),
    'weights("suspects")': lambda recorder: weights,
    "SmallLoss": lambda recorder: audit.schedule(dataaudit.SmallLoss(recorder), epochs),
}
# sphinx_gallery_thumbnail_number = 2
figure, ax = plt.subplots(layout="constrained")
for name, weigh in ways.items():
    ax.plot(range(1, epochs + 1), accuracies(weigh), ".-", label=name)
ax.set(xlabel="epoch", ylabel="accuracy on clean test data")
ax.legend()
