"""``dataaudit score FOLDER --embed NAME``: images and texts are audited as vectors of a model in a folder."""

import numpy as np
import pandas as pd
import pytest
import torch
import transformers
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers
from typer.testing import CliRunner

from dataaudit import Audit, Decisions
from dataaudit.cli import app

SIZES = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
WORDS = ["[PAD]", "[UNK]", "red", "green", "cat", "dog", "runs", "sits"]


def call(command, *arguments):
    quiet = ["--no-progress"] if command == "score" else []
    return CliRunner().invoke(app, [command, *map(str, arguments), *quiet])


@pytest.fixture(scope="module")
def of_images(tmp_path_factory):
    path = tmp_path_factory.mktemp("images")
    torch.manual_seed(0)
    transformers.ViTModel(transformers.ViTConfig(**SIZES, image_size=8, patch_size=4)).save_pretrained(path)
    kind = getattr(transformers, "ViTImageProcessorPil", None) or transformers.ViTImageProcessor
    kind(size={"height": 8, "width": 8}).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def of_texts(tmp_path_factory):
    path = tmp_path_factory.mktemp("texts")
    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(
        path
    )
    torch.manual_seed(0)
    transformers.BertModel(transformers.BertConfig(vocab_size=len(WORDS), **SIZES)).save_pretrained(path)
    return path


def test_a_folder_of_images_of_several_sizes(of_images, tmp_path):
    rng = np.random.default_rng(0)
    for row in range(60):
        colour = np.array([(220, 20, 20), (20, 20, 220)])[row % 2 if row else 1]
        pixels = np.clip(colour + rng.normal(0, 20, (8 + row % 3, 9, 3)), 0, 255).astype(np.uint8)
        (tmp_path / "data" / "ab"[row % 2]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "data" / "ab"[row % 2] / f"{row:02}.png")
    done = call("score", tmp_path / "data", "--embed", of_images, "--out", tmp_path / "out", "--top", 3)
    assert done.exit_code == 0, done.output
    suspects = pd.read_csv(tmp_path / "out/suspects.csv", keep_default_na=False)
    assert suspects.loc[0, ["file", "given", "suggested"]].tolist() == ["a/00.png", "a", "b"]
    audit = Audit.load(tmp_path / "out/audit")
    assert audit.settings["embedding"]["of"] == "images"
    assert "data:image" in (tmp_path / "out/report.html").read_text()
    # People look at the images, and decide about them.
    done = call("review", tmp_path / "out", "--data", tmp_path / "data", "--budget", 4, "--out", tmp_path / "queue")
    assert done.exit_code == 0, done.output
    assert "data:image" in (tmp_path / "queue/review.html").read_text()
    queue = Decisions.read(tmp_path / "queue/decisions.jsonl")
    decided = queue.table.assign(decision=["relabel", "remove", "keep", ""], label=["b", "", "", ""])
    decided = Decisions.of(decided, queue.fingerprint, queue.class_names).write(tmp_path / "decided.jsonl")
    results = ("--results", tmp_path / "out", "--out", tmp_path / "corrected")
    done = call("apply", tmp_path / "data", decided, *results)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "corrected/b/00.png").exists()
    assert len(list((tmp_path / "corrected").glob("*/*.png"))) == 59


def test_texts_of_a_table(of_texts, tmp_path):
    rng = np.random.default_rng(0)
    kinds = [["red", "cat"], ["green", "dog"]]
    texts = [" ".join([*rng.permutation(kinds[row % 2]), rng.choice(WORDS[6:])]) for row in range(60)]
    labels = ["sport", "money"] * 30
    labels[0] = "money"
    pd.DataFrame({"text": texts, "label": labels}).to_csv(tmp_path / "news.csv", index=False)
    done = call("score", tmp_path / "news.csv", "--embed", of_texts, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert Audit.load(tmp_path / "out/audit").ranking()[0] == 0


def test_what_does_not_fit_is_said_in_the_words_of_options(of_images, of_texts, tmp_path):
    pd.DataFrame({"text": ["red", "green"], "label": [0, 1]}).to_csv(tmp_path / "news.csv", index=False)
    for options, message in {
        ("--embed", of_images): "texts for a ViTModel",
        ("--embed", tmp_path): "holds no config.json",
        ("--embed", of_texts, "--model", "mlp"): "--model mlp beside --embed",
    }.items():
        done = call("score", tmp_path / "news.csv", *options, "--out", tmp_path / "out")
        assert done.exit_code == 2
        assert message in " ".join(done.stderr.split())
