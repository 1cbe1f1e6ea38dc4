"""Rows of image folders are named by their files, however they are chosen and ordered."""

import datasets
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import Dataset, Subset

from dataaudit.data import as_examples

N = 12


class Folder(Dataset):
    """As torchvision's ImageFolder tells of itself."""

    def __init__(self, root):
        self.root, self.classes = str(root), ["a", "b"]
        files = sorted(root.glob("*/*.png"))
        self.samples = [(str(file), self.classes.index(file.parent.name)) for file in files]
        self.targets = [label for _, label in self.samples]

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, row):
        file, label = self.samples[row]
        return np.asarray(Image.open(file)), label


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Images whose pixels are the number that their file is called by."""
    root = tmp_path_factory.mktemp("images")
    for number in range(N):
        (root / "ab"[number % 2]).mkdir(exist_ok=True)
        Image.new("L", (8, 8), number).save(root / "ab"[number % 2] / f"{number}.png")
    return root


@settings(max_examples=15, deadline=None)
@given(
    rows=st.permutations(range(N)).flatmap(lambda order: st.integers(6, N).map(lambda count: order[:count])),
    kind=st.sampled_from(["folder", "subset", "hugging_face", "embedded"]),
)
def test_every_row_is_named_by_its_own_file(root, rows, kind):
    files = sorted(root.glob("*/*.png"))
    labels = ["ab".index(file.parent.name) for file in files]
    if len({labels[row] for row in rows}) < 2:
        return
    if kind == "folder":
        dataset = Folder(root)
    elif kind == "subset":
        dataset = Subset(Subset(Folder(root), rows), range(len(rows))[::-1])
    else:
        images = [{"path": str(file), "bytes": file.read_bytes() if kind == "embedded" else None} for file in files]
        features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b"])})
        dataset = datasets.Dataset.from_dict({"image": images, "label": labels}, features=features).select(rows)
    examples = as_examples(dataset)
    assert examples.identity.name == "file"
    for row, name in enumerate(examples.identity):
        assert (root / name if kind != "hugging_face" else next(root.glob(f"**/{name}"))).exists()
        assert int(name.rpartition("/")[2].removesuffix(".png")) == int(
            np.asarray(examples.read(np.array([row]))).max()
        )


def test_files_that_are_not_told_apart_name_nothing(root):
    files = sorted(root.glob("*/*.png"))
    images = [{"path": file.parent.name, "bytes": file.read_bytes()} for file in files]
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
    dataset = datasets.Dataset.from_dict({"image": images, "label": [0, 1] * 6}, features=features)
    assert as_examples(dataset).identity is None
