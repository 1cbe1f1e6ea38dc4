"""Images as people have them: in any container, of any mode and orientation, with what was changed told."""

import io
import warnings

import datasets
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps
from torch import nn

import dataaudit
from dataaudit.errors import AuditWarning, DataError


def network(channels=3):
    torch.manual_seed(0)
    body = nn.Conv2d(channels, 5, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    return nn.Sequential(*body, nn.Linear(5, 4))


def as_tensor(image):
    return torch.from_numpy(np.asarray(image, np.float32).transpose(2, 0, 1).copy()) / 255


def embed(images, model, **options):
    return dataaudit.embed(images, model, **{"progress": False, **options})


def alike(count=5):
    """Images of one size, uint8 [n, h, w, 3]."""
    return np.random.default_rng(0).integers(0, 256, (count, 12, 10, 3), dtype=np.uint8)


def in_containers(pixels, folder):
    images = [Image.fromarray(one) for one in pixels]
    files = []
    for row, image in enumerate(images):
        files.append(folder / f"{row}.png")
        image.save(files[-1])
    channels_first = pixels.transpose(0, 3, 1, 2)
    column = datasets.Dataset.from_dict({"image": images}, features=datasets.Features({"image": datasets.Image()}))
    labels = torch.zeros(len(pixels))
    return {
        "PIL": images,
        "tuple": tuple(images),
        "pixels": pixels,
        "channels first": channels_first,
        "read-only": np.broadcast_to(pixels, pixels.shape),
        "list of arrays": list(pixels),
        "floats": (pixels / np.float32(255)).transpose(0, 3, 1, 2),
        "tensor": torch.from_numpy(channels_first.copy()),
        "Series": pd.Series(images, index=range(7, 7 + len(images))),
        "objects": np.array([*images, None], object)[:-1],
        "paths": files,
        "column": column["image"],
        "torch": torch.utils.data.TensorDataset(torch.from_numpy(channels_first.copy()), labels),
        "alpha": [image.convert("RGBA") for image in images],
    }


def test_images_in_any_container(tmp_path):
    pixels = alike()
    wanted = embed(pixels, network())
    with torch.no_grad():
        before_last = network()[:-1](torch.stack([as_tensor(image) for image in pixels])).double()
    np.testing.assert_allclose(wanted, nn.functional.normalize(before_last), atol=1e-5)
    for name, images in in_containers(pixels, tmp_path).items():
        np.testing.assert_allclose(embed(images, network()), wanted, atol=1e-6, err_msg=name)
    mapped = np.lib.format.open_memmap(tmp_path / "pixels.npy", "w+", np.uint8, pixels.shape)
    mapped[:] = pixels
    np.testing.assert_array_equal(embed(mapped, network()), wanted)


def test_data_sets_and_folders_get_a_column(tmp_path):
    pixels = alike(4)
    for row, one in enumerate(pixels):
        (tmp_path / "ab"[row // 2]).mkdir(exist_ok=True)
        Image.fromarray(one).save(tmp_path / "ab"[row // 2] / f"{row}.png")
    wanted = embed(pixels, network())
    found = embed(tmp_path, network())
    assert found.column_names == ["image", "label", "embedding"]
    assert found.features["label"].names == ["a", "b"]
    np.testing.assert_allclose(found.with_format("numpy")["embedding"][:], wanted, atol=1e-6)
    again = embed(found.remove_columns("embedding").select([3, 1]), network(), dtype="float16")
    np.testing.assert_allclose(again.with_format("numpy")["embedding"][:], wanted[[3, 1]], atol=1e-3)
    filed = embed(str(tmp_path), network(), out=tmp_path / "vectors.npy", batch_size=3)
    assert isinstance(filed, np.memmap)
    np.testing.assert_allclose(filed, wanted, atol=1e-6)
    assert embed(tmp_path / "a", network()).column_names == ["image", "embedding"]


def test_half_the_room_on_request(tmp_path):
    wanted = embed(alike(), network())
    for options in ({}, {"out": tmp_path / "half.npy"}):
        found = embed(alike(), network(), dtype="float16", **options)
        assert found.dtype == np.float16
        np.testing.assert_allclose(found, wanted, atol=1e-3)


@given(
    st.sampled_from(["L", "1", "P", "RGBA", "LA", "CMYK", "I;16"]),
    st.integers(1, 8),
    st.sampled_from([(5, 9), (9, 5), (7, 7)]),
)
@settings(max_examples=30, deadline=None)
def test_every_mode_is_an_upright_image_of_three_channels(mode, orientation, size):
    rng = np.random.default_rng(0)
    levels = rng.integers(0, 256, (size[1], size[0]), dtype=np.uint8)
    if mode == "I;16":
        image, meant = Image.fromarray(levels.astype(np.uint16) * 257), Image.fromarray(levels)
    elif mode in ("L", "1", "LA"):
        image = Image.fromarray(levels).convert(mode)
        meant = image.convert("L")
    else:
        image = Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)).convert(mode)
        meant = image.convert("RGB")
    noted = image.getexif()
    noted[0x0112] = orientation
    with io.BytesIO() as file, warnings.catch_warnings():
        warnings.simplefilter("ignore", AuditWarning)
        image.save(file, "TIFF" if mode in ("CMYK", "I;16") else "PNG", exif=noted)
        found = embed([Image.open(file)], network(), normalise=False, processor=as_tensor)
        upright = meant.convert("RGB")
        upright.getexif()[0x0112] = orientation
        wanted = embed([np.asarray(ImageOps.exif_transpose(upright))], network(), normalise=False, processor=as_tensor)
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_what_was_changed_is_told():
    grey, colour = Image.fromarray(alike(1)[0][..., 0]), Image.fromarray(alike(1)[0])
    with pytest.warns(AuditWarning, match="2 grey images became RGB"):
        embed([grey, colour, grey], network())
    with pytest.warns(AuditWarning, match="1 images of floats were brought to 8 bits"):
        embed([np.asarray(colour) / 255, colour], network(), processor=as_tensor)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        embed([grey, grey], network(channels=1))
        embed([colour], network())
    with pytest.raises(DataError, match=r"an image of 3 channels in row 1 for a model of 1"):
        embed([grey, colour], network(channels=1))


def test_a_note_that_is_raised_leaves_the_whole_file(tmp_path):
    grey = Image.fromarray(alike(1)[0][..., 0])
    with warnings.catch_warnings():
        warnings.simplefilter("error", AuditWarning)
        with pytest.raises(AuditWarning):
            embed([grey, grey], network(), out=tmp_path / "v.npy")
    assert [path.name for path in tmp_path.iterdir()] == ["v.npy"]
    assert len(np.load(tmp_path / "v.npy")) == 2
