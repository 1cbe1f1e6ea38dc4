"""transformers models of images from tiny configurations."""

import numpy as np
import pytest
import torch

import dataaudit
from dataaudit.data import as_examples
from dataaudit.learners.adapt import as_learner
from tests.learners.tiny_models import SHORT, image_processor, images, resnet, vit


@pytest.mark.parametrize("make", [vit, resnet])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_with_and_without_a_processor(make, channels):
    pixels, labels = images(channels=channels)
    for processor in (None, image_processor()):
        audit = dataaudit.score(make, (pixels, labels), processor=processor, recipe=SHORT, progress=False)
        assert np.isfinite(audit.columns["label_quality"]).all()
    hidden = dataaudit.score(make, (pixels, labels), "density/hidden", recipe=SHORT, progress=False)
    assert "classifier" in str(hidden.settings["density"])


@pytest.mark.parametrize("processor", [None, image_processor()])
def test_images_with_channels_last_or_none_are_turned(processor):
    pixels, labels = images()
    told = {"recipe": SHORT, "processor": processor, "progress": False}
    audit = dataaudit.score(vit, (np.ascontiguousarray(pixels.transpose(0, 2, 3, 1)), labels), "el2n", **told)
    by_hand = dataaudit.score(vit, (pixels, labels), "el2n", **told)
    np.testing.assert_array_equal(audit.columns["el2n"], by_hand.columns["el2n"])
    assert audit.settings["layout"] == "images [n, H, W, c] turned to [n, c, H, W]"
    assert "layout" not in by_hand.settings
    grey = dataaudit.score(vit, (pixels[:, 0], labels), "el2n", **told)
    by_hand = dataaudit.score(vit, (pixels[:, :1], labels), "el2n", **told)
    np.testing.assert_array_equal(grey.columns["el2n"], by_hand.columns["el2n"])
    assert grey.settings["layout"] == "images [n, H, W] turned to [n, 1, H, W]"


def test_pixels_are_those_of_the_processor():
    pixels, labels = images()
    for given in (pixels, (pixels / 255).astype(np.float32)):
        examples = as_examples((given, labels))
        fed = as_learner(vit(), examples, SHORT, "cpu", image_processor()).inputs(np.array([3, 0]))
        plain = image_processor()(list(pixels[[3, 0]]), return_tensors="pt", input_data_format="channels_first")
        torch.testing.assert_close(fed, plain["pixel_values"], rtol=1e-5, atol=1e-5)
    unprocessed = as_learner(vit(), examples, SHORT, "cpu").inputs(np.array([3]))
    torch.testing.assert_close(unprocessed[0], torch.from_numpy(pixels[3] / np.float32(255)))
