"""Reviews of audits of networks and of vectors: rows, decisions and data sets are those of the data that came in."""

import datasets
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import dataaudit
from dataaudit.errors import DataError

SMALL = datasets.Features({"photo": datasets.Image(), "label": datasets.ClassLabel(names=["0", "1", "2"])})


class Rows(torch.utils.data.Dataset):
    """Pairs (x, y)."""

    def __init__(self, inputs, labels):
        self.inputs, self.labels = inputs, labels

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.inputs[index], int(self.labels[index])


def colour(image):
    """Mean of each channel of an image, as an image of one pixel."""
    return torch.from_numpy(np.asarray(image, np.float32).mean((0, 1)).reshape(3, 1, 1) / 255)


def photos(labels):
    rng = np.random.default_rng(0)
    truth = np.arange(len(labels)) % 3
    pixels = np.clip(200 * np.eye(3)[truth][:, None, None] + rng.normal(20, 10, (len(labels), 6, 6, 3)), 0, 255)
    # Images of two sizes.
    return [Image.fromarray(one[: 5 + row % 2].astype(np.uint8)) for row, one in enumerate(pixels)]


def trained(noisy, network, quick):
    data = Rows(torch.from_numpy(noisy[0]), noisy[1])
    return dataaudit.score(network(), data, "consensus", recipe=quick, progress=False), data


def embedded_pair(noisy, network, quick):
    data = photos(noisy[1]), noisy[1]
    return dataaudit.score(None, data, "consensus", embed=nn.Flatten(), processor=colour, progress=False), data


def embedded_splits(noisy, network, quick):
    rows = datasets.Dataset.from_dict({"photo": photos(noisy[1]), "label": noisy[1].tolist()}, features=SMALL)
    data = datasets.DatasetDict(train=rows, test=rows.select(range(3)))
    options = {"split": "train", "embed": nn.Flatten(), "processor": colour, "progress": False}
    return dataaudit.score(None, data, "consensus", **options), data


def labels_of(dataset):
    if isinstance(dataset, datasets.DatasetDict):
        assert len(dataset["test"]) == 3
        return dataset["train"]["label"]
    return dataset[1] if isinstance(dataset, tuple) else [int(dataset[row][1]) for row in range(len(dataset))]


@pytest.mark.parametrize("kind", [trained, embedded_pair, embedded_splits])
def test_what_came_in_comes_out_corrected(kind, noisy, network, quick, tmp_path):
    audit, data = kind(noisy, network, quick)
    truth, given = np.arange(300) % 3, noisy[1]
    queue = audit.review(30)
    table = queue.table
    right = truth[table["row"]] == given[table["row"]]
    table["decision"] = np.where(right, "keep", "relabel")
    table["label"] = np.where(right, "", truth[table["row"]].astype(str))
    gone = int(np.flatnonzero(right)[0])
    table.loc[gone, "decision"] = "remove"
    expected = given.copy()
    expected[table["row"]] = truth[table["row"]]
    expected = np.delete(expected, table.loc[gone, "row"])
    loaded = dataaudit.Audit.load(audit.save(tmp_path / "audit"))
    assert loaded.review(30).table["row"].tolist() == table["row"].tolist()
    with pytest.raises(DataError, match="no data set with it"):
        loaded.apply(table)
    for applied in (audit.apply(table), loaded.apply(table, data), audit.reviewed(table).apply(table)):
        assert type(applied.dataset) is type(data) or isinstance(data, Rows)
        assert list(labels_of(applied.dataset)) == expected.tolist()
    left = audit.reviewed(table).remaining()
    assert left.found == (~right).sum() + 1
    assert loaded.reviewed(table).remaining() == left
    page = audit.report(tmp_path / "page.html", data, rows=queue).read_text("utf-8")
    assert ("data:image" in page) == (kind is not trained)
