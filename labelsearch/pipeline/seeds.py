"""How far a result moves with the seeds: the search, or the classifiers too, again with others.

Each repetition lies in ``seeds/<kind>-<number>`` of the run, takes over the stages that its seeds do not touch, and
ends with the figures of the tiers. It looks at the future like any other evaluation, and is counted as one before.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from labelsearch.pipeline.context import Context, Reseed
from labelsearch.pipeline.ledger import Event, Ledger, record_look
from labelsearch.pipeline.run import STAGES, done_events, locked, looks_ledger, run_stages
from labelsearch.pipeline.units import write_atomically

KINDS = ("search", "classifier")
VERSION = 1  # raised when the code gives other results for the same inputs


@dataclass(frozen=True)
class Spread:
    """One figure of a tier in one window over several seeds, the run's own among them."""

    n: int
    mean: float
    deviation: float  # sample standard deviation
    low: float
    high: float


def run_seeds(context: Context, *, search: int, classifier: int) -> dict[str, Any]:
    """Repeat a finished run with other seeds; repetitions done before are skipped.

    Parameters
    ----------
    context : Context
        A run with all its stages done.
    search, classifier : int
        Repetitions with other seeds of the search alone, and of the classifiers.

    Returns
    -------
    dict
        What `load` returns.
    """
    with locked(context.folder):
        ledger = Ledger(context.folder / "ledger.jsonl")
        base, bars = done_events(ledger), context.bars.digest()
        for kind, count in zip(KINDS, (search, classifier), strict=True):
            for number in range(1, count + 1):
                _repeat(context, Reseed(kind, number, context.folder), base, bars)
    return load(context)


def _repeat(context: Context, reseed: Reseed, base: dict[str, Event], bars: str) -> None:
    """One repetition, in a folder of its own."""
    name = f"{reseed.kind}-{reseed.number}"
    folder = context.folder / "seeds" / name
    told = partial(_tell, context, name)
    again = Context(context.experiment, folder, context.store, context.workers, told, reseed)
    folder.mkdir(parents=True, exist_ok=True)
    again.experiment.save(folder)
    ledger = Ledger(folder / "ledger.jsonl")
    taken = {stage: event for stage, event in base.items() if stage not in (*reseed.stages, "ensembles")}
    stages = [stage for stage in STAGES if stage.name in reseed.stages]
    done = run_stages(again, ledger, stages, bars, taken)
    key = _key(context, base, done["search"]["content"])
    path = folder / "tiers" / "tiers.json"
    if path.is_file() and json.loads(path.read_text())["key"] == key:
        again.progress("tiers", 0, 0)
        return
    rows = context.rows("future")
    data = context.bars.rows(rows.start, rows.stop).digest()
    record_look(looks_ledger(context.folder), key, data, f"{context.folder.name}/seeds/{name}")
    again.progress("tiers", 0, 1)
    write_atomically(folder / "tiers", partial(_write_tiers, again, _origin(base), key))
    again.progress("tiers", 1, 1)


def _tell(context: Context, name: str, stage: str, done: int, total: int) -> None:
    context.progress(f"{name} {stage}", done, total)


def _origin(base: dict[str, Event]) -> str:
    """The run's own result that a repetition belongs to."""
    return base["ensembles"]["key"]


def _key(context: Context, base: dict[str, Event], search: str) -> str:
    """What a repetition's tiers depend on."""
    text = json.dumps([VERSION, _origin(base), search, context.experiment.section("score", "tiers")], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _write_tiers(context: Context, origin: str, key: str, folder: Path) -> None:
    """Figures of the tiers on past and future."""
    from labelsearch.pipeline.stages import ensembles
    from labelsearch.pipeline.stages import search as search_stage
    from strategies.tiers.ensemble import tiers

    sizes = tuple(sorted(context.experiment.tiers.sizes, reverse=True))
    population = search_stage.load(context)
    best = tiers(search_stage.ranking(context, population), sizes)[sizes[0]]
    names = list(search_stage.strategy_space(context).names)
    params = population[names].to_numpy()[best]
    table = []
    for window in ("past", "future"):
        rows, _ = ensembles.judge_window(context, window, params, sizes, folder)
        table += rows
    (folder / "tiers.json").write_text(json.dumps({"key": key, "origin": origin, "table": table}, indent=1))


def load(context: Context) -> dict[str, Any]:
    """Tables of the repetitions that belong to the run as it is now.

    Returns
    -------
    dict
        ``search`` and ``classifier``: a list of tables, as in ``tiers.json``; empty where nothing was repeated.
    """
    origin = _origin(done_events(Ledger(context.folder / "ledger.jsonl")))
    found: dict[str, Any] = {}
    for kind in KINDS:
        paths = (context.folder / "seeds").glob(f"{kind}-*/tiers/tiers.json")
        contents = [json.loads(path.read_text()) for path in sorted(paths, key=_number)]
        found[kind] = [content["table"] for content in contents if content["origin"] == origin]
    return found


def _number(path: Path) -> int:
    return int(path.parents[1].name.rpartition("-")[2])


def spread(tables: list[list[dict[str, Any]]], tier: str, window: str, figure: str) -> Spread:
    """Spread of one figure over tables of tiers, with the run's own among them.

    Raises
    ------
    ValueError
        If there are fewer than two tables.
    """
    if len(tables) < 2:
        raise ValueError("a spread needs at least two seeds")
    values = [row[figure] for table in tables for row in table if (row["tier"], row["window"]) == (tier, window)]
    return Spread(len(values), float(np.mean(values)), float(np.std(values, ddof=1)), min(values), max(values))
