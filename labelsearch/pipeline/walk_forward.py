"""Tiers picked anew every few days on the days just past, against the tiers as they were picked at first.

On ``past`` its first half stands for what was known and its second half for what came, so that one can judge without a
look at the future. The strategies themselves were found on the whole of past: levels there are too good, for fixed and
walking tiers alike. On ``future`` past is what was known; that is a look, counted before it is made.
"""

import hashlib
import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labelsearch.labels.windows import DAY_MS
from labelsearch.pipeline.context import Context
from labelsearch.pipeline.ledger import Ledger, record_look
from labelsearch.pipeline.run import done_events, locked, looks_ledger
from labelsearch.pipeline.schema import ExperimentError
from labelsearch.pipeline.stages import outputs as output_stage
from labelsearch.pipeline.stages import search as search_stage
from labelsearch.pipeline.units import write_atomically
from strategies.luck.deflated_sharpe import block_weights
from strategies.search.budget import Problem
from strategies.tiers.walk_forward import follow, history, picks, replaced
from strategies.trade.equity_grid import day_edges
from strategies.trade.pool import Account

VERSION = 1  # raised when the code gives other results for the same inputs
WINDOWS = ("past", "future")
EVERY = 14  # days
BLOCK = 7  # days: returns of a week may hang together
REPS = 2000
FIXED, WALKING = "fixed", "picked anew"


class Part(NamedTuple):
    """One stretch of bars to trade, and the rows that cut it into days."""

    problem: Problem
    edges: NDArray[np.int64]
    open_time: NDArray[np.int64]


def parts(context: Context, window: str) -> tuple[Part, Part]:
    """What was known, and what came.

    Raises
    ------
    ExperimentError
        If past has fewer than four days.
    """
    past = _whole(context, "past")
    if window == "future":
        return past, _whole(context, "future")
    n_days = len(past.edges) - 1
    if n_days < 4:
        raise ExperimentError(f"a walk forward within past needs four days of it, there are {n_days}")
    middle = n_days // 2
    return _cut(past, 0, middle), _cut(past, middle, n_days)


def _whole(context: Context, window: str) -> Part:
    open_time = output_stage.load(context, window).open_time
    return Part(search_stage.problem(context, window), day_edges(open_time), open_time)


def _cut(part: Part, first: int, last: int) -> Part:
    """Days first .. last - 1."""
    rows = slice(int(part.edges[first]), int(part.edges[last]))
    whole = part.problem
    problem = replace(
        whole,
        outputs=whole.outputs[rows],
        open=whole.open[rows],
        close=whole.close[rows],
        months=whole.months * (rows.stop - rows.start) / len(whole.close),
    )
    return Part(problem, part.edges[first : last + 1] - rows.start, part.open_time[rows])


def run_walk_forward(
    context: Context, *, window: str = "past", every: int = EVERY, trailing: int | None = None
) -> dict[str, Any]:
    """Walk forward over a window; what was done before for the same inputs is read.

    Parameters
    ----------
    context : Context
        A run whose search is done.
    window : {"past", "future"}
        Where to trade.
    every : int
        Days from one pick to the next.
    trailing : int, optional
        Days that a pick looks back; by default as many as are known at first.

    Returns
    -------
    dict
        ``table``: figures of each tier, fixed and picked anew, and of the baselines; ``picks``: members by date; and
        the settings.

    Raises
    ------
    ExperimentError
        If the window is unknown or too short, or the days are.
    """
    if window not in WINDOWS:
        raise ExperimentError(f"window {window!r} is unknown, choose from {', '.join(WINDOWS)}")
    if every < 1 or (trailing is not None and trailing < 2):
        raise ExperimentError("a walk forward needs a day or more between picks, and two or more to look back on")
    with locked(context.folder):
        ledger = Ledger(context.folder / "ledger.jsonl")
        done = done_events(ledger)
        needs = {name: done[name]["content"] for name in ("outputs", "search")}
        sections = context.experiment.section("search", "score", "tiers")
        told = [VERSION, window, every, trailing, context.experiment.seed, sections, needs]
        key = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
        folder = context.folder / "walk_forward" / key[:12]
        if not folder.is_dir():
            if window == "future":
                rows = context.rows("future")
                data = context.bars.rows(rows.start, rows.stop).digest()
                record_look(looks_ledger(context.folder), key, data, context.folder.name)
            settings = {"key": key, "window": window, "every": every, "trailing": trailing}
            write_atomically(folder, partial(_write, context, settings))
            ledger.append("walk_forward", **settings)
        else:
            context.progress("walk-forward", 0, 0)
    return json.loads((folder / "walk_forward.json").read_text())


