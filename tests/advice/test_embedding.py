"""Refusals of `embed` and of embed= in `score`: whatever they advise works when it is followed."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from torch import nn

import dataaudit
from dataaudit.embedding import loading
from tests.advice.embedding_models import (
    ARRAYS,
    BERT,
    COLUMN,
    IMAGES,
    LABELS,
    READER,
    SEER,
    SIGLIP,
    SIZES,
    T5,
    TEXTS,
    VECTORS,
    VIT,
    WORDS,
    Encoder,
    N,
    OfTimm,
    Ragged,
    Untowered,
    Weights,
    lacking,
    pixels,
    processor,
    saved,
    sentences,
)
from tests.learners.tiny_models import bert


def embed(data, model, **options):
    """Vectors; whatever is a function is made here."""
    return dataaudit.embed(
        data() if callable(data) else data, model() if _makes(model) else model, progress=False, **options
    )


def _makes(model):
    return callable(model) and not isinstance(model, nn.Module)


def texts(data=TEXTS, **more):
    return {"data": data, **READER, **more}


def images(data=IMAGES, **more):
    return {"data": data, **SEER, **more}


def score(dataset, begun=None, **options):
    """An audit of vectors, after another one where the folder of cache= was begun by that."""
    if begun is not None and not Path("folder").exists():
        score(**{"dataset": dataset, **options, **begun, "cache": "folder"})
    return dataaudit.score(None, dataset, "parzen/input", progress=False, **options)


def audited(dataset=(IMAGES, LABELS), **more):
    return {"dataset": dataset, "embed": SEER["model"], **more}


def of_texts(dataset):
    return {"dataset": dataset, "embed": BERT, "processor": WORDS}


def new(rows):
    """Rows beside an audit of vectors."""
    score(**audited()).score_new(rows, k=2, progress=False)


def written(name="vectors.npy"):
    Path(name).write_bytes(b"")
    return TEXTS


def removed(name="vectors.npy"):
    Path(name).unlink()
    return TEXTS


def empty():
    Path("empty").mkdir(exist_ok=True)
    return "empty"


def file():
    Path("weights.bin").write_bytes(b"")
    return "weights.bin"


def tower(loaded):
    """Vectors of a model whose towers give none."""
    return loading.image_encoder(loaded, pixels, None, "towers", (), IMAGES[0])


CASES = {
    "vectors that are not finite": (embed, images(model=Encoder(lambda out: out[:, :3] / 0)), {"float32": SEER}),
    "a file of a column": (embed, texts(COLUMN, out="v.npy"), {"data[column]": {"data": COLUMN["text"]}}),
    "vectors beyond half precision": (
        embed,
        images(model=Encoder(lambda out: out[:, :3] * 0 + 1e6), normalise=False, dtype="float16"),
    ),
    "a file that is no array": (embed, texts(out="vectors.txt")),
    "a file that is there": (
        embed,
        texts(written, out="vectors.npy"),
        {"another file": {"out": "others.npy"}, "remove": {"data": removed, "out": "vectors.npy"}},
    ),
    "a file in no folder": (embed, texts(out="none/v.npy"), {"make that folder": {"out": "v.npy"}}),
    "no texts": (embed, texts([]), {"with some": {"data": TEXTS}}),
    "a column twice": (
        embed,
        texts(COLUMN.add_column("embedding", VECTORS.tolist())),
        {"remove_columns": {"data": COLUMN}},
    ),
    "an unknown column": (embed, texts(COLUMN, column="texts")),
    "no column of texts": (embed, texts(COLUMN.rename_column("text", "a").add_column("b", TEXTS))),
    "a column of a list": (embed, texts(column="text")),
    "numbers": (embed, texts([1.0, 2.0]), {"convert each": {"data": TEXTS}}),
    "a path that is no folder": (
        embed,
        texts("a text"),
        {"[text]": {"data": ["a text"]}, "pathlib": "the folder of images is one"},
    ),
    "texts in a set": (embed, texts(set(TEXTS)), {"as a list": {"data": TEXTS}}),
    "vectors": (embed, texts(VECTORS), {"texts [n]": {"data": np.array(TEXTS)}}),
    "a text that is none": (embed, texts([*TEXTS, None]), {"drop": {"data": TEXTS}}),
    "an empty text": (embed, texts([*TEXTS, " "]), {"drop": {"data": TEXTS}}),
    "a layer for texts": (embed, texts(layer="body")),
    "tokens for images": (embed, images(max_length=8)),
    "more tokens than there are": (embed, texts(max_length=800)),
    "images for a model of texts": (
        embed,
        images(**READER),
        {"CLIP or ViT": {"model": VIT, "processor": processor()}, "this one reads": {"data": TEXTS}},
    ),
    "a number as a model": (embed, texts(model=3), {"one of these": READER}),
    "a file as a model": (embed, texts(model=file), {"into their network": READER}),
    "a folder without a model": (embed, texts(model=empty), {"within": {"model": saved()}, "itself": READER}),
    "a name of nothing": (
        embed,
        texts(model="no model there"),
        {"check the name": {"model": saved(), "processor": None}, "itself": READER},
    ),
    "a folder that lacks weights": (embed, texts(model=saved(change=lacking)), {"again": {"model": saved()}}),
    "a folder without its processor": (
        embed,
        images(model=saved(VIT, None)),
        {"save it there": {"model": saved(VIT, processor())}, "AutoImageProcessor": {"processor": processor()}},
    ),
    "a sentence model of other parts": (
        embed,
        texts(model=saved(change=sentences(["Dense"]))),
        {"own package": READER},
    ),
    "a sentence model of other pooling": (
        embed,
        texts(model=saved(change=sentences(["Pooling"], "weightedmean"))),
        {"own package": READER},
    ),
    "a model with a head": (
        embed,
        texts(model=bert()),
        {"AutoModel": READER, "base_model": {"model": bert().base_model}},
    ),
    "texts for towers that are not CLIP's": (embed, texts(model=SIGLIP), {"another model": READER}),
    "a model that writes": (
        embed,
        texts(model=T5),
        {"another model": READER, "get_encoder()": {"model": T5.get_encoder()}},
    ),
    "texts for a network of images": (
        embed,
        texts(model=VIT),
        {"another model": READER, "this one reads": {"data": IMAGES, "processor": processor()}},
    ),
    "images without a processor": (
        embed,
        images(model=VIT),
        {"AutoImageProcessor": {"processor": processor()}},
    ),
    "images without transforms": (
        embed,
        images(model=Weights()),
        {"weights.transforms()": {"processor": pixels}, "came with the model": {"processor": pixels}},
    ),
    "images that a network does not take": (
        embed,
        images(model=nn.Linear(3, 2)),
        {"processor=": {"processor": lambda image: pixels(image)[:, :2, :3]}},
    ),
    "a network that gives no tensor": (
        embed,
        images(model=Encoder(lambda out: "text")),
        {"layer=": {"layer": "body"}},
    ),
    "a network that gives no vectors": (
        embed,
        images(model=Encoder(lambda out: out[0])),
        {"layer=": {"layer": "body"}},
    ),
    "an unknown layer": (embed, images(layer="bodi"), {"did you mean 'body'": {"layer": "body"}}),
    "a layer that does not run": (embed, images(layer="unused"), {"choose from": {"layer": "body"}}),
    "a processor that makes no batch": (
        embed,
        images(model=VIT, processor=Ragged(size={"height": 16, "width": 16})),
        {"processor=": {"processor": pixels}},
    ),
    "a processor that fails": (
        embed,
        images(processor=lambda image: 1 / 0),
        {"correct it": {"processor": pixels}},
    ),
    "a processor that gives no tensor": (embed, images(processor=np.asarray), {"ToTensor()": {"processor": pixels}}),
    "a processor that is none": (
        embed,
        images(processor=3),
        {"AutoImageProcessor": {"processor": pixels}, "torchvision": {"processor": pixels}},
    ),
    "colour for a grey model": (
        embed,
        images(model=Encoder(channels=1)),
        {"convert('L')": {"data": [image.convert("L") for image in IMAGES]}},
    ),
    "settings of timm that are not known": (
        embed,
        images(model=OfTimm()),
        {"timm.data": {"processor": pixels}},
    ),
    "images of several sizes": (embed, images(SIZES), {"processor=": {"processor": pixels}}),
    "towers that give no vectors": (
        tower,
        {"loaded": Untowered()},
        {"vision_model": {"loaded": Untowered().vision_model}},
    ),
    "no image in a row": (embed, images([*IMAGES, None]), {"leave that row out": {"data": IMAGES}}),
    "a text among images": (
        embed,
        images([*IMAGES, "text"]),
        {"model of texts": texts(), "pathlib": "images in files are"},
    ),
    "a number among images": (embed, images([*IMAGES, 3]), {"convert each": {"data": IMAGES}}),
    "an image that does not decode": (
        embed,
        images([*IMAGES, Image.new("F", (8, 8))]),
        {"": {"data": IMAGES}},
    ),
    "standardised pixels": (
        embed,
        images([array / 255.0 - 1 for array in ARRAYS], processor=pixels),
        {"as they were": {"data": ARRAYS}},
    ),
    "pixels in whole numbers": (
        embed,
        images([array.astype(np.int32) for array in ARRAYS]),
        {"astype": {"data": ARRAYS}},
    ),
    "pixels without a value": (
        embed,
        images([*ARRAYS, np.full((8, 8), np.nan)]),
        {"fill or leave out": {"data": ARRAYS}},
    ),
    "an array that is no image": (
        embed,
        images([*ARRAYS, np.zeros((8, 8, 7), np.uint8)]),
        {"reshape it": {"data": ARRAYS}},
    ),
    "a table": (
        score,
        audited(pd.DataFrame({"a": LABELS, "b": VECTORS[:, 0], "label": LABELS}).astype(float), label="label"),
        {"inputs=": "the table has no texts"},
    ),
    "vectors beside embed=": (score, audited((VECTORS, LABELS))),
    "a number beside texts": (
        score,
        of_texts(([*TEXTS[:-1], 3], LABELS)),
        {"drop or fill": {"dataset": (TEXTS, LABELS)}},
    ),
    "an empty text beside others": (
        score,
        of_texts(([*TEXTS[:-1], " "], LABELS)),
        {"drop that row": {"dataset": (TEXTS, LABELS)}},
    ),
    "some images that are none": (
        score,
        audited(([IMAGES[0], None, IMAGES[2], None, *IMAGES[4:]], LABELS)),
        {"leave that row out": {"dataset": (IMAGES, LABELS)}},
    ),
    "no row that can be used": (
        score,
        audited(([Path("none.png")] * N, LABELS), on_bad_rows="drop"),
        {"repair": {"dataset": (IMAGES, LABELS)}},
    ),
    "new vectors of another width": (
        new,
        {"rows": np.ones((2, 9), np.float32)},
        {"texts or images": {"rows": IMAGES[:2]}},
    ),
    "vectors of another model": (
        score,
        audited(cache="folder", begun={"embed": nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())}),
        {"begun with": {"embed": nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())}},
    ),
    "vectors of other images": (
        score,
        audited(cache="folder", begun={"dataset": (IMAGES[::-1], LABELS)}),
        {"begun with": {"dataset": (IMAGES[::-1], LABELS)}},
    ),
}


@pytest.mark.parametrize("kind", CASES)
def test_what_is_advised_works(follow, kind):
    follow(*CASES[kind])


def test_no_advice_is_left_out(left):
    assert left("embedding") == set()
