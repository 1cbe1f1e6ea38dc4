"""The verb: resolve, adapt, check, collect, score, judge.

score(model, dataset)
  scorers, recipe, seed        by name or instance                  scoring, learners
  dataset -> Examples          labels read once, rows by index      data
  model   -> Learner           copies only                          learners
  checks                       shapes, finiteness, fingerprint      before any training
  needs   -> Evidence          each computed once                   evidence
  Evidence -> Scores -> Audit
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dataaudit import scores
from dataaudit.audit.base import Audit
from dataaudit.common.fingerprints import fingerprint_of
from dataaudit.common.timing import Timer
from dataaudit.data import as_examples
from dataaudit.data.derived import usable_rows
from dataaudit.data.inspection import inspect
from dataaudit.density.base import DensityNeed
from dataaudit.density.engines import resolve as resolve_engine
from dataaudit.density.protocol import DensityEngine
from dataaudit.dynamics.recorder import Recorder
from dataaudit.errors import ModelError, SettingError
from dataaudit.evidence.base import Need
from dataaudit.holdout.settings import Holdout
from dataaudit.learners.adapt import as_learner, resolve_recipe
from dataaudit.neighbours.base import NeighbourNeed
from dataaudit.neighbours.labels import NeighbourLabelsNeed
from dataaudit.neighbours.protocol import NeighbourSearch
from dataaudit.neighbours.search import resolve as resolve_search
from dataaudit.pipeline.assemble import assemble, names_of, needs_of, partial_audit
from dataaudit.pipeline.choice import automatic, belief_needs, check_believing, is_trained, no_vectors
from dataaudit.pipeline.collect import collect
from dataaudit.pipeline.holdout_runs import holdout_work
from dataaudit.pipeline.interrupted import Interrupted
from dataaudit.pipeline.precomputed import check_recorded, heldout_of, split_precomputed
from dataaudit.pipeline.repeats import check_repeats
from dataaudit.pipeline.settings import (
    check_bad_rows,
    check_folder,
    density_settings,
    neighbour_settings,
    run_settings,
    store_settings,
)
from dataaudit.pipeline.underway import Underway
from dataaudit.representations.store import RowStore
from dataaudit.scores import Scorer
from dataaudit.scores.saved import saved_scores

if TYPE_CHECKING:
    from dataaudit.learners.recipes import Automatic, Recipe


def score(
    model: Any,
    dataset: Any,
    scorers: str | Scorer | Sequence[str | Scorer] = "auto",
    *,
    split: str | None = None,
    label: str | None = None,
    inputs: str | list[str] | None = None,
    transform: Callable[[Any], Any] | None = None,
    processor: Any = None,
    on_bad_rows: str = "raise",
    recipe: str | Recipe | Automatic | None = None,
    device: str = "auto",
    engine: str | DensityEngine = "auto",
    search: str | NeighbourSearch = "auto",
    seed: int = 0,
    progress: bool = True,
    holdout: Holdout | None = None,
    precomputed: Recorder | Mapping[str, Any] | None = None,
    representations: str | Path | None = None,
    repeats: int = 1,
) -> Audit:
    """Score every example of a labelled data set by how regular it is, in one training run.

    Parameters
    ----------
    model
        A ``torch.nn.Module`` (trained on a copy, from the weights it has), a function that returns a fresh one,
        (a transformers model for sequence or image classification is one), a scikit-learn classifier or pipeline
        (cloned), a `LinearProbe`, `NearestNeighbours`, or None where `precomputed` holds what the scores need or
        inputs are vectors of numbers, such as embeddings, or texts: ridge regression then predicts each from all the
        others, texts by their words.
    dataset
        ``(inputs, labels)`` arrays, a torch map-style Dataset of (x, y), a Hugging Face ``datasets.Dataset``,
        ``DatasetDict`` or (with `representations`) ``IterableDataset``, or a pandas DataFrame. Labels are whole
        numbers, strings or booleans. Images [n, H, W] and [n, H, W, c] with c of 1, 3 or 4 are turned to
        [n, c, H, W], batch by batch, for a torch model that takes these and not those; the audit's settings say so.
    scorers
        "auto" (everything that this model supports), names from `dataaudit.scorers`, scorer objects, or a list.
    split
        Part of a ``DatasetDict``.
    label, inputs
        Columns of tables and Hugging Face data sets; inferred where there is one candidate.
    transform
        Function of one input, applied whenever a row is read.
    processor
        For a transformers model: its tokenizer or image processor.
    on_bad_rows
        "raise", or "drop": rows without a label, with a missing or empty text, an image that does not decode, or NaN
        that the model does not take, are found in one more pass and left out. The audit's settings name them, and
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
        What finds nearest neighbours: "faiss" and "torch" compare all pairs, "ivf" and "hnsw" leave most out and
        measure their recall; a `NeighbourSearch`; or "auto": FAISS where it is installed, all pairs up to
        n * n * d = 4e11 and "ivf" beyond, else torch. A named search never gives way to another; the audit's settings
        say which one ran.
    seed
        Of initialisation, order and augmentation: the same seed gives the same scores, bit for bit on a CPU.
    progress
        Whether to draw a progress bar on standard error.
    holdout
        How "c_score", "c_score_integral" and "holdout_probability" are estimated, which takes many training runs:
        see `Holdout`. With scorers="auto" the first and the last of these join the others.
    precomputed
        A `Recorder` filled by the caller's own training loop: nothing is trained; a model passed beside it is
        taken as the trained one and asked for predictions if the recorder holds none. Or a mapping: scores from
        elsewhere, ``{"c_score": "scores.npz"}`` (a path or an array [n]; labels in the file are compared), and
        ``{"probabilities": array}`` [n, C] of models that did not train on the example, from which
        "heldout_confidence" and, with the neighbours of inputs that are vectors or texts, "consensus" are taken.
    representations
        Folder for rows that need not fit in memory: representations of the model, and inputs that lie in no array, are
        written there once, block by block, and read memory-mapped; a Hugging Face ``IterableDataset``, which needs it,
        is written there in one pass. After a crash, or a full disk, the same call goes on from what is complete. A
        folder of another data set, model, recipe or seed is refused, and so are files that something else changed.
        What is kept depends on the folder alone: remove it when it is not needed any more.
    repeats
        Training runs, each with a seed of its own, whose dynamics are taken together: errors are ranked better, for as
        many times the cost. A module starts each from the weights that it has, a factory makes fresh ones; a model that
        draws nothing at random only repeats itself, which a note says. The trained model's predictions, densities in
        its layers and per-epoch matrices are those of the first run.

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
    timer = Timer()
    with timer.stage("total"):
        chosen = scores.resolve(scorers)
        _check_settings(seed, progress, holdout)
        check_bad_rows(on_bad_rows, precomputed)
        check_folder(representations)
        seed = int(seed)
        before = split_precomputed(precomputed)
        recorded = before.recorder
        kinds = {type(need) for need in _represented(chosen or ())}
        computing = resolve_engine(engine) if DensityNeed in kinds or engine != "auto" else None
        searching = resolve_search(search) if NeighbourNeed in kinds or search != "auto" else None
        way = resolve_recipe(recipe)
        if recorded is not None and way is not None:
            raise SettingError(
                "a recipe beside precomputed=Recorder", "one or the other: nothing is trained", "drop recipe="
            )
        drop = on_bad_rows == "drop"
        examples = as_examples(
            dataset,
            split=split,
            label=label,
            inputs=inputs,
            transform=transform,
            lenient=drop,
            folder=representations,
            progress=progress,
        )
        learner = as_learner(model, examples, way, device, processor)
        if drop:
            with timer.stage("inspect"):
                examples = usable_rows(examples, learner is not None and learner.allows_missing)
                learner = None if learner is None else learner.on(examples)
        if recorded is not None and learner is not None and learner.fresh:
            raise ModelError(
                "a model factory beside precomputed=Recorder", "the module that your loop trained", "pass that module"
            )
        notes: list[str] = []
        saved = saved_scores(before.scores, scores.REGISTRY.names(), examples.labels, examples.class_names, notes)
        heldout = heldout_of(before.probabilities, examples.labels, examples.class_names)
        if heldout is not None and chosen is not None and not any(Need.CROSS_VALIDATION in s.needs for s in chosen):
            raise SettingError(
                f"precomputed probabilities for scorers {names_of(chosen)}, none of which reads them",
                "a score of held-out predictions",
                "ask for 'heldout_confidence', or leave scorers='auto'",
            )
        if chosen is not None:
            chosen = [saved.get(scorer.name, scorer) for scorer in chosen]
            chosen += [scorer for name, scorer in saved.items() if name not in names_of(chosen)]
        elif learner is None and recorded is None and saved and heldout is None:
            chosen = automatic(None, None, False, set(), saved)
        met = set() if heldout is None else {Need.CROSS_VALIDATION}
        without = met | {Need.CONSENSUS, Need.CROSS_VALIDATION}
        of_model = chosen is not None and any(
            need not in _of_inputs(chosen) | without for s in chosen for need in s.needs
        )
        if learner is None and recorded is None and of_model:
            raise _no_model("model=None")
        if learner is not None:
            learner.check(seed)
        work = holdout_work(holdout, chosen, learner, recorded, examples, seed, progress)
        with timer.stage("inspect"):
            # What is to be stored is looked at before it is.
            stores = representations is not None and bool(_of_inputs(chosen or ()))
            missing = not stores and (learner is None or learner.allows_missing)
            inspection = inspect(examples, allow_missing=missing)
        store = None
        if representations is not None:
            model_of = None if learner is None else fingerprint_of([learner.identity, seed])
            store = RowStore(representations, inspection.fingerprint, model_of)
        if recorded is not None:
            check_recorded(recorded, examples.labels, len(examples.class_names))
        recorder = recorded or Recorder(len(examples), len(examples.class_names))
        with timer.stage("inspect"):
            trained = is_trained(learner, chosen, seed, notes) if recorded is None else False
        more = met | ({Need.SUBSET_RUNS} if work is not None else set())
        believing = belief_needs(
            learner, recorded, trained, heldout is not None, inspection, examples.labels, seed, notes
        )
        asked = chosen is None or any(Need.CROSS_VALIDATION in scorer.needs for scorer in chosen)
        if asked and learner is None and recorded is None and Need.CROSS_VALIDATION not in believing:
            raise _no_model(f"model=None for {examples.source} inputs that are {no_vectors(inspection)}")
        more |= {Need.CONSENSUS, *({Need.CROSS_VALIDATION} & believing)} if believing else set()
        plan = chosen or automatic(learner, recorded, trained, more, saved)
        needs = needs_of(plan)
        if Need.CONSENSUS in needs:
            check_believing(believing, trained, recorded)
            needs |= believing
        records = recorded is None and not trained and bool(needs & {Need.DYNAMICS, Need.EVALUATIONS})
        check_repeats(repeats, learner, records)
        deep = computing is not None and computing.depth > 0
        graphs = deep or any(isinstance(need, NeighbourLabelsNeed) for need in needs)
        if searching is None and graphs:
            searching = resolve_search("auto")
        underway = Underway()
        try:
            evidence = collect(
                needs,
                examples.labels,
                examples.class_names,
                examples=examples,
                learner=learner,
                recorder=recorder,
                recorded=recorded is not None,
                trained=trained,
                engine=computing,
                search=searching,
                seed=seed,
                progress=progress,
                timer=timer,
                folds=holdout.folds if holdout is not None else None,
                holdout=work,
                fingerprint=inspection.fingerprint,
                heldout=heldout,
                store=store,
                repeats=int(repeats),
                underway=underway,
            )
        except KeyboardInterrupt as error:
            runs, epochs = work.runs if work is not None else 0, underway.epochs(recorder)

            def keep() -> Audit:
                own = recorded is not None
                return partial_audit(
                    plan, recorder, own, underway, work, examples, inspection, learner, seed, notes, timer
                )

            raise Interrupted(epochs, keep if epochs or runs else None, runs) from error
        finally:
            if store is not None:
                store.close()
    settings = run_settings(names_of(plan), examples, learner, seed, recorded is not None, notes, evidence.dynamics)
    if repeats > 1:
        settings["repeats"] = int(repeats)
    settings |= density_settings(plan, evidence, settings["notes"])
    settings |= neighbour_settings(plan, evidence, settings["notes"])
    if store is not None:
        settings |= store_settings(store, settings["notes"])
    if work is not None:
        settings |= {"holdout": work.settings(), "notes": [*settings["notes"], *work.notes()]}
    return assemble(plan, evidence, settings, timer, examples, inspection)


