"""A state that was damaged or made up is refused whole, whatever of it is wrong."""

import copy
import errno
import gc
import io
import os

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dataaudit import Recorder
from dataaudit.common.digests import digest_of_bytes
from dataaudit.curriculum.trainers.state import KIND, load_record, save_record
from dataaudit.dynamics.sealing import sealed, unsealed
from dataaudit.errors import DataAuditError, StorageError


def recorded(n=21, classes=3, epochs=4, begun=True, **options):
    recorder, generator = Recorder(n, classes, history_bytes=8 * n, **options), torch.Generator().manual_seed(0)
    for epoch in range(epochs + begun):
        rows = torch.arange(epoch % 2, n - 1)
        recorder.update(rows, torch.randn(len(rows), classes, generator=generator), rows % classes)
        if epoch < epochs:
            recorder.end_epoch()
    rows = torch.arange(4)
    recorder.evaluate(rows, torch.randn(4, classes, generator=generator), rows % classes)
    return recorder


MISSING = object()


def leaves(state, path=()):
    """Paths of all values in a state."""
    if isinstance(state, (dict, list)):
        for name in state if isinstance(state, dict) else range(len(state)):
            yield from leaves(state[name], (*path, name))
    if path:
        yield path


def changed(value):
    """Values of the kind of another that cannot stand in its place."""
    yield None
    yield "other"
    if isinstance(value, torch.Tensor):
        yield value.to(torch.float16 if value.dtype == torch.float32 else torch.float32)
        yield torch.cat([value, value])
        yield value.reshape(-1)[:-1] if value.numel() else value.new_zeros(1)
        yield value.to_sparse() if value.dtype == torch.float32 else value.unsqueeze(0)
        if value.numel():
            yield torch.full_like(value, 127 if value.dtype == torch.uint8 else -3)
            yield torch.full_like(value, 255 if value.dtype == torch.uint8 else 10**4)
    elif isinstance(value, int):
        yield from (-1, 10**30, value + 0.5, value != 1)
    elif isinstance(value, list):
        yield from (value[:-1], [*value, value[-1]], {})
    elif isinstance(value, dict):
        yield from (list(value), {**value, "more": 1})


def mutated(whole):
    """Every state in which a single entry is missing or another."""
    for path in leaves(whole):
        for other in changed(value_of(whole, path)):
            yield path, other, replaced(whole, path, other)
        if isinstance(value_of(whole, path[:-1]), dict):
            yield path, "missing", replaced(whole, path, MISSING)


def replaced(state, path, other):
    """State with another value at a path; nothing else is copied."""
    state, (name, *rest) = copy.copy(state), path
    if rest:
        state[name] = replaced(state[name], rest, other)
    elif other is MISSING:
        del state[name]
    else:
        state[name] = other
    return state


def value_of(state, path):
    for name in path:
        state = state[name]
    return state


def refused(recorder, state):
    try:
        recorder.restore(state)
    except DataAuditError:
        return True
    return False


@pytest.mark.parametrize("exact", [True, False])
def test_no_entry_may_be_missing_or_another(exact):
    options = {"classes": 3} if exact else {"classes": 12, "dense_elements": 0}
    whole = unsealed(recorded(**options).state_dict())
    recorder = recorded(**options, epochs=1)
    before, tried = recorder.state_dict(), 0
    for path, other, state in mutated(whole):
        assert refused(recorder, state), f"{path} as {other} was taken"
        tried += 1
    assert tried > 150
    assert recorder.state_dict()["digest"] == before["digest"]
    recorder.load_state_dict(sealed(whole))
    assert recorder.state_dict()["digest"] == sealed(whole)["digest"]


@pytest.mark.parametrize("state", [None, [], {}, {"digest": "0" * 32}, {"digest": 3, "version": 6}])
def test_what_is_no_state_is_refused(state):
    with pytest.raises(DataAuditError):
        Recorder(4, 2).load_state_dict(state)


def nested(levels, value=None):
    for _ in range(levels):
        value = {"inner": value}
    return value


ODD = {
    "more elements than are there": torch.zeros(1).expand(10**13),
    "to be negated": torch._neg_view(torch.zeros(21)),
    "to be conjugated": torch.zeros(21, dtype=torch.complex64).conj(),
    "with gradients": torch.zeros(21, requires_grad=True),
    "without values": torch.zeros(21, device="meta"),
    "sparse": torch.zeros(21).to_sparse(),
    "deep": nested(3000),
    "of many digits": 10**5000,
    "a thing": object(),
}


@pytest.mark.parametrize("odd", list(ODD))
@pytest.mark.parametrize("name", ["labels", "losses", "sums", "history", "written", "another"])
def test_what_no_state_holds_is_refused_before_it_is_read(name, odd):
    """Beside the digest that was given with it, and where none is asked for."""
    state, recorder = recorded().state_dict() | {name: ODD[odd]}, Recorder(21, 3)
    for load in (recorder.load_state_dict, recorder.restore):
        with pytest.raises(DataAuditError):
            load(dict(state))
    assert recorder.epochs == 0


def test_a_state_without_an_epoch_is_one():
    for recorder in (Recorder(4, 2), recorded(4, 2, epochs=0)):
        again = Recorder(4, 2)
        again.load_state_dict(recorder.state_dict())
        assert again.state_dict()["digest"] == recorder.state_dict()["digest"]


