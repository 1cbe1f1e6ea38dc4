"""The cases: a line each, of data set with rows, noise, model, and recipe of a network where it is not chosen by rules.

A second draw of the same case ends in "again".
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

from benchmarks.peers.bed import models

WEAK = """
cifar images 3000 | careless | small_cnn | 1 epoch
cifar images 2000 | very_careless | small_cnn | 2 epochs
cifar images 1000 | one_annotator | block_cnn | 1 epoch
cifar images 2000 | symmetric 20% | block_cnn | 1 epoch
cifar images 2000 | one_annotator | linear
cifar images 2000 | symmetric 5% | linear | 2 epochs
cifar pixels 2000 | careless | logistic
cifar pixels 3000 | symmetric 10% | logistic
cifar pixels 2000 | very_careless | probe
cifar pixels 3000 | very_careless | naive Bayes
cifar pixels 3000 | one_annotator | none
cifar features 3000 | careless | tree of depth 4
cifar features 5000 | symmetric 5% | naive Bayes
cifar features 2000 | careless | mlp | 1 epoch
mnist images 3000 | symmetric 10% | small_cnn | 1 epoch
mnist images 1000 | symmetric 20% | small_cnn | 1 epoch
mnist images 4000 | pairs 10% | mlp | 1 epoch
mnist pixels 3000 | symmetric 5% | naive Bayes
mnist pixels 3000 | symmetric 10% | tree of depth 4
mnist pixels 2000 | nearest 10% | boosting 5
mnist pixels 1500 | symmetric 20% | forest of 50, depth 2
mnist hundred pixels 4000 | symmetric 10% | naive Bayes
fashion images 3000 | symmetric 20% | small_cnn | 1 epoch
fashion images 2000 | pairs 20% | linear | 1 epoch
fashion pixels 3000 | symmetric 2% | tree of depth 3
fashion pixels 3000 | pairs 10% | naive Bayes
fashion pixels 3000 | hard 10% | tree of depth 4
digits | symmetric 10% | mlp | 1 epoch
digits | symmetric 20% | tree of depth 3
digits | nearest 10% | naive Bayes
satellite 3000 | symmetric 5% | tree of depth 2
satellite 3000 | pairs 10% | mlp | 1 epoch
satellite 2000 | hard 10% | naive Bayes
satellite 2000 | onto 10% | stump
trec embeddings 2000 | symmetric 10% | naive Bayes
trec embeddings 1000 | symmetric 10% | mlp | 1 epoch
trec words 1000 | symmetric 20% | words
trec words 2000 | symmetric 10% | words naive Bayes
yeast 1 2000 | symmetric 10% | logistic
yeast 4 2000 | symmetric 20% | naive Bayes
yeast 1 2000 | symmetric 5% | none
emotions | symmetric 10% | logistic
emotions sad | symmetric 5% | tree of depth 2
air quality 2000 | symmetric 10% | tree of depth 2
air quality 2000 | symmetric 20% | naive Bayes
air quality 2000 | nearest 10% | discriminant
tangled 5 3000 | symmetric 10% | discriminant
tangled 2 2000 | symmetric 20% | naive Bayes
"""

MEMORISING = """
cifar images 2000 | careless | small_cnn | plain 30
cifar images 1500 | very_careless | small_cnn | plain 60
cifar images 600 | careless | block_cnn | plain 15
cifar images 2000 | one_annotator | mlp | plain 30
cifar images 2000 | symmetric 20% | small_cnn | AdamW 30
cifar features 3000 | careless | mlp | plain 60
cifar features 2000 | very_careless | wide mlp | AdamW 30
cifar features 3000 | careless | 1-NN
cifar features 2000 | one_annotator | extra trees of 10
cifar features 3000 | very_careless | tree
cifar features 800 | careless | boosting 150
cifar features 3000 | careless | nearest 1
mnist images 1000 | symmetric 20% | small_cnn | plain 60
mnist images 2000 | pairs 20% | mlp | plain 60
mnist images 3000 | symmetric 40% | mlp | plain 60
mnist images 2000 | symmetric 5% | small_cnn | plain 30
mnist images 2000 | nearest 10% | small_cnn | AdamW 30
mnist pixels 2000 | symmetric 10% | 1-NN
mnist pixels 3000 | symmetric 20% | tree
mnist pixels 1000 | pairs 20% | extra trees of 10
fashion images 2000 | symmetric 20% | small_cnn | plain 60
fashion images 2000 | pairs 10% | mlp | plain 60
fashion images 2000 | nearest 10% | small_cnn | AdamW 30
fashion pixels 2000 | symmetric 10% | tree
digits | symmetric 20% | mlp | plain 100
digits | pairs 20% | mlp | AdamW 60
digits | symmetric 5% | tree
digits | symmetric 40% | 1-NN
digits | nearest 10% | nearest 1
satellite 600 | symmetric 10% | boosting 150
satellite 2000 | pairs 20% | mlp | plain 100
satellite 2000 | hard 10% | tree
satellite 1000 | symmetric 20% | 1-NN
satellite 2000 | symmetric 20% | wide mlp | AdamW 60
trec embeddings 2000 | symmetric 20% | mlp | plain 60
trec embeddings 2000 | pairs 10% | tree
trec words 2000 | symmetric 10% | words tree
wine | symmetric 10% | boosting 150
breast cancer | symmetric 10% | boosting 300
breast cancer | hard 10% | tree
yeast 1 2000 | symmetric 10% | mlp | plain 100
emotions | symmetric 10% | boosting 300
emotions | symmetric 20% | deep boosting 100
tangled 2 1000 | symmetric 10% | deep boosting 100
tangled 5 2000 | symmetric 10% | mlp | plain 100
blobs of 4, near 2000 | symmetric 10% | tree
blobs of 2 1000 | symmetric 20% | boosting 300
air quality 1000 | symmetric 10% | MLP classifier
"""

REAL = """
cifar features | careless | none
cifar features | one_annotator | none
cifar features | very_careless | none
cifar features | careless | probe
cifar features | one_annotator | logistic
cifar features | very_careless | logistic
cifar features 5000 | careless | mlp
cifar features 5000 | one_annotator | mlp
cifar features 5000 | very_careless | mlp
cifar features 1000 | careless | forest of 100
cifar features 600 | very_careless | forest of 300
cifar features 3000 | one_annotator | forest of 10
cifar features 3000 | careless | 5-NN
cifar features 3000 | very_careless | 50-NN
cifar features 2000 | one_annotator | boosting 60
cifar features 1500 | very_careless | boosting 60
cifar features 2000 | careless | none
cifar features 2000 | one_annotator | none
cifar features 1000 | very_careless | none
cifar features 500 | careless | none
cifar features 2000 unbalanced | careless | logistic
cifar images 2000 | careless | small_cnn
cifar images 4000 | careless | small_cnn
cifar images 4000 | one_annotator | small_cnn
cifar images 4000 | very_careless | small_cnn
cifar images 10000 | careless | small_cnn
cifar images 1000 | very_careless | block_cnn | 4 epochs
cifar images 2000 | careless | block_cnn | 4 epochs
cifar images 2000 | one_annotator | narrow resnet | 4 epochs
cifar images 3000 | very_careless | mlp
cifar pixels 3000 | careless | none
cifar pixels 1000 | careless | forest of 100
hausa embeddings | real | none
hausa embeddings | real | logistic
hausa embeddings | real | mlp
hausa embeddings 1000 | real | forest of 100
hausa words | real | none
hausa words | real | words
hausa words 1500 | real | words naive Bayes
yoruba embeddings | real | none
yoruba embeddings | real | logistic
yoruba embeddings | real | mlp
yoruba embeddings | real | 5-NN
yoruba words | real | none
yoruba words | real | words
yoruba words 1000 | real | words forest of 10
names words 3000 | real | none
names words 6000 | real | words
names words 4000 | real | words naive Bayes
names words 3000 again | real | none
"""

CLEAN = """
digits | none | none
digits | none | logistic
digits | none | mlp
digits 900 | none | forest of 100
digits 600 | none | boosting 60
digits | none | 5-NN
mnist 0-1 images 2000 | none | small_cnn
mnist 0-1 pixels 3000 | none | none
mnist 1-6 pixels 2000 | none | logistic
mnist 1-6 pixels 2000 | none | tree
mnist 3-8 images 2000 | none | small_cnn
mnist 4-9 pixels 3000 | none | none
mnist 2-7 pixels 2000 | none | forest of 10
mnist 2-7 images 2000 | none | mlp
mnist images 3000 | none | small_cnn
mnist images 2000 | none | mlp | plain 60
mnist pixels 5000 | none | none
mnist pixels 2000 | none | naive Bayes
mnist hundred pixels 5000 | none | none
wine | none | none
wine | none | logistic
wine | none | forest of 100
wine | none | boosting 60
breast cancer | none | none
breast cancer | none | logistic
breast cancer | none | boosting 60
breast cancer | none | tree
blobs of 3, far 200 | none | none
blobs of 3, far 1000 | none | logistic
blobs of 3, far 5000 | none | none
blobs of 3 1000 | none | mlp
blobs of 20 3000 | none | none
blobs of 20 2000 | none | forest of 10
blobs of 4, near 2000 | none | logistic
"""

SMALL = """
wine | symmetric 10% | none
wine | symmetric 20% | logistic
wine | hard 10% | forest of 100
wine | nearest 5% | none
breast cancer | symmetric 2% | logistic
breast cancer | symmetric 10% | none
breast cancer | symmetric 20% | forest of 100
breast cancer | hard 10% | logistic
breast cancer | hard 5% | boosting 60
breast cancer | onto 10% | none
digits 600 | symmetric 5% | none
digits 600 | symmetric 20% | logistic
digits 600 | hard 10% | forest of 100
digits 600 | pairs 20% | mlp
digits 300 | symmetric 10% | none
digits 1000 | symmetric 40% | logistic
satellite 700 | symmetric 10% | logistic
satellite 700 | hard 20% | none
satellite 700 | hard 10% | forest of 100
satellite 300 | symmetric 10% | none
satellite 1000 | pairs 10% | boosting 60
satellite 500 | symmetric 20% | mlp
emotions | symmetric 10% | none
emotions | symmetric 20% | forest of 100
emotions sad | hard 10% | logistic
trec embeddings 500 | symmetric 10% | none
trec embeddings 800 | symmetric 20% | logistic
trec words 800 | symmetric 10% | none
hausa embeddings 500 | real | none
yoruba embeddings 400 | real | logistic
yoruba words 600 | real | none
cifar features 300 | careless | logistic
cifar features 600 | one_annotator | none
cifar features 1000 | very_careless | forest of 100
cifar features 800 | symmetric 20% | mlp
mnist images 500 | symmetric 10% | small_cnn
mnist images 1000 | symmetric 20% | small_cnn
mnist 3-8 pixels 400 | symmetric 10% | none
mnist 4-9 images 600 | symmetric 5% | small_cnn
fashion images 800 | symmetric 10% | small_cnn
fashion pixels 1000 | pairs 10% | none
air quality 500 | symmetric 10% | forest of 100
blobs of 4, near 600 | symmetric 5% | 5-NN
blobs of 2 500 | symmetric 10% | logistic
tangled 2 500 | symmetric 10% | forest of 100
names words 1000 | real | words
"""

OTHER = """
blobs of 4, near 600 | symmetric 5% | forest of 3
blobs of 4, near 600 | symmetric 5% | forest of 10
blobs of 4, near 3000 | symmetric 5% | 5-NN
blobs of 4, near 1000 | symmetric 10% | forest of 300
blobs of 20 5000 | symmetric 20% | none
blobs of 20 5000 | pairs 10% | 15-NN by distance
blobs of 2 5000 | symmetric 10% | none
tangled 2 1500 | symmetric 10% | forest of 100
tangled 5 4000 | symmetric 20% | boosting 60
tangled 5 5000 | hard 5% | mlp
satellite | symmetric 10% | none
satellite | pairs 20% | logistic
satellite 1500 | symmetric 2% | forest of 100
satellite 3000 | hard 10% | boosting 60
satellite | symmetric 20% | mlp
satellite 2000 unbalanced | symmetric 10% | mlp
satellite 3000 | symmetric 40% | forest of 10
digits | symmetric 2% | mlp
digits | symmetric 40% | mlp
digits | pairs 10% | none
digits | symmetric 10% | forest of 3
digits | hard 10% | logistic
trec embeddings | symmetric 5% | none
trec embeddings | pairs 20% | none
trec embeddings 3000 | onto 10% | mlp
trec words | symmetric 20% | none
trec words 3000 | nearest 10% | words
trec words 1000 | symmetric 20% | transformer
mnist images 5000 | symmetric 2% | small_cnn
mnist images 5000 | symmetric 40% | small_cnn
mnist images 5000 unbalanced | symmetric 10% | small_cnn
mnist pixels 5000 | pairs 10% | none
mnist pixels 3000 | symmetric 10% | 5-NN
mnist pixels 1000 unbalanced | onto 10% | forest of 100
mnist hundred images 10000 | symmetric 10% | small_cnn
mnist hundred images 10000 | symmetric 40% | small_cnn
mnist hundred pixels 10000 | symmetric 10% | none
mnist hundred pixels 5000 | symmetric 20% | none
mnist hundred pixels 5000 | nearest 5% | discriminant
fashion images 5000 | symmetric 10% | small_cnn
fashion images 5000 | pairs 20% | small_cnn
fashion images 5000 | nearest 10% | small_cnn
fashion images 3000 | symmetric 20% | mlp
fashion pixels 5000 | symmetric 5% | none
fashion pixels 3000 | symmetric 20% | forest of 10
fashion pixels 20000 | symmetric 10% | none
cifar features 5000 | symmetric 20% | none
cifar features 5000 | symmetric 40% | logistic
cifar features 3000 | pairs 10% | forest of 10
cifar images 4000 | symmetric 10% | small_cnn
air quality | symmetric 5% | none
air quality 1500 | pairs 10% | forest of 100
air quality 3000 | symmetric 20% | boosting 60
yeast 4 1000 | symmetric 10% | forest of 100
fashion images 60000 | symmetric 10% | small_cnn | 4 epochs
mnist images 60000 | pairs 10% | small_cnn | 4 epochs
mnist pixels 60000 | symmetric 20% | none
"""

FRESH = """
cifar images 6000 | careless | block_cnn
cifar images 3000 | one_annotator | narrow resnet
cifar features 7000 | very_careless | forest of 100
satellite 4000 | nearest 10% | logistic
trec embeddings 2500 | symmetric 30% | probe
fashion images 6000 | symmetric 5% | small_cnn
digits 1200 | onto 10% | boosting 60
mnist hundred images 6000 | pairs 10% | small_cnn
yoruba embeddings 900 | real | forest of 100
breast cancer | none | forest of 100
"""
"""Thought up when the constants were fixed, and in no fit."""

STRATA = {"weak": WEAK, "memorising": MEMORISING, "real": REAL, "clean": CLEAN, "small": SMALL, "other": OTHER}
"""Networks of an epoch, linear models of pixels, naive Bayes, shallow trees; what memorises labels; labels by
people and rules; no errors; few rows; and the ordinary."""

ROWS = {"wine": 178, "breast cancer": 569, "emotions": 593, "emotions sad": 593, "cifar features": 10000}
CLASSES = {
    **dict.fromkeys(("breast cancer", "emotions", "emotions sad", "yeast 1", "yeast 4", "blobs of 2", "tangled 2"), 2),
    **dict.fromkeys(("wine", "blobs of 3", "blobs of 3, far"), 3),
    **dict.fromkeys(("mnist hundred pixels", "mnist hundred images"), 100),
}
"""Where they are not about 2000 rows of about 10 classes; for the costs alone."""


@dataclass(frozen=True)
class Case:
    """One line of the table.

    Attributes
    ----------
    stratum
        Key of `STRATA`.
    kind, rows, unbalanced
        What `benchmarks.peers.bed.data.data_of` takes.
    noise, model, recipe
        By name.
    name
        All of it, and what its seed is made of.
    """

    stratum: str
    kind: str
    rows: int | None
    unbalanced: bool
    noise: str
    model: str
    recipe: str
    name: str

    @property
    def seed(self) -> int:
        """Of rows and noise; the audit's own is 0."""
        return zlib.crc32(self.name.encode()) % 2**16

    @property
    def file(self) -> str:
        return re.sub(r"[^\w.-]+", "_", self.name.replace("%", "")) + ".npz"

    @property
    def cost(self) -> float:
        """Processor seconds, roughly, to run cheap cases first."""
        return models.cost(self.model, self.recipe, self.rows or ROWS.get(self.kind, 2000), CLASSES.get(self.kind, 10))


def parsed(stratum: str, line: str) -> Case:
    data, noise, model, *recipe = (part.strip() for part in line.split("|"))
    found = re.fullmatch(r"(.+?)(?: (\d{3,}))?( unbalanced)?( again)?", data)
    assert found is not None
    kind, rows, unbalanced, _ = found.groups()
    chosen = recipe[0] if recipe else "auto"
    name = f"{stratum}: {data}, {noise}, {model}" + (f", {chosen}" if recipe else "")
    return Case(stratum, kind, int(rows) if rows else None, bool(unbalanced), noise, model, chosen, name)


def cases() -> list[Case]:
    """All of the bed in the order of the table."""
    return [parsed(name, line) for name, text in STRATA.items() for line in text.strip().splitlines()]


def fresh() -> list[Case]:
    """Cases that nothing was fitted to."""
    return [parsed("fresh", line) for line in FRESH.strip().splitlines()]
