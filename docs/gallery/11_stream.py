"""
Data on disk and in a stream
============================

Data need not fit into memory. Rows of a memory-mapped file are read block by block, and a stream is read once and kept
in a folder. Both give the same scores.
"""

import tempfile
from pathlib import Path

import datasets
import matplotlib.pyplot as plt
import numpy as np

import dataaudit

rng = np.random.default_rng(0)
temporary = tempfile.TemporaryDirectory()
folder = Path(temporary.name)
labels = np.arange(6000) % 6
centres = 2 * rng.normal(size=(6, 16))
spread = np.linspace(0.6, 1.6, 6)
vectors = (centres[labels] + spread[labels, None] * rng.normal(size=(6000, 16))).astype(np.float32)
planted = rng.choice(6000, 180, replace=False)
labels[planted] = (labels[planted] + 1) % 6
np.save(folder / "vectors.npy", vectors)

# %%
# First the file on disk.

mapped = np.load(folder / "vectors.npy", mmap_mode="r")
on_disk = dataaudit.score(None, (mapped, labels), progress=False)
print(on_disk.noise_rate())

# %%
# Then a stream of Hugging Face datasets.

stream = datasets.Dataset.from_dict({"vector": vectors, "label": labels}).to_iterable_dataset()
streamed = dataaudit.score(None, stream, inputs="vector", label="label", cache=folder / "kept", progress=False)
differ = np.abs(streamed.scores["consensus"] - on_disk.scores["consensus"]).max()
print(f"largest difference between their scores: {differ:.1g}")

# %%
# Left, how difficult the classes are, with the hardest on top. Right, how soon the planted errors are met.

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
streamed.plot.classes(ax=left)
left.set_ylabel("class")
found = np.isin(streamed.ranking(), planted).cumsum()
right.plot(found[:600])
right.set(xlabel="rows looked at", ylabel="planted errors found", title=f"{len(planted)} planted errors")
temporary.cleanup()
