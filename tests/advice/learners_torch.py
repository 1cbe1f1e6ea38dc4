"""Refusals of torch and transformers models, with what follows their advice: `CASES`, as conftest.py says."""

import functools
import threading
import warnings

import numpy as np
import torch
import transformers
from datasets import Dataset
from PIL import Image
from sklearn.naive_bayes import GaussianNB
from tokenizers import Tokenizer, models, normalizers, processors
from torch import nn

from dataaudit import Recipe, networks
from dataaudit.data import as_examples
from dataaudit.learners.adapt import as_learner, resolve_recipe
from dataaudit.learners.batched import fit_predict_of
from dataaudit.learners.precisions import resolve_precision
from dataaudit.learners.recipes import CropFlip
from tests.learners.tiny_models import WORDS, bert, bert_config, image_processor, images, tokenizer, vit

N = 24
LABELS = np.arange(N) % 2
ROWS = np.random.default_rng(0).normal(size=(N, 3)).astype(np.float32) + 3 * LABELS[:, None]
TEXTS = [f"{'ab'[label]}{row % 5} the" for row, label in enumerate(LABELS)]
PIXELS = images(N)[0]


def checked(model, dataset=(ROWS, LABELS), recipe=None, device="auto", processor=None, transform=None):
    """Learner of the model, after its checks."""
    examples = as_examples(dataset, transform=transform)
    learner = as_learner(model, examples, resolve_recipe(recipe), device, processor)
    if learner is not None:
        learner.check(0)
    return learner


def linear():
    return nn.Linear(3, 2)


