"""Exports for the labelling tools that people have, by name: those that come with the library and those of packages."""

from __future__ import annotations

from dataaudit.common.registry import Registry
from dataaudit.exports.base import Answer, Export, ExportFormat, ExportRow

__all__ = ["Answer", "Export", "ExportFormat", "ExportRow", "describe", "names"]

REGISTRY = Registry(
    "export",
    {
        "label_studio": "dataaudit.exports.label_studio:LabelStudio",
        "argilla": "dataaudit.exports.argilla:Argilla",
        "prodigy": "dataaudit.exports.prodigy:Prodigy",
        "fiftyone": "dataaudit.exports.fiftyone:FiftyOne",
    },
    group="dataaudit.exports",
)

names, describe = REGISTRY.names, REGISTRY.describe


def resolve(tool: str | ExportFormat) -> ExportFormat:
    """Format by the name of its tool, or the object itself; a `SettingError` for anything else."""
    found: ExportFormat = REGISTRY.resolve(tool, ExportFormat, f"tool={tool!r}", "the name of an export, or one")
    return found


def __dir__() -> list[str]:
    return __all__
