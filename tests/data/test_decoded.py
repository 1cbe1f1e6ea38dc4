"""Images are decoded once, into memory or a folder that the caller named, and are what they are without that."""

import errno
import os
import pickle

import datasets
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps
from torch.utils.data import Dataset, Subset

import dataaudit
from dataaudit.data import as_examples
from dataaudit.data.decoded import Decoded
from dataaudit.data.huggingface import HuggingFaceExamples

N, SHAPE = 50, (3, 4, 5)
TABLE = np.random.default_rng(0).integers(0, 256, (N, *SHAPE)).astype(np.uint8)


class Source:
    """Rows of a table, and how often each was decoded."""

    def __init__(self, table=TABLE):
        self.table, self.times = table, np.zeros(len(table), int)

    def decode(self, rows):
        np.add.at(self.times, rows, 1)
        return self.table[rows]


@pytest.mark.parametrize("mapped", [False, True])
@given(reads=st.lists(st.lists(st.integers(0, N - 1), min_size=1, max_size=80), min_size=1, max_size=6))
@settings(max_examples=30)
def test_rows_are_what_they_are_and_decoded_once(tmp_path_factory, mapped, reads):
    folder = tmp_path_factory.mktemp("kept") if mapped else None
    source, decoded = Source(), Decoded(N, folder, memory=0 if mapped else 2**20)
    for rows in reads:
        np.testing.assert_array_equal(decoded.read(np.array(rows), source.decode), TABLE[rows])
    # The first row that is read tells how much room all of them take.
    source.times[reads[0][0]] -= 1
    assert source.times.max() == 1
    assert decoded.notes == []
    assert folder is None or os.listdir(folder) == []


def test_what_exceeds_memory_is_decoded_in_every_pass_and_a_note_names_cache():
    source, decoded = Source(), Decoded(N, memory=TABLE.nbytes - 1)
    for _ in range(2):
        np.testing.assert_array_equal(decoded.read(np.arange(N), source.decode), TABLE)
    assert (source.times[1:] == 2).all()
    assert len(decoded.notes) == 1
    assert "cache=" in decoded.notes[0]


def test_a_folder_without_room_is_done_without(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    decoded = Decoded(N, tmp_path, memory=0)
    np.testing.assert_array_equal(decoded.read(np.arange(N), Source().decode), TABLE)
    assert "No space left on device" in decoded.notes[0]
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("room", [True, False])
def test_a_system_without_calls_of_linux_keeps_pixels_too(tmp_path, monkeypatch, room):
    for call in ("posix_fallocate", "sched_getaffinity"):
        monkeypatch.delattr(os, call, raising=False)
    if not room:
        resource = pytest.importorskip("resource")
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (TABLE.nbytes - 1, before[1]))
    source, decoded = Source(), Decoded(N, tmp_path, memory=0)
    try:
        for _ in range(2):
            np.testing.assert_array_equal(decoded.read(np.arange(N), source.decode), TABLE)
    finally:
        if not room:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert source.times[1:].max() == (1 if room else 2)
    assert [note for note in decoded.notes if "has no room" in note] == decoded.notes
    assert len(decoded.notes) == (not room)


def test_rows_of_another_shape_are_given_as_they_are():
    decoded, other = Decoded(N), np.zeros((N, 3, 7, 7), np.uint8)
    decoded.read(np.arange(5), Source().decode)
    assert decoded.read(np.arange(20, 30), Source(other).decode).shape == (10, 3, 7, 7)
    np.testing.assert_array_equal(decoded.read(np.arange(10), Source().decode), TABLE[:10])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """60 images of two classes."""
    root = tmp_path_factory.mktemp("images")
    for kind in range(2):
        (root / "data" / f"{kind}").mkdir(parents=True)
        for number in range(30):
            pixels = np.random.default_rng(number).integers(0, 60, (12, 12, 3)) + 150 * kind
            Image.fromarray(pixels.astype(np.uint8)).save(root / "data" / f"{kind}" / f"{number}.png")
    data = datasets.load_dataset("imagefolder", data_dir=str(root / "data"), cache_dir=str(root / "hf"), split="train")
    return root, data


