"""A labelled data set of texts or images as one of vectors, which an encoder makes of them in one pass."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dataaudit.common import folders
from dataaudit.common.progress import progress_bar
from dataaudit.common.types import AnyArray, IntArray
from dataaudit.data.derived import EMBEDDING, DerivedExamples, SelectedExamples, SubsetExamples
from dataaudit.data.examples import Examples
from dataaudit.data.unseen import as_unseen
from dataaudit.embedding.inputs import TEXTS, examples_reader, usable
from dataaudit.embedding.pictures import digest
from dataaudit.errors import DataError, RowError, StorageError, rows
from dataaudit.representations.keep import InMemory, Kept
from dataaudit.representations.store import OnDisk, held_in_memory, made_anew, without_room

if TYPE_CHECKING:
    from dataaudit.embedding.base import Encoder

BATCH = 64
"""Texts or images that run through the encoder at a time."""
KEPT_BYTES = 4 * 2**20
"""Bytes of vectors that a crash can cost."""
DIGEST = 16


class EmbeddedExamples(DerivedExamples):
    """Texts or images as vectors of length 1, float32 [n, d]; people are shown them as they are.

    Until `complete` was called, rows are embedded whenever they are read. `encoder` is not sent to other processes, nor
    are the texts and images.

    Parameters
    ----------
    whole
        The labelled texts or images.
    encoder
        Of their kind, which was tried.
    width
        Dimensions d of its vectors.
    """

    def __init__(self, whole: Examples, encoder: Encoder, width: int) -> None:
        super().__init__(whole, whole.labels)
        self.encoder, self.width = encoder, width
        self._read = examples_reader(whole)[1]
        self.fingerprint = ""
        self.embedding: dict[str, Any] = {}
        """Record for an audit's settings."""
        self._vectors: AnyArray | None = None

    def __getstate__(self) -> dict[str, Any]:
        """State for another process, which reads vectors and needs nothing else."""
        return {**super().__getstate__(), "encoder": None, "whole": None, "_read": None}

    @property
    def array(self) -> AnyArray | None:
        """All vectors, once they are complete."""
        return self._vectors

    def without_label(self) -> Examples | None:
        """The rows that have no label as vectors, made whenever they are read."""
        rest = self.whole.without_label()
        return None if rest is None else EmbeddedExamples(rest, self.encoder, self.width)

    def show(self, index: int) -> Any:
        """Row `index` as the data set shows it; of a path, the image."""
        shown = self.whole.show(index)
        if isinstance(shown, Path):
            from dataaudit.embedding.pictures import picture

            return picture(shown, index)
        return shown

    def read_rows(self, indices: IntArray) -> AnyArray:
        """Rows of the vectors."""
        if self._vectors is not None:
            return self._vectors[indices]
        return self._encoded(*usable(self._read, indices, self.encoder.takes, None))

    def _usable(self, indices: IntArray, bad: list[int] | None) -> tuple[IntArray, list[Any]]:
        """As `usable`; an error names all rows among `indices` that cannot be used."""
        try:
            return usable(self._read, indices, self.encoder.takes, bad)
        except RowError as error:
            others: list[int] = []
            usable(self._read, indices, self.encoder.takes, others)
            first = f"{len(others)} inputs that cannot be used, in {rows(others)}; first: " if len(others) > 1 else ""
            drop = [] if "on_bad_rows=" in error.action else ["pass on_bad_rows='drop'"]
            raise RowError(first + error.arrived, error.expected, [*error.alternatives, *drop]) from error

    def _encoded(self, numbers: IntArray, items: Sequence[Any]) -> AnyArray:
        """Vectors float32 [b, d] of texts or pictures, the rows `numbers`."""
        vectors = np.empty((len(items), self.width), np.float32)
        if len(items):
            for positions, part in self.encoder.vectors(items, numbers, BATCH, True):
                vectors[positions] = part
        return vectors

    def complete(self, drop: bool, progress: bool, folder: str | Path | None) -> EmbeddedExamples:
        """Embed all rows, in one pass, and return them: these examples, or if some had to be dropped the others.

        Parameters
        ----------
        drop
            Whether rows that cannot be used are left out; otherwise they are an error.
        progress
            Whether to draw a progress bar.
        folder
            ``cache=``, which takes the vectors block by block; another call with it goes on from there.

        Raises
        ------
        DataError
            If a row cannot be used.
        StorageError
            If the folder holds vectors of other rows or of another model, or cannot be written.
        """
        bad: list[int] = []
        n, block = len(self), TEXTS if self.encoder.takes == "texts" else BATCH
        notes: list[str] = []
        with _places(self.encoder, self.width, n, folder, notes) as (digests, vectors):
            done = min(digests.done, vectors.done)
            with progress_bar("embedding", n, progress) as advance:
                for start in range(0, n, block):
                    indices = np.arange(start, min(start + block, n), dtype=np.int64)
                    numbers, items = self._usable(indices, bad if drop else None)
                    part = np.zeros((len(indices), DIGEST), np.uint8)
                    part[numbers - start] = _digests(items)
                    if isinstance(digests, OnDisk):
                        _check_known(part, digests.there()[start:done] if start < done else part[:0], start, folder)
                    if start + len(indices) > done:
                        made = np.zeros((len(indices), self.width), np.float32)
                        made[numbers - start] = self._encoded(numbers, items)
                        _put_both((digests, part), (vectors, made), start)
                    advance(len(indices))
            self._vectors = vectors.whole()
            known = np.asarray(digests.whole())
            kept = [one for one in (digests, vectors) if isinstance(one, OnDisk)]
            notes += held_in_memory([one.full for one in kept if one.full])
            notes += made_anew([name for one in kept for name in one.damaged])
            return self._completed(known, np.asarray(bad, np.int64), notes)

    def _completed(self, digests: AnyArray, bad: IntArray, notes: Sequence[str]) -> EmbeddedExamples:
        found = self
        if len(bad):
            kept = np.setdiff1d(np.arange(len(self)), bad, assume_unique=True)
            found = EmbeddedExamples(SubsetExamples(self.whole, kept), self.encoder, self.width)
            assert self._vectors is not None
            found._vectors, digests = self._vectors[kept], digests[kept]
        found.fingerprint = _fingerprint(digests, found)
        found.notes = (*found.whole.notes, *self.encoder.notes, *notes)
        found.embedding = {
            "of": self.encoder.takes,
            "dimensions": self.width,
            "fingerprint": found.fingerprint,
            **self.encoder.described,
        }
        return found


