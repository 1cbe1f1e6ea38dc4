"""Plan of one call: scorers, the sources of what they need, and all checks; nothing is trained yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dataaudit import scores
from dataaudit.audit.fields import COLUMNS
from dataaudit.common.fingerprints import fingerprint_of
from dataaudit.data.identity import check_free
from dataaudit.density.base import DensityEngine
from dataaudit.density.engines import resolve as resolve_engine
from dataaudit.density.sums import DensityNeed
from dataaudit.errors import SettingError
from dataaudit.evidence.base import SPACE_NEEDS, Need
from dataaudit.neighbours.base import NeighbourSearch
from dataaudit.neighbours.graph import NeighbourNeed
from dataaudit.neighbours.labels import NeighbourLabelsNeed
from dataaudit.neighbours.search import resolve as resolve_search
from dataaudit.pipeline import choice
from dataaudit.pipeline.evidence_sources.base import Run, Source
from dataaudit.pipeline.evidence_sources.call import Call
from dataaudit.pipeline.evidence_sources.space_collector import Inputs, SpaceCollector, Tools
from dataaudit.pipeline.evidence_sources.subset_runs import check_holdout
from dataaudit.pipeline.evidence_sources.table import SOURCES
from dataaudit.pipeline.request import Request
from dataaudit.pipeline.subject import Subject, adapt
from dataaudit.representations.spaces import Space
from dataaudit.representations.store import RowStore, without_room
from dataaudit.scores import Scorer
from dataaudit.scores.base import needs_of
from dataaudit.scores.holdout import c_score, holdout_probability
from dataaudit.scores.saved import saved_scores


@dataclass(frozen=True)
class Plan:
    """Scorers, sources and checked arguments of one call.

    Attributes
    ----------
    scorers
        Scores to compute.
    sources
        Where their evidence comes from, in the order in which it is collected.
    run
        Labels, seed, notes.
    subject
        Data set and model.
    store
        Folder of representations; None without one.
    search
        Search of neighbours as it was passed, for later questions too.
    """

    scorers: tuple[Scorer, ...]
    sources: tuple[Source, ...]
    run: Run
    subject: Subject
    store: RowStore | None
    search: str | NeighbourSearch

    def close(self) -> None:
        """Let others have the folder."""
        if self.store is not None:
            self.store.close()


def make_plan(request: Request) -> Plan:
    """Resolve and check everything, look at the inputs once, and train nothing."""
    request.check()
    chosen = scores.resolve(request.scorers)
    # Scores that were computed elsewhere need nothing.
    ours = None if chosen is None else [scorer for scorer in chosen if scorer.name not in (request.known_scores or ())]
    choice.check_model(request, ours)
    choice.check_predictions(request, ours)
    looking = [c_score, holdout_probability] if ours is None else ours
    check_holdout(request.holdout, looking, request.predictions is not None)
    engine, search = _computing(request, ours or ())
    subject = adapt(request, request.cache is not None and bool(choice.of_inputs(ours or ())))
    labels, names, notes = (
        subject.labels,
        subject.class_names,
        [*subject.notes, *choice.notes_of_trained(subject, ours)],
    )
    left_out = None if subject.examples is None else subject.examples.dropped
    known = saved_scores(request.known_scores or {}, labels, names, notes, left_out)
    asked = ours is None or Need.CONSENSUS in needs_of(ours)
    consensus = choice.consensus_needs(subject, request.predictions is not None, notes) if asked else set()
    scorers = choice.choose_scorers(request, subject, chosen, known, consensus)
    choice.check_fed(scorers, subject.task)
    if subject.identity is not None:
        check_free(subject.identity, [*COLUMNS, *choice.names_of(scorers)])
    needs = needs_of(scorers)
    if Need.CONSENSUS in needs:
        choice.check_consensus(subject, consensus)
        needs |= consensus
    graphs = (engine is not None and engine.depth > 0) or any(isinstance(need, NeighbourLabelsNeed) for need in needs)
    if search is None and graphs:
        search = resolve_search("auto")
    tools = Tools(engine, search)
    run = Run(labels, names, int(request.seed), request.progress, request.timer, tuple(notes), subject.task)
    call = _call(request, subject, run, scorers, needs, tools)
    sources = tuple(source for make in SOURCES for source in make(call))
    _check_provided(scorers, needs, sources)
    for source in sources:
        source.check()
    # A folder is begun when nothing else can be refused.
    full: list[str] = []
    with without_room(full):
        tools.store = _store(request, subject)
    run = replace(run, notes=(*run.notes, *full))
    return Plan(scorers, sources, run, subject, tools.store, request.search)


def _check_provided(scorers: Sequence[Scorer], needs: choice.Needs, sources: Sequence[Source]) -> None:
    """Raise `SettingError` for a need that no source meets, and for two that are one part of the evidence."""
    known = {need for source in sources for need in source.provides}
    for scorer in scorers:
        strange = [need for need in scorer.needs if not isinstance(need, (Need, *SPACE_NEEDS)) and need not in known]
        if strange:
            raise SettingError(
                f"scorer {scorer.name!r}, which needs {strange[0]!r}",
                "evidence that a source brings",
                "add the source to pipeline/evidence_sources/table.py, with the need among what it provides",
            )
    around = sorted({_words(need.space) for need in needs if isinstance(need, NeighbourLabelsNeed)})
    if len(around) > 1:
        raise SettingError(
            f"scorers that need the labels around each example among {' and among '.join(around)}",
            "one representation, which is the consensus' own too",
            "pass scorers= that need one of them, and the others in a call of their own",
        )


def _named(value: object) -> bool:
    return not (isinstance(value, str) and value == "auto")


def _words(space: Space) -> str:
    layer = "" if space.layer is None else f" of layer {space.layer!r}"
    return f"{space.name!r}{layer}" + ("" if space.epoch is None else f" after epoch {space.epoch}")


def _computing(request: Request, chosen: Sequence[Scorer]) -> tuple[DensityEngine | None, NeighbourSearch | None]:
    """Engine and search, where one is named or needed."""
    kinds = {type(need) for need in needs_of(chosen)}
    engine = resolve_engine(request.engine) if DensityNeed in kinds or _named(request.engine) else None
    search = resolve_search(request.search) if NeighbourNeed in kinds or _named(request.search) else None
    return engine, search


def _store(request: Request, subject: Subject) -> RowStore | None:
    if request.cache is None or subject.inspection is None:
        return None
    learner = subject.learner
    model = None if learner is None else fingerprint_of([learner.identity, int(request.seed)])
    return RowStore(request.cache, subject.inspection.fingerprint, model)


def _call(
    request: Request, subject: Subject, run: Run, scorers: Sequence[Scorer], needs: choice.Needs, tools: Tools
) -> Call:
    # As scores were named, for an interruption to keep the first; a set has no order.
    ordered = dict.fromkeys([*(need for scorer in scorers for need in scorer.needs), *needs])
    spaces = [need for need in ordered if isinstance(need, SPACE_NEEDS)]
    among = SpaceCollector(run, [need for need in spaces if not need.space.of_model], tools)
    layers = None if subject.learner is None else subject.layers
    inside = SpaceCollector(run, [need for need in spaces if need.space.of_model], tools, layers)
    # Rows are written to a folder where they are looked at, not for a model that reads them anyway.
    reads = bool(among.needs) or subject.learner is None
    inputs = None
    if subject.examples is not None:
        inputs = Inputs(run, subject.examples, among, tools if reads else Tools(None, None))
    return Call(request, subject, run, scorers, needs, among, inside, inputs)
