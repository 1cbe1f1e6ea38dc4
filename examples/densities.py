"""Where do examples lie? Densities of pixels and of the hidden layer find planted label errors, and odd examples."""

import numpy as np
from sklearn.datasets import load_digits

import dataaudit
from dataaudit import Density

digits = load_digits()
inputs = (digits.data / 16).astype(np.float32)
labels = digits.target.copy()
wrong = np.random.default_rng(0).choice(len(labels), 90, replace=False)
labels[wrong] = (labels[wrong] + 1) % 10

model = dataaudit.networks.build("mlp", input_shape=(64,), classes=10)
early = Density("hidden", "parzen", epochs=[2])
scorers: list[str | Density] = ["density/input", "parzen/input", "parzen/hidden", "parzen/gradient", early]
audit = dataaudit.score(model, (inputs, labels), scorers, progress=False)
for name in ("parzen/input", "parzen/hidden", early.name):
    found = np.isin(audit.ranking(name)[:90], wrong).mean()
    print(f"{name}: {found:.0%} of the 90 most suspicious examples are planted errors")
print("far from everything:", audit.ranking("density/input")[:5])
print("bandwidths:", {name: round(how[0]["bandwidth"], 3) for name, how in audit.settings["density"].items()})

# Without a model: only where the inputs lie.
alone = dataaudit.score(None, (inputs, labels), "parzen/input", progress=False)
assert np.isin(alone.ranking()[:90], wrong).mean() > 0.8
