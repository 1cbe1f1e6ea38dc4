"""Answers of a labelling tool as decisions about one data set."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from dataaudit.common import checks, folders
from dataaudit.errors import DataError, SettingError, StorageError
from dataaudit.exports.base import Answer, ExportFormat
from dataaudit.review.decisions import LARGEST, Decisions


def read_answers(tool: ExportFormat, path: Path, fingerprint: str | None, class_names: tuple[str, ...]) -> Decisions:
    """Decisions in a file that a tool exported, of the data set with this fingerprint.

    Raises
    ------
    SettingError
        If the tool's answers are not read.
    StorageError
        If the file cannot be read.
    DataError
        If it is not what the tool exports, is about another data set, or holds what cannot be decided.
    """
    if not tool.reads:
        raise SettingError(
            f"answers of {tool.name!r}",
            "a tool whose answers are read",
            ["pass tool='label_studio'", "pass tool='prodigy'"],
        )
    checks.exists(path)
    with folders.explained(path):
        size = path.stat().st_size
        if size > LARGEST:
            raise StorageError(f"{path} of {size} bytes", f"at most {LARGEST}", "export fewer tasks at a time")
        content = path.read_bytes()
    answers = list(tool.answers(content, class_names))
    others = {answer.carried["fingerprint"] for answer in answers} - {fingerprint}
    if others:
        raise DataError(
            f"answers in {path} about data with fingerprint {sorted(map(str, others))[0]}",
            f"that of this audit, {fingerprint}",
            ["name the answers about this data set", "name the audit that they are about"],
        )
    return decisions_of(answers, fingerprint, class_names, str(path))


def decisions_of(
    answers: list[Answer], fingerprint: str | None, class_names: tuple[str, ...], source: str
) -> Decisions:
    """Decisions of answers: what one reviewer says twice alike is said once; who is undecided yields to who is not."""
    entries = ("row", "key", "given", "suggested", "place", "chance")
    table = pd.DataFrame(
        {
            **{name: pd.Series([answer.carried[name] for answer in answers], dtype=object) for name in entries},
            **{
                name: pd.Series([getattr(answer, name) for answer in answers], dtype=object)
                for name in ("decision", "label", "reviewer", "time", "seconds")
            },
        }
    )
    answered = set(table.loc[table["decision"] != "", "row"])
    table = table[(table["decision"] != "") | ~table["row"].isin(answered)]
    table = table.drop_duplicates(["row", "decision", "label", "reviewer"])
    return Decisions.of(table, fingerprint, class_names, source)