def test_an_audit_decodes_each_image_once(folder, monkeypatch):
    _, data = folder
    rows, reading = [], HuggingFaceExamples.read_rows

    def read(self, indices):
        rows.extend(indices.tolist())
        return reading(self, indices)

    monkeypatch.setattr(HuggingFaceExamples, "read_rows", read)
    network, recipe = dataaudit.networks.build("small_cnn", (3, 12, 12), 2), dataaudit.Recipe(epochs=3)
    once = dataaudit.score(network, data, recipe=recipe, progress=False)
    assert len(rows) <= 60 + 3
    assert set(rows) == set(range(60))
    monkeypatch.setattr(HuggingFaceExamples, "is_decoded", False)
    again = dataaudit.score(network, data, recipe=recipe, progress=False)
    assert len(rows) > 5 * 60
    np.testing.assert_array_equal(once.scores["consensus"], again.scores["consensus"])


class FolderOfFiles(Dataset):
    """As torchvision's, whose module it is told to be of, reads files."""

    transform = target_transform = transforms = None

    def __init__(self, root, loader):
        self.loader, self.targets = loader, [kind for kind in range(2) for _ in range(30)]
        self.samples = [
            (str(root / "data" / f"{kind}" / f"{row % 30}.png"), kind) for row, kind in enumerate(self.targets)
        ]

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, row):
        file, label = self.samples[row]
        return self.loader(file), label


class Flips(FolderOfFiles):
    """A subclass that draws at random."""

    def __getitem__(self, row):
        image, label = super().__getitem__(row)
        return ImageOps.mirror(image) if torch.rand(()) < 0.5 else image, label


def load(file):
    return Image.open(file).convert("RGB")


def test_folders_of_torchvision_are_kept_and_none_whose_reading_is_the_callers_own(folder, monkeypatch):
    root, _ = folder
    own = as_examples(FolderOfFiles(root, load))
    assert own.decoded is None
    for reader in (FolderOfFiles.__getitem__, load):
        monkeypatch.setattr(reader, "__module__", "torchvision.datasets.folder")
    plain = FolderOfFiles(root, load)
    for dataset in (plain, Subset(plain, range(10, 50))):
        assert as_examples(dataset).decoded is not None
    flipped = as_examples(Flips(root, load))
    every = np.arange(60)
    assert (flipped.read(every) != flipped.read(every)).any()
    assert as_examples(FolderOfFiles(root, lambda file: load(file))).decoded is None


def test_examples_that_are_passed_again_are_read_again(tmp_path):
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b"])})
    files = [str(tmp_path / f"{row}.png") for row in range(4)]
    for file in files:
        Image.new("RGB", (4, 4)).save(file)
    examples = as_examples(datasets.Dataset.from_dict({"image": files, "label": [0, 1, 0, 1]}, features=features))
    assert examples.read(np.arange(4)).max() == 0
    Image.new("RGB", (4, 4), (9, 9, 9)).save(files[2])
    assert as_examples(examples).read(np.arange(4)).max(axis=(1, 2, 3)).tolist() == [0, 0, 9, 0]


def test_what_was_decoded_is_not_sent_to_other_processes(folder):
    _, data = folder
    examples = as_examples(data)
    first = examples.read(np.arange(60))
    assert len(pickle.dumps(examples)) < first.nbytes
    sent = pickle.loads(pickle.dumps(examples))
    assert sent.decoded is None
    np.testing.assert_array_equal(sent.read(np.arange(60)), first)


def test_a_transform_of_the_callers_own_may_draw_at_random(folder):
    _, data = folder
    draws = iter(range(10**6))
    examples = as_examples(data, transform=lambda image: np.full(3, next(draws)))
    assert examples.decoded is None
    assert (examples.read(np.arange(4)) != examples.read(np.arange(4))).all()
    assert as_examples(data, resize=6).decoded is not None
