"""
A folder of images
==================

Many image data sets are a folder with a folder for each class. This one is made: circles, squares and triangles. A few
pictures are put into the wrong folder, and the audit is to find them.
"""

import tempfile
from pathlib import Path

import datasets
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image, ImageDraw

import dataaudit

rng = np.random.default_rng(0)
shapes = ["circle", "square", "triangle"]
temporary = tempfile.TemporaryDirectory()
folder = Path(temporary.name)


def draw(shape: str) -> Image.Image:
    """A shape of any size, place and brightness, with noise."""
    image = Image.fromarray(rng.integers(0, 60, (32, 32), dtype=np.uint8))
    (x, y), size, grey = rng.integers(13, 19, 2), int(rng.integers(8, 12)), int(rng.integers(120, 255))
    sides = {"square": 4, "triangle": 3}.get(shape, 40)
    ImageDraw.Draw(image).regular_polygon((int(x), int(y), size), sides, rotation=int(rng.integers(-15, 15)), fill=grey)
    return image


for number in range(600):
    shape = shapes[number % 3]
    planted = number < 24
    place = folder / "images" / (shapes[(number + 1) % 3] if planted else shape)
    place.mkdir(parents=True, exist_ok=True)
    draw(shape).save(place / f"{'planted' if planted else 'right'}_{number}.png")

# %%
# Hugging Face datasets read such a folder, and a small network is trained on it.

datasets.disable_progress_bars()
images = datasets.load_dataset("imagefolder", data_dir=folder / "images", cache_dir=str(folder / "hf"), split="train")
model = dataaudit.networks.build("small_cnn", input_shape=(1, 32, 32), classes=3)
audit = dataaudit.score(model, images, progress=False)
print(audit.noise_rate())

# %%
# The pictures that most likely lie in the wrong folder. Below each is the name of its file.

figure, axes = plt.subplots(3, 6, figsize=(9, 5.4), layout="constrained")
for ax, error in zip(axes.flat, audit.mislabeled(count=18).itertuples(), strict=True):
    image = images[error.row]["image"]
    ax.imshow(image, cmap="gray")
    ax.set(title=f"in {error.given}:\n{error.suggested}?", xticks=[], yticks=[])
    ax.set_xlabel(Path(image.filename).stem)

# %%
# Typical and rare pictures of each class.

figure, ax = plt.subplots(figsize=(9, 4), layout="constrained")
audit.plot.strips(ax=ax)
temporary.cleanup()
