"""Small models of texts and images with random weights, and folders of them with a fault each."""

import json
import shutil
from pathlib import Path
from typing import ClassVar

import datasets
import numpy as np
import torch
import transformers
from PIL import Image
from torch import nn

from tests.learners.tiny_models import bert_config, tokenizer

N = 12
LABELS = np.arange(N) % 2
TEXTS = [f"{'ab'[row % 2]}{row % 6} the" for row in range(N)]
VECTORS = np.random.default_rng(0).normal(size=(N, 5)).astype(np.float32) + LABELS[:, None]
IMAGES = [Image.new("RGB", (16, 16), (200 * (row % 2), 20 * row, 0)) for row in range(N)]
SIZES = [image.resize((16 + row % 2, 16)) for row, image in enumerate(IMAGES)]
ARRAYS = [np.asarray(image) for image in IMAGES]
SEEN = {
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 8,
    "image_size": 16,
    "patch_size": 8,
}
COLUMN = datasets.Dataset.from_dict({"text": TEXTS, "label": LABELS})


class Encoder(nn.Module):
    """A network of images: vectors of 4, or what `output` makes of them."""

    def __init__(self, output=None, channels=3):
        super().__init__()
        self.body = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 4))
        self.conv = nn.Conv2d(channels, 1, 1)
        self.unused = nn.Identity()
        self.output = output

    def forward(self, images):
        vectors = self.body(images)
        return vectors if self.output is None else self.output(vectors)


class Weights(Encoder):
    """A network that came with a function for its images."""

    encode_image = Encoder.forward


class OfTimm(Encoder):
    """The interface of a timm model."""

    pretrained_cfg: ClassVar = {"input_size": (3, 16, 16), "crop_mode": "border"}

    def forward_features(self, images):
        return images

    def forward_head(self, features, pre_logits=False):
        return self.body(features)


class Untowered(nn.Module):
    """Two towers whose outputs are no vectors."""

    def __init__(self):
        super().__init__()
        self.vision_model = Encoder()

    def get_text_features(self, **given):
        return None

    def get_image_features(self, pixel_values):
        return None


def pixels(image):
    return torch.from_numpy(np.asarray(image.convert("RGB").resize((16, 16)), np.float32).transpose(2, 0, 1) / 255)


def processor():
    kind = getattr(transformers, "ViTImageProcessorPil", None) or transformers.ViTImageProcessor
    return kind(size={"height": 16, "width": 16})


class Ragged(type(processor())):
    """An image processor that makes no batch."""

    def __call__(self, images, **options):
        return {"pixel_values": [pixels(image) for image in images]}


def model_of(kind, **options):
    torch.manual_seed(0)
    config = bert_config(**options)
    made = getattr(transformers, kind)(config if kind.startswith("Bert") else transformers.ViTConfig(**SEEN))
    return made.eval()


BERT, WORDS, VIT = model_of("BertModel"), tokenizer(), model_of("ViTModel")
SMALL = {**SEEN, "vocab_size": 40, "projection_size": 8}
SIGLIP = transformers.SiglipModel(transformers.SiglipConfig(text_config=SMALL, vision_config=SEEN)).eval()
T5 = transformers.T5Model(
    transformers.T5Config(vocab_size=40, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2)
).eval()
READER = {"model": BERT, "processor": WORDS}
SEER = {"model": Encoder(), "processor": None}


def saved(model=BERT, words=WORDS, change=None):
    """The folder of a model, made here."""

    def make():
        shutil.rmtree("model", ignore_errors=True)
        model.save_pretrained("model")
        if words is not None:
            words.save_pretrained("model")
        if change is not None:
            change(Path("model"))
        return "model"

    return make


def sentences(parts, pooling=None):
    """What a sentence-transformers folder says beside its model."""

    def change(folder):
        listed = [{"path": "", "type": "sentence_transformers.models.Transformer"}]
        listed += [{"path": "1_Pooling", "type": f"sentence_transformers.models.{part}"} for part in parts]
        (folder / "modules.json").write_text(json.dumps(listed))
        (folder / "1_Pooling").mkdir()
        (folder / "1_Pooling/config.json").write_text(json.dumps({"pooling_mode": pooling} if pooling else {}))

    return change


def lacking(folder):
    """Weights of half a model."""
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    save_file(dict(list(weights.items())[: len(weights) // 2]), folder / "model.safetensors", {"format": "pt"})
