import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from dataaudit.data import as_examples
from dataaudit.learners.mirrors import LEAST, ROWS, mirror_test, odd_part


def images(n, symmetric, seed=0):
    """Blobs to the right of the middle; on either side where symmetric."""
    rng = np.random.default_rng(seed)
    found = rng.integers(0, 60, (n, 3, 16, 16)).astype(np.uint8)
    found[:, :, 4:12, 9:14] += 100
    if symmetric:
        found[::2] = found[::2, :, :, ::-1]
    return found


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_digits_are_not_mirrored(seed):
    digits = load_digits()
    test = mirror_test(as_examples((digits.images[:, None], digits.target)), seed)
    assert not test.alike
    assert test.share > 0.9


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_objects_on_either_side_are_mirrored_and_those_on_one_side_are_not(seed):
    labels = np.arange(600) % 3
    assert mirror_test(as_examples((images(600, True, seed), labels)), seed).alike
    assert not mirror_test(as_examples((images(600, False, seed), labels)), seed).alike


def test_classes_that_differ_by_their_side_alone_are_not_mirrored():
    left, right = images(300, False), images(300, False, 1)[:, :, :, ::-1]
    both = np.concatenate([left, right])
    test = mirror_test(as_examples((both, np.repeat([0, 1], 300))), 0)
    assert not test.alike
    assert mirror_test(as_examples((both, np.tile([0, 1], 300))), 0).alike


def test_one_class_with_a_side_is_enough_for_a_no():
    mixed = np.concatenate([images(900, True), images(100, False)])
    assert not mirror_test(as_examples((mixed, np.r_[np.arange(900) % 9, np.full(100, 9)])), 0).alike


def test_too_few_images_of_every_class_say_nothing():
    labels = np.arange(100) % (100 // (LEAST - 1) + 1)
    test = mirror_test(as_examples((images(100, True), labels)), 0)
    assert np.isnan(test.share)
    assert not test.alike


def test_few_of_many_images_are_read():
    class Counting:
        read_rows = 0

        def __init__(self, examples):
            self.examples, self.labels = examples, examples.labels

        def __len__(self):
            return len(self.examples)

        def read_sparse(self, indices):
            return None

        def read(self, indices):
            Counting.read_rows += len(indices)
            return self.examples.read(indices)

    test = mirror_test(Counting(as_examples((images(3 * ROWS, True), np.arange(3 * ROWS) % 2))), 0)
    assert Counting.read_rows == test.images == ROWS


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 3), st.integers(1, 20), st.integers(1, 21))
def test_a_mirrored_image_has_the_odd_part_with_the_other_sign(channels, height, width):
    some = np.random.default_rng(height * width).normal(size=(2, channels, height, width))
    np.testing.assert_allclose(odd_part(some), -odd_part(some[..., ::-1]), atol=1e-4)
