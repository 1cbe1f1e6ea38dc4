"""What files say of themselves: taken where it can be so, else refused in three parts."""

import io
import math
import zipfile

import numpy as np
import pytest

from dataaudit.common import digests
from dataaudit.common.claims import Claims
from dataaudit.errors import StorageError

CLAIMS = Claims("the file", "make it anew")


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npz(**arrays):
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def header(shape, kind="<f8"):
    return digests.npy_header(shape, kind)


@pytest.mark.parametrize(
    "call",
    [
        lambda: CLAIMS.whole("epochs", 3, 1, 3),
        lambda: CLAIMS.whole("epochs", 10**30, 1),
        lambda: CLAIMS.number("rate", 0, 0, 1),
        lambda: CLAIMS.number("rate", 1.0, 0, math.inf),
        lambda: CLAIMS.text("file", "part-01", r"part-\d+"),
        lambda: CLAIMS.kind("note", None, str, type(None)),
        lambda: CLAIMS.entries("file", {"a": 1}, "a"),
        lambda: CLAIMS.entries("file", {"a": 1}),
        lambda: CLAIMS.array("labels", np.array([0, 2]), "iu", (2,), 0, 2),
        lambda: CLAIMS.array("scores", np.array([-np.inf, np.nan]), "f", (None,), nan=True),
        lambda: CLAIMS.array("scores", np.array([0.5, np.nan]), "f", (2,), 0, 1, nan=True),
        lambda: CLAIMS.array("scores", np.array([np.nan]), "f", (1,), 0, 1, nan=True),
        lambda: CLAIMS.array("bits", np.ones((2, 3), bool), "b", (None, 3)),
        lambda: CLAIMS.array("none", np.empty((0, 3)), "f", (None, 3), 0, 1),
        lambda: CLAIMS.fits(2**20),
    ],
)
def test_what_can_be_is_taken(call):
    call()


@pytest.mark.parametrize(
    "call",
    [
        *(lambda value=value: CLAIMS.whole("epochs", value, 1, 3) for value in (0, 4, True, 2.0, "2", None)),
        *(lambda value=value: CLAIMS.number("rate", value, 0, 1) for value in (-0.1, 1.1, math.nan, True, "1", [])),
        lambda: CLAIMS.number("rate", math.inf, 0, math.inf),
        *(lambda value=value: CLAIMS.text("file", value, r"part-\d+") for value in ("../part-1", "part-1\n", 1, None)),
        lambda: CLAIMS.kind("flag", 1, bool),
        lambda: CLAIMS.kind("count", True, int),
        *(lambda value=value: CLAIMS.entries("file", value, "a") for value in ({}, {"a": 1, "b": 2}, [], None)),
        *(
            lambda value=value: CLAIMS.array("labels", value, "iu", (2,), 0, 2)
            for value in (np.array([0, 3]), np.array([-1, 0]), np.array([0]), np.array([0.0, 1]), [0, 1], np.eye(2))
        ),
        lambda: CLAIMS.array("scores", np.array([0.5, np.nan]), "f", (2,), 0, 1),
        lambda: CLAIMS.array("scores", np.array([1.5, np.nan]), "f", (2,), 0, 1, nan=True),
        lambda: CLAIMS.array("scores", np.array([0.5, np.nan]), "f", (2,)),
        lambda: CLAIMS.array("scores", np.array([1j]), "f", (1,)),
        lambda: CLAIMS.array("scores", np.array([{}]), "f", (1,)),
        lambda: CLAIMS.fits(2**60),
    ],
)
def test_what_cannot_be_is_refused_in_three_parts(call):
    with pytest.raises(StorageError) as caught:
        call()
    assert caught.value.arrived.startswith("the file with ")
    assert caught.value.expected
    assert caught.value.action == "make it anew"


@pytest.mark.parametrize(
    "array", [np.arange(6.0).reshape(2, 3), np.asfortranarray(np.eye(3)), np.empty((0, 4)), np.array(3), np.array([])]
)
def test_arrays_are_read_without_a_copy(array):
    content = npy(array)
    found = CLAIMS.npy(content)
    np.testing.assert_array_equal(found, array)
    assert found.dtype == array.dtype
    assert found.shape == array.shape
    assert not found.size or np.shares_memory(found, np.frombuffer(content, np.uint8))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        header((3,)),
        header((10**15,)) + bytes(8),
        header((2,)) + bytes(17),
        header((-1, -1)) + bytes(8),
        header((1,), "|O") + bytes(8),
        header((1,)).replace(b"descr", b"dtype") + bytes(8),
        header((1,))[:60] + bytes(100),
        header((1,)).replace(b"{", b"(" * 20) + bytes(8),
    ],
)
def test_arrays_that_are_none_are_refused(content):
    with pytest.raises(StorageError, match="make it anew"):
        CLAIMS.npy(content)


def test_archives_unpack_to_no_more_than_is_known():
    content = npz(a=np.arange(3), b=np.eye(2))
    found = CLAIMS.npz(io.BytesIO(content), {"a": 24, "b": 32})
    np.testing.assert_array_equal(found["a"], np.arange(3))
    np.testing.assert_array_equal(found["b"], np.eye(2))
    assert [*CLAIMS.npz(io.BytesIO(content), {"a": 24}, others=True)] == ["a"]
    bomb = npz(a=np.zeros(10**6), b=np.eye(2))
    assert len(bomb) < 20_000
    for archive, most in ((bomb, {"a": 24, "b": 32}), (content, {"a": 24}), (content, {"a": 24, "b": 32, "c": 8})):
        with pytest.raises(StorageError, match="the file with"):
            CLAIMS.npz(io.BytesIO(archive), most)
    for most in ({"a": 24, "b": 32}, {"b": 32, "c": 8}):
        with pytest.raises(StorageError, match="the file with"):
            CLAIMS.npz(io.BytesIO(bomb), most, others=True)


def forged(change):
    """An archive of one array whose entry was changed."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", npy(np.arange(3)))
    return change(file.getvalue())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK",
        forged(lambda content: content[:-1]),
        # A method of compression that there is not, and encryption.
        forged(lambda content: content.replace(b"\x08\x00", b"\x77\x00")),
        forged(lambda content: content.replace(b"\x14\x00\x00\x00", b"\x14\x00\x01\x00")),
        # Sizes that are smaller than what lies there.
        forged(lambda content: content.replace((128 + 24).to_bytes(4, "little"), (24).to_bytes(4, "little"))),
    ],
)
def test_archives_that_are_none_are_refused(content):
    with pytest.raises(StorageError, match="make it anew"):
        CLAIMS.npz(io.BytesIO(content), {"a": 24})


def test_an_entry_that_stands_twice_is_refused():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.npy", npy(np.arange(3)))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.npy", npy(np.arange(4)))
    with pytest.raises(StorageError, match="entries"):
        CLAIMS.npz(file, {"a": 100})
