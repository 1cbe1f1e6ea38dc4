"""An example, to the rest of the library: a labelled row that can be read by index."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dataaudit.common.types import AnyArray, IntArray
from dataaudit.data.decoded import Decoded
from dataaudit.tasks.base import MISSING, Task
from dataaudit.tasks.classification import CLASSIFICATION


@dataclass(frozen=True)
class Origin:
    """Data set as a caller passed it, and how it is read; see `dataaudit.data.as_examples`.

    `dataset` is that of one split; `splits` all of them, where there were several.
    """

    dataset: Any
    split: str | None = None
    label: Any = None
    inputs: Any = None
    key: Any = None
    exclude: Any = None
    transform: Callable[[Any], Any] | None = None
    splits: Any = None
    resize: int | tuple[int, int] | None = None
    unlabelled: Any = None

    @property
    def options(self) -> dict[str, Any]:
        """Options with which `dataset` is read again."""
        names = ("label", "inputs", "key", "exclude", "transform", "resize", "unlabelled")
        return {name: getattr(self, name) for name in names}


class Examples(ABC):
    """A labelled data set, read in batches; nothing else of the library sees where it comes from.

    A data set of another kind derives from this: it passes labels and class names on, says its `source`, and implements
    `read_rows` and `show`. What a data set may have beyond labelled rows has a default here, which says that it has
    none.

    Laws
    ----
    - ``read(i)`` gives rows in the order of `i`, repeats included, and the same values every time unless the
      caller's own data set or transform is random.
    - Reading rows never loads the rest of a memory-mapped data set.

    Parameters
    ----------
    labels
        Given labels, int64 [n], positions in `class_names`, or as another `task` encodes them. An adapter gives
        `MISSING` to rows without a label and `DAMAGED` to labels that cannot be right, below 0; both are left out.
    class_names
        Class names as the data set spells them, [C].
    """

    source: str
    """Kind of the data set in one or two words, for settings and messages."""
    columns: tuple[Any, ...] = ()
    """Input columns, in order; empty where inputs are no columns."""
    class_columns: tuple[Any, ...] = ()
    """Those of them whose numbers are positions of classes."""
    label_column: Any = None
    """Label column, where there is one."""
    transform: Callable[[Any], Any] | None = None
    """Function of one input that is applied whenever a row is read."""
    origin: Origin | None = None
    """Data set that the caller passed, by reference; not sent to other processes."""
    identity: Any = None
    """Names of the rows in the caller's data set, a pandas Index [n] with names, see `dataaudit.data.identity`; None
    where that has nothing but positions. Not sent to other processes."""
    notes: Sequence[str] = ()
    """Notes on the inputs for a reader of the audit."""
    tokenised: tuple[str, ...] = ()
    """Names of the token values that the data set keeps, which `read_tokens` gives; empty where it keeps none."""
    task: Task = CLASSIFICATION
    """Kind of the labels."""
    decoded: Decoded | None = None
    """Keeps rows that have to be decoded, and are the same every time; not sent to other processes."""

    def __init__(self, labels: IntArray, class_names: tuple[str, ...]) -> None:
        self.labels, self.class_names = labels, class_names
        self.kept: dict[Any, Any] = {}
        """What was computed from all rows, and later questions start from; not sent either."""

    @property
    def array(self) -> Any:
        """All inputs without a copy, [n, ...], where they lie in an array, or in pieces that are read like one."""
        return None

    @property
    def dropped(self) -> IntArray:
        """Rows of the caller's data set that were left out, ascending."""
        return np.zeros(0, np.int64)

    @property
    def given(self) -> Examples:
        """The data set as its caller has it: a fingerprint is of its inputs. Itself, unless it is prepared."""
        return self

    @property
    def unlabelled(self) -> IntArray:
        """Rows of the caller's data set that have no label, ascending."""
        return np.flatnonzero(self.labels == MISSING) if self.labels.ndim == 1 else np.zeros(0, np.int64)

    def without_label(self) -> Examples | None:
        """The rows `unlabelled`, read as these are; None where there are none, or the caller's are not at hand."""
        return None

    @property
    def channels(self) -> int | None:
        """Channels with which images are read; None where inputs are none."""
        return None

    @property
    def is_decoded(self) -> bool:
        """Whether reading a row decodes an image, whose pixels are the same every time."""
        return False

    def keep_decoded(self, folder: str | Path | None) -> None:
        """Decode each row once from now on, where rows are decoded; what takes much room lies in `folder`.

        What was decoded before is forgotten, and the folder named then holds where none is named now.
        """
        if self.is_decoded:
            before = None if self.decoded is None else self.decoded.folder
            self.decoded = Decoded(len(self), before if folder is None else folder)

    @property
    def reading_notes(self) -> Sequence[str]:
        """Notes on how rows are read, known once the first was."""
        return () if self.decoded is None else self.decoded.notes

    def __len__(self) -> int:
        """Number of examples n."""
        return len(self.labels)

    def __getstate__(self) -> dict[str, Any]:
        """State for another process, which reads rows and needs nothing else."""
        left_here = ("origin", "identity", "decoded", "kept")
        return {**{name: value for name, value in self.__dict__.items() if name not in left_here}, "kept": {}}

    def read(self, indices: IntArray) -> Any:
        """Inputs of the rows `indices` [b]: a NumPy array [b, ...], a DataFrame with b rows, or texts.

        Texts are an object array [b] of str, None where one is missing. uint8 arrays hold pixels 0..255; floats
        arrive as float32 or float64; everything else as it is stored.

        Raises
        ------
        DataError
            If a row cannot be read; it is named.
        """
        wanted = np.asarray(indices, dtype=np.int64)
        if not len(wanted):
            # No rows still have a shape and a type, which only a row can tell.
            return self.read_rows(np.zeros(1, dtype=np.int64))[:0]
        return self.read_rows(wanted) if self.decoded is None else self.decoded.read(wanted, self.read_rows)

    @abstractmethod
    def read_rows(self, indices: IntArray) -> Any:
        """`read` for at least one row."""

    def original(self, indices: IntArray) -> IntArray:
        """Rows of the caller's data set that the rows `indices` [b] are, for messages."""
        return indices

    def read_tokens(self, indices: IntArray, names: Sequence[str]) -> tuple[AnyArray, IntArray]:
        """Token values called `names` of the rows; see `dataaudit.data.token_columns.TokenColumns`."""
        raise NotImplementedError

    def read_sparse(self, indices: IntArray) -> Any:
        """Inputs of the rows as a sparse matrix of scipy, csr [b, d]; None where they are not sparse.

        `read` gives the same values in an array.
        """
        return None

    @abstractmethod
    def show(self, index: int) -> Any:
        """One example for human eyes: a PIL image, a pixel array, a dict of values, a text or an array."""
