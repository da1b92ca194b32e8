"""Where a result stands among those of outputs that know nothing: the null mode.

Repetition 0 has the outputs as they are, the others shifted in a circle, on past and on future; all have the same
budget and the same seed. Repetition 0 is a look at the future and counted as one before it is made.
"""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from labelsearch.labels.windows import DAY_MS
from labelsearch.pipeline.context import Context
from labelsearch.pipeline.ledger import Ledger, record_look
from labelsearch.pipeline.run import done_events, looks_ledger
from labelsearch.pipeline.schema import ExperimentError
from labelsearch.pipeline.stages import search as search_stage
from labelsearch.pipeline.units import run_units, write_atomically
from strategies.search.search import SearchSettings
from strategies.tiers.null import draw_shifts, p_value, search_and_judge, shifted

VERSION = 1  # raised when the code gives other results for the same inputs
MIN_SHIFT_DAYS = 10  # where the window is long enough: outputs forget within days
WINDOWS = ("past", "future")


def null_unit(task: tuple[Context, SearchSettings, tuple[int, ...], tuple[int, int]], folder: Path) -> None:
    """Search and judge once, both windows shifted; writes ``found.json``."""
    context, settings, sizes, shifts = task
    past, future = (
        shifted(search_stage.problem(context, window), shift) for window, shift in zip(WINDOWS, shifts, strict=True)
    )
    found = search_and_judge(past, future, settings, sizes)
    result = {**found._asdict(), "shifts": list(map(int, shifts))}
    (folder / "found.json").write_text(json.dumps(result, indent=1))


def _settings(context: Context, n_strategies: int) -> SearchSettings:
    """The run's search at a smaller size; islands so that the share at random stays."""
    settings = search_stage.search_settings(context)
    return dataclasses.replace(
        settings,
        n_strategies=n_strategies,
        island_size=min(settings.island_size, n_strategies),
        seed=context.seed("null search"),
    )


def _shifts(context: Context, window: str, repeats: int) -> list[int]:
    n_bars = len(search_stage.problem(context, window).close)
    days = round(MIN_SHIFT_DAYS * DAY_MS / context.experiment.data.interval_ms)
    shifts = draw_shifts(n_bars, repeats, context.seed("null", window), min(days, n_bars // 3))
    return [0, *shifts.tolist()]


def run_null(context: Context, repeats: int, n_strategies: int) -> dict[str, Any]:
    """Repeat search and tiers on shifted outputs; repetitions done before are not done again.

    Parameters
    ----------
    context : Context
        A run whose outputs are done.
    repeats : int
        Shifted repetitions; a first with the real timing is added.
    n_strategies : int
        Strategies of each search.

    Returns
    -------
    dict
        ``repeats``, ``n_strategies`` and ``statistics``: for the best past score, each tier's future monthly return
        and the rank correlation a dict of ``real``, ``null`` (sorted) and ``p_value``.

    Raises
    ------
    ExperimentError
        If there are fewer strategies than the largest tier holds, or no repetition.
    """
    sizes = tuple(sorted(context.experiment.tiers.sizes, reverse=True))
    if repeats < 1 or n_strategies < max(sizes[0], 3):
        raise ExperimentError(f"a null needs a repetition, and {max(sizes[0], 3)} strategies or more for its tiers")
    settings = _settings(context, n_strategies)
    outputs = done_events(Ledger(context.folder / "ledger.jsonl"))["outputs"]["content"]
    told = [VERSION, dataclasses.asdict(settings), sizes, context.experiment.section("search", "score"), outputs]
    key = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    shifts = list(zip(*(_shifts(context, window, repeats) for window in WINDOWS), strict=True))
    tasks = {f"{index:04d}": (context.bare(), settings, sizes, pair) for index, pair in enumerate(shifts)}
    folder = context.folder / "null" / key[:12]
    rows = context.rows("future")
    data = context.bars.rows(rows.start, rows.stop).digest()
    record_look(looks_ledger(context.folder), key, data, context.folder.name)
    run_units(null_unit, tasks, folder / "units", workers=context.workers, progress=context.stage_progress("null"))
    found = [json.loads((folder / "units" / name / "found.json").read_text()) for name in tasks]
    result = {"key": key, "repeats": repeats, "n_strategies": n_strategies, "statistics": _statistics(found, sizes)}
    _count(context, folder.name, len(found) * n_strategies)

    def write(draft: Path) -> None:
        (draft / "null.json").write_text(json.dumps(result, indent=1))

    write_atomically(context.folder / "null" / "latest", write)
    return result


def _count(context: Context, unit: str, trials: int) -> None:
    """Enter the trials of all repetitions so far, once."""
    ledger = Ledger(context.folder / "ledger.jsonl")
    before = sum(event["counts"]["null_trials"] for event in ledger.events("null") if event["unit"] == unit)
    if trials > before:
        ledger.append("null", unit=unit, counts={"null_trials": trials - before})


def _statistics(found: list[dict[str, Any]], sizes: tuple[int, ...]) -> dict[str, dict[str, Any]]:
    values = {"best past score": [one["best_score"] for one in found]}
    for n in sizes:
        values[f"Top-{n} future return"] = [one["tier_return"][str(n)] for one in found]
    values["rank correlation"] = [one["rank_correlation"] for one in found]
    return {
        name: {"real": real, "null": sorted(null), "p_value": p_value(real, np.array(null))}
        for name, (real, *null) in values.items()
    }


def load(context: Context) -> dict[str, Any] | None:
    """The latest null of a run, or None."""
    path = context.folder / "null" / "latest" / "null.json"
    return json.loads(path.read_text()) if path.is_file() else None
