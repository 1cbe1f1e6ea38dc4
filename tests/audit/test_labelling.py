"""Examples go to labelling tools, and answers come back to the audit that they are about."""

import json

import datasets
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import dataaudit
from dataaudit.errors import DataError, SettingError, StorageError

N = 60
NAMES = np.array(["ant", "bee <b>", "cow {{x}}"])


def made(data, scorer="consensus", **options):
    return dataaudit.score(None, data, scorer, progress=False, **options)


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    truth = np.arange(N) % 3
    labels = np.where(np.arange(N) % 10 == 4, (truth + 1) % 3, truth)
    frame = pd.DataFrame(rng.normal(size=(N, 2)) + 4.0 * np.eye(3)[truth][:, :2], columns=["x", "z"])
    frame = frame.assign(label=NAMES[labels], truth=NAMES[truth])
    return frame.set_axis(pd.Index([f"r{row} \u202e" for row in range(N)], name="name"))


@pytest.fixture(scope="module")
def audit(table):
    return made(table, label="label", inputs=["x", "z"])


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(0)
    labels = np.arange(24) % 2
    return (rng.integers(0, 60, (24, 8, 8)) + 180 * labels[:, None, None]).astype(np.uint8), labels


def label_studio(path, choose, who="ann"):
    """Annotate each task as `choose` says of its data."""
    tasks = json.loads(path.read_text("utf-8"))
    for number, task in enumerate(tasks):
        value = {"choices": [choose(task["data"])]}
        result = [{"type": "choices", "from_name": "label", "to_name": "example", "value": value}]
        task |= {"id": number, "annotations": [{"result": result, "completed_by": who, "lead_time": 1.5}]}
    answers = path.with_name(f"answers-{who}.json")
    answers.write_text(json.dumps(tasks))
    return answers


def test_a_queue_goes_out_and_its_answers_tell_how_many_are_left(audit, table, tmp_path):
    queue = audit.review(30)
    folder = audit.export("label_studio", tmp_path / "out", rows=queue)
    tasks = [task["data"] for task in json.loads((folder / "tasks.json").read_text("utf-8"))]
    assert [task["row"] for task in tasks] == queue.table["row"].tolist()
    assert [task["values"] for task in tasks] == table.iloc[queue.table["row"]][["x", "z"]].to_dict("records")
    likely = audit.error_probability()[queue.table["row"]]
    assert [task["probability"] for task in tasks] == pytest.approx(likely, rel=1e-12)
    truth = table["truth"].to_dict()
    answers = label_studio(folder / "tasks.json", lambda task: truth[task["key"]])
    decisions = audit.answers("label_studio", answers)
    assert decisions.table["place"].tolist() == list(range(1, 31))
    assert set(decisions.table["seconds"]) == {1.5}
    expected = queue.table.assign(label=table["truth"].to_numpy()[queue.table["row"]])
    kept = expected["label"] == expected["given"]
    assert decisions.table["decision"].tolist() == np.where(kept, "keep", "relabel").tolist()
    fixed = audit.apply(decisions).dataset
    assert (fixed["label"] != table["truth"]).sum() < (table["label"] != table["truth"]).sum()
    left = audit.reviewed(decisions).remaining()
    assert (left.looked, left.drawn) == (30, 15)
    assert len(audit.review(5, after=decisions.write(tmp_path / "d.jsonl"))) == 5


def test_answers_of_several_people_are_merged_and_settled(audit, tmp_path):
    folder = audit.export("label_studio", tmp_path / "out", rows=6)
    names = list(map(str, NAMES))
    ann = audit.answers("label_studio", label_studio(folder / "tasks.json", lambda task: task["given"], "ann"))
    other = label_studio(folder / "tasks.json", lambda task: names[names.index(task["given"]) - 1], "bob")
    both = ann.merge(audit.answers("label_studio", other))
    assert len(both.conflicts()) == 12
    assert set(both.resolve("unsure").table["decision"]) == {"unsure"}


