"""Embeddings by a tiny encoder, in a folder or as objects."""

import json
import subprocess
import sys

import datasets
import numpy as np
import pandas as pd
import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

import dataaudit
from dataaudit.embedding.texts import pooled
from dataaudit.errors import DataError, ModelError, SettingError, StorageError

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "red", "green", "blue", "cat", "dog", "runs"]
TEXTS = ["red cat", "a dog runs", "blue", "green green green dog runs runs", "cat", "red cat", "dog " * 30]


def tokenizer(**options):
    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, **{"pad_token": "[PAD]", "unk_token": "[UNK]", **options}
    )


def encoder(**options):
    torch.manual_seed(0)
    return transformers.BertModel(
        transformers.BertConfig(
            **{
                "vocab_size": len(WORDS),
                "hidden_size": 16,
                "num_hidden_layers": 2,
                "num_attention_heads": 2,
                "intermediate_size": 32,
                "max_position_embeddings": 16,
                **options,
            }
        )
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("model")
    encoder().save_pretrained(path)
    tokenizer().save_pretrained(path)
    return path


def describe(folder, target, pooling, more=(), limit=None):
    """A copy of `folder` as sentence-transformers keeps it."""
    for path in folder.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    parts = [
        {"path": "", "type": "sentence_transformers.models.Transformer"},
        {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        *more,
    ]
    named = [{"idx": place, "name": str(place), **part} for place, part in enumerate(parts)]
    (target / "modules.json").write_text(json.dumps(named))
    (target / "1_Pooling").mkdir()
    (target / "1_Pooling/config.json").write_text(json.dumps(pooling))
    if limit is not None:
        (target / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": limit}))
    return target


def plain(texts, pooling="mean", limit=16, normalise=True):
    """One text at a time, without padding."""
    model, spelled = encoder().eval(), tokenizer()
    found = []
    for text in texts:
        inputs = spelled(text, truncation=True, max_length=limit, return_tensors="pt")
        with torch.no_grad():
            hidden = model(input_ids=inputs["input_ids"]).last_hidden_state[0].double().numpy()
        vector = {"mean": hidden.mean(0), "cls": hidden[0], "max": hidden.max(0)}[pooling]
        found.append(vector / np.linalg.norm(vector) if normalise else vector)
    return np.array(found)


@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("batch_size", [1, 2, 64])
def test_a_plain_loop_gives_the_same(folder, normalise, batch_size):
    found = dataaudit.embed(TEXTS, folder, batch_size=batch_size, normalise=normalise, progress=False)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, plain(TEXTS, normalise=normalise), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
@pytest.mark.parametrize("spelled", ["old", "new"])
def test_the_folders_pooling_and_limit_hold(folder, tmp_path, pooling, spelled):
    name = {"mean": "mean_tokens", "cls": "cls_token", "max": "max_tokens"}[pooling]
    old = {
        f"pooling_mode_{key}": key == name for key in ("cls_token", "mean_tokens", "max_tokens", "weightedmean_tokens")
    }
    settings = (
        {**old, "include_prompt": True} if spelled == "old" else {"pooling_mode": pooling, "include_prompt": True}
    )
    path = describe(folder, tmp_path, settings, [{"path": "2", "type": "sentence_transformers.models.Normalize"}], 6)
    found = dataaudit.embed(TEXTS, str(path), progress=False)
    np.testing.assert_allclose(found, plain(TEXTS, pooling, 6), rtol=1e-4, atol=1e-5)
    longer = dataaudit.embed(TEXTS, path, max_length=9, progress=False)
    np.testing.assert_allclose(longer, plain(TEXTS, pooling, 9), rtol=1e-4, atol=1e-5)


def test_sentence_transformers_gives_the_same(folder, tmp_path):
    sentence = pytest.importorskip("sentence_transformers")
    path = describe(folder, tmp_path, {"word_embedding_dimension": 16, "pooling_mode_mean_tokens": True}, limit=8)
    theirs = sentence.SentenceTransformer(str(path), device="cpu").encode(TEXTS, normalize_embeddings=True)
    np.testing.assert_allclose(dataaudit.embed(TEXTS, path, progress=False), theirs, rtol=1e-4, atol=1e-5)


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_padding_changes_no_pooled_vector(data):
    lengths = data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=5))
    left = data.draw(st.booleans())
    hidden = torch.randn(len(lengths), max(lengths), 4, generator=torch.Generator().manual_seed(0))
    place = torch.arange(max(lengths))
    count = torch.tensor(lengths)[:, None]
    mask = place >= max(lengths) - count if left else place < count
    for pooling, function in (("mean", lambda x: x.mean(0)), ("cls", lambda x: x[0]), ("max", lambda x: x.amax(0))):
        wanted = torch.stack([function(row[there]) for row, there in zip(hidden, mask, strict=True)])
        torch.testing.assert_close(pooled(hidden, mask, pooling), wanted)


def test_objects_stay_as_they_are(folder):
    model = encoder().train()
    model.embeddings.eval()
    before = {name: part.training for name, part in model.named_modules()}
    state = torch.get_rng_state()
    for given_data in (TEXTS, tuple(TEXTS), np.array(TEXTS), np.array(TEXTS, object), pd.Series(TEXTS)):
        found = dataaudit.embed(given_data, model, processor=tokenizer(), progress=False)
        np.testing.assert_allclose(found, plain(TEXTS), rtol=1e-4, atol=1e-5)
    assert {name: part.training for name, part in model.named_modules()} == before
    left = dataaudit.embed(TEXTS, model, processor=tokenizer(padding_side="left"), progress=False)
    assert left.shape == (7, 16)
    dataaudit.embed(TEXTS, folder, progress=False)
    assert torch.equal(state, torch.get_rng_state())


def test_blocks_keep_the_order(folder):
    whole = dataaudit.embed(TEXTS, folder, progress=False)
    np.testing.assert_allclose(
        dataaudit.embed(TEXTS, folder, batch_size=2, block_size=3, progress=False), whole, atol=1e-5
    )


def test_a_file_takes_the_vectors_block_by_block(folder, tmp_path):
    found = dataaudit.embed(TEXTS, folder, out=tmp_path / "vectors.npy", block_size=3, progress=False)
    assert isinstance(found, np.memmap)
    np.testing.assert_allclose(np.load(tmp_path / "vectors.npy"), plain(TEXTS), rtol=1e-4, atol=1e-5)
    assert [path.name for path in tmp_path.iterdir()] == ["vectors.npy"]
    with pytest.raises(StorageError, match="which exists"):
        dataaudit.embed(TEXTS, folder, out=tmp_path / "vectors.npy", progress=False)


def test_half_a_file_is_removed(tmp_path):
    model, calls = encoder(), []

    def stop(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt

    model.register_forward_pre_hook(stop)
    with pytest.raises(KeyboardInterrupt):
        dataaudit.embed(TEXTS, model, processor=tokenizer(), out=tmp_path / "vectors.npy", block_size=3, progress=False)
    assert list(tmp_path.iterdir()) == []


def test_a_data_set_gets_a_column(folder):
    dataset = datasets.Dataset.from_dict({"text": TEXTS, "label": [0, 1, 0, 1, 0, 1, 0]})
    shuffled = dataset.shuffle(seed=1)
    found = dataaudit.embed(shuffled, folder, column="text", progress=False)
    assert found.column_names == ["text", "label", "embedding"]
    assert found["text"] == shuffled["text"]
    assert found.features["embedding"].length == 16
    np.testing.assert_allclose(found.with_format("numpy")["embedding"][:], plain(list(shuffled["text"])), atol=1e-5)
    assert "embedding" not in dataset.column_names
    audit = dataaudit.score(dataaudit.LinearProbe(), found, inputs="embedding", label="label", progress=False)
    assert len(audit) == 7
    np.testing.assert_allclose(dataaudit.embed(dataset["text"], folder, progress=False), plain(TEXTS), atol=1e-5)


def test_vectors_are_audited_by_a_linear_probe(folder):
    texts = ["red cat", "green cat", "blue dog runs", "green dog runs"] * 15
    labels = ["cat", "cat", "dog", "dog"] * 15
    labels[0] = "dog"
    audit = dataaudit.score(
        dataaudit.LinearProbe(), (dataaudit.embed(texts, folder, progress=False), labels), progress=False
    )
    assert audit.ranking()[0] == 0


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"data": ["red", None, "", 3]}, DataError, r"NoneType, int in rows 1, 3; expected a text"),
        ({"data": ["red", " ", ""]}, DataError, "an empty text in rows 1, 2"),
        ({"data": []}, DataError, "no texts or images"),
        ({"data": "red"}, DataError, "data 'red', which is no folder"),
        ({"data": np.array([["red"]])}, DataError, "an array of shape"),
        ({"column": "text"}, SettingError, "column='text' for data of type list"),
        ({"batch_size": 0}, SettingError, "batch_size=0"),
        ({"max_length": 99}, SettingError, "max_length=99; expected at most 16 tokens"),
        ({"max_length": True}, SettingError, "max_length=True"),
        ({"normalise": "yes"}, SettingError, "normalise='yes'"),
        ({"device": "cdua"}, SettingError, "did you mean 'cuda'"),
        ({"out": "vectors.txt"}, SettingError, r"a \.npy file"),
        ({"out": "/nowhere/vectors.npy"}, StorageError, "make that folder first"),
        ({"model": 3}, ModelError, "a model of type int"),
        ({"model": encoder()}, ModelError, "without a tokenizer"),
        ({"model": encoder(), "processor": "words"}, ModelError, "processor= of type str"),
        ({"model": encoder(vocab_size=5), "processor": tokenizer()}, ModelError, "10 tokens for a BertModel of 5"),
        ({"model": encoder(), "processor": tokenizer(pad_token=None)}, ModelError, "without a padding token"),
    ],
)
def test_bad_input_is_refused(folder, arguments, error, message):
    given_arguments = {"data": TEXTS, "model": folder, "progress": False, **arguments}
    with pytest.raises(error, match=message):
        dataaudit.embed(given_arguments.pop("data"), given_arguments.pop("model"), **given_arguments)


