"""The verb: plan, collect, assemble."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataaudit.audit.base import Audit
from dataaudit.common.guest import visiting
from dataaudit.density.base import DensityEngine
from dataaudit.holdout.settings import Holdout
from dataaudit.neighbours.base import NeighbourSearch
from dataaudit.pipeline.assemble import assemble, interrupted
from dataaudit.pipeline.collect import collect
from dataaudit.pipeline.plan import make_plan
from dataaudit.pipeline.request import Request
from dataaudit.scores import Scorer

if TYPE_CHECKING:
    from dataaudit.learners.recipes import Automatic, Recipe


def score(
    model: Any,
    dataset: Any = None,
    scorers: str | Scorer | Sequence[str | Scorer] = "auto",
    *,
    split: str | None = None,
    label: str | None = None,
    inputs: str | list[str] | None = None,
    key: str | None = None,
    exclude: str | list[str] | None = None,
    transform: Callable[[Any], Any] | None = None,
    resize: int | tuple[int, int] | None = None,
    unlabelled: Any = None,
    processor: Any = None,
    on_bad_rows: str = "raise",
    recipe: str | Recipe | Automatic | None = None,
    device: str = "auto",
    engine: str | DensityEngine = "auto",
    search: str | NeighbourSearch = "auto",
    seed: int = 0,
    progress: bool = True,
    holdout: Holdout | None = None,
    trained: Any = None,
    predictions: Any = None,
    known_scores: Mapping[str, Any] | None = None,
    cache: str | Path | None = None,
    repeats: int = 1,
    embed: Any = None,
) -> Audit:
    """Score every example of a labelled data set by how regular it is, in one training run.

    Parameters
    ----------
    model
        A ``torch.nn.Module`` (trained on a copy, from the weights it has; a transformers model for sequence or image
        classification is one), a function that returns a fresh one (whose weights are taken to be fresh: it is not
        looked at whether they were trained on these labels), a scikit-learn classifier or pipeline (cloned), a
        `LinearProbe`, `NearestNeighbours`; a `Recorder` that your own training loop filled, or a callback that recorded
        in a Trainer: nothing is trained then; or None where `predictions` or `known_scores` hold what the scores need,
        or inputs are vectors of numbers, such as embeddings, or texts: ridge regression then predicts each from all the
        others, texts by their words.
    dataset
        ``(inputs, labels)``, each an array, a tensor, a list or a column; a list of (x, y); a torch map-style Dataset
        of (x, y); a Hugging Face ``datasets.Dataset``, ``DatasetDict`` or (with `cache`) ``IterableDataset``; or a
        table of pandas, polars or pyarrow; see `dataaudit.data.as_examples`. Labels are whole numbers, strings, bytes
        or booleans. Beside a `Recorder` it may be left out: labels then come from the record, and the
        notes say what is missing. Images [n, H, W] and [n, H, W, c] with c of 1, 3 or 4 are turned to
        [n, c, H, W], batch by batch, for a torch model that takes these and not those; the audit's settings say so.
    scorers
        "auto" (everything that this model supports), names from `dataaudit.scorers`, scorer objects, or a list.
    split
        Part of a ``DatasetDict``.
    label, inputs
        Columns of tables and Hugging Face data sets; inferred where there is one candidate. A column of numbers that
        only numbers the rows (it is called id, or counts 0 .. n-1 or 1 .. n) is no input unless it is named.
    key
        Column that names the rows, carried beside the position in all that the audit gives; by default a DataFrame's
        index does.
    exclude
        Columns that are neither inputs nor label.
    transform
        Function of one input, applied whenever a row is read.
    resize
        Pixels a side, or (height, width), to which images are brought whenever they are read.
    unlabelled
        Value, or list of values, that means "no label", beside None and NaN, which always do, and -1 for a
        ``ClassLabel`` of Hugging Face; -1 beside other whole numbers is a class. Such rows are left out, and counted in
        the notes; `Audit.unlabelled` suggests labels for them.
    processor
        For a transformers model, or that of `embed`: its tokenizer or image processor.
    on_bad_rows
        "raise", or "drop": rows with a label that cannot be right, a text that is missing, empty or damaged, an image
        that does not decode, or NaN that the model does not take, are left out. The audit's settings name them, and
        `Audit.rows` says which rows of the data set its examples are.
    recipe
        How a torch model is trained: a `Recipe`, the name of one, ``dataaudit.recipes.auto(epochs=...)``, or None
        ("auto"): chosen by rules of module, shape, size and number of classes, and written in the audit's settings.
        scikit-learn models with ``partial_fit`` take its epochs and batch size.
    device
        "auto" (CUDA where there is one), or a torch device.
    engine
        What computes densities: "cpu", "sampled" or "faiss" (estimates with errors, for millions of rows), "triton" (a
        CUDA device), "reference" (float64, slow), a `DensityEngine`, or "auto": the CPU, by all pairs up to 100000 rows
        and by a sample beyond. A named engine never gives way to another; the audit's settings say which one ran.
    search
        What finds nearest neighbours: "faiss" and "torch" compare all pairs, "ivf" and "pynndescent" leave most out
        and measure their recall; a `NeighbourSearch`; or "auto": all pairs up to n * n * d = 4e11, by torch or, where
        FAISS has a CUDA device, by FAISS, and "ivf" beyond where FAISS is installed. A named search never gives way to
        another; the audit's settings say which one ran.
    seed
        Of initialisation, order and augmentation: the same seed gives the same scores, bit for bit on a CPU. Calls in
        several threads wait for one another.
    progress
        Whether to draw a progress bar on standard error.
    holdout
        How "c_score", "c_score_integral" and "holdout_probability" are estimated, which takes many training runs:
        see `Holdout`. With scorers="auto" the first and the last of these join the others.
    trained
        Beside a `Recorder`: the module that the loop trained, which is asked for predictions if the record holds none,
        and whose layers are read. A callback brings its Trainer's own.
    predictions
        Class probabilities [n, C] of models that did not train on the example, columns in the order of the class
        names: "heldout_confidence" and, with the neighbours of inputs that are vectors or texts, "consensus" are taken
        from them.
    known_scores
        Scores from elsewhere, ``{"c_score": "scores.npz"}``: a path or an array [n]; labels in the file are compared.
    cache
        Folder for rows that need not fit in memory: representations of the model, and inputs that lie in no array, are
        written there once, block by block, and read memory-mapped; a Hugging Face ``IterableDataset``, which needs it,
        is written there in one pass. After a crash the same call goes on from what is complete. What a full disk does
        not take is held in memory, and a note says so, but a stream ends there. A folder of another data set, model,
        recipe or seed is refused, and so are files that something else changed.
        What is kept depends on the folder alone: remove it when it is not needed any more.
    repeats
        Training runs, each with a seed of its own, whose dynamics are taken together: errors are ranked better, for as
        many times the cost. A module starts each from the weights that it has, a factory makes fresh ones; a model that
        draws nothing at random only repeats itself, which a note says. The trained model's predictions, densities in
        its layers and per-epoch matrices are those of the first run.
    embed
        A model that makes vectors of texts or images, as `dataaudit.embed` takes it, with its own `processor` and on
        `device`: the vectors are audited in place of the inputs, which people are still shown. The audit keeps them for
        later questions (`Audit.vectors`); a saved one does not, but the folder of `cache` does. Images may differ in
        size, and be paths.

    Returns
    -------
    Audit
        Scores, ranking, suggested labels; higher = more regular.

    Raises
    ------
    DataError, ModelError, SettingError, MissingPackageError, StorageError
        Before any training (but for a disk that becomes full), each with what arrived, what was expected and what to
        do.
    Interrupted
        On Ctrl-C; its ``audit()`` makes an audit of what was complete.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> audit = score(LogisticRegression(max_iter=500), load_iris(return_X_y=True), progress=False)
    >>> audit.default, len(audit)
    ('consensus', 150)
    """
    request = Request(**locals())
    with visiting():
        with request.timer.stage("total"):
            plan = make_plan(request)
            try:
                evidence = collect(plan)
            except KeyboardInterrupt as error:
                raise interrupted(plan) from error
        try:
            return assemble(plan, evidence)
        except KeyboardInterrupt as error:
            raise interrupted(plan) from error
