"""
Training dynamics
=================

A network learns regular examples first, unusual ones later, and :ref:`wrong labels <term-label-error>` last, if it can
learn them by heart at all. So the course of one training, its :ref:`dynamics <term-dynamics>`, already tells much. A
recorder writes down, after each epoch and for each example, whether the network was right and how probable it found
the label.

Here every twentieth digit gets a wrong label that is planted.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from torch import nn, optim, randperm, tensor

import dataaudit

digits = load_digits()
inputs, labels = (digits.data / 16).astype(np.float32), digits.target.copy()
labels[::20] = (labels[::20] + 1) % 10
wrong = np.arange(len(labels)) % 20 == 0

network = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
optimizer = optim.SGD(network.parameters(), 0.2, momentum=0.9)
recorder = dataaudit.Recorder(n=len(labels), classes=10)
x, y = tensor(inputs), tensor(labels)
probabilities = []
for _ in range(20):
    for batch in randperm(len(labels)).split(64):
        logits = network(x[batch])
        nn.functional.cross_entropy(logits, y[batch]).backward()
        optimizer.step()
        optimizer.zero_grad()
        recorder.update(batch, logits, y[batch])
    recorder.end_epoch()
    probabilities.append(network(x).softmax(1)[range(len(y)), y].detach().numpy())
audit = dataaudit.score(recorder, (inputs, labels), progress=False)

# %%
# The probability of the given label, epoch by epoch. Wrong labels rise last.

curves = np.array(probabilities)
hard = np.argsort(np.where(wrong, np.inf, curves.mean(0)))[:90]
groups = {"the other labels": ~wrong, "the hardest ninety of them": hard, "planted errors": wrong}
figure, ax = plt.subplots(figsize=(7, 3.5), layout="constrained")
for (name, rows), style in zip(groups.items(), ("-", "--", ":"), strict=True):
    ax.plot(range(1, 21), curves[:, rows].mean(1), style, label=name, linewidth=2)
ax.set(xlabel="epoch", ylabel="mean probability of the label", ylim=(0, 1.02))
ax.legend()

# %%
# The data map draws mean and variation of these probabilities. Errors lie low, ambiguous examples to the right.

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
mean, spread = audit.scores["mean_confidence"], audit.scores["variability"]
ax.plot(spread[~wrong], mean[~wrong], ".", alpha=0.4, label="the other labels")
ax.plot(spread[wrong], mean[wrong], "x", label="planted errors")
ax.set(xlabel="variability", ylabel="mean confidence")
ax.legend()
