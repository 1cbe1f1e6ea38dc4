"""The short form of the campaign of faults: nothing lost, nothing silent, no bare exception; and that it can tell."""

import io
import json
from importlib import import_module
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from benchmarks.faults import forged
from benchmarks.faults.__main__ import BAD, KINDS, main, run
from benchmarks.faults.base import Case, Outcome, contents, judged, renewed, there
from benchmarks.faults.damage import cut, flipped, trials
from benchmarks.faults.material import MATERIALS, Material, kinds, right
from dataaudit.errors import StorageError

CASES = [case for kind in KINDS for case in import_module(f"benchmarks.faults.{kind}").cases() if case.brief]


# Python drops an interrupt that falls into a finaliser, or into a callback of its garbage collector, and says so.
@pytest.mark.filterwarnings("default::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind}-{case.name}")
def test_nothing_is_lost_silent_or_bare(case):
    row = run(case, 0, quick=True)
    assert row["trials"] > 0
    assert {verdict: row[verdict] for verdict in BAD} == dict.fromkeys(BAD, 0), row["first"]


def test_every_kind_that_is_read_back_is_tried():
    assert kinds() == {material.kind for material in MATERIALS if material.kind}


@pytest.mark.parametrize("material", MATERIALS, ids=lambda material: material.name)
def test_forged_checksums_are_right(material, tmp_path, monkeypatch):
    monkeypatch.setattr(forged, "FORGERS", dict.fromkeys(forged.FORGERS, _written_otherwise))
    template = tmp_path / "template"
    material.write(template, 0)
    for name in contents(template):
        place = renewed(template, tmp_path / "place")
        forged.forge(place, name, np.random.default_rng(0))
        assert material.read(place, 0) == right(material, 0)
        if not name.endswith(".json"):
            assert [name for name in contents(place) if ".damaged" in name] == []


def _written_otherwise(content, rng):
    """The same content in other bytes."""
    if content.startswith(b"{"):
        return json.dumps(json.loads(content), indent=3).encode(), ""
    if content.startswith(b"PK") and b"data.pkl" in content:
        return _saved(torch.save, {**torch.load(io.BytesIO(content), weights_only=True)}), ""
    if content.startswith(b"PK"):
        return _saved(lambda value, file: np.savez(file, **value), dict(np.load(io.BytesIO(content)))), ""
    if content.startswith(b"PAR1"):
        return _saved(pq.write_table, pq.read_table(io.BytesIO(content)).replace_schema_metadata({"a": "b"})), ""
    if content.startswith(b"\x93NUMPY"):
        return content, ""
    table = pa.ipc.open_stream(content).read_all()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=7)
    return sink.getvalue().to_pybytes(), ""


def _saved(save, value):
    buffer = io.BytesIO()
    save(value, buffer)
    return buffer.getvalue()


def _write(folder, seed):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "a").write_text(f"{seed}, and more")


def _read(folder, seed):
    content = (folder / "a").read_text()
    if not content:
        raise StorageError("nothing", "a number", "write it")
    return content


CARELESS = Material("careless", _write, _read, replaces=True)


def test_damage_that_is_not_seen_is_silent_or_bare(tmp_path):
    verdicts = [
        outcome.verdict
        for number, damage in enumerate((flipped, cut))
        for outcome in trials(CARELESS, damage, np.random.default_rng(number), 40, tmp_path / str(number))
    ]
    # A flipped highest bit is no text, what is cut off is another one, and nothing is refused.
    assert {*verdicts} == {"silent", "bare", "refused"}
    assert verdicts.count("silent") > 40


def test_a_folder_of_another_time_is_a_loss(tmp_path):
    _write(tmp_path, 2)
    assert there(CARELESS, tmp_path, 1, 2).verdict == "fine"
    assert there(CARELESS, tmp_path, 0, 1).verdict == "lost"
    (tmp_path / "a").unlink()
    assert there(CARELESS, tmp_path, 2).verdict == "lost"
    assert right(CARELESS, 3).startswith("3")


def test_errors_of_the_library_are_refusals():
    def refuse():
        raise StorageError("a", "b", "c")

    assert judged(refuse).verdict == "refused"
    assert judged(lambda: 1 / 0) == Outcome("bare", "ZeroDivisionError: division by zero")
    assert judged(lambda: "x", "x", "y").verdict == "fine"
    assert judged(lambda: "z", "x", "y").verdict == "silent"


@pytest.mark.parametrize("verdict", [*BAD, "refused"])
def test_a_campaign_goes_on_from_its_rows(tmp_path, monkeypatch, capsys, verdict):
    ran = []

    def outcomes(rng, count, folder):
        assert Path(folder).is_dir()
        ran.append(count)
        yield from [Outcome("fine")] * (count - 1) + [Outcome(verdict, "the reason")]

    monkeypatch.setattr("benchmarks.faults.links.cases", lambda: [Case("links", "a case", 5, 2, outcomes)])
    arguments = ["--only", "links", "--out", str(tmp_path / "rows.csv")]
    expected = int(verdict in BAD)
    assert [main(arguments), main([*arguments, "--quick"]), main([*arguments, "--seed", "1"])] == [expected] * 3
    assert ran == [5, 5]
    assert ("the reason" in capsys.readouterr().out) == bool(expected)
