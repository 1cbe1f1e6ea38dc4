"""Vectors of images, by small networks with random weights: in folders, as objects, and by the interfaces of others."""

import copy
import io

import numpy as np
import pytest
import torch
import transformers
from PIL import Image, ImageOps
from torch import nn

import dataaudit
from dataaudit.errors import DataError, ModelError, SettingError

SIZES = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
SEEN = {**SIZES, "image_size": 16, "patch_size": 8}


def pictures(count=6, seed=0, least=18):
    """RGB images of several sizes."""
    rng = np.random.default_rng(seed)
    return [
        Image.fromarray(rng.integers(0, 256, (least + row, 2 * least - row, 3), dtype=np.uint8)) for row in range(count)
    ]


def processor():
    kind = getattr(transformers, "ViTImageProcessorPil", None) or transformers.ViTImageProcessor
    return kind(size={"height": 16, "width": 16})


def vit(**options):
    torch.manual_seed(0)
    return transformers.ViTModel(transformers.ViTConfig(**SEEN), **options).eval()


def clip():
    torch.manual_seed(0)
    words = {**SIZES, "vocab_size": 10, "max_position_embeddings": 12, "bos_token_id": 2, "eos_token_id": 3}
    return transformers.CLIPModel(transformers.CLIPConfig(text_config=words, vision_config=SEEN, projection_dim=8))