def test_a_model_with_a_head_is_refused():
    model = transformers.BertForSequenceClassification(encoder().config)
    with pytest.raises(ModelError, match=r"without last_hidden_state.*model\.base_model"):
        dataaudit.embed(TEXTS, model, processor=tokenizer(), progress=False)


def test_texts_without_a_token_are_refused():
    bare = tokenizer()
    bare._tokenizer.post_processor = processors.TemplateProcessing(single="$A", special_tokens=[])
    bare._tokenizer.normalizer = normalizers.Replace("?", "")
    with pytest.raises(DataError, match="no token in row 3"):
        dataaudit.embed(["red", "cat", "dog", "?"], encoder(), processor=bare, block_size=2, progress=False)


def test_bad_data_sets_are_refused(folder):
    dataset = datasets.Dataset.from_dict({"text": ["red", None], "embedding": [0, 1]})
    with pytest.raises(SettingError, match=r"without column= .*'text', 'title'"):
        dataaudit.embed(dataset.add_column("title", ["a", "b"]), folder)
    with pytest.raises(DataError, match="one of the columns 'text', 'embedding'"):
        dataaudit.embed(dataset, folder, column="words")
    with pytest.raises(DataError, match="a column 'embedding'"):
        dataaudit.embed(dataset, folder, column="text")
    dataset = dataset.remove_columns("embedding")
    with pytest.raises(DataError, match="NoneType in row 1"):
        dataaudit.embed(dataset, folder, column="text")
    with pytest.raises(SettingError, match="either a file or a column"):
        dataaudit.embed(dataset, folder, column="text", out="vectors.npy")