def test_answers_about_other_data_are_refused(audit, table, tmp_path):
    folder = audit.export("prodigy", tmp_path / "out", rows=5)
    line = json.loads((folder / "tasks.jsonl").read_text("utf-8").splitlines()[0])
    answered = {**line, "answer": "accept", "accept": [line["dataaudit"]["given"]]}

    def refused(words, tool="prodigy", **changes):
        content = {**answered, **changes}
        path = tmp_path / "answers.jsonl"
        path.write_text(json.dumps(content))
        with pytest.raises((DataError, SettingError), match=words):
            audit.answers(tool, path)

    own = line["dataaudit"]
    refused("fingerprint", dataaudit={**own, "fingerprint": "f" * 32})
    refused("fingerprint", dataaudit={**own, "fingerprint": None})
    refused("rows that were audited", dataaudit={**own, "row": 10**6})
    refused("as they were exported", dataaudit={**own, "row": "../../etc/passwd"})
    refused("key", dataaudit={**own, "key": "../../etc/passwd"})
    refused("other labels", dataaudit={**own, "given": str(NAMES[0] if own["given"] != NAMES[0] else NAMES[1])})
    refused("as they were exported", dataaudit=None)
    refused("class of the data", accept=["wasp"])
    refused("several labels", accept=list(map(str, NAMES)))
    refused("accept, reject or ignore", answer="maybe")
    refused("seconds since 1970", _timestamp=1e300)
    refused("no list of tasks", tool="label_studio")
    refused("whose answers are read", tool="argilla")
    refused("did you mean 'prodigy'", tool="prodgy")
    nobody = dataaudit.Decisions.of(pd.DataFrame({"row": [3], "decision": ["keep"]}), "f" * 32)
    with pytest.raises(DataError, match="fingerprint"):
        audit.apply(nobody)
    changed = made(table.assign(x=table["x"] + 1), label="label", inputs=["x", "z"])
    (tmp_path / "good.jsonl").write_text(json.dumps(answered))
    good = audit.answers("prodigy", tmp_path / "good.jsonl")
    assert good.table["decision"].tolist() == ["keep"]
    # A name that cannot be encoded is kept in a file all the same.
    (tmp_path / "named.jsonl").write_text(json.dumps({**answered, "_annotator_id": "lone \ud800"}))
    named = audit.answers("prodigy", tmp_path / "named.jsonl").write(tmp_path / "d.jsonl")
    assert dataaudit.Decisions.read(named).table["reviewer"].tolist() == ["lone \\ud800"]
    with pytest.raises(DataError, match="fingerprint"):
        changed.answers("prodigy", tmp_path / "good.jsonl")


def test_pictures_in_memory_are_written_beside_the_export(pictures, tmp_path):
    audit = made(pictures, "parzen/input")
    for tool, folder in (("label_studio", "images"), ("fiftyone", "data")):
        out = audit.export(tool, tmp_path / tool, rows=[3, 8])
        assert sorted(path.name for path in (out / folder).iterdir()) == ["3.png", "8.png"]
        with Image.open(out / folder / "3.png") as image:
            np.testing.assert_array_equal(np.asarray(image), pictures[0][3])
    data = [task["data"] for task in json.loads((tmp_path / "label_studio/tasks.json").read_text())]
    assert sorted(task["image"] for task in data) == ["images/3.png", "images/8.png"]


def test_pictures_in_files_are_named(pictures, tmp_path):
    paths = []
    for row, pixels in enumerate(pictures[0]):
        paths.append(tmp_path / f"photos/{NAMES[pictures[1][row]]}/{row} \u2603.png")
        paths[-1].parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(paths[-1])
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["ant", "bee"])})
    data = datasets.Dataset.from_dict({"image": list(map(str, paths)), "label": pictures[1]}, features=features)
    audit = made(data, "parzen/input")

    def images(folder):
        return {task["data"]["image"] for task in json.loads((folder / "tasks.json").read_text("utf-8"))}

    out = audit.export("label_studio", tmp_path / "a", rows=24)
    assert images(out) == {path.relative_to(tmp_path / "photos").as_posix() for path in paths}
    assert {path.name for path in out.iterdir()} == {"tasks.json", "config.xml"}
    out = audit.export("label_studio", tmp_path / "b", rows=24, images="/data/local-files/?d=photos/")
    assert "/data/local-files/?d=photos/ant/0%20%E2%98%83.png" in images(out)
    out = audit.export("label_studio", tmp_path / "c", rows=2, copy_images=True)
    assert len(list((out / "images").iterdir())) == 2
    assert all((out / image).exists() for image in images(out))
    with pytest.raises(SettingError, match="a text"):
        audit.export("label_studio", tmp_path / "d", images=3)
    assert not (tmp_path / "d").exists()


def test_what_cannot_be_exported_is_said_before_anything_is_written(audit, table, tmp_path):
    with pytest.raises(SettingError, match="examples of values"):
        audit.export("fiftyone", tmp_path / "out")
    with pytest.raises(SettingError, match="argilla, fiftyone, label_studio, prodigy"):
        audit.export("labelbox", tmp_path / "out")
    with pytest.raises(DataError, match="rows that were audited"):
        audit.export("argilla", tmp_path / "out", rows=[N])
    with pytest.raises(DataError, match="fingerprint"):
        audit.export("argilla", tmp_path / "out", table.assign(x=0.0))
    loaded = dataaudit.Audit.load(audit.save(tmp_path / "audit"))
    with pytest.raises(DataError, match="no data set with it"):
        loaded.export("argilla", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    loaded.export("argilla", tmp_path / "out", table)
    with pytest.raises(StorageError, match="not empty"):
        loaded.export("argilla", tmp_path / "out", table)
