"""``score(..., embed=model)``: vectors of texts and images are made once, audited, and kept for what comes after."""

import json

import datasets
import numpy as np
import pandas as pd
import pytest
import torch
import transformers
from PIL import Image
from sklearn.linear_model import LogisticRegression
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import nn

import dataaudit
from dataaudit.common import folders
from dataaudit.data.examples import Examples
from dataaudit.errors import DataError, ModelError, SettingError, StorageError

N = 90
LABELS = np.arange(N) % 3
GIVEN = LABELS.copy()
GIVEN[:3] = (GIVEN[:3] + 1) % 3


class Means(nn.Module):
    """Vectors of an image: its channels, averaged over an upper and a lower half. It counts what it sees."""

    seen = 0

    def forward(self, images):
        self.seen += len(images)
        return nn.functional.adaptive_avg_pool2d(images, (2, 1)).flatten(1)


def shrunk(image):
    return torch.from_numpy(np.asarray(image.resize((8, 8)), np.float32).transpose(2, 0, 1).copy()) / 255


def pictures(labels=LABELS, seed=0):
    """Images of several sizes, red, green or blue by class."""
    rng = np.random.default_rng(seed)
    colours = np.eye(3)[labels] * 200
    return [
        Image.fromarray(np.clip(colour + rng.normal(30, 20, (10 + row % 3, 12, 3)), 0, 255).astype(np.uint8))
        for row, colour in enumerate(colours)
    ]


IMAGES = pictures()


def score(data, model=None, **options):
    return dataaudit.score(
        model, data, **{"embed": Means(), "processor": shrunk, "progress": False, "scorers": "consensus", **options}
    )


def containers(folder):
    files = []
    for row, image in enumerate(IMAGES):
        files.append(folder / f"{row}.png")
        image.save(files[-1])
    images = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
    return {
        "list": (IMAGES, GIVEN),
        "paths": (files, GIVEN),
        "objects": (np.array([*IMAGES, None], object)[:-1], GIVEN.tolist()),
        "Series": (pd.Series(IMAGES), pd.Series(GIVEN)),
        "data set": datasets.Dataset.from_dict({"image": IMAGES, "label": GIVEN}, features=images),
        "torch": Pairs(),
    }


class Pairs(torch.utils.data.Dataset):
    targets = GIVEN

    def __len__(self):
        return N

    def __getitem__(self, row):
        return IMAGES[row], int(GIVEN[row])


def test_both_steps_in_one_give_what_the_two_do(tmp_path):
    vectors = dataaudit.embed(IMAGES, Means(), processor=shrunk, progress=False)
    wanted = dataaudit.score(None, (vectors, GIVEN), "consensus", progress=False)
    for name, data in containers(tmp_path).items():
        audit = score(data)
        np.testing.assert_array_equal(audit.vectors, vectors, err_msg=name)
        np.testing.assert_array_equal(audit.columns["consensus"], wanted.columns["consensus"], err_msg=name)
        assert sorted(audit.ranking()[:3]) == [0, 1, 2]
    assert audit.settings["fingerprint"] == wanted.settings["fingerprint"]
    about = audit.settings["embedding"]
    assert {key: about[key] for key in ("of", "dimensions", "model", "read")} == {
        "of": "images",
        "dimensions": 6,
        "model": "Means",
        "read": "output",
    }
    json.dumps(audit.settings)


@pytest.mark.parametrize("model", [dataaudit.LinearProbe(), LogisticRegression(), None])
def test_any_model_is_audited_on_the_vectors(model):
    audit = score((IMAGES, GIVEN), model, scorers="heldout_confidence")
    assert sorted(audit.ranking()[:3]) == [0, 1, 2]


def test_a_recorder_and_predictions_go_with_vectors():
    recorder = dataaudit.Recorder(N, 3)
    recorder.update(np.arange(N), torch.eye(3)[LABELS] * 4, torch.from_numpy(GIVEN))
    recorder.end_epoch()
    audit = score((IMAGES, GIVEN), recorder)
    assert sorted(audit.ranking()[:3]) == [0, 1, 2]
    assert audit.settings["neighbour_labels"]["representation"] == "input"
    with pytest.raises(SettingError, match="embed= without a data set"):
        score(None, recorder, processor=None)


class Counting(Examples):
    """Counts how often each row is read."""

    source = "counted images"

    def __init__(self):
        super().__init__(GIVEN.astype(np.int64), ("0", "1", "2"))
        self.reads = np.zeros(N, int)

    def read_rows(self, indices):
        return np.stack([np.asarray(self.show(row).resize((8, 8))) for row in indices])

    def show(self, index):
        self.reads[index] += 1
        return IMAGES[index]


def test_each_row_is_read_and_embedded_once_whatever_is_asked_afterwards():
    data, model = Counting(), Means()
    audit = score(data, embed=model, scorers="auto")
    # The first row is looked at besides, to tell images from texts and to try the model.
    assert data.reads[1:].tolist() == [1] * (N - 1)
    assert model.seen <= N + 8
    seen = model.seen
    for answer in (audit.outliers(3), audit.duplicates(), audit.ambiguous(3), audit.typical(1)):
        assert isinstance(answer, pd.DataFrame)
    assert model.seen == seen
    assert data.reads[1:].tolist() == [1] * (N - 1)


