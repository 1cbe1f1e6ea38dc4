"""Tiny transformers models of texts and images, with a tokenizer of a few words, and data for them."""

import numpy as np
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from dataaudit import Recipe

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *(f"{kind}{i}" for kind in "abc" for i in range(6)), "the", "of", "and"]
SHORT = Recipe(epochs=2, batch_size=16, optimizer="adamw", learning_rate=5e-3, precision="float32")


def tokenizer(limit=12, **options):
    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=words,
        **{"pad_token": "[PAD]", "unk_token": "[UNK]", "model_max_length": limit, **options},
    )


def bert_config(**options):
    return transformers.BertConfig(
        **{
            "vocab_size": len(WORDS),
            "hidden_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 32,
            "max_position_embeddings": 12,
            "num_labels": 3,
            **options,
        }
    )


def bert(**options):
    return transformers.BertForSequenceClassification(bert_config(**options))


def texts(n=90, seed=0):
    """Three kinds of words among common ones, of 2 to 9 words a text."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    found = []
    for kind in labels:
        words = [f"{'abc'[kind]}{i}" for i in rng.integers(6, size=rng.integers(1, 6))]
        found.append(" ".join(rng.permutation([*words, *rng.choice(["the", "of", "and"], rng.integers(1, 4))])))
    return found, labels


def seeded(**options):
    torch.manual_seed(1)
    return bert(**options)


def vit(**options):
    return transformers.ViTForImageClassification(
        transformers.ViTConfig(
            **{
                "hidden_size": 16,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "intermediate_size": 32,
                "image_size": 16,
                "patch_size": 8,
                "num_labels": 2,
                **options,
            }
        )
    )


def resnet(**options):
    return transformers.ResNetForImageClassification(
        transformers.ResNetConfig(
            **{
                "embedding_size": 8,
                "hidden_sizes": [8, 16],
                "depths": [1, 1],
                "layer_type": "basic",
                "num_labels": 2,
                **options,
            }
        )
    )


def images(n=40, channels=3):
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 2
    pixels = rng.integers(0, 100, (n, channels, 16, 16)) + 100 * labels[:, None, None, None]
    return pixels.astype(np.uint8), labels


def image_processor(side=16):
    return transformers.ViTImageProcessorPil(size={"height": side, "width": side})
