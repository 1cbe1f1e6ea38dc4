"""Names of files and folders that exports write, and Label Studio's own opinion of what is written for it."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from dataaudit.errors import DataError, StorageError
from dataaudit.exports import REGISTRY, Export, ExportFormat, ExportRow
from dataaudit.exports.content import content_of
from dataaudit.exports.write import check_image_name, check_new_folder, put_image, write_files
from dataaudit.testing import example_export


@pytest.mark.parametrize("name", ["a.png", "ant/b c.png", "..a/b...png", "<script>.png", "a:b.png"])
def test_names_within_the_folder_are_taken(name):
    assert check_image_name(name, 3) == name


@pytest.mark.parametrize(
    "name",
    ["../a.png", "/etc/passwd", "a/../../b.png", "a\\..\\b.png", "\\\\host\\a", "C:\\a.png", "C:/a", "..", "", "a\0"],
)
def test_names_that_lead_out_are_refused(name):
    with pytest.raises(DataError, match="of row 3"):
        check_image_name(name, 3)


class Named(ExportFormat):
    name, summary = "named", "writes files of any name"

    def __init__(self, *names):
        self.names = names

    def files(self, export):
        return ((name, ["text"]) for name in self.names)


@pytest.mark.parametrize("names", [["../a.txt"], ["/tmp/a.txt"], ["a/b.txt"], [".."], [""], ["a.txt", "a.txt"]])
def test_formats_cannot_write_elsewhere(names, tmp_path):
    with pytest.raises(StorageError, match="plain name"):
        write_files(Named(*names), Export([], (), None), tmp_path / "out")
    assert {path.name for path in tmp_path.rglob("*")} <= {"out", "a.txt"}


def test_folders_that_hold_something_are_left_alone(tmp_path):
    check_new_folder(tmp_path / "new")
    check_new_folder(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path, tmp_path / "file", tmp_path / "link"):
        with pytest.raises(StorageError):
            check_new_folder(path)
    with pytest.raises(StorageError):
        put_image(tmp_path / "link", "0.png", b"")
    put_image(tmp_path / "images", "0.png", b"one")
    with pytest.raises(StorageError):
        put_image(tmp_path / "images", "0.png", b"other")
    assert (tmp_path / "images/0.png").read_bytes() == b"one"


def test_two_images_that_fiftyone_cannot_tell_apart_are_refused(tmp_path):
    rows = [
        ExportRow(row, None, "a", "", None, "", row + 1, image=f"x.{kind}") for row, kind in enumerate(("png", "jpg"))
    ]
    with pytest.raises(DataError, match="calls alike"):
        write_files(REGISTRY.instance("fiftyone"), Export(rows, ("a",), None), tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F"])
def test_pictures_of_every_mode_become_files(mode):
    content = content_of(Image.new(mode, (6, 5)))
    with Image.open(io.BytesIO(content.image)) as image:
        assert (image.format, image.size) == ("PNG", (6, 5))


def test_whatever_is_shown_becomes_data():
    picture = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8))
    mixed = content_of(
        {"photo": picture, "size": np.int64(3), "when": np.datetime64("2020-01-01"), "none": float("nan")}
    )
    assert mixed.image
    assert mixed.values == {"size": 3, "when": "2020-01-01", "none": None}
    assert content_of(np.array([0.5, np.inf])).values == {"0": 0.5, "1": None}
    assert content_of({"a": "text", "b": [1, (2, None)]}).values == {"a": "text", "b": [1, [2, None]]}
    assert content_of("text").text == content_of({"only": "text"}).text == "text"
    pixels = np.random.default_rng(0).integers(0, 256, (3, 300, 9)).astype(np.uint8)
    with Image.open(io.BytesIO(content_of(pixels).image)) as whole:
        np.testing.assert_array_equal(np.asarray(whole), pixels.transpose(1, 2, 0))


@pytest.mark.parametrize("kind", ["image", "text", "values"])
def test_label_studio_takes_what_is_written_for_it(kind):
    interface = pytest.importorskip(
        "label_studio_sdk.label_interface",
        reason="label-studio-sdk brings thirty packages and an older NumPy: install it in an environment of its own",
    )
    files = {name: "".join(parts) for name, parts in REGISTRY.instance("label_studio").files(example_export(kind))}
    configured = interface.LabelInterface(files["config.xml"])
    configured.validate()
    assert len(set(configured.get_control("label").labels)) == len(example_export().class_names)
    for task in json.loads(files["tasks.json"]):
        assert all(task["data"].get(shown.value_name) is not None for shown in configured.objects)
        for prediction in task.get("predictions", []):
            assert configured.validate_prediction(prediction, return_errors=True) == []
