"""Laws of exports for labelling tools, and examples with contents that somebody would rather not meet."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from dataaudit.errors import DataError
from dataaudit.exports.base import KINDS, Export, ExportFormat, ExportRow

HOSTILE = (
    "<script>alert(1)</script>",
    "</script><!-- ]]> &amp; &#0;",
    "\"quoted\" 'twice' `thrice` \\",
    "\u202eright to left\u202c \u200f",
    "\U0001f469\u200d\U0001f52c \u2603",
    "{{7*7}} {% if %} ${HOME} $text %(row)s {0}",
    "NUL \0 bell \a escape \x1b[2J",
    "line\r\nfeed\ttab \u2028 \u2029",
    "=HYPERLINK(1)",
    "../../etc/passwd",
    " blanks ",
    "lone \ud800 surrogate",
    "long " * 20_000,
)
"""Texts that end markup, turn lines round, run, lead out of folders, or cannot be encoded."""
CHANCES = (None, 1.0, 1e-7)


def example_export(kind: str = "text", fingerprint: str | None = "0123abcd") -> Export:
    """Examples whose labels, keys, reasons, texts, values and names of files are those of `HOSTILE`."""
    rows = []
    for number, text in enumerate(HOSTILE):
        contents: dict[str, dict[str, Any]] = {
            "image": {"image": f"class {number}/{text.strip()[:40]}.png".replace("../", "").replace("\0", "")},
            "text": {"text": text},
            "values": {"values": {text[:40]: text, "number": 0.1 + number, "whole": number, "none": None}},
        }
        rows.append(
            ExportRow(
                row=number * 7,
                key=[text, number] if number == 2 else number if number == 3 else None if number == 4 else text,
                given=text,
                suggested="" if number == 5 else HOSTILE[number - 1],
                probability=None if number == 6 else number / len(HOSTILE),
                reason=f"near {text!r}",
                rank=number + 1,
                place=None if number % 3 == 0 else number,
                chance=CHANCES[number % 3],
                **contents[kind],
            )
        )
    return Export(rows, HOSTILE, fingerprint, "images/" if kind == "image" else "")


class ExportContract(ABC):
    """Laws of a `dataaudit.exports.ExportFormat`."""

    @abstractmethod
    def tool(self) -> ExportFormat:
        """Return the format under test."""

    @abstractmethod
    def read(self, files: Mapping[str, bytes]) -> list[dict[str, Any]]:
        """Return what the tool reads in files of these names: for each row the entries of `Export.carried`.

        With them come those of "image" (its address, or its name), "text" and "values" that the row has. What is not
        known may be left out, or None.
        """

    def answered(self, files: Mapping[str, bytes], said: Sequence[tuple[str, str]], export: Export) -> bytes:
        """Return what the tool exports once somebody called "ann" has said (decision, label) of each row.

        Decisions are "keep", "relabel", "remove", "unsure" and "", of a row that nobody looked at. Of a format that
        reads no answers this is not asked.
        """
        raise NotImplementedError

    def _files(self, export: Export) -> dict[str, bytes]:
        made = [(name, "".join(parts).encode("utf-8", "surrogatepass")) for name, parts in self.tool().files(export)]
        assert len(dict(made)) == len(made)
        return dict(made)

    def _kinds(self) -> list[str]:
        return [kind for kind in KINDS if kind in self.tool().shows]

    def test_it_describes_itself(self) -> None:
        """Name and one line, kinds that there are, a folder for pictures."""
        tool = self.tool()
        assert isinstance(tool, ExportFormat)
        assert tool.name.isidentifier()
        assert tool.summary
        assert "\n" not in tool.summary
        assert set(tool.shows) <= set(KINDS)
        assert self._kinds()
        assert tool.image_folder.isidentifier()

    def test_all_is_carried_and_nothing_changed_on_the_way(self) -> None:
        """Whatever labels, texts, columns, keys and files are called, it is read back equal."""
        for kind in self._kinds():
            export = example_export(kind)
            found = self.read(self._files(export))
            assert len(found) == len(export.rows)
            for row, entries in zip(export.rows, found, strict=True):
                for name, value in export.carried(row).items():
                    assert entries.get(name) == value, (row.rank, name)
                image = (None,) if row.image is None else (row.image, export.address(row))
                assert entries.get("image") in image
                assert entries.get("text") == row.text
                assert (entries.get("values") or {}) == dict(row.values)

    def test_names_of_files_are_plain_and_equal_exports_give_equal_files(self) -> None:
        """The names do not depend on what is exported, and nothing is kept from one export to the next."""
        tool = self.tool()
        for kind in self._kinds():
            export = example_export(kind)
            first = self._files(export)
            assert all(name.replace(".", "").replace("-", "").replace("_", "").isalnum() for name in first)
            other = replace(export, rows=export.rows[:1], class_names=HOSTILE[:2], fingerprint=None)
            assert [name for name, _ in tool.files(other)] == list(first)
            assert self._files(example_export(kind)) == first

    def test_one_row_and_none_at_all_are_exports_too(self) -> None:
        """Files that can be read."""
        export = example_export(self._kinds()[0])
        assert self.read(self._files(replace(export, rows=()))) == []
        (only,) = self.read(self._files(replace(export, rows=export.rows[:1], fingerprint=None)))
        assert only.get("fingerprint") in (None, "")

    def test_answers_come_back_as_they_were_given(self) -> None:
        """With the row, its key, its given and suggested label, its place and chance, and the fingerprint."""
        if not self.tool().reads:
            return
        for kind in self._kinds():
            export = example_export(kind)
            said = [("keep", ""), ("remove", ""), ("unsure", ""), ("", "")]
            said += [("relabel", HOSTILE[number - 2]) for number in range(len(said), len(HOSTILE))]
            content = self.answered(self._files(export), said, export)
            answers = list(self.tool().answers(content, export.class_names))
            assert [(answer.decision, answer.label) for answer in answers] == said
            assert {answer.reviewer for answer in answers if answer.decision} == {"ann"}
            for row, answer in zip(export.rows, answers, strict=True):
                sent = export.carried(row)
                assert dict(answer.carried) == {name: sent[name] for name in answer.carried}

    @pytest.mark.parametrize("content", [b"", b"[", b"{}", b"[1]", b'[{"data": {}}]', b"\xff", b'{"row": NaN}'])
    def test_what_the_tool_does_not_export_is_refused(self, content: bytes) -> None:
        """Or taken for no answers at all, if it is empty."""
        if self.tool().reads and content:
            with pytest.raises(DataError):
                list(self.tool().answers(content, HOSTILE))
