"""What is tried on data sets: small ones that are right, and calls that read them."""

import datasets
import numpy as np
import pandas as pd
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression

import dataaudit
from dataaudit.pipeline.plan import make_plan
from dataaudit.pipeline.request import Request

N = 24
LABELS = np.arange(N) % 2
ROWS = np.random.default_rng(0).normal(size=(N, 3)).astype(np.float32) + 3 * LABELS[:, None]
TEXTS = [f"{word} {row % 5}" for row, word in enumerate(["red", "green"] * (N // 2))]
TABLE = pd.DataFrame(ROWS, columns=list("abc")).assign(label=LABELS)
IMAGES = [Image.new("RGB", (8, 8), (200 * int(label), 10 * (row % 5), 0)) for row, label in enumerate(LABELS)]
TENSORS = torch.utils.data.TensorDataset(torch.from_numpy(ROWS), torch.from_numpy(LABELS))
HUGGING = datasets.Dataset.from_pandas(TABLE)
MODEL = LogisticRegression()


class Rows(torch.utils.data.Dataset):
    """A torch data set of rows as they are listed."""

    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, row):
        if isinstance(self.rows[row], Exception):
            raise self.rows[row]
        return self.rows[row]


def read(dataset, model=None, **options):
    """Adapt and look at a data set, as `dataaudit.score` does before it trains."""
    make_plan(Request(model, dataset, "auto", progress=False, **options)).close()


def listed(value, count=N):
    """An object array of things as they are."""
    made = np.empty(count, object)
    made[:] = value
    return made


def score(dataset, model=None, **options):
    return dataaudit.score(model, dataset, progress=False, **options)