def test_a_state_that_follows_a_discarded_epoch_of_nan_is_one():
    recorder, labels = Recorder(4, 2), torch.tensor([0, 1, 0, 1])
    recorder.update(torch.arange(4), torch.full((4, 2), torch.nan), labels)
    with pytest.raises(DataAuditError, match="NaN"):
        recorder.end_epoch()
    recorder.discard_epoch()
    recorder.update(torch.arange(2), torch.zeros(2, 2), labels[:2])
    recorder.end_epoch()
    Recorder(4, 2).load_state_dict(recorder.state_dict())


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_every_flipped_bit_and_every_cut_is_seen(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("checkpoint")
    save_record(folder, recorded(), True, 0, 1, np.zeros(21))
    (path,) = folder.iterdir()
    content = bytearray(path.read_bytes())
    byte = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[byte] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del content[byte:]
    path.write_bytes(content)
    fresh = Recorder(21, 3)
    with pytest.raises(DataAuditError, match="damaged"):
        load_record(folder, fresh, 0, 1, "cpu")
    assert fresh.epochs == 0


@pytest.mark.parametrize("content", [b"", b"other" * 10, b"PK\3\4" + bytes(60)])
def test_a_file_with_a_right_foot_may_be_anything(tmp_path, content):
    (tmp_path / "dataaudit_0.pt").write_bytes(content + KIND.foot(np.frombuffer(content, np.uint8)))
    with pytest.raises(DataAuditError, match="damaged"):
        load_record(tmp_path, Recorder(21, 3), 0, 1, "cpu")


def place(make):
    """Put something else in the place of a record."""

    def placed(path):
        path.rename(path.parent.parent / "outside.pt")
        make(path)

    return placed


@pytest.mark.parametrize(
    "make",
    [
        place(lambda path: path.symlink_to(path.parent.parent / "outside.pt")),
        place(lambda path: path.symlink_to("nowhere")),
        place(lambda path: path.mkdir()),
        place(os.mkfifo),
    ],
)
def test_what_is_no_file_is_neither_read_nor_written_through(tmp_path, make):
    folder = tmp_path / "checkpoint"
    save_record(folder, recorded(), True, 0, 1, None)
    [path] = folder.iterdir()
    make(path)
    outside = (tmp_path / "outside.pt").read_bytes()
    fresh = Recorder(21, 3)
    with pytest.raises(StorageError):
        load_record(folder, fresh, 0, 1, "cpu")
    assert fresh.epochs == 0
    if path.is_dir():
        path.rmdir()
    save_record(folder, recorded(epochs=1), True, 0, 1, None)
    load_record(folder, fresh, 0, 1, "cpu")
    assert fresh.epochs == 1
    assert (tmp_path / "outside.pt").read_bytes() == outside


def test_what_a_killed_save_leaves_is_removed_by_the_next(tmp_path):
    save_record(tmp_path, recorded(epochs=1), True, 0, 1, None)
    own, another = (tmp_path / f"dataaudit_{rank}.pt.{'0' * 32}.partial" for rank in (0, 1))
    own.write_bytes(b"half")
    another.write_bytes(b"of another process, which writes it")
    load_record(tmp_path, fresh := Recorder(21, 3), 0, 1, "cpu")
    assert fresh.epochs == 1
    save_record(tmp_path, recorded(), True, 0, 1, None)
    assert {path.name for path in tmp_path.iterdir()} == {"dataaudit_0.pt", another.name}


def test_an_interrupt_before_the_archive_is_open_is_an_interrupt_and_no_abort(tmp_path, monkeypatch):
    def pressed(opened):
        raise KeyboardInterrupt

    # The native writer is made by then, and its destructor writes the end of an archive.
    monkeypatch.setattr(torch.serialization._opener, "__enter__", pressed)
    with pytest.raises(KeyboardInterrupt):
        save_record(tmp_path, recorded(), True, 0, 1, None)
    gc.collect()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fails", range(2))
def test_a_write_that_fails_is_refused_whole(tmp_path, monkeypatch, fails):
    class Full(io.FileIO):
        writes = 0

        def write(self, content):
            self.writes += 1
            if self.writes > fails:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().write(content)

    monkeypatch.setattr(type(tmp_path), "open", lambda path, mode: Full(path, mode.replace("b", "")))
    with pytest.raises(StorageError, match="No space left"):
        save_record(tmp_path, recorded(), True, 0, 1, None)
    assert list(tmp_path.iterdir()) == []


@given(st.binary(min_size=1, max_size=9000), st.data())
def test_the_digest_sees_one_byte_and_one_place(content, data):
    whole = np.frombuffer(content, np.uint8)
    byte = data.draw(st.integers(0, len(whole) - 1))
    other = whole.copy()
    other[byte] ^= data.draw(st.integers(1, 255))
    assert digest_of_bytes(other) != digest_of_bytes(whole) != digest_of_bytes(whole[:-1])
    pages = np.arange(2**14, dtype=np.int64).view(np.uint8)
    assert digest_of_bytes(pages) != digest_of_bytes(np.roll(pages, 4096))
