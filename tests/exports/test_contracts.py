"""Every export keeps the laws, whatever is in it."""

import csv
import io
import json

from dataaudit.exports import REGISTRY
from dataaudit.exports.label_studio import choices_of
from dataaudit.exports.prodigy import specials
from dataaudit.testing import ExportContract


class TestLabelStudio(ExportContract):
    def tool(self):
        return REGISTRY.instance("label_studio")

    def read(self, files):
        return [task["data"] for task in json.loads(files["tasks.json"])]

    def answered(self, files, said, export):
        tasks = json.loads(files["tasks.json"])
        names = dict(zip(export.class_names, [value for value, _ in choices_of(export.class_names)], strict=True))
        for number, (task, (decision, label)) in enumerate(zip(tasks, said, strict=True)):
            task.pop("predictions", None)
            choices = {
                "keep": [("label", names[task["data"]["given"]])],
                "relabel": [("label", names.get(label))],
                # A label may stay chosen beside it.
                "remove": [("label", names[task["data"]["given"]]), ("decision", "remove")],
            }.get(decision, [])
            result = [
                {"type": "choices", "from_name": name, "to_name": "example", "value": {"choices": [choice]}}
                for name, choice in choices
            ]
            task["id"], who = number, {"id": 1, "email": "ann"}
            annotation = {
                "result": result,
                "was_cancelled": decision == "unsure",
                "completed_by": who,
                "lead_time": 2.5,
            }
            task["annotations"] = [annotation] if decision else []
        return json.dumps(tasks).encode()


class TestProdigy(ExportContract):
    def tool(self):
        return REGISTRY.instance("prodigy")

    def read(self, files):
        found = []
        for line in lines(files):
            task = json.loads(line)
            own = task["dataaudit"]
            content = {name: task[name] for name in ("image", "text") if name in task and not own["values"]}
            found.append({**own, **content})
        return found

    def answered(self, files, said, export):
        made = []
        options = {word: option for option, word in specials(export.class_names).items()}
        for line, (decision, label) in zip(lines(files), said, strict=True):
            task = json.loads(line)
            task["accept"] = {"keep": [task["dataaudit"]["given"]], "relabel": [label]}.get(decision, [])
            if decision == "remove":
                task["accept"] = [options["remove"]]
            task |= {"answer": "ignore" if decision == "unsure" else "accept", "_annotator_id": "ann"}
            task["_timestamp"] = 1_700_000_000
            made.append(json.dumps(task if decision else json.loads(line)))
        return "\n".join(made).encode()


def lines(files):
    return [line for line in files["tasks.jsonl"].decode().split("\n") if line]


class TestArgilla(ExportContract):
    def tool(self):
        return REGISTRY.instance("argilla")

    def read(self, files):
        settings = json.loads(files["settings.json"])
        known = {field["name"] for field in settings["fields"]}
        found = []
        for record in json.loads(files["records.json"]):
            assert record["fields"].keys() <= known
            content = {name: value for name, value in record["fields"].items() if name != "reason"}
            if "values" in content:
                content["values"] = json.loads(content["values"])
            found.append({**with_key(record["metadata"]), **content})
        return found


class TestFiftyOne(ExportContract):
    def tool(self):
        return REGISTRY.instance("fiftyone")

    def read(self, files):
        whole = json.loads(files["labels.json"])
        with io.StringIO(files["labels.csv"].decode("utf-8", "surrogatepass"), newline="") as text:
            table = list(csv.DictReader(text))
        found = []
        for row, (name, label) in zip(table, whole["labels"].items(), strict=True):
            entries = label["attributes"]
            assert whole["classes"][label["label"]] == entries["given"] == row["given"]
            assert row["filepath"].startswith(name)
            assert {name: str(value) for name, value in entries.items()} == {
                name: row[name] for name in entries if name != "filepath"
            }
            found.append({**with_key(entries), "image": row["filepath"]})
        return found


def with_key(entries):
    key = entries.get("key")
    return {**entries, "key": json.loads(key) if isinstance(key, str) and key.startswith("[") else key}
