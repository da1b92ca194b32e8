"""Stage: tiers of the best strategies by past score, judged on past and on future."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labelsearch.engine.looks import Stretch
from labelsearch.engine.stage import Stage, Stored, Work
from labelsearch.results.controls import AgainstControls, Controls, TierAgainst
from labelsearch.results.ensembles import (
    MARKET,
    AccountRow,
    Curves,
    Ensembles,
    HalvesRow,
    PaidRow,
    RankOrder,
    TierCapital,
    Unlike,
    tier_name,
)
from labelsearch.results.search import Strategies
from labelsearch.settings.tiers import Tiers
from labelsearch.stages.search import TradingInputs
from strategies.luck.paired import paired_difference
from strategies.luck.resample import rank_correlation
from strategies.luck.timing import judge_timing
from strategies.search.problem import SearchProblem, evaluate_population
from strategies.tiers import baselines
from strategies.tiers.baselines import baseline_account, market
from strategies.tiers.controls.control import control_account
from strategies.tiers.metrics import measure
from strategies.tiers.ranking import Ranking
from strategies.tiers.selection import bets_of_tiers, market_returns, select, shrinkage
from strategies.trade.capital import CAPITAL_RULES, CapitalRule, gradient_rate, invest, shares
from strategies.trade.equity_grid import equity_grid, returns_of
from strategies.trade.pool import Account, Pool, from_start
from strategies.trade.rules import TradingRules
from strategies.trade.window import TradingWindow


@dataclass(frozen=True)
class TierInputs(TradingInputs):
    """All that the stage may know."""

    tiers: Tiers
    ranking: Ranking
    capital_rule: CapitalRule
    future_stretch: Stretch
    search: Stored[Strategies]


@dataclass(frozen=True)
class EnsembleInputs(TierInputs):
    """All that the stage may know, controls among it."""

    controls: Stored[Controls]


class Choice(NamedTuple):
    """The chosen strategies of a run."""

    members: dict[int, NDArray[np.int64]]  # rows by size of the tier, best first, the largest first
    params: NDArray[np.float64]  # (n, P) of the largest tier
    known: NDArray[np.float64]  # (D, n) their daily returns on past
    n_unlike: int  # strategies of which no two are alike, counted up to the largest size wanted


class Judge:
    """Forms tiers of all strategies and trades them in both windows; each window is simulated once.

    Parameters
    ----------
    problems : mapping of str to SearchProblem
        By window.
    strategies : Strategies
    settings : Tiers
    controls : Controls, optional
    """

    def __init__(
        self,
        problems: Mapping[str, SearchProblem],
        strategies: Strategies,
        settings: Tiers,
        controls: Controls | None = None,
    ) -> None:
        self.problems, self.strategies, self.settings, self.controls = problems, strategies, settings, controls

    @classmethod
    def of(cls, inputs: EnsembleInputs) -> "Judge":
        """From the inputs of a stage."""
        strategies = inputs.search.value
        problems = {
            "past": inputs.problem("past", halved=strategies.settings.halved),
            "future": inputs.problem("future"),
        }
        return cls(problems, strategies, inputs.tiers, inputs.controls.value)

    @cached_property
    def choice(self) -> Choice:
        """Tiers by the rule of the settings."""
        params = self.strategies.params
        found = select(self.problems["past"], params, self.strategies.figures, self.settings.rule)
        return Choice(found.members, params[found.largest], found.returns.T, found.n_unlike)

    def accounts(self, window: str) -> dict[str, Account]:
        """Accounts of all tiers, baselines and controls in a window, by name."""
        problem, choice = self.problems[window], self.choice
        accounts = trade(problem.window, problem.rules, choice, self.settings.capital)
        return accounts | self._control_accounts(problem)

    def _control_accounts(self, problem: SearchProblem) -> dict[str, Account]:
        if self.controls is None:
            return {}
        names, params = self.controls.outputs, self.strategies.params
        return {
            control.title: control_account(control.fit, problem.window, problem.rules, names, params)
            for control in self.controls.traded
        }

    def rows(self, window: str, accounts: Mapping[str, Account]) -> tuple[AccountRow, ...]:
        """Their figures."""
        problem, choice = self.problems[window], self.choice
        rows = describe(accounts, problem.window, window, tuple(choice.members))
        known = choice.known.T
        if window != "past":
            known = returns_of(equity_grid(choice.params, problem.window, problem.rules).equity)
        bets = bets_of_tiers(known, market_returns(problem.window), tuple(choice.members))
        return tuple(row if row.size is None else replace(row, effective_bets=bets[row.size]) for row in rows)


def trade(window: TradingWindow, rules: TradingRules, choice: Choice, capital: str) -> dict[str, Account]:
    """Trade tiers and baselines over a window, in vectorbt, which must agree with the simulator.

    Parameters
    ----------
    window : TradingWindow
    rules : TradingRules
    choice : Choice
    capital : str
        Name of a rule of `strategies.trade.capital.CAPITAL_RULES`.
    """
    from strategies.trade.backtest import backtest  # loads vectorbt

    tested = backtest(choice.params, window, rules)
    whole = from_start(tested.equity, tested.position, tested.payments, window)
    accounts = {}
    for n in choice.members:
        pool = Pool(rules)
        invest(pool, capital, choice.known[:, :n], whole.first(n), window.day_edges)
        accounts[tier_name(n)] = pool.account()
    return accounts | baseline_accounts(window, rules)


def baseline_accounts(window: TradingWindow, rules: TradingRules) -> dict[str, Account]:
    """The market, and rules that need no labels, at the same costs."""
    others = {name: baseline_account(name, window, rules) for name in baselines.OUTPUTS}
    return {MARKET: market(window, rules), **others}


def describe(
    accounts: Mapping[str, Account], window: TradingWindow, name: str, sizes: tuple[int, ...]
) -> tuple[AccountRow, ...]:
    """Figures of each account in a window of some name; the market must be among them."""
    size_of = {tier_name(n): n for n in sizes}
    against = accounts[MARKET].equity
    return tuple(
        AccountRow(account_name, size_of.get(account_name), name, measure(account, window, against))
        for account_name, account in accounts.items()
    )


def against_controls(
    accounts: Mapping[str, Account], window: TradingWindow, controls: Controls, sizes: tuple[int, ...]
) -> AgainstControls:
    """Tiers against the control with the best score on past, from all accounts in a window."""
    best, names = controls.best, tuple(control.title for control in controls.traded)
    if best is None:
        return AgainstControls(names, None, ())
    ends = window.day_edges[1:] - 1

    def daily(name: str) -> NDArray[np.float64]:
        return returns_of(np.r_[1.0, accounts[name].equity[ends]][None, :])[0]

    rows = []
    for size in sizes:
        found = paired_difference(daily(tier_name(size)), daily(best.title))
        low, high = (None, None) if found.interval is None else (1e4 * end for end in found.interval)
        rows.append(TierAgainst(size, 1e4 * found.mean, low, high))
    return AgainstControls(names, best.title, tuple(rows))


def paid_by_year(accounts: Mapping[str, Account], window: TradingWindow, name: str) -> list[PaidRow]:
    """Where the gross gain of each account went, by calendar year of a window of some name."""
    year = window.open_time.astype("datetime64[ms]").astype("datetime64[Y]").astype(np.int64) + 1970
    edges = [*np.flatnonzero(np.diff(year, prepend=0)).tolist(), len(year)]
    rows = []
    for account_name, account in accounts.items():
        for first, stop in pairwise(edges):
            before = account.equity[first - 1] if first else 1.0
            net = float(account.equity[stop - 1] - before)
            paid = {kind: float(of[first:stop].sum()) for kind, of in account.paid._asdict().items()}
            percent = {f"{kind}_pct": 100.0 * value for kind, value in paid.items()}
            gross = 100.0 * (net + sum(paid.values()))
            rows.append(PaidRow(account_name, name, int(year[first]), gross, **percent, net_pct=100.0 * net))
    return rows


def to_curves(accounts: Mapping[str, Account], window: TradingWindow) -> Curves:
    """Equity and position of each account at each bar."""
    columns = list(accounts.values())
    equity, position = (np.column_stack([getattr(a, name) for a in columns]) for name in ("equity", "position"))
    return Curves(tuple(accounts), window.open_time, equity, position)


def capital_at_start(rule: str, known: NDArray[np.float64], sizes: tuple[int, ...]) -> dict[int, TierCapital]:
    """How each tier shares out capital after past, from daily returns (D, n) on past."""
    found = {}
    for n in sizes:
        past = known[:, :n]
        rate = gradient_rate(past, len(past)) if CAPITAL_RULES[rule].learns else 0.0
        found[n] = TierCapital(tuple(shares(rule, past).tolist()), rate)
    return found


def unlike_of(strategies: Strategies, choice: Choice, settings: Tiers) -> Unlike | None:
    """How many unlike strategies there were, and what their scores are worth; None where all may be alike."""
    halves = None
    if strategies.settings.halved:
        a, b = (strategies.frame[f"score_{half}"].to_numpy() for half in ("a", "b"))
        found = shrinkage(a, b)
        shrunken = {n: float(found.of(b[index]).mean()) for n, index in choice.members.items()}
        halves = HalvesRow(found.mean, found.correlation, found.n, shrunken)
    if settings.most_alike >= 1 and halves is None:
        return None
    return Unlike(settings.most_alike, settings.descending, choice.n_unlike, halves)


def rank_order(score: NDArray[np.float64], later: NDArray[np.float64]) -> RankOrder:
    """How far past scores (S,) rank later returns (S,)."""
    positive = score > 0
    among = rank_correlation(score[positive], later[positive]) if positive.sum() > 2 else None
    return RankOrder(rank_correlation(score, later), among, int(positive.sum()))


def run(inputs: EnsembleInputs, work: Work) -> Ensembles:
    """Form the tiers and judge them."""
    judge, settings = Judge.of(inputs), inputs.tiers
    future = judge.problems["future"]
    work.progress(0, 4)
    past_accounts = judge.accounts("past")
    work.progress(1, 4)
    later = evaluate_population(future, judge.strategies.params)
    work.progress(2, 4)
    future_accounts = judge.accounts("future")
    work.progress(3, 4)
    choice = judge.choice
    sizes = tuple(choice.members)
    timing = judge_timing(choice.params, future.window, future.rules, sizes)
    work.progress(4, 4)
    return Ensembles(
        members={n: tuple(index.tolist()) for n, index in choice.members.items()},
        capital=settings.capital,
        capital_at_start=capital_at_start(settings.capital, choice.known, sizes),
        n_strategies=len(judge.strategies.frame),
        unlike=unlike_of(judge.strategies, choice, settings),
        rows=judge.rows("past", past_accounts) + judge.rows("future", future_accounts),
        paid=(
            *paid_by_year(past_accounts, judge.problems["past"].window, "past"),
            *paid_by_year(future_accounts, future.window, "future"),
        ),
        ranks=rank_order(judge.strategies.score, later["monthly_return_pct"]),
        timing=timing,
        against=against_controls(future_accounts, future.window, inputs.controls.value, sizes),
        future=pd.DataFrame(later),
        curves={
            "past": to_curves(past_accounts, judge.problems["past"].window),
            "future": to_curves(future_accounts, future.window),
        },
    )


STAGE = Stage("ensembles", EnsembleInputs, Ensembles, run, looks_at=lambda inputs: (inputs.future_stretch,))