def convolution(channels):
    return nn.Sequential(nn.Conv2d(channels, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def frozen():
    return linear().requires_grad_(False)


def traced():
    with warnings.catch_warnings():
        # Torch would have it gone, and people have it.
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.trace(linear(), torch.zeros(2, 3))


class Scores(nn.Linear):
    def forward(self, inputs):
        return {"scores": super().forward(inputs)}


class Reads(nn.Linear):
    """Looks at a number, of which there are several where models are trained at once."""

    def forward(self, inputs):
        return super().forward(inputs) if inputs.sum().item() else inputs


class Bare(nn.Module):
    """A module with a parameter that no layer makes anew."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3, 2))

    def forward(self, inputs):
        return inputs @ self.weight


def locked():
    module = linear()
    module.lock = threading.Lock()
    return module


def computed():
    """A module that holds the result of a computation."""
    module = linear()
    module.last = module(torch.zeros(1, 3))
    return module


two = functools.partial(bert, num_labels=2)


class Sounds(transformers.BertForSequenceClassification):
    main_input_name = "input_values"


def other_head(**options):
    """A model that its configuration does not describe."""
    model = two(**options)
    model.classifier = nn.Sequential(nn.Linear(16, 4), nn.Linear(4, 2))
    return model


def resized():
    model = two(vocab_size=9)
    model.resize_token_embeddings(len(WORDS))
    return model


def few_words():
    known = Tokenizer(models.WordLevel({word: place for place, word in enumerate(WORDS[:9])}, unk_token="[UNK]"))
    return transformers.PreTrainedTokenizerFast(tokenizer_object=known, pad_token="[PAD]", unk_token="[UNK]")


def without_padding(filled=False):
    made = tokenizer(eos_token="[SEP]")
    made.pad_token = made.eos_token if filled else None
    return made


def bare():
    """A tokenizer that leaves nothing of a question mark."""
    made = tokenizer()
    made._tokenizer.post_processor = processors.TemplateProcessing(single="$A", special_tokens=[])
    made._tokenizer.normalizer = normalizers.Replace("?", "")
    return made


def of_texts(model, texts=TEXTS, processor=None, **more):
    return checked(model, (texts, LABELS[: len(texts)]), processor=processor or tokenizer(), **more)


def predicted(recipe):
    """What a run that leaves rows out predicts of them."""
    return checked(linear, recipe=recipe).fit_predict()(np.arange(16), np.arange(16, N), 0)


def precision(precision):
    return resolve_precision(precision, torch.device("mps"))


def at_once(model, at_once, dataset=(ROWS, LABELS)):
    return fit_predict_of(checked(model, dataset), at_once)


class Held(nn.Linear):
    """Has weights that are neither parameters nor buffers."""

    def __init__(self):
        super().__init__(3, 2)
        self.first = torch.randn(3, 3)

    def forward(self, inputs):
        return super().forward(inputs @ self.first)


def padded():
    return nn.Sequential(nn.Embedding(5, 2, padding_idx=0), nn.Flatten(), nn.Linear(6, 2))


IDS = Dataset.from_dict({**tokenizer()(TEXTS), "label": LABELS})


class Unrounded(nn.Linear):
    """Reads its numbers where NumPy has none."""

    def forward(self, inputs):
        logits = super().forward(inputs)
        logits.detach().numpy()
        return logits


CASES = {
    "a model that fails in bfloat16": (
        checked,
        {"model": lambda: Unrounded(3, 2), "recipe": Recipe(precision="bfloat16")},
        {"'auto'": {"recipe": Recipe(precision="auto")}, "'float32'": {"recipe": Recipe(precision="float32")}},
    ),
    "a device of no name": (checked, {"model": linear, "device": "cdua"}, {"choose from": {"device": "cpu"}}),
    "a device that is not there": (checked, {"model": linear, "device": "xpu"}),
    "bfloat16 where it is slow": (precision, {"precision": "bfloat16"}),
    "a function that makes no module": (
        checked,
        {"model": lambda: "no module"},
        {"a function": {"model": linear}, "a classifier": {"model": GaussianNB()}},
    ),
    "statistics of one row": (
        checked,
        {"model": nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)), "recipe": Recipe(batch_size=1)},
        {"Recipe(batch_size=2)": {"recipe": Recipe(batch_size=2)}},
    ),
    "nothing to train": (checked, {"model": frozen()}, {"unfreeze": {"model": frozen().requires_grad_(True)}}),
    "a model in TorchScript": (checked, {"model": traced()}, {"before torch.jit": {"model": linear}}),
    "crops of rows": (
        checked,
        {"model": linear, "recipe": Recipe(augment=CropFlip(4))},
        {"augment=None": {"recipe": Recipe(augment=None)}},
    ),
    "rows too short for the model": (
        checked,
        {"model": nn.Linear(5, 2)},
        {"first layer": {"model": linear}, "transform=": {"transform": lambda row: np.resize(row, 5)}},
    ),
    "no logits": (checked, {"model": Scores(3, 2)}, {"wrap": {"model": linear}}),
    "too many outputs": (checked, {"model": nn.Linear(3, 4)}, {"last layer": {"model": linear}}),
    "channels in no layout": (
        checked,
        {"model": convolution(3), "dataset": (np.zeros((N, 10, 9, 4), np.float32), LABELS)},
        {"first layer": {"model": convolution(4)}, "transform=": {"transform": lambda image: image[..., :3]}},
    ),
    "weights without values": (
        checked,
        {"model": nn.Linear(3, 2, device="meta")},
        {"on the CPU": {"model": linear()}, "a factory": {"model": linear}},
    ),
    "a module with a lock": (checked, {"model": locked()}, {"leave those out": {"model": linear()}}),
    "a module that cannot be copied": (checked, {"model": computed()}, {"a factory": {"model": linear}}),
    "a module that cannot be made anew": (
        checked,
        {"model": Bare(), "recipe": Recipe(init="reset")},
        {"a factory": {"model": Bare, "recipe": None}},
    ),
    "a transformers model that cannot be made anew": (
        of_texts,
        {"model": other_head(), "recipe": Recipe(init="reset")},
        {"a factory": {"model": other_head, "recipe": None}},
    ),
    "training that diverges": (
        predicted,
        {"recipe": Recipe(epochs=3, learning_rate=1e38)},
        {"learning_rate": {"recipe": Recipe(epochs=3)}},
    ),
    "classifiers at once": (at_once, {"model": GaussianNB(), "at_once": 2}),
    "networks at once that look at a number": (at_once, {"model": Reads(3, 2), "at_once": 2}),
    "networks at once that hold weights of their own": (at_once, {"model": Held, "at_once": 2}),
    "networks at once that pad": (at_once, {"model": padded, "at_once": 2, "dataset": (ROWS.astype(int) % 5, LABELS)}),
    "no tokenizer": (
        checked,
        {"model": two(), "dataset": (TEXTS, LABELS)},
        {"processor=AutoTokenizer": {"processor": tokenizer()}},
    ),
    "images' processor for texts": (
        of_texts,
        {"model": two(), "processor": image_processor()},
        {
            "processor=AutoTokenizer": {"processor": tokenizer()},
            "PreTrainedTokenizerFast": {
                "processor": transformers.PreTrainedTokenizerFast(
                    tokenizer_object=tokenizer()._tokenizer, pad_token="[PAD]"
                )
            },
        },
    ),
    "no padding token": (
        of_texts,
        {"model": two(), "processor": without_padding()},
        {"pad_token = ": {"processor": without_padding(filled=True), "model": two(pad_token_id=3)}},
    ),
    "more words than the model knows": (
        of_texts,
        {"model": two(vocab_size=9)},
        {"belongs to the model": {"processor": few_words()}, "resize_token_embeddings": {"model": resized()}},
    ),
    "token ids that the model does not know": (
        checked,
        {"model": two(vocab_size=4), "dataset": IDS},
        {
            "whose tokenizer made them": {"model": two()},
            "processor=": {"model": two(vocab_size=9), "dataset": (TEXTS, LABELS), "processor": few_words()},
        },
    ),
    "texts without a token": (
        of_texts,
        {"model": two(), "texts": ["a0", "?", "b0", "a1"], "processor": bare()},
        {"drop those rows": {"texts": ["a0", "b0", "a1"]}, "special tokens": {"processor": tokenizer()}},
    ),
    "numbers for a tokenizer": (
        checked,
        {"model": two(), "processor": tokenizer()},
        {"pass texts": {"dataset": (TEXTS, LABELS)}, "a model of numbers": {"model": linear, "processor": None}},
    ),
    "a head of regression": (
        of_texts,
        {"model": two(problem_type="regression")},
        {"problem_type=": {"model": two(problem_type="single_label_classification")}},
    ),
    "a recipe of images for texts": (
        of_texts,
        {"model": two(), "recipe": Recipe(augment=CropFlip(4))},
        {"augment=None": {"recipe": Recipe(augment=None)}},
    ),
    "a model of sounds": (
        of_texts,
        {"model": Sounds(bert_config(num_labels=2))},
        {"AutoModelForSequenceClassification": {"model": two()}},
    ),
    "a model without a head": (
        of_texts,
        {"model": transformers.BertModel(bert_config())},
        {"AutoModelForSequenceClassification": {"model": two()}},
    ),
    "classes in another order": (
        of_texts,
        {"model": two(id2label={0: "1", 1: "0"})},
        {
            "labels as positions": "positions say the order themselves: the head must then have other names",
            "set config.id2label": {"model": two(id2label={0: "0", 1: "1"})},
        },
    ),
    "two padding tokens": (of_texts, {"model": two(pad_token_id=5)}, {"pad_token_id = ": {"model": two()}}),
    "no padding token for token ids": (
        checked,
        {"model": two(pad_token_id=None), "dataset": IDS},
        {"pad_token_id": {"model": two(pad_token_id=0)}},
    ),
    "texts' processor for images": (
        checked,
        {"model": vit(), "dataset": (PIXELS, LABELS), "processor": tokenizer()},
        {"AutoImageProcessor": {"processor": image_processor()}, "none for pixels": {"processor": None}},
    ),
    "rows for a model of images": (
        checked,
        {"model": vit()},
        {
            "an image column": {"dataset": ([Image.fromarray(one.transpose(1, 2, 0)) for one in PIXELS], LABELS)},
            "arrays": {"dataset": (PIXELS, LABELS)},
        },
    ),
    "images of two channels": (
        checked,
        {"model": vit(), "dataset": (PIXELS[:, :2], LABELS)},
        {
            "transform=": {"transform": lambda image: np.concatenate([image, image[:1]])},
            "num_channels": {"model": vit(num_channels=2)},
        },
    ),
    "two channels, last": (
        checked,
        {"model": vit(num_channels=2), "dataset": (PIXELS[:, :2].transpose(0, 2, 3, 1), LABELS)},
        {"transpose": {"transform": lambda image: image.transpose(2, 0, 1)}},
    ),
    "a network of images for rows": (
        networks.build,
        {"name": "resnet18", "input_shape": (8, 8), "classes": 2},
        {"'mlp'": {"name": "mlp"}, "channel axis": {"input_shape": (1, 8, 8)}},
    ),
    "a network for larger images": (
        networks.build,
        {"name": "block_cnn", "input_shape": (1, 8, 8), "classes": 2},
        {"'small_cnn'": {"name": "small_cnn"}, "resize": {"input_shape": (1, 9, 9)}},
    ),
    "a network of no name": (
        networks.build,
        {"name": "mpl", "input_shape": (3,), "classes": 2},
        {"did you mean 'mlp'": {"name": "mlp"}},
    ),
}
