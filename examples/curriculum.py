"""Train with the scores: a loop whose sampler leaves more and more of the largest losses out, and a pipeline."""

from collections.abc import Callable
from typing import Any

import numpy as np
import sklearn
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

import dataaudit

digits = load_digits()
inputs, true = (digits.data / 16).astype(np.float32), digits.target
rng = np.random.default_rng(0)
train, test = np.split(rng.permutation(len(true)), [1200])
labels = true.copy()
wrong = rng.choice(train, 360, replace=False)  # 30 % of the training labels
labels[wrong] = (labels[wrong] + rng.integers(1, 10, len(wrong))) % 10
x, y = inputs[train], labels[train]


def network() -> nn.Module:
    """A small one, with fresh weights."""
    return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))


audit = dataaudit.score(network, (x, y), progress=False)
weights = audit.weights("suspects", dataset=(x, y))  # another data set than the audited one would be refused
print(f"wrong labels weigh {weights[np.isin(train, wrong)].mean():.2f}, right ones {weights.mean():.2f} on average")


def trained(weigh: Callable[[dataaudit.Recorder, int], Any], epochs: int = 12) -> float:
    """Accuracy of a network after a plain loop; batches are drawn by the weights of each epoch."""
    torch.manual_seed(0)
    model = network()
    optimizer = torch.optim.AdamW(model.parameters(), 0.003)
    recorder = dataaudit.Recorder(len(y), 10)
    sampler = dataaudit.CurriculumSampler(weigh(recorder, epochs))
    data = torch.utils.data.TensorDataset(torch.arange(len(y)), torch.tensor(x), torch.tensor(y))
    loader = torch.utils.data.DataLoader(data, batch_size=50, sampler=sampler)
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        for index, batch, given in loader:
            logits = model(batch)
            optimizer.zero_grad()
            nn.functional.cross_entropy(logits, given).backward()
            optimizer.step()
            recorder.update(index, logits, given)
        recorder.end_epoch()
    return float((model(torch.tensor(inputs[test])).argmax(1).numpy() == true[test]).mean())


plain = trained(lambda recorder, epochs: np.ones(len(y)))
suspects = trained(lambda recorder, epochs: weights)
paced = trained(lambda recorder, epochs: audit.schedule("easy_to_hard", epochs))
small = trained(lambda recorder, epochs: audit.schedule(dataaudit.SmallLoss(recorder), epochs))
print(f"plain {plain:.3f}, suspects {suspects:.3f}, easy to hard {paced:.3f}, small loss {small:.3f}")

pipeline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
unweighted = pipeline.fit(x, y).score(inputs[test], true[test])
weighted = pipeline.fit(x, y, logisticregression__sample_weight=weights).score(inputs[test], true[test])
print(f"logistic regression {unweighted:.3f}, with sample_weight {weighted:.3f}")

# In a search, metadata routing carries them; the score of a candidate takes them too, or says that it does not.
with sklearn.config_context(enable_metadata_routing=True):
    scaler = StandardScaler().set_fit_request(sample_weight=False)
    classifier = LogisticRegression(max_iter=500).set_fit_request(sample_weight=True)
    classifier.set_score_request(sample_weight=True)
    search = GridSearchCV(make_pipeline(scaler, classifier), {"logisticregression__C": [0.01, 1.0]}, cv=3)
    search.fit(x, y, sample_weight=weights)
print(f"best of a search by weighted accuracy: {search.best_params_}, {search.best_score_:.3f}")
assert search.best_score_ > 0.5
assert suspects > plain
assert weighted > unweighted
