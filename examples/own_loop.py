"""Record training dynamics in your own loop; nothing about the loop changes."""

import numpy as np
import torch
from torch import nn

import dataaudit

torch.manual_seed(0)
n, classes = 500, 4
labels = torch.arange(n) % classes
inputs = torch.randn(n, 8) + 3.0 * nn.functional.one_hot(labels, 8)
labels[:20] = (labels[:20] + 1) % classes

model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, classes))
optimizer = torch.optim.AdamW(model.parameters(), 0.01)
recorder = dataaudit.Recorder(n, classes)
for _ in range(5):
    for batch in torch.randperm(n).split(50):
        logits = model(inputs[batch])
        loss = nn.functional.cross_entropy(logits, labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        recorder.update(batch, logits, labels[batch])
    recorder.end_epoch()

names = np.array(["ant", "bee", "cat", "dog"])
audit = dataaudit.score(recorder, (inputs, names[labels]), trained=model)
print(audit.suspects(5))
assert (audit.ranking()[:20] < 20).mean() > 0.8