def _write(context: Context, settings: dict[str, Any], folder: Path) -> None:
    """Judge, and write ``walk_forward.json`` and daily equity."""
    from labelsearch.pipeline.stages import ensembles

    context.progress("walk-forward", 0, 3)
    lead, test = parts(context, settings["window"])
    tiers = context.experiment.tiers
    sizes = tuple(sorted(tiers.sizes, reverse=True))
    population = search_stage.load(context)
    params = population[list(lead.problem.space.names)].to_numpy()
    known = history(params, lead.problem, test.problem, lead.edges, test.edges)
    context.progress("walk-forward", 1, 3)
    accounts: dict[str, Account] = {}
    picked = {}
    for step, (kind, every) in enumerate(((FIXED, None), (WALKING, settings["every"])), 2):
        picked[kind] = picks(known, lead.problem, sizes[0], every=every, n_days=settings["trailing"], by=tiers.ranking)
        found = follow(params, test.problem, test.edges, picked[kind], sizes=sizes, rule=tiers.capital)
        accounts |= {f"Top-{n} {kind}": account for n, account in found.items()}
        context.progress("walk-forward", step, 3)
    accounts |= ensembles.baseline_accounts(test.problem, test.open_time)
    figures = ensembles.describe(accounts, test.problem, test.open_time)
    days = (test.open_time[test.edges[:-1]] // DAY_MS).astype("datetime64[D]")
    result = {
        **settings,
        "trailing": settings["trailing"] or known.lead,
        "days": {"known": known.lead, "traded": len(days)},
        "n_strategies": len(population),
        "capital": tiers.capital,
        "ranking": tiers.ranking,
        "table": [{**_row(name), **row} for name, row in figures.items()],
        "picks": [{"date": str(days[pick.day]), "members": pick.members.tolist()} for pick in picked[WALKING]],
    }
    for row in result["table"]:
        if row["kind"] == WALKING:
            n = int(row["tier"].removeprefix("Top-"))
            account, fixed = (accounts[f"Top-{n} {kind}"] for kind in (WALKING, FIXED))
            share = replaced(picked[WALKING], n)
            row["replaced"] = None if share is None else 100.0 * share
            row["moved"] = 100.0 * account.moved
            row["gain"] = gain(account, fixed, test, context.seed("walk forward"))
    (folder / "walk_forward.json").write_text(json.dumps(result, indent=1))
    curves = {name: account.equity[test.edges[1:] - 1] for name, account in accounts.items()}
    pd.DataFrame({"day": days.astype("datetime64[ms]"), **curves}).to_parquet(folder / "equity.parquet")


def _row(name: str) -> dict[str, Any]:
    for kind in (FIXED, WALKING):
        if name.endswith(" " + kind):
            return {"tier": name.removesuffix(" " + kind), "kind": kind}
    return {"tier": name, "kind": ""}


def gain(account: Account, fixed: Account, part: Part, seed: int) -> dict[str, float]:
    """Compound gain a month of one account over another, in percent, with 95% over circular blocks of days."""
    log = np.log(np.maximum(np.column_stack([account.equity, fixed.equity])[part.edges[1:] - 1], 1e-300))
    difference = np.diff(log[:, 0] - log[:, 1], prepend=0.0)
    weight = block_weights(np.random.default_rng(seed), len(difference), BLOCK, REPS)
    total = np.r_[difference.sum(), np.quantile(weight @ difference, (0.025, 0.975))]
    value, low, high = (100.0 * np.expm1(total / part.problem.months)).tolist()
    return {"monthly": value, "low": low, "high": high}
