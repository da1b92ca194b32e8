"""Search, tiers and their judgement as functions of pandas objects; see `labelsearch.notebook.frames`."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from labelsearch.errors import InputError
from labelsearch.notebook.frame_checks import Days, grid_of, seen_by
from labelsearch.settings.sections import Search
from labelsearch.settings.trading_costs import Costs
from labelsearch.stages import ensembles, search
from labelsearch.stages.seeds import Seeds
from strategies.search.islands import islands, merge, run_island
from strategies.search.problem import SearchProblem, evaluate_population
from strategies.search.score import PaperScore, Score
from strategies.tiers.ensemble import TIER_SIZES, tiers
from strategies.trade.equity_grid import equity_grid, returns_of


class Judged(NamedTuple):
    """Figures of each tier and baseline, and their equity and position at each bar."""

    table: pd.DataFrame
    curves: pd.DataFrame


def search_strategies(
    outputs: pd.DataFrame,
    bars: pd.DataFrame,
    settings: Search | None = None,
    score: Score | None = None,
    *,
    costs: Costs | None = None,
    days: Days | None = None,
    train: pd.DataFrame | None = None,
    seed: int = 1,
) -> pd.DataFrame:
    """Search strategies on past, and simulate each of them in full.

    Parameters
    ----------
    outputs : DataFrame
        With the columns (label, "buy") and (label, "sell") of each label, or (label, "magnitude") in [-1, 1], a third
        of the predicted move, of the bars of past or more.
    bars : DataFrame
        Past.
    settings, score : Search, Score, optional
    costs : Costs, optional
        Fees and a fixed half spread; what differs from bar to bar needs a run.
    days : (str, str), optional
        First and last day of past, for its length; by default from the first bar to the last.
    train : DataFrame, optional
        Bars of train: the score then asks for as many more trades as past is more volatile than train.
    seed : int

    Returns
    -------
    DataFrame
        A row for each strategy, pruned ones too: parameters, island, rung, and figures on past.

    Raises
    ------
    InputError
        If outputs and bars do not fit.
    """
    score = score or PaperScore()
    if train is not None:
        score = score.paced(
            search.spread(grid_of(bars).present().close) / search.spread(grid_of(train).present().close)
        )
    past = _problem(outputs, bars, days, settings, score, costs)
    tasks = islands((settings or Search()).settings(Seeds(seed)("search")))
    population = merge([run_island(task, past) for task in tasks])
    figures = evaluate_population(past, population.params)
    return search.to_frame(past.space.names, population.params, population._asdict(), figures)


def _problem(
    outputs: pd.DataFrame,
    bars: pd.DataFrame,
    days: Days | None,
    settings: Search | None,
    score: Score,
    costs: Costs | None,
) -> SearchProblem:
    settings, costs, window = settings or Search(), costs or Costs(), seen_by(outputs, bars, days)
    costs.check_side(settings.side)
    terms = costs.terms
    if terms.spread != "fixed" or terms.impact or terms.funding != "none" or terms.borrow:
        raise InputError("costs that differ from bar to bar need a run: here only fees and half_spread are known")
    return SearchProblem(window, settings.space(window.outputs.shape[1]), costs.rules(settings), score)


def form_tiers(strategies: pd.DataFrame, sizes: Sequence[int] = TIER_SIZES, by: str = "score") -> dict[int, list[int]]:
    """Choose the best strategies for each size of tier.

    Parameters
    ----------
    strategies : DataFrame
        From `search_strategies`.
    sizes : sequence of int
    by : str
        Column whose highest values are best.

    Returns
    -------
    dict of int to list of int
        Rows of ``strategies``, best first, by size, largest first.

    Raises
    ------
    InputError
        If there are fewer strategies than a tier holds.

    Examples
    --------
    >>> form_tiers(pd.DataFrame({"score": [1.0, 3.0, 2.0]}), sizes=(1, 2))
    {2: [1, 2], 1: [1]}
    """
    order = tuple(sorted(sizes, reverse=True))
    return {n: strategies.index[rows].tolist() for n, rows in tiers(strategies[by].to_numpy(), order).items()}


def judge_tiers(
    strategies: pd.DataFrame,
    members: Mapping[int, Sequence[int]],
    outputs: pd.DataFrame,
    bars: pd.DataFrame,
    settings: Search | None = None,
    *,
    costs: Costs | None = None,
    capital: str = "equal",
    past: tuple[pd.DataFrame, pd.DataFrame] | None = None,
    days: Days | None = None,
) -> Judged:
    """Trade the tiers in a window, in vectorbt.

    Parameters
    ----------
    strategies : DataFrame
        From `search_strategies`.
    members : mapping of int to list of int
        From `form_tiers`.
    outputs, bars : DataFrame
        Of the window.
    settings, costs : Search, Costs, optional
        Those that the strategies were searched with.
    capital : str
        Rule by which capital is shared out among members.
    past : (outputs, bars), optional
        What capital is shared out by; rules other than ``equal`` need it.
    days : (str, str), optional
        First and last day of the window, for its length.

    Returns
    -------
    Judged

    Raises
    ------
    InputError
        If outputs and bars do not fit, a tier does not hold the smaller ones, or ``past`` is needed and missing.
    """
    sizes = tuple(sorted(members, reverse=True))
    best = list(members[sizes[0]])
    if any(list(members[n]) != best[:n] for n in sizes):
        raise InputError("a smaller tier must hold the first members of the larger")
    if past is None and capital != "equal":
        raise InputError(f"capital rule {capital!r} needs what is known before the window: give past")
    asked = _problem(outputs, bars, days, settings, PaperScore(), costs)
    params = strategies.loc[best, list(asked.space.names)].to_numpy()
    before = asked if past is None else _problem(*past, None, settings, PaperScore(), costs)
    known = returns_of(equity_grid(params, before.window, before.rules).equity).T
    choice = ensembles.Choice({n: np.arange(n) for n in sizes}, params, known, sizes[0])
    accounts = ensembles.trade(asked.window, asked.rules, choice, capital)
    rows = ensembles.describe(accounts, asked.window, "", sizes)
    table = pd.DataFrame.from_dict({row.name: row.figures._asdict() for row in rows}, orient="index")
    curves = ensembles.to_curves(accounts, asked.window).frame().rename_axis(None)
    return Judged(table.rename_axis("tier"), curves)
