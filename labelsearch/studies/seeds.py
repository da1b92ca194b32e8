"""Study: how far a result moves with the seeds: the search, or the classifiers too, again with others.

Each repetition lies in ``seeds/<kind>-<number>`` of the run, uses the results that its seeds do not touch, and ends
with the figures of the tiers. It looks at the future like any other evaluation, and is counted as one.
"""

from dataclasses import dataclass

from labelsearch.engine.run import Run
from labelsearch.engine.stage import Stage, Stored, Work
from labelsearch.results.ensembles import Ensembles
from labelsearch.results.outputs import WINDOWS
from labelsearch.results.run import Results
from labelsearch.results.studies import SEED_KINDS, SeedsResult, TierTable
from labelsearch.settings.sections import Search
from labelsearch.stages.ensembles import EnsembleInputs, Judge, to_curves
from labelsearch.stages.plan import STAGES
from labelsearch.stages.seeds import Seeds


def run_tiers(inputs: EnsembleInputs, work: Work) -> TierTable:
    """Form the tiers of a repetition and judge them on past and on future."""
    judge = Judge.of(inputs)
    work.progress(0, 1)
    accounts = {window: judge.accounts(window) for window in WINDOWS}
    rows = tuple(row for window in WINDOWS for row in judge.rows(window, accounts[window]))
    curves = {window: to_curves(accounts[window], judge.problems[window].window) for window in WINDOWS}
    work.progress(1, 1)
    return TierTable(rows, curves)


TIERS = Stage("tiers", EnsembleInputs, TierTable, run_tiers, looks_at=lambda inputs: (inputs.future_stretch,))


@dataclass(frozen=True)
class SeedsInputs:
    """All repetitions so far, and the result that they belong to."""

    ensembles: Stored[Ensembles]
    search_tables: tuple[Stored[TierTable], ...]
    classifier_tables: tuple[Stored[TierTable], ...]


def run(inputs: SeedsInputs, work: Work) -> SeedsResult:
    """Collect the tables."""
    tables = (inputs.search_tables, inputs.classifier_tables)
    return SeedsResult(*(tuple(stored.value.rows for stored in kind) for kind in tables))


STAGE = Stage("seeds", SeedsInputs, SeedsResult, run, study=True)


def branch_name(kind: str, number: int) -> str:
    """Folder of a repetition, within the run."""
    return f"seeds/{kind}-{number}"


def repeat_with_other_seeds(run: Run, seed: int, settings: Search, *, search: int, classifier: int) -> SeedsResult:
    """Repeat a run with other seeds; repetitions done before are not done again, and stay in the result.

    Parameters
    ----------
    run : Run
    seed : int
        Of the experiment.
    settings : Search
    search, classifier : int
        Repetitions with other seeds of the search alone, and of the classifiers.
    """
    run.do(STAGES["ensembles"])
    before = Results(run.folder).seeds
    tables: dict[str, list[Stored[TierTable]]] = {kind: [] for kind in SEED_KINDS}
    for kind, count in zip(SEED_KINDS, (search, classifier), strict=True):
        for number in range(1, max(count, len(before.of(kind))) + 1):
            seeds = Seeds(seed, ((kind, number),))
            other: dict[str, object] = {"search_settings": settings.settings(seeds("search"))}
            branch = run.branch(
                branch_name(kind, number), **(other if kind == "search" else {"classifier_seeds": seeds})
            )
            tables[kind].append(branch.do(TIERS))
    found = run.do(STAGE, search_tables=tuple(tables["search"]), classifier_tables=tuple(tables["classifier"]))
    return found.value
