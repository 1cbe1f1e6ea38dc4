"""Refusals of settings, folders and data that every room shares: whatever they advise works when it is followed."""

import os
import sys
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import pytest
import torch

from dataaudit.common import checks, fingerprints, folders
from dataaudit.common.claims import Claims
from dataaudit.common.guest import visiting
from dataaudit.common.ray_tasks import RayPool, TaskResources
from dataaudit.common.registry import Registry
from dataaudit.common.units import centre_and_unit
from dataaudit.curriculum.trainers.state import KIND as FILE
from dataaudit.holdout.store import KIND as FOLDER
from tests.common.test_ray_tasks import OneThread

PARTS = Registry("part", {"decoder": "json:JSONDecoder"}, group="dataaudit.none")
ROWS = np.random.default_rng(0).normal(size=(60, 2))
FAR = np.vstack([ROWS, [[1e30, 0]]])


def setting(k=1, share=0.5, on=True, kind="b"):
    checks.whole("k", k, 1, "pass k=1")
    checks.number("share", share, 0, 1, "both", "a share", "pass share=0.5")
    checks.flag("on", on, "pass on=True")
    checks.choice(f"kind={kind!r}", kind, ("a", "b"), "a kind")


def there(path):
    checks.exists(Path(path))


def claimed(runs):
    Claims("runs.json").whole("runs", runs, 0, 10)


def recognised(value, store=False):
    return fingerprints.fingerprint_of(value) if store else None


def sealed(version):
    content = np.frombuffer(b"advice", np.uint8)
    kind = SimpleNamespace(format=FILE.format, version=version)
    FILE.unsealed(np.frombuffer(content.tobytes() + folders.FileKind.foot(kind, content), np.uint8), "advice.bin")


def manifest(folder):
    """Read the manifest of a folder, which is another version's in the folder `old`."""
    Path(folder).mkdir(exist_ok=True)
    version = 0 if folder == "old" else FOLDER.version
    folders.replace(Path(folder, FOLDER.manifest), {"format": FOLDER.format, "version": version})
    FOLDER.read(Path(folder))


def begun(folder):
    Path("taken").mkdir(exist_ok=True)
    Path("taken", "notes.txt").touch()
    Path(folder).mkdir(exist_ok=True)
    FOLDER.refuse_strangers(folder, os.listdir(folder))


def written(path):
    """A file in the folder `there`; beside it lies a file that is no folder."""
    Path("there").mkdir(exist_ok=True)
    Path("file").touch()
    folders.put(Path(path), b"advice")


def linked(link=True, copied=True):
    """Read a file of a folder, which is a link unless that was removed or its content put there."""
    path = Path("linked.bin")
    path.unlink(missing_ok=True)
    Path("content.bin").write_bytes(b"advice")
    if link:
        path.symlink_to("content.bin")
    elif copied:
        path.write_bytes(b"advice")
    folders.refuse_link(path)


def opened(path, removed=False):
    """Read a file in whose place there may be a pipe."""
    for name in ("pipe", "file"):
        Path(name).unlink(missing_ok=True)
    os.mkfifo("pipe")
    Path("file").touch()
    if removed:
        Path("pipe").unlink()
        Path("pipe").touch()
    folders.opened(Path(path)).close()


def read(path, size=200):
    for name, length in (("first", size), ("second", 5)):
        Path(name).write_bytes(b" " * length)
    folders.content_of(Path(path), 100)


def held(path, ended=False):
    """Hold a file that another one holds, unless that has ended."""
    with ExitStack() as stack:
        if not ended:
            stack.enter_context(folders.lock(Path("first")))
        folders.lock(Path(path)).close()


def determined(warn_only=False):
    """Call what torch has no deterministic version of, where it is to use no other."""
    before = torch.are_deterministic_algorithms_enabled()
    try:
        with visiting():
            torch.use_deterministic_algorithms(True, warn_only=warn_only)
            torch.zeros(3).put_(torch.tensor([0]), torch.ones(1))
    finally:
        torch.use_deterministic_algorithms(before)


