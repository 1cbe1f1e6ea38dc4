"""Embedding of texts and images: one vector each."""

from __future__ import annotations

import os
import uuid
import warnings
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np

from dataaudit.common import checks, folders
from dataaudit.common.guest import visiting
from dataaudit.common.progress import progress_bar
from dataaudit.common.types import AnyArray
from dataaudit.embedding.base import Encoder
from dataaudit.embedding.inputs import TEXTS, Inputs, check_texts, open_inputs, usable
from dataaudit.embedding.loading import load
from dataaudit.errors import AuditWarning, SettingError, StorageError

TYPES = ("float32", "float16")


@visiting()
def embed(
    data: Any,
    model: Any,
    *,
    processor: Any = None,
    column: str | None = None,
    layer: str | None = None,
    batch_size: int = 64,
    max_length: int | None = None,
    device: str = "auto",
    normalise: bool = True,
    dtype: Literal["float32", "float16"] = "float32",
    progress: bool = True,
    out: str | Path | None = None,
    block_size: int = TEXTS,
) -> Any:
    """Make vectors of texts or images with a model that was trained before.

    Parameters
    ----------
    data
        Texts (strings), or images: PIL images, arrays [h, w], [h, w, c] or [c, h, w] of uint8 pixels or of floats from
        0 to 1, or ``pathlib.Path`` of files. They come as a list, an array ([n, h, w] or [n, h, w, c] of images), a
        tensor, a pandas Series, a torch data set of x or (x, y), a Hugging Face ``Dataset`` with `column`, or the path
        of a folder of images.
    model
        For texts and images, a folder (or a name) that ``AutoModel.from_pretrained`` reads, a ``SentenceTransformer``,
        or a transformers model; CLIP serves both. For images also a timm model, one of torchvision or OpenCLIP with
        `processor`, and any torch module. A model that is passed stays where and as it is. Whether a name may be
        downloaded is up to the settings of Hugging Face, such as ``HF_HUB_OFFLINE``.
    processor
        Of the model: its tokenizer or image processor, or a function of one PIL image that returns a tensor, such as
        ``weights.transforms()`` of torchvision. By default what the model's folder holds, or the settings that a timm
        model carries; a torch module without any gets pixels divided by 255.
    column
        Column of a ``Dataset``; by default its only one of images, or else of texts.
    layer
        Module of a network of images whose output is the vector, averaged over places or tokens. By default the tower
        of images, ``image_embeds``, ``pooler_output``, the class token or the mean of ``last_hidden_state`` of a
        transformers model, and of any other the input of the last linear layer, or its output where that gives no
        classes.
    batch_size
        Texts of about one length, or images, that run through the model at a time.
    max_length
        Tokens beyond which a text is cut; by default what the folder says, otherwise all that the model reads.
    device
        "auto" (CUDA where there is one; a model that is passed stays on its device), or a torch device.
    normalise
        Whether vectors are scaled to length 1.
    dtype
        Type of the vectors: "float32", or "float16" in half the room.
    progress
        Whether to draw a progress bar on standard error.
    out
        A new ``.npy`` file that takes the vectors block by block, for more of them than fit in memory.
    block_size
        Texts that are tokenised, and sorted into batches of one length, at a time.

    Returns
    -------
    numpy.ndarray or datasets.Dataset
        Vectors [n, d] in the order of the data, memory-mapped from `out` if there is one; for a ``Dataset`` that data
        set with a column "embedding" more, and for a folder its data set: image, label where images lie in folders by
        class, embedding.

    Raises
    ------
    DataError
        If a text is missing or empty, or an image does not decode; rows are named.
    ModelError
        If the model does not read such data, lacks its processor, or gives no vector.
    SettingError, StorageError, MissingPackageError
        If an option does not fit, `out` exists or cannot be written, or transformers is not installed.

    Warns
    -----
    AuditWarning
        If images were changed for the model: grey ones became RGB, or floats 8-bit pixels.

    Notes
    -----
    Texts: vectors of a transformers encoder's last layer are pooled over the tokens of a text as the model's folder
    says (``1_Pooling/config.json`` of sentence-transformers: mean, cls or max), by their mean if it says nothing
    (Reimers, Gurevych 2019). Memory: the vectors (none with `out`), the model, and `block_size` texts with their
    tokens, or `batch_size` images.

    Examples
    --------
    >>> import numpy as np, torch, dataaudit
    >>> images = np.arange(4 * 8 * 8 * 3, dtype=np.uint8).reshape(4, 8, 8, 3)
    >>> network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 5), torch.nn.Linear(5, 2))
    >>> dataaudit.embed(images, network, progress=False).shape
    (4, 5)
    """
    _check_settings(batch_size, block_size, max_length, normalise, progress, dtype)
    target = _check_out(out)
    inputs = open_inputs(data, column)
    if inputs.dataset is not None and target is not None and is_column(data):
        raise SettingError(
            "out= for a Hugging Face Dataset",
            "either a file or a column",
            ["pass data[column] in place of data for a file", "leave out= out"],
        )
    encoder = _encoder(inputs, model, processor, max_length, device, layer)
    block = block_size if inputs.kind == "texts" else batch_size
    with _VectorStore(target, dtype) as store, progress_bar("embedding", inputs.n, progress) as advance:
        for start in range(0, inputs.n, block):
            rows = np.arange(start, min(start + block, inputs.n), dtype=np.int64)
            _, items = usable(lambda part: inputs.read(int(part[0]), int(part[-1]) + 1), rows, inputs.kind, None)
            for positions, vectors in encoder.vectors(items, rows, batch_size, normalise):
                store.array(inputs.n, vectors.shape[1])[rows[positions]] = store.narrow(vectors)
                advance(len(positions))
        vectors = store.result()
    for note in encoder.notes:
        warnings.warn(note, AuditWarning, stacklevel=3)
    return vectors if inputs.dataset is None or target is not None else _with_column(inputs.dataset, vectors)


