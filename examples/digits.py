"""Find planted label errors in scikit-learn's digits with a small network."""

import numpy as np
from sklearn.datasets import load_digits

import dataaudit

digits = load_digits()
inputs = (digits.data / 16).astype(np.float32)
labels = digits.target.copy()
wrong = np.random.default_rng(0).choice(len(labels), 90, replace=False)
labels[wrong] = (labels[wrong] + 1) % 10

model = dataaudit.networks.build("mlp", input_shape=(64,), classes=10)
audit = dataaudit.score(model, (inputs, labels))
print(audit)

found = np.isin(audit.ranking()[:90], wrong).mean()
print(f"{found:.0%} of the 90 most suspicious examples are planted errors")
assert found > 0.8