class Node(OneThread):
    """A Ray of one thread whose object store holds few rows."""

    def __init__(self, object_store_memory):
        super().__init__()
        self.memory = object_store_memory

    def put(self, common):
        if len(common) > self.memory:
            raise self.exceptions.RayError("full")
        return common


def carried(num_cpus=1, num_gpus=0, address=None, object_store_memory=60):
    """Hand rows over to Ray's tasks."""
    with patch.dict(sys.modules, ray=Node(object_store_memory)):
        resources = TaskResources(num_cpus, num_gpus, None, address, 0)
        with RayPool(resources, "tasks") as pool:
            pool.share(ROWS)


def centred(rows):
    mean = rows.mean(0)
    return centre_and_unit(rows, mean, float(np.abs(rows - mean).max()))


def resolved(part):
    return PARTS.resolve(part, object if isinstance(part, str) else dict, "part=...", "a part")


CASES = {
    "no whole number": (setting, {"k": 0}),
    "no share": (setting, {"share": 2}),
    "no flag": (setting, {"on": 1}),
    "no choice": (setting, {"kind": "c"}, {"choose from": {"kind": "a"}}),
    "no path": (there, {"path": "missing"}, {"path of one": {"path": "."}}),
    "a number that cannot be": (
        claimed,
        {"runs": 11},
        {"restore it": {"runs": 10}, "another folder": {"runs": 3}},
    ),
    "a setting without a face": (
        recognised,
        {"value": iter([1]), "store": True},
        {"a function": {"value": setting}},
    ),
    "a file of another version": (
        sealed,
        {"version": 0},
        {"use the version": "another version has to be installed", "another file": {"version": FILE.version}},
    ),
    "a folder of another version": (
        manifest,
        {"folder": "old"},
        {"use the version": "another version has to be installed", "another folder": {"folder": "new"}},
    ),
    "a folder of somebody else": (begun, {"folder": "taken"}, {"another folder": {"folder": "empty"}}),
    "a path that cannot be written": (
        written,
        {"path": "file/advice.bin"},
        {"check the path": {"path": "there/advice.bin"}},
    ),
    "a link": (linked, {}, {"remove the link": {"link": False, "copied": False}, "in its place": {"link": False}}),
    "a pipe for a file": (
        opened,
        {"path": "pipe"},
        {"another folder": {"path": "file"}, "remove what": {"removed": True}},
    ),
    "a file of another size": (
        read,
        {"path": "first"},
        {"restore a copy": {"size": 5}, "another folder": {"path": "second"}},
    ),
    "a file that another one writes": (
        held,
        {"path": "first"},
        {"wait": {"ended": True}, "another folder": {"path": "second"}},
    ),
    "operations in any order": (determined, {}, {"warn_only=True": {"warn_only": True}}),
    "no Ray at an address": (carried, {"address": "nowhere"}, {"ray start --head": {"address": "somewhere"}}),
    "tasks larger than a node": (carried, {"num_cpus": 9, "num_gpus": 1}),
    "rows beyond Ray's object store": (
        carried,
        {"object_store_memory": 5},
        {"larger object_store_memory=": {"object_store_memory": 60}},
    ),
    "no name": (PARTS.get, {"name": "decoding"}, {"choose from": {"name": "decoder"}}),
    "no part": (resolved, {"part": 3}, {"choose from": {"part": "decoder"}}),
    "numbers beyond their squares": (centred, {"rows": ROWS * 1e200}, {"multiply or divide": {"rows": ROWS}}),
    "a row that is too far out": (
        centred,
        {"rows": FAR},
        {"drop the rows": {"rows": ROWS}, "corrected": {"rows": ROWS}},
    ),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", CASES)
def test_what_is_advised_works(follow, kind):
    follow(*CASES[kind])


def test_no_advice_is_left_out(left):
    assert left("common") == set()
