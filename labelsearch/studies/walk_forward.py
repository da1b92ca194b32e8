"""Study: tiers picked anew every few days on the days just past, against the tiers as they were picked at first.

On ``past`` its first half stands for what was known and its second half for what came, so that one can judge without a
look at the future. The strategies themselves were found on the whole of past: levels there are too good, for fixed and
walking tiers alike. On ``future`` past is what was known; that is a look.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from labelsearch.engine.stage import Stage, Stored, Work
from labelsearch.results.ensembles import tier_name
from labelsearch.results.outputs import WINDOWS, Outputs
from labelsearch.results.search import Strategies
from labelsearch.results.studies import Gain, Pick, WalkForward, WalkRow
from labelsearch.settings.schema import ExperimentError
from labelsearch.settings.sections import Tiers
from labelsearch.stages.ensembles import baseline_accounts, describe
from labelsearch.stages.seeds import Seeds
from strategies.luck.resample import block_weights
from strategies.search.linear import StrategySpace
from strategies.search.problem import SearchProblem
from strategies.search.score import Score
from strategies.tiers.ranking import Ranking
from strategies.tiers.walk_forward import follow, history, picks, replaced
from strategies.trade.capital import CapitalRule
from strategies.trade.pool import Account
from strategies.trade.rules import TradingRules
from strategies.trade.window import TradingWindow

EVERY = 14  # days
BLOCK = 7  # days: returns of a week may hang together
REPS = 2000
FIXED, WALKING = "fixed", "picked anew"


@dataclass(frozen=True)
class WalkInputs:
    """All that the study may know.

    ``window``: where to trade. ``every``: days from one pick to the next. ``trailing``: days that a pick looks back;
    None for as many as are known at first.
    """

    window: str
    every: int
    trailing: int | None
    tiers: Tiers
    ranking: Ranking
    capital_rule: CapitalRule
    space: StrategySpace
    rules: TradingRules
    score: Score
    future_bars: str
    outputs: Stored[Outputs]
    search: Stored[Strategies]
    seeds: Seeds


def parts(outputs: Outputs, window: str) -> tuple[TradingWindow, TradingWindow]:
    """What was known, and what came.

    Raises
    ------
    ExperimentError
        If past has fewer than four days.
    """
    past = outputs.past
    if window == "future":
        return past, outputs.future
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
    lead_window, test_window = parts(inputs.outputs.value, inputs.window)
    lead = SearchProblem(lead_window, inputs.space, inputs.rules, inputs.score)
    test = replace(lead, window=test_window)
    strategies, tiers = inputs.search.value, inputs.tiers
    known = history(strategies.params, lead, test)
    work.progress(1, 3)
    accounts: dict[str, Account] = {}
    picked = {}
    for step, (kind, every) in enumerate(((FIXED, None), (WALKING, inputs.every)), 2):
        picked[kind] = picks(known, tiers.descending[0], every=every, n_days=inputs.trailing, by=tiers.ranking)
        followed = follow(strategies.params, test, picked[kind], sizes=tiers.descending, rule=tiers.capital)
        accounts |= {f"{tier_name(n)} {kind}": account for n, account in followed.items()}
        work.progress(step, 3)
    accounts |= baseline_accounts(test_window, inputs.rules)
    figures = {row.name: row.figures for row in describe(accounts, test_window, inputs.rules, inputs.window, ())}
    tier_rows = [
        WalkRow(tier_name(n), n, kind, figures[f"{tier_name(n)} {kind}"])
        for kind in (FIXED, WALKING)
        for n in tiers.descending
    ]
    seed = inputs.seeds("walk forward")
    for i, row in enumerate(tier_rows):
        if row.kind == WALKING and row.size is not None:
            fixed, walking = (accounts[f"{row.name} {kind}"] for kind in (FIXED, WALKING))
            share = replaced(picked[WALKING], row.size)
            tier_rows[i] = replace(
                row,
                replaced_pct=None if share is None else 100.0 * share,
                moved_pct=100.0 * walking.moved,
                gain=gain(walking, fixed, test_window, seed),
            )
    titles = {row.title for row in tier_rows}
    others = [WalkRow(name, None, "", found) for name, found in figures.items() if name not in titles]
    days = test_window.days
    curves = {name: account.equity[test_window.day_edges[1:] - 1] for name, account in accounts.items()}
    return WalkForward(
        window=inputs.window,
        every=inputs.every,
        trailing=inputs.trailing or known.lead,
        days_known=known.lead,
        days_traded=len(days),
        n_strategies=len(strategies.frame),
        capital=tiers.capital,
        ranking=tiers.ranking,
        rows=(*tier_rows, *others),
        picks=tuple(Pick(str(days[pick.day]), tuple(pick.members.tolist())) for pick in picked[WALKING]),
        equity=pd.DataFrame({"day": days.astype("datetime64[ms]"), **curves}),
    )


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
    looks_at=lambda inputs: inputs.future_bars if inputs.window == "future" else None,
    study=True,
)