def test_new_images_become_vectors_by_the_same_model():
    audit, new = score((IMAGES, GIVEN)), pictures([0, 1, 2], seed=1)
    table = audit.score_new(new, labels=[0, 1, 1], progress=False)
    assert table["suggested"].tolist() == ["", "", "2"]
    again = audit.score_new(dataaudit.embed(new, Means(), processor=shrunk, progress=False), progress=False)
    np.testing.assert_allclose(again["novelty"], table["novelty"])
    strange = audit.score_new([Image.new("RGB", (9, 9), "white")], progress=False)
    assert strange["novelty"][0] > 2 * table["novelty"].max()
    with pytest.raises(DataError, match="vectors of 5 dimensions; expected the audited 6"):
        audit.score_new(np.zeros((2, 5), np.float32), progress=False)


def test_what_is_saved_and_what_a_loaded_audit_needs(tmp_path):
    audit = score((IMAGES, GIVEN))
    audit.save(tmp_path / "audit")
    loaded = dataaudit.Audit.load(tmp_path / "audit")
    assert loaded.vectors is None
    assert loaded.settings["embedding"] == audit.settings["embedding"]
    with pytest.raises(DataError, match=r"vectors, which are not saved .*\(vectors, labels\)"):
        loaded.outliers(dataset=(IMAGES, GIVEN))
    vectors = dataaudit.embed(IMAGES, Means(), processor=shrunk, progress=False)
    pd.testing.assert_frame_equal(loaded.outliers(3, dataset=(vectors, GIVEN)), audit.outliers(3))
    pd.testing.assert_frame_equal(
        loaded.score_new(vectors[:2], audited=(vectors, GIVEN), progress=False),
        audit.score_new(vectors[:2], progress=False),
    )
    # The images themselves are recognised, for pictures and corrections.
    loaded.report(tmp_path / "page.html", (IMAGES, GIVEN))
    assert len(loaded.clean(dataset=(IMAGES, GIVEN))[0]) == N - 3 == len(audit.clean()[0])
    with pytest.raises(DataError, match="fingerprint"):
        loaded.clean(dataset=([*IMAGES[:-1], IMAGES[0]], GIVEN))


def test_damaged_images_are_named_or_dropped(tmp_path):
    files = containers(tmp_path)["paths"][0]
    files[7].write_bytes(files[7].read_bytes()[:60])
    files[9] = tmp_path / "nowhere.png"
    with pytest.raises(DataError, match=r"2 inputs .* in rows 7, 9; first: .*7\.png', no image that"):
        score((files, GIVEN))
    audit = score((files, GIVEN), on_bad_rows="drop")
    assert audit.settings["dropped_rows"] == [7, 9]
    kept = np.delete(np.arange(N), [7, 9])
    wanted = dataaudit.embed([IMAGES[row] for row in kept], Means(), processor=shrunk, progress=False)
    np.testing.assert_allclose(audit.vectors, wanted, atol=1e-6)
    assert audit.outliers(5)["row"].isin(kept).all()
    cleaned, _ = audit.clean()
    assert len(cleaned) == N - 5


class Wide(Means):
    """Vectors of 4096 numbers, of which 4 MiB hold 256; the sixth batch may be interrupted."""

    stops = False

    def forward(self, images):
        if self.stops and self.seen > 5 * 64:
            raise KeyboardInterrupt
        means = super().forward(images)
        return torch.cat([means, torch.ones(len(means), 4090)], 1)


def test_a_folder_keeps_vectors_and_goes_on_after_an_interruption(tmp_path):
    images, labels = pictures(np.arange(500) % 3), np.arange(500) % 3
    whole = score((images, labels), embed=Wide())
    stopped, model = Wide(), Wide()
    stopped.stops = True
    with pytest.raises(KeyboardInterrupt):
        score((images, labels), embed=stopped, cache=tmp_path)
    with pytest.raises(StorageError, match=r"vectors of other texts or images at .*, in row 3"):
        score(([*images[:3], images[0], *images[4:]], labels), embed=Wide(), cache=tmp_path)
    resumed = score((images, labels), embed=model, cache=tmp_path)
    assert 500 - 256 <= model.seen <= 500 - 256 + 8
    assert isinstance(resumed.vectors, np.memmap)
    np.testing.assert_array_equal(resumed.vectors, whole.vectors)
    np.testing.assert_array_equal(np.load(tmp_path / "embedding/vectors.npy"), whole.vectors)
    other = Wide()
    other.register_buffer("other", torch.ones(1))
    with pytest.raises(StorageError, match="vectors of another model"):
        score((images, labels), embed=other, cache=tmp_path)