class Small(nn.Module):
    """A network with a head of classes."""

    def __init__(self, channels=3):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(channels, 5, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(5, 4)

    def forward(self, images):
        return self.head(self.body(images))


TIMM = {
    "input_size": (3, 16, 16),
    "interpolation": "bilinear",
    "crop_pct": 0.9,
    "mean": (0.5, 0.4, 0.3),
    "std": (0.2, 0.3, 0.4),
}


class OfTimm(nn.Module):
    """The interface of a timm model: settings of its images, features, and a head that can be left out."""

    def __init__(self):
        super().__init__()
        self.body, self.head = Small().body, nn.Linear(5, 4)
        self.pretrained_cfg = TIMM

    def forward_features(self, images):
        return self.body[:2](images)

    def forward_head(self, features, pre_logits=False):
        pooled = self.body[2:](features)
        return pooled if pre_logits else self.head(pooled)


class Weights:
    """The interface of torchvision's weights: no function, but an object with transforms and a state."""

    def transforms(self):
        return lambda image: as_tensor(image.resize((8, 8))) * 2 - 1

    def get_state_dict(self):
        return {}


class OfTorchvision(Small):
    """A network that says it is torchvision's."""


OfTorchvision.__module__ = "torchvision.models.resnet"


class OfOpenClip(nn.Module):
    """The interface of OpenCLIP: towers by the names of their methods."""

    def __init__(self):
        super().__init__()
        self.visual = Small().body

    def encode_image(self, images):
        return self.visual(images)


def as_tensor(image):
    return torch.from_numpy(np.asarray(image, np.float32).transpose(2, 0, 1).copy()) / 255


def unit(vectors):
    vectors = np.asarray(vectors.detach() if isinstance(vectors, torch.Tensor) else vectors, np.float64)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def embed(images, model, **options):
    return dataaudit.embed(images, model, **{"progress": False, **options})


def plain(model, images, take, prepare=None):
    """One image at a time."""
    prepare = prepare or (lambda image: processor()(images=[image], return_tensors="pt")["pixel_values"][0])
    model.eval()
    with torch.no_grad():
        return unit(torch.cat([take(model, prepare(image)[None]) for image in images]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("vit")
    vit().save_pretrained(path)
    processor().save_pretrained(path)
    return path


@pytest.mark.parametrize("batch_size", [1, 4])
def test_a_folder_gives_what_a_plain_loop_does(folder, batch_size):
    images = pictures()
    wanted = plain(vit(), images, lambda model, batch: model(pixel_values=batch).pooler_output)
    for model in (folder, str(folder)):
        np.testing.assert_allclose(embed(images, model, batch_size=batch_size), wanted, atol=1e-5)
    raw = embed(images, vit(), processor=processor(), normalise=False)
    assert np.linalg.norm(raw, axis=1).std() > 0
    np.testing.assert_allclose(unit(raw), wanted, atol=1e-5)


def test_a_pooler_that_was_never_trained_is_not_read(tmp_path):
    transformers.ViTForImageClassification(transformers.ViTConfig(**SEEN)).save_pretrained(tmp_path)
    processor().save_pretrained(tmp_path)
    model = transformers.AutoModel.from_pretrained(tmp_path)
    wanted = plain(model, pictures(), lambda model, batch: model(pixel_values=batch).last_hidden_state[:, 0])
    np.testing.assert_allclose(embed(pictures(), tmp_path), wanted, atol=1e-5)


def test_towers_of_clip(tmp_path):
    def projected(model, batch):
        return model.visual_projection(model.vision_model(pixel_values=batch).pooler_output)

    wanted = plain(clip(), pictures(), projected)
    assert wanted.shape == (6, 8)
    np.testing.assert_allclose(embed(pictures(), clip(), processor=processor()), wanted, atol=1e-5)
    clip().save_pretrained(tmp_path)
    processor().save_pretrained(tmp_path)
    np.testing.assert_allclose(embed(pictures(), tmp_path), wanted, atol=1e-5)


def convolutional():
    torch.manual_seed(0)
    return transformers.ResNetModel(
        transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
    )


NETWORKS = {
    "means over places": (convolutional, processor(), lambda m, x: m(pixel_values=x).pooler_output.mean((2, 3)), None),
    "class token": (
        lambda: vit(add_pooling_layer=False),
        processor(),
        lambda m, x: m(pixel_values=x).last_hidden_state[:, 0],
        None,
    ),
    "head of a transformers model": (
        lambda: transformers.ViTForImageClassification(transformers.ViTConfig(**SEEN)),
        processor(),
        lambda m, x: m.vit(pixel_values=x).last_hidden_state[:, 0],
        None,
    ),
    "timm": (
        OfTimm,
        None,
        lambda m, x: m.body(x),
        lambda image: prepared_by_timm(image),
    ),
    "torchvision with weights": (OfTorchvision, Weights(), lambda m, x: m.body(x), Weights().transforms()),
    "torchvision with transforms": (
        OfTorchvision,
        Weights().transforms(),
        lambda m, x: m.body(x),
        Weights().transforms(),
    ),
    "OpenCLIP": (OfOpenClip, Weights().transforms(), lambda m, x: m.visual(x), Weights().transforms()),
    "any module": (Small, Weights().transforms(), lambda m, x: m.body(x), Weights().transforms()),
    "without a head": (lambda: Small().body, Weights().transforms(), lambda m, x: m(x), Weights().transforms()),
    "convolutions alone": (
        lambda: Small().body[:2],
        Weights().transforms(),
        lambda m, x: m(x).mean((2, 3)),
        Weights().transforms(),
    ),
}


def prepared_by_timm(image):
    """Shorter side to 17 (16 by a share of .9), the middle of 16 x 16, standardised: as timm's own transform."""
    width, height = image.size
    sides = (17, 17 * height // width) if width <= height else (17 * width // height, 17)
    known = TIMM
    middle = ImageOps.fit(image.resize(sides, Image.Resampling.BILINEAR), sides)
    left, top = round((sides[0] - 16) / 2), round((sides[1] - 16) / 2)
    pixels = np.asarray(middle.crop((left, top, left + 16, top + 16)), np.float32) / 255
    return torch.from_numpy(((pixels - np.float32(known["mean"])) / np.float32(known["std"])).transpose(2, 0, 1).copy())


@pytest.mark.parametrize("name", NETWORKS)
def test_vectors_of_each_kind_of_network(name):
    make, given_processor, take, prepare = NETWORKS[name]
    model = make()
    before = copy.deepcopy(model.state_dict()), [part.training for part in model.modules()]
    found = embed(pictures(), model, processor=given_processor)
    np.testing.assert_allclose(found, plain(copy.deepcopy(model), pictures(), take, prepare), atol=1e-5)
    assert [part.training for part in model.modules()] == before[1]
    assert all(torch.equal(value, before[0][key]) for key, value in model.state_dict().items())


def test_a_named_layer_is_averaged_over_places():
    wanted = plain(Small(), pictures(), lambda m, x: m.body[:2](x).mean((2, 3)), Weights().transforms())
    found = embed(pictures(), Small(), processor=Weights().transforms(), layer="body.1")
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert embed(pictures(), clip(), processor=processor(), layer="vision_model.post_layernorm").shape == (6, 16)
    with pytest.raises(ModelError, match=r"layer='boby'; .*did you mean 'body'"):
        embed(pictures(), Small(), processor=Weights().transforms(), layer="boby")


def broken():
    with io.BytesIO() as file:
        pictures(1)[0].save(file, "PNG")
        whole = file.getvalue()
    return Image.open(io.BytesIO(whole[: len(whole) // 2]))


TEXT_MODEL = {"vocab_size": 10, **SIZES}


@pytest.mark.parametrize(
    ("images", "model", "options", "error", "message"),
    [
        (["red", "cat"], Small(), {}, ModelError, "texts for a Small, which is no model of texts"),
        (["red"], vit(), {}, ModelError, "texts for a ViTModel"),
        (pictures(), transformers.BertModel(transformers.BertConfig(**TEXT_MODEL)), {}, ModelError, "which reads text"),
        (pictures(), vit(), {}, ModelError, "a ViTModel without an image processor"),
        (pictures(), clip(), {}, ModelError, "a CLIPModel without an image processor"),
        (pictures(), OfTorchvision(), {}, ModelError, r"weights\.transforms\(\)"),
        (pictures(), OfOpenClip(), {}, ModelError, "without what prepares its images"),
        (pictures(), Small(), {}, DataError, r"shape \(3, 19, 35\) in row 1, after \(3, 18, 36\)"),
        (pictures(), Small(), {"processor": 3}, ModelError, "processor= of type int"),
        (pictures(), Small(), {"processor": lambda image: 3}, ModelError, "a int from processor="),
        (pictures(), Small(), {"processor": lambda image: 1 / 0}, DataError, "row 0 .ZeroDivisionError"),
        (pictures(), Small(), {"max_length": 8}, SettingError, "max_length=8 for images"),
        (["red"], vit(), {"layer": "layernorm"}, SettingError, "layer='layernorm' for texts"),
        (pictures(), Small(), {"dtype": "int8"}, SettingError, "dtype='int8'"),
        (pictures(), nn.Linear(7, 3), {"processor": as_tensor}, ModelError, "does not take images of shape"),
        ([*pictures(2), broken()], vit(), {"processor": processor()}, DataError, "does not decode in row 2"),
        ([*pictures(2), None], vit(), {"processor": processor()}, DataError, "no image in row 2"),
        ([*pictures(2), "cat.png"], vit(), {"processor": processor()}, DataError, "a text in row 2, 'cat.png'"),
        ([*pictures(2), 3], vit(), {"processor": processor()}, DataError, "a int in row 2"),
        ([], vit(), {}, DataError, "no texts or images"),
        ([3, 4], vit(), {}, DataError, "inputs of type int"),
        (np.zeros((3, 4)), vit(), {}, DataError, r"an array of shape \(3, 4\)"),
        (np.zeros((2, 4, 4, 3), int), Small(), {}, DataError, "pixels of type int64 in row 0"),
        (np.zeros((2, 6, 5, 7), "u1"), Small(), {}, DataError, r"an array of shape \(6, 5, 7\) in row 0"),
        (np.full((2, 3, 9, 9), np.nan), Small(), {}, DataError, "NaN or infinity in row 0"),
        (np.full((2, 3, 9, 9), 7.0), Small(), {"processor": as_tensor}, DataError, "pixels from 7 to 7 in row 0"),
        ("nowhere", vit(), {}, DataError, "data 'nowhere', which is no folder"),
        (pictures(), "/nowhere", {}, ModelError, "'/nowhere', from which transformers reads no model"),
        (pictures(), __file__, {}, ModelError, "the file '"),
    ],
)
def test_bad_input_is_refused(images, model, options, error, message):
    with pytest.raises(error, match=message):
        embed(images, model, **options)


def test_folders_that_are_no_models_or_lack_a_part_are_refused(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(ModelError, match=r"which holds no config\.json"):
        embed(pictures(), tmp_path / "a")
    vit().save_pretrained(tmp_path / "b")
    with pytest.raises(ModelError, match="AutoImageProcessor reads nothing"):
        embed(pictures(), tmp_path / "b")
    assert embed(pictures(), tmp_path / "b", processor=processor()).shape == (6, 16)
    with pytest.raises(DataError, match="without images"):
        embed(tmp_path / "a", vit(), processor=processor())
    pictures(1)[0].save(tmp_path / "a/0.png")
    (tmp_path / "a/1.png").write_bytes(b"no image")
    with pytest.raises(DataError, match="an image that does not decode in row 1"):
        embed(tmp_path / "a", vit(), processor=processor())
    with pytest.raises(DataError, match=r"the file '.*1.png', no image that can be read, in row 1"):
        embed([tmp_path / "a/0.png", tmp_path / "a/1.png"], vit(), processor=processor())
