"""What is handed to a labelling tool of each example, and what a format makes of it."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import NoneType
from typing import Any
from urllib.parse import quote

from dataaudit.common import checks
from dataaudit.common.json_text import spelled
from dataaudit.errors import DataError

KINDS = ("image", "text", "values")
"""What of an example people can look at."""
CARRIED = ("row", "key", "given", "suggested", "place", "chance", "fingerprint")
"""Entries that an answer must bring back, for it to be a decision about a row of an audit."""
SPECIAL = ("remove", "unsure")
"""Decisions that are no label."""


@dataclass(frozen=True)
class ExportRow:
    """One example, for a person to label.

    Attributes
    ----------
    row, key
        Number of the row in the data set, and its name there as JSON: a text, a number, a list of such, None without.
    given, suggested
        Labels by name; empty where the label is not known, or no other than the given one is suggested.
    probability
        Probability that the given label is wrong, None where it is not known.
    reason
        Why, in words; may be empty.
    rank
        Place among the exported rows, from 1.
    place, chance
        Place in the queue of `Audit.review`, and chance with which the row was drawn for it; None of other rows.
    image
        File of the picture, relative to the folder of all pictures, with "/"; None where there is no picture.
    text
        The whole text, None where there is none.
    values
        Columns of a table's row by name, as JSON values.
    """

    row: int
    key: Any
    given: str
    suggested: str
    probability: float | None
    reason: str
    rank: int
    place: int | None = None
    chance: float | None = None
    image: str | None = None
    text: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Those of `KINDS` that this example has."""
        has = (self.image is not None, self.text is not None, bool(self.values))
        return tuple(kind for kind, one in zip(KINDS, has, strict=True) if one)


@dataclass(frozen=True)
class Export:
    """Examples for one project of a labelling tool.

    Attributes
    ----------
    rows
        In the order in which people should look at them.
    class_names
        Labels that can be given, as the data set spells them.
    fingerprint
        Fingerprint of the audited data, None where it has none.
    images
        What stands before the name of a picture, for the tool to find it: nothing, a folder, or an address.
    """

    rows: Sequence[ExportRow]
    class_names: tuple[str, ...]
    fingerprint: str | None
    images: str = ""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Those of `KINDS` that some example has."""
        found = {kind for row in self.rows for kind in row.kinds}
        return tuple(kind for kind in KINDS if kind in found)

    def address(self, row: ExportRow) -> str:
        """Where the tool finds the picture of a row; empty without one. In addresses, names are percent-encoded.

        >>> row = ExportRow(0, None, "a", "b", None, "", 1, image="a b.png")
        >>> Export([row], ("a", "b"), None, "photos/").address(row)
        'photos/a b.png'
        >>> Export([row], ("a", "b"), None, "http://localhost:8000/").address(row)
        'http://localhost:8000/a%20b.png'
        """
        if row.image is None:
            return ""
        is_address = "://" in self.images or "?" in self.images
        return self.images + (quote(row.image, errors="surrogatepass") if is_address else row.image)

    def carried(self, row: ExportRow) -> dict[str, Any]:
        """All that is said of a row beside its content, as JSON values."""
        return {
            **{name: getattr(row, name) for name in ("row", "key", "given", "suggested", "probability", "reason")},
            **{name: getattr(row, name) for name in ("rank", "place", "chance")},
            "fingerprint": self.fingerprint,
        }


@dataclass(frozen=True)
class Answer:
    """What a person answered about a row in a tool.

    Attributes
    ----------
    carried
        Entries that came back as they were exported, see `carried_of`.
    decision, label
        "keep", "relabel" with a label, "remove", "unsure", or empty where nobody answered.
    reviewer, time, seconds
        Who, when and for how long, where the tool says so.
    """

    carried: Mapping[str, Any]
    decision: str = ""
    label: str = ""
    reviewer: str = ""
    time: str = ""
    seconds: float | None = None


class ExportFormat(ABC):
    """Files of a labelling tool; packages register theirs under the entry point ``dataaudit.exports``.

    Laws
    ----
    - Files say all that `Export.carried` does of each row, and its content, which is data: nothing in it is markup, a
      path or a formula to what is written.
    - Equal exports give equal files, whose names are plain ones.
    - Nothing is read from and written to disk here; `answers` opens nothing that an answer names.
    """

    name: str
    summary: str
    shows: tuple[str, ...] = KINDS
    """Kinds of content that the tool shows; an example must have one of them."""
    image_folder: str = "images"
    """Folder beside the files, for pictures that lie in no file yet."""
    reads: bool = False
    """Whether `answers` reads what the tool exports."""

    @abstractmethod
    def files(self, export: Export) -> Iterator[tuple[str, Iterable[str]]]:
        """Name of each file, and its text piece by piece."""

    def answers(self, content: bytes, class_names: tuple[str, ...]) -> Iterator[Answer]:
        """Answers in a file that the tool exported; rows that nobody answered come too, undecided.

        Raises
        ------
        DataError
            If the content is not what the tool exports, or a row was not exported by `files`.
        """
        raise NotImplementedError


def listed_json(values: Iterable[Any]) -> Iterator[str]:
    """JSON of a list, an entry a line."""
    yield "["
    for number, value in enumerate(values):
        yield (",\n" if number else "\n") + spelled(value)
    yield "\n]\n"


def as_lines(values: Mapping[str, Any]) -> str:
    """Columns of a row for a tool that shows texts alone, one a line."""
    return "\n".join(f"{name}: {'' if value is None else value}" for name, value in values.items())


def key_as_text(key: Any) -> Any:
    """Name of a row where a tool takes texts and numbers alone: lists and truth values are spelled as JSON."""
    return key if key is None or (isinstance(key, (str, int, float)) and not isinstance(key, bool)) else spelled(key)


def parsed(content: bytes | str, what: str) -> Any:
    """Value in a JSON text.

    Raises
    ------
    DataError
        If it is none.
    """

    def refuse(word: str) -> None:
        raise ValueError(f"{word} is no JSON")

    try:
        return json.loads(content, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{what}, which is not JSON ({error})", "what the tool exports", "export it again") from error


def carried_of(entries: Any, what: str) -> dict[str, Any]:
    """Entries of an answer that say which row of which data set it is about.

    Raises
    ------
    DataError
        If they are not there, as in tasks of other origin.
    """
    known = {name: entries.get(name) for name in CARRIED} if isinstance(entries, Mapping) else {}
    good = known and checks.is_whole(known["row"]) and isinstance(known["given"], str)
    if not good or not isinstance(known["fingerprint"], (str, NoneType)):
        raise DataError(
            f"{what} without the entries row, given and fingerprint, as they were exported",
            "tasks that export() wrote, with all their entries",
            "leave others out of the project",
        )
    return known


def verdict(carried: Mapping[str, Any], label: str) -> tuple[str, str]:
    """Decision of a person who says that a row has this label, and the label that is to be given."""
    return ("keep", "") if label == carried["given"] else ("relabel", label)
