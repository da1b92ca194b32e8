"""Study: tiers picked anew every few days on the days just past, against the tiers as they were picked at first.

On ``past`` its first half stands for what was known and its second half for what came, so that one can judge without a
look at the future. The strategies themselves were found on the whole of past: levels there are too good, for fixed and
walking tiers alike. On ``future`` past is what was known; that is a look.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from labelsearch.engine.stage import Stage, Work
from labelsearch.results.ensembles import tier_name
from labelsearch.results.outputs import WINDOWS
from labelsearch.results.studies import Gain, Pick, WalkForward, WalkRow
from labelsearch.settings.schema import ExperimentError
from labelsearch.stages.ensembles import TierInputs, baseline_accounts, describe
from labelsearch.stages.seeds import Seeds
from strategies.luck.resample import block_weights
from strategies.search.problem import SearchProblem
from strategies.tiers.walk_forward import Pick as DayPick
from strategies.tiers.walk_forward import follow, history, picks, replaced
from strategies.trade.pool import Account
from strategies.trade.window import TradingWindow

EVERY = 14  # days
BLOCK = 7  # days: returns of a week may hang together
REPS = 2000
FIXED, WALKING = "fixed", "picked anew"


@dataclass(frozen=True)
class WalkInputs(TierInputs):
    """All that the study may know.

    ``window``: where to trade. ``every``: days from one pick to the next. ``trailing``: days that a pick looks back;
    None for as many as are known at first.
    """

    window: str
    every: int
    trailing: int | None
    seeds: Seeds


def parts(traded: Callable[[str], TradingWindow], window: str) -> tuple[TradingWindow, TradingWindow]:
    """What was known, and what came; ``traded`` gives past and future.

    Raises
    ------
    ExperimentError
        If past has fewer than four days.
    """
    past = traded("past")
    if window == "future":
        return past, traded("future")
    edges = past.day_edges
    n_days = len(edges) - 1
    if n_days < 4:
        raise ExperimentError(f"a walk forward within past needs four days of it; it has {n_days}")
    middle = int(edges[n_days // 2])
    return past.rows(slice(0, middle)), past.rows(slice(middle, int(edges[-1])))


def run(inputs: WalkInputs, work: Work) -> WalkForward:
    """Walk forward over a window.

    Raises
    ------
    ExperimentError
        If the window is unknown or too short, or the days are.
    """
    if inputs.window not in WINDOWS:
        raise ExperimentError(f"window {inputs.window!r} is unknown; known are {', '.join(WINDOWS)}")
    if inputs.every < 1 or (inputs.trailing is not None and inputs.trailing < 2):
        raise ExperimentError("a walk forward needs a day or more between picks, and two or more to look back on")
    work.progress(0, 3)
    lead_window, test_window = parts(inputs.traded, inputs.window)
    lead = SearchProblem(lead_window, inputs.space, inputs.rules, inputs.score)
    test = replace(lead, window=test_window)
    strategies, tiers = inputs.search.value, inputs.tiers
    known = history(strategies.params, lead, test)
    work.progress(1, 3)
    accounts: dict[str, Account] = {}
    picked: dict[str, list[DayPick]] = {}
    for step, (kind, every) in enumerate(((FIXED, None), (WALKING, inputs.every)), 2):
        picked[kind] = picks(
            known,
            tiers.descending[0],
            every=every,
            n_days=inputs.trailing,
            by=tiers.ranking,
            most_alike=tiers.most_alike,
        )
        followed = follow(strategies.params, test, picked[kind], sizes=tiers.descending, rule=tiers.capital)
        accounts |= {f"{tier_name(n)} {kind}": account for n, account in followed.items()}
        work.progress(step, 3)
    accounts |= baseline_accounts(test_window, inputs.rules)
    days, ends = test_window.days, test_window.day_edges[1:] - 1
    return WalkForward(
        window=inputs.window,
        every=inputs.every,
        trailing=inputs.trailing or known.lead,
        days_known=known.lead,
        days_traded=len(days),
        n_strategies=len(strategies.frame),
        capital=tiers.capital,
        ranking=tiers.ranking,
        rows=_rows(inputs, accounts, picked[WALKING], test_window),
        picks=tuple(Pick(str(days[pick.day]), tuple(pick.members.tolist())) for pick in picked[WALKING]),
        equity=pd.DataFrame(
            {"day": days.astype("datetime64[ms]"), **{name: a.equity[ends] for name, a in accounts.items()}}
        ),
    )


def _rows(
    inputs: WalkInputs, accounts: Mapping[str, Account], picked: Sequence[DayPick], window: TradingWindow
) -> tuple[WalkRow, ...]:
    """Figures of every account; tiers picked anew are held against the fixed ones."""
    figures = {row.name: row.figures for row in describe(accounts, window, inputs.window, ())}
    seed = inputs.seeds("walk forward")
    rows = []
    for kind, n in itertools.product((FIXED, WALKING), inputs.tiers.descending):
        name = tier_name(n)
        row = WalkRow(name, n, kind, figures.pop(f"{name} {kind}"))
        if kind == WALKING:
            fixed, walking = (accounts[f"{name} {other}"] for other in (FIXED, WALKING))
            share = replaced(picked, n)
            row = replace(
                row,
                replaced_pct=None if share is None else 100.0 * share,
                moved_pct=100.0 * walking.moved,
                gain=gain(walking, fixed, window, seed),
            )
        rows.append(row)
    return (*rows, *(WalkRow(name, None, "", found) for name, found in figures.items()))


def gain(account: Account, fixed: Account, window: TradingWindow, seed: int) -> Gain:
    """Compound gain of one account over another, with 95% over circular blocks of days."""
    ends = window.day_edges[1:] - 1
    log = np.log(np.maximum(np.column_stack([account.equity, fixed.equity])[ends], 1e-300))
    difference = np.diff(log[:, 0] - log[:, 1], prepend=0.0)
    weight = block_weights(np.random.default_rng(seed), len(difference), BLOCK, REPS)
    total = np.r_[difference.sum(), np.quantile(weight @ difference, (0.025, 0.975))]
    return Gain(*(100.0 * np.expm1(total / window.months)).tolist())


STAGE = Stage(
    "walk-forward",
    WalkInputs,
    WalkForward,
    run,
    looks_at=lambda inputs: (inputs.future_stretch,) if inputs.window == "future" else (),
    study=True,
)