def _no_model(arrived: str) -> ModelError:
    return ModelError(
        arrived,
        "a model, which every score but those of inputs needs: "
        + ", ".join(name for name in scores.REGISTRY.names() if not name.endswith("/input")),
        "pass a torch module or factory or a scikit-learn classifier, precomputed=Recorder, inputs that are texts or "
        "vectors of numbers (embeddings), or scorers='parzen/input'",
    )


def _check_settings(seed: int, progress: bool, holdout: Any) -> None:
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**63:
        raise SettingError(f"seed={seed!r}", "a whole number from 0 to 2**63 - 1", "pass seed=0")
    if not isinstance(progress, bool):
        raise SettingError(f"progress={progress!r}", "True or False", "pass progress=False for silence")
    if holdout is not None and not isinstance(holdout, Holdout):
        raise SettingError(
            f"holdout={holdout!r}", "a dataaudit.Holdout or None", "pass holdout=dataaudit.Holdout(runs=200)"
        )


def _represented(plan: Sequence[Scorer]) -> list[DensityNeed | NeighbourNeed]:
    return [need for scorer in plan for need in scorer.needs if isinstance(need, (DensityNeed, NeighbourNeed))]


def _of_inputs(plan: Sequence[Scorer]) -> set[DensityNeed | NeighbourNeed]:
    return {need for need in _represented(plan) if not need.space.of_model}