def is_column(data: Any) -> bool:
    """True if vectors of `data` belong beside it: it is no path of a folder."""
    return not isinstance(data, (str, os.PathLike))


def _encoder(
    inputs: Inputs, model: Any, processor: Any, max_length: int | None, device: str, layer: str | None
) -> Encoder:
    """The model, tried on the first row; texts are looked through before it is loaded."""
    sample: Any = None
    if inputs.kind == "texts":
        check_texts(inputs)
    else:
        first = np.zeros(1, np.int64)
        sample = usable(lambda part: inputs.read(0, 1), first, inputs.kind, None)[1][0]
    return load(model, processor, inputs.kind, sample, max_length, device, layer)


class _VectorStore:
    """Store of the vectors: memory, or a file that gets its name when it is complete; half a file is removed."""

    def __init__(self, target: Path | None, dtype: str) -> None:
        self._target, self._dtype = target, np.dtype(dtype)
        self._array: AnyArray | None = None
        # Its name is nobody's: nothing that lies there, a link for one, is written on.
        self._partial = None if target is None else target.with_name(f"{target.name}.{uuid.uuid4().hex}.partial")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if kind is not None and self._partial is not None:
            self._partial.unlink(missing_ok=True)

    def array(self, n: int, width: int) -> AnyArray:
        """Vectors [n, width], allocated when the first are known."""
        if self._array is None:
            if self._partial is None:
                self._array = np.empty((n, width), self._dtype)
            else:
                self._array = np.lib.format.open_memmap(self._partial, "w+", self._dtype, (n, width))
        return self._array

    def narrow(self, vectors: AnyArray) -> AnyArray:
        """Vectors in the type of the store; a `SettingError` where it does not hold them."""
        largest = float(np.abs(vectors).max(initial=0.0))
        if largest > float(np.finfo(self._dtype).max):
            raise SettingError(
                f"dtype={self._dtype.name!r} for vectors with values of {largest:.1e}",
                "one that holds them",
                "pass dtype='float32', or normalise=True",
            )
        return vectors.astype(self._dtype, copy=False)

    def result(self) -> AnyArray:
        """All vectors; a file gets its name, and is mapped read-only."""
        assert self._array is not None
        if self._target is None or self._partial is None:
            return self._array
        assert isinstance(self._array, np.memmap)
        self._array.flush()
        os.replace(self._partial, self._target)
        mapped: AnyArray = np.load(self._target, mmap_mode="r")
        return mapped


def _check_settings(
    batch_size: int, block_size: int, max_length: int | None, normalise: bool, progress: bool, dtype: str
) -> None:
    longest = 1 if max_length is None else max_length
    for name, number in (("batch_size", batch_size), ("block_size", block_size), ("max_length", longest)):
        checks.whole(name, number, 1, f"pass {name}=64, for example")
    for name, value in (("normalise", normalise), ("progress", progress)):
        checks.flag(name, value, f"pass {name}=True")
    checks.choice(f"dtype={dtype!r}", dtype, TYPES, "a type of the vectors")


def _check_out(out: str | Path | None) -> Path | None:
    if out is None:
        return None
    path = Path(out)
    if path.suffix != ".npy":
        raise SettingError(f"out={str(out)!r}", "a .npy file", f"pass out={str(path.with_suffix('.npy'))!r}")
    if path.exists():
        raise StorageError(f"out={str(out)!r}, which exists", "a new file", ["name another file", "remove that one"])
    if not path.parent.is_dir():
        raise StorageError(f"out={str(out)!r}", "a file in a folder that can be written", "make that folder first")
    folders.try_writing(path.parent)
    return path


def _with_column(data: Any, vectors: AnyArray) -> Any:
    """`data` with the vectors as a column of fixed-size lists, which shares their memory."""
    import datasets
    import pyarrow

    column = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(vectors.reshape(-1)), vectors.shape[1])
    table = datasets.table.InMemoryTable(pyarrow.table({"embedding": column}))
    return datasets.concatenate_datasets([data, datasets.Dataset(table)], axis=1)