@pytest.mark.parametrize("size", [100, 5 * 2**20])
def test_vectors_that_a_full_disk_does_not_take_are_held_in_memory(tmp_path, full, size):
    """Nothing fits at first, then one block of two does, and the next call goes on from it."""
    images, labels = pictures(np.arange(500) % 3), np.arange(500) % 3
    whole = score((images, labels), embed=Wide())
    with full(size):
        audit = score((images, labels), embed=Wide(), cache=tmp_path)
    np.testing.assert_array_equal(audit.vectors, whole.vectors)
    assert any("held in memory" in note for note in audit.settings["notes"])
    model = Wide()
    resumed = score((images, labels), embed=model, cache=tmp_path)
    np.testing.assert_array_equal(resumed.vectors, whole.vectors)
    assert (model.seen < 500) == (size > 100)
    assert not any("held in memory" in note for note in resumed.settings["notes"])


def test_vectors_of_other_inputs_are_never_taken_for_known_ones(tmp_path, full):
    """Two data sets that begin alike: of the first, the folder has no room for the end."""
    labels = np.arange(500) % 3
    first = pictures(labels)
    second = [*first[:300], *pictures(labels, seed=1)[300:]]
    expected = score((second, labels), embed=Wide()).vectors
    with full(5 * 2**20):
        score((first, labels), embed=Wide(), cache=tmp_path)
    for _ in range(2):
        # A disk that is full has no room for it either.
        (tmp_path / "representations.json").unlink()
        np.testing.assert_array_equal(score((second, labels), embed=Wide(), cache=tmp_path).vectors, expected)
    (tmp_path / "representations.json").unlink()
    with pytest.raises(StorageError, match="in rows 300"):
        score((first, labels), embed=Wide(), cache=tmp_path)


@pytest.mark.parametrize("behind", ["inputs", "vectors"])
def test_a_crash_between_digests_and_vectors_leaves_none_of_them(tmp_path, behind):
    labels = np.arange(500) % 3
    first = pictures(labels)
    second = [*first[:300], *pictures(labels, seed=1)[300:]]
    score((first, labels), embed=Wide(), cache=tmp_path)
    about = tmp_path / f"embedding/{behind}.json"
    described = folders.read(about)
    folders.replace(about, {**described, "blocks": described["blocks"][:1]})
    (tmp_path / "representations.json").unlink()
    expected = score((second, labels), embed=Wide()).vectors
    for _ in range(2):
        np.testing.assert_array_equal(score((second, labels), embed=Wide(), cache=tmp_path).vectors, expected)


WORDS = ["[PAD]", "[UNK]", "red", "green", "blue", "cat", "dog", "runs", "sits", "sea"]


@pytest.fixture(scope="module")
def sentence_model(tmp_path_factory):
    path = tmp_path_factory.mktemp("sentences")
    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(
        path
    )
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    transformers.BertModel(transformers.BertConfig(vocab_size=len(WORDS), **sizes)).save_pretrained(path)
    return path


def test_texts_go_the_same_way(sentence_model):
    rng = np.random.default_rng(0)
    kinds = [["red", "cat"], ["green", "dog"], ["blue", "sea"]]
    texts = [" ".join([*rng.permutation(kinds[label]), *rng.choice(WORDS[7:9], 2)]) for label in LABELS]
    frame = pd.DataFrame({"text": texts, "label": GIVEN})
    vectors = dataaudit.embed(texts, sentence_model, progress=False)
    for data in ((texts, GIVEN), frame, datasets.Dataset.from_pandas(frame)):
        audit = score(data, embed=str(sentence_model), processor=None)
        np.testing.assert_array_equal(audit.vectors, vectors)
        assert sorted(audit.ranking()[:3]) == [0, 1, 2]
    assert audit.settings["embedding"]["pooling"] == "mean"
    assert "words" not in str(audit.settings["neighbour_labels"])
    dropped = score(([*texts, None, " "], [*GIVEN, 0, 1]), embed=sentence_model, processor=None, on_bad_rows="drop")
    assert dropped.settings["dropped_rows"] == [N, N + 1]


@pytest.mark.parametrize(
    ("data", "options", "error", "message"),
    [
        ((np.zeros((6, 4)), [0, 1] * 3), {}, DataError, "leave embed= out: numbers are vectors already"),
        (pd.DataFrame({"a": [1, 2], "b": ["x", "y"], "label": [0, 1]}), {}, DataError, "a table of the columns"),
        ((["a", "b"], [0, 1]), {}, ModelError, "texts for a Means, which is no model of texts"),
        ((IMAGES, GIVEN), {"embed": "/no/model"}, ModelError, "'/no/model', from which transformers reads no model"),
        ((IMAGES, GIVEN), {"processor": None}, DataError, "in row 1, after"),
        (([*IMAGES[:-1], None], GIVEN), {}, DataError, f"no image in row {N - 1}"),
        (([None] * 4, [0, 1] * 2), {"on_bad_rows": "drop"}, DataError, "embed="),
    ],
)
def test_bad_input_is_refused(data, options, error, message):
    with pytest.raises(error, match=message):
        score(data, **options)
