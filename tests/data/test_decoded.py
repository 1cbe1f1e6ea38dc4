"""Images are decoded once, into memory or a folder that the caller named, and are what they are without that."""

import errno
import os
import pickle

import datasets
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

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
