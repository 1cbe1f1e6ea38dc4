"""Equal settings have equal digests, different ones different digests."""

import functools

import numpy as np
import pytest
import torch

from dataaudit.common.fingerprints import fingerprint_of
from dataaudit.errors import SettingError


class Thing:
    def __init__(self, **attributes):
        vars(self).update(attributes)

    def method(self):
        return 1


def scaled(by):
    return lambda x: x * by


DIFFERENT = [
    None,
    1,
    1.0,
    True,
    "1",
    b"1",
    [1],
    [1, 2],
    {"a": 1},
    {"a": 2},
    {1, 2},
    np.array([1]),
    np.array([1.0]),
    np.arange(5000),
    np.arange(5000) + (np.arange(5000) == 2500),
    torch.ones(3),
    torch.ones(3, 1),
    Thing,
    Thing(a=1),
    Thing(a=2),
    Thing(a=Thing(b=1)),
    lambda x: x * 2,
    lambda x: x * 3,
    lambda y: y + 2,
    scaled(1),
    scaled(2),
    functools.partial(scaled, 1),
    functools.partial(scaled, 2),
    Thing(a=1).method,
    np.log,
    np.log1p,
    len,
    range(3),
]


def test_different_values_differ():
    prints = [fingerprint_of(value) for value in DIFFERENT]
    assert len(set(prints)) == len(prints)


def test_equal_values_are_equal():
    for make in (
        lambda: {"b": [1, np.arange(3)], "a": Thing(x={3, 1, 2})},
        lambda: scaled(3),
        lambda: functools.partial(scaled, by=[1]),
        lambda: Thing(a=1).method,
    ):
        assert fingerprint_of(make()) == fingerprint_of(make())


def test_a_value_within_itself_has_an_end():
    thing = Thing()
    thing.own = [thing]
    assert len(fingerprint_of(thing)) == 32


def test_what_only_shows_its_address_is_refused():
    with pytest.raises(SettingError, match="recognise"):
        fingerprint_of(object())