def _put_both(one: tuple[Kept, AnyArray], other: tuple[Kept, AnyArray], start: int) -> None:
    """Keep rows in two places: where one has no more room, nothing more is written to the other either."""
    for place, part in (one, other):
        place.put(start, part)
    on_disk = [place for place, _ in (one, other) if isinstance(place, OnDisk)]
    full = [place.full for place in on_disk if place.full]
    for place in on_disk if full else ():
        place.spill(full[0])


@contextmanager
def _places(
    encoder: Encoder, width: int, n: int, folder: str | Path | None, notes: list[str]
) -> Iterator[tuple[Kept, Kept]]:
    """Where digests of inputs and vectors go: in memory without a folder, or where it has no room; `notes` say so."""
    with ExitStack() as stack:
        places: tuple[Kept, Kept] = (InMemory(n), InMemory(n))
        if folder is not None:
            with without_room(notes):
                places = stack.enter_context(_in_folder(encoder, width, n, folder))
        yield places


@contextmanager
def _in_folder(encoder: Encoder, width: int, n: int, folder: str | Path) -> Iterator[tuple[Kept, Kept]]:
    """Files of digests and of vectors, of this call alone."""
    outer, of = Path(folder), {"model": encoder.identity}
    with folders.explained(outer):
        outer.mkdir(parents=True, exist_ok=True)
    inner = folders.inner(outer / EMBEDDING)
    with ExitStack() as stack:
        places = []
        for name, row in (("inputs", DIGEST), ("vectors", 4 * width)):
            about = inner / f"{name}.json"
            model: str | None = of["model"]
            # Damaged ones are put aside, and made anew.
            with suppress(folders.DamagedError):
                model = folders.read(about).get("model") if about.exists() else model
            if model != of["model"]:
                raise StorageError(
                    f"vectors of another model at {inner}: fingerprint {model}",
                    f"fingerprint {of['model']}",
                    ["pass cache='another folder'", "pass the model that it was begun with"],
                )
            # Blocks of both end at the same rows.
            places.append(OnDisk(inner / name, n, of, KEPT_BYTES * row // (4 * width), spills=True))
            stack.callback(places[-1].close)
        # A crash between the two may have left one behind: what is not known to be of these inputs is none of them.
        done = min(place.done for place in places)
        for place in places:
            place.cut(done)
        yield places[0], places[1]


def embedding(
    examples: Examples, model: Any, processor: Any, device: str = "auto", lenient: bool = False
) -> EmbeddedExamples:
    """A labelled data set through a model as `dataaudit.embed` takes it, tried on the first row that can be used."""
    from dataaudit.embedding.loading import load

    kind, read = examples_reader(examples)
    for row in range(len(examples)):
        numbers, items = usable(read, np.array([row]), kind, [] if lenient else None)
        if items:
            encoder = load(model, processor, kind, items[0], device=device)
            width = next(encoder.vectors(items, numbers, BATCH, True))[1].shape[1]
            return EmbeddedExamples(examples, encoder, width)
    raise RowError(
        f"no row that can be used, of {len(examples)} ({rows(range(len(examples)))})",
        "texts or images",
        "repair the data set",
    )


def are_vectors(examples: Examples) -> bool:
    """Tell whether inputs are vectors already: rows of one array of floats, or some of them."""
    while isinstance(examples, SelectedExamples):
        examples = examples.whole
    array = examples.array
    return array is not None and array.ndim == 2 and array.dtype.kind == "f"


def fingerprint(examples: Examples) -> str:
    """Fingerprint of texts or images, which `EmbeddedExamples` has of those that it was made from."""
    kind, read = examples_reader(examples)
    digests = [
        _digests(usable(read, np.arange(start, min(start + BATCH, len(examples)), dtype=np.int64), kind, None)[1])
        for start in range(0, len(examples), BATCH)
    ]
    return _fingerprint(np.concatenate(digests), examples)


def unseen_beside(
    known: Examples, dataset: Any, labels: Any, options: Mapping[str, Any], progress: bool
) -> tuple[Examples, IntArray | None]:
    """Rows that were not audited, as `dataaudit.data.unseen.as_unseen` reads them, as vectors where these are known.

    Of an audit of vectors of texts or images, new ones become vectors by the same model; vectors stay what they are.
    """
    if not isinstance(known, EmbeddedExamples):
        return as_unseen(dataset, labels, known, **options)
    new, given = as_unseen(dataset, labels, known.whole, **options, raw=True)
    if not are_vectors(new):
        return EmbeddedExamples(new, known.encoder, known.width).complete(False, progress, None), given
    if new.array.shape[1] != known.width:
        raise DataError(
            f"vectors of {new.array.shape[1]} dimensions", f"the audited {known.width}", "pass the texts or images"
        )
    return new, given


def _digests(items: Sequence[Any]) -> AnyArray:
    return np.frombuffer(b"".join(map(digest, items)), np.uint8).reshape(-1, DIGEST)


def _fingerprint(digests: AnyArray, examples: Examples) -> str:
    found = hashlib.blake2b(np.ascontiguousarray(digests).tobytes(), digest_size=16)
    found.update(np.ascontiguousarray(examples.labels, np.int64).tobytes())
    found.update("\0".join(examples.class_names).encode("utf-8", "surrogatepass"))
    return found.hexdigest()


def _check_known(found: AnyArray, known: AnyArray, start: int, folder: Any) -> None:
    both = min(len(found), len(known))
    other = np.flatnonzero((found[:both] != known[:both]).any(1)) + start
    if len(other):
        raise StorageError(
            f"vectors of other texts or images at {folder}, in {rows(other)}",
            "those of this data set",
            ["pass cache='another folder'", "pass the data set that it was begun with"],
        )