@pytest.mark.parametrize(
    ("pooling", "message"),
    [
        ({"pooling_mode_weightedmean_tokens": True}, "pools by weightedmean_tokens"),
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True}, "pools by cls and mean"),
        ({"pooling_mode": ["mean", "max"]}, "pools by mean and max"),
        ({"pooling_mode_cls_token": False}, "pools by nothing"),
    ],
)
def test_other_poolings_are_refused(folder, tmp_path, pooling, message):
    with pytest.raises(ModelError, match=message):
        dataaudit.embed(TEXTS, describe(folder, tmp_path, pooling), progress=False)


def test_other_parts_and_missing_weights_are_refused(folder, tmp_path):
    dense = [{"path": "2_Dense", "type": "sentence_transformers.models.Dense"}]
    with pytest.raises(ModelError, match=r"with sentence_transformers\.models\.Dense"):
        dataaudit.embed(TEXTS, describe(folder, tmp_path, {"pooling_mode": "mean"}, dense), progress=False)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 3}))
    (tmp_path / "modules.json").unlink()
    with pytest.raises(ModelError, match=r"weights that .* lacks, 'encoder\.layer\.2"):
        dataaudit.embed(TEXTS, tmp_path, progress=False)


def test_it_is_silent_and_loads_nothing_before(folder):
    code = f"""
import sys, dataaudit
assert "transformers" not in sys.modules
dataaudit.embed(["red cat"] * 5, {str(folder)!r}, progress=False)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert done.stderr == ""
