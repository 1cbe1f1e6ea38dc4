"""Exports on disk: files and pictures in a folder of their own, whatever a format or a data set calls them."""

from __future__ import annotations

import re
from pathlib import Path

from dataaudit.common import folders
from dataaudit.errors import DataError, StorageError
from dataaudit.exports.base import Export, ExportFormat

PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
"""Names of files that formats write."""


def check_new_folder(folder: Path) -> None:
    """Raise before any work unless `folder` is empty or absent: a person's answers may be in it.

    Raises
    ------
    StorageError
        If there is something, or a link, at its place.
    """
    folders.refuse_link(folder)
    with folders.explained(folder):
        there = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    if there:
        raise StorageError(f"{folder}, which exists and is not empty", "a new or empty folder", "name another folder")


def check_image_name(name: str, row: int) -> str:
    """Return the name of a data set's image, or raise if a tool that follows it could leave the folder of images.

    Raises
    ------
    DataError
        If the name is absolute, or leads up.
    """
    leads_out = name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:[\\/]", name) is not None
    if not name or "\0" in name or leads_out or ".." in re.split(r"[\\/]", name):
        raise DataError(
            f"the image {name!r} of row {row}", "a name within the folder of the images", "pass copy_images=True"
        )
    return name


def put_image(folder: Path, name: str, content: bytes) -> None:
    """Write a picture into the folder of pictures, which is made where there is none."""
    with folders.explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    folders.refuse_link(folder)
    target = folder / name
    with folders.explained(target), target.open("xb") as file:
        file.write(content)


def write_files(tool: ExportFormat, export: Export, folder: Path) -> list[Path]:
    """Write the files of a format into `folder`, each whole or not at all; their paths.

    Raises
    ------
    StorageError
        If a file cannot be written, or a format names one that is not in the folder.
    """
    with folders.explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, parts in tool.files(export):
        path = folder / name
        if not PLAIN.fullmatch(name) or path in written:
            raise StorageError(
                f"the file {name!r} of the export {tool.name!r}",
                "a plain name, once",
                "have its files() give such names",
            )
        with folders.writing(path) as file:
            for part in parts:
                file.write(part.encode("utf-8", "surrogatepass"))
        written.append(path)
    return written
