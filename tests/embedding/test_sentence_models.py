"""Objects of sentence-transformers, SetFit and transformers pipelines."""

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from sklearn.linear_model import LogisticRegression
from tokenizers import Tokenizer, models, pre_tokenizers

import dataaudit
from dataaudit.errors import ModelError

WORDS = ["[PAD]", "[UNK]", "red", "green", "blue", "cat", "dog", "runs"]
TEXTS = np.array(["red cat", "a dog runs", "blue cat red", "dog runs runs"] * 10)
LABELS = np.tile([0, 1], 20)
LABELS[:4] = 1 - LABELS[:4]
HELD_OUT = {"scorers": "heldout_confidence", "holdout": dataaudit.Holdout(folds=2), "progress": False}
SIZES = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}


def tokenizer():
    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]")


def configuration():
    torch.manual_seed(0)
    return transformers.BertConfig(vocab_size=len(WORDS), **SIZES)


@pytest.fixture(scope="module")
def sentences(tmp_path_factory):
    package = pytest.importorskip("sentence_transformers")
    folder = tmp_path_factory.mktemp("sentences")
    transformers.BertModel(configuration()).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return package.SentenceTransformer(str(folder), device="cpu")


def finds(audit):
    scores = audit.columns["heldout_confidence"]
    return np.median(scores[:4]) < np.median(scores[4:])


def test_a_sentence_transformer_embeds_as_it_does_by_itself(sentences):
    vectors = dataaudit.embed(TEXTS, sentences, progress=False)
    np.testing.assert_allclose(vectors, sentences.encode(list(TEXTS), normalize_embeddings=True), atol=1e-5)
    assert finds(dataaudit.score(dataaudit.LinearProbe(), (vectors, LABELS), **HELD_OUT))


def test_other_parts_of_a_sentence_transformer_are_refused(sentences):
    from sentence_transformers import SentenceTransformer

    class Twice(torch.nn.Module):
        def forward(self, features):
            return features

    with pytest.raises(ModelError, match="sentence model with Twice"):
        dataaudit.embed(TEXTS, SentenceTransformer(modules=[*sentences, Twice()], device="cpu"), progress=False)


def test_the_head_of_a_setfit_model_is_fitted_anew(sentences):
    model = pytest.importorskip("setfit").SetFitModel(model_body=sentences, model_head=LogisticRegression())
    assert finds(dataaudit.score(model, (TEXTS, LABELS), **HELD_OUT))
    assert not hasattr(model.model_head, "coef_")


def test_models_that_tell_no_classes_apart_are_refused_with_what_to_pass(sentences):
    classifier = transformers.BertForSequenceClassification(configuration())
    pipeline = transformers.pipeline("text-classification", model=classifier, tokenizer=tokenizer())
    with pytest.raises(
        ModelError, match=r"transformers pipeline.*model=pipeline\.model, processor=pipeline\.tokenizer"
    ):
        dataaudit.score(pipeline, (TEXTS, LABELS))
    with pytest.raises(ModelError, match="pass embed=model"):
        dataaudit.score(sentences, (TEXTS, LABELS))


def test_a_clip_of_sentence_transformers_embeds_texts_and_images_as_it_does_by_itself(tmp_path):
    package = pytest.importorskip("sentence_transformers")
    seen = {**SIZES, "image_size": 16, "patch_size": 8}
    words = {**SIZES, "vocab_size": len(WORDS), "max_position_embeddings": 12, "bos_token_id": 2, "eos_token_id": 3}
    torch.manual_seed(0)
    config = transformers.CLIPConfig(text_config=words, vision_config=seen, projection_dim=8)
    transformers.CLIPModel(config).save_pretrained(tmp_path / "towers")
    processor = getattr(transformers, "CLIPImageProcessorPil", None) or transformers.CLIPImageProcessor
    images = processor(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16})
    spelled = tokenizer()
    spelled.eos_token, spelled.model_max_length = "green", 12
    transformers.CLIPProcessor(images, spelled).save_pretrained(tmp_path / "towers")
    sentences = package.SentenceTransformer(str(tmp_path / "towers"), device="cpu")
    sentences.save(str(tmp_path / "sentences"))
    pixels = np.random.default_rng(0).integers(0, 256, (3, 20, 24, 3), dtype=np.uint8)
    pictures = [Image.fromarray(one) for one in pixels]
    for data in (pictures, list(TEXTS[:4])):
        wanted = sentences.encode(data, normalize_embeddings=True)
        for model in (sentences, tmp_path / "sentences", tmp_path / "towers"):
            np.testing.assert_allclose(dataaudit.embed(data, model, progress=False), wanted, atol=1e-5)
