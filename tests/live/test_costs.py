"""Costs of live accounts are those of the run, bit by bit."""

import dataclasses

import numpy as np
import pytest

from labelsearch.engine.executors.local import LocalExecutor
from labelsearch.engine.stage import Work
from labelsearch.live.bundle import load_bundle
from labelsearch.live.costs import LiveCosts
from labelsearch.live.engine import Engine
from labelsearch.live.feed import bars_in
from labelsearch.live.verify import BundleError
from labelsearch.market.funding import Funding
from labelsearch.market.trading_costs import HOUR_MS, CostTerms
from labelsearch.stages import costs
from strategies.trade.simulate import simulate

TERMS = CostTerms(
    impact=1.0, capital=5e5, impact_days=5, funding="store", funding_ms=8 * HOUR_MS, borrow=0.001
)  # fmt: skip


@pytest.fixture(scope="module")
def perpetual(bundle_folder):
    """The bundle as one of a perpetual that may be short."""
    bundle = load_bundle(bundle_folder)
    return dataclasses.replace(bundle, terms=TERMS, rules=bundle.rules._replace(short=True, half_spread=1e-4))


@pytest.fixture(scope="module")
def funding(tiny_run):
    """Payments every 8 hours, some at a mark price."""
    span = tiny_run.experiment.windows.named["past"]
    time = np.arange(span.start_ms, span.stop_ms, 8 * HOUR_MS)
    rng = np.random.default_rng(1)
    return Funding("SYNTH", time, rng.normal(1e-4, 3e-4, len(time)), np.where(time % 3, np.nan, 100.0))


@pytest.fixture(scope="module")
def stretch(tiny_run, history):
    """History and the first day of past."""
    before, past = history
    return before, past.rows(0, 1500)


def ready(bundle, history, funding):
    before, past = history
    engine = Engine(bundle, int(past.open_time[0]), funding.between)
    engine.start(before)
    return engine


@pytest.fixture(scope="module")
def followed(perpetual, stretch, funding):
    """An engine that has seen the first day of past, bar by bar, and its steps."""
    engine = ready(perpetual, stretch, funding)
    return engine, [engine.take(bar) for bar in bars_in(stretch[1])]


def same(one, other):
    return all(getattr(one, name).tobytes() == getattr(other, name).tobytes() for name in one._fields)


def test_accounts_pay_what_they_pay_in_the_run(perpetual, stretch, funding, followed, tiny_run):
    windows = tiny_run.experiment.windows.named
    inputs = costs.CostInputs(tiny_run.bars, **windows, cost_terms=TERMS, funding=funding)
    inputs = dataclasses.replace(inputs, future=windows["past"])
    window = tiny_run.outputs.past.at(costs.run(inputs, Work(LocalExecutor(), tiny_run.folder)).past)
    wanted = simulate(perpetual.params, window.rows(slice(0, 1500)), perpetual.rules)
    for name in ("spread", "impact", "funding", "borrow"):
        assert getattr(wanted, name).any()
    one, steps = followed
    assert same(one.state, wanted)
    assert one.costs.missing == 0
    before, past = stretch
    bulk = Engine(perpetual, int(past.open_time[0]), funding.between)
    bulk.start(tiny_run.bars.rows(None, len(before) + len(past)))
    assert same(bulk.state, wanted)
    for step in steps:
        for fill in step.fills:
            worse = (fill.price / step.bar.open - 1) * (1 if fill.side == "buy" else -1)
            assert 1e-4 < worse < 0.01  # the half spread, and impact


def test_a_restart_goes_on_with_the_same_bits(perpetual, stretch, funding, followed):
    first = ready(perpetual, stretch, funding)
    bars = list(bars_in(stretch[1]))
    for bar in bars[:777]:
        first.take(bar)
    again = Engine(perpetual, payments=funding.between)
    again.restore(first.snapshot())
    for bar in bars[777:]:
        again.take(bar)
    assert same(again.state, followed[0].state)


def test_a_fill_counts_whole_where_its_bar_ruins_the_account(perpetual, stretch, funding):
    engine = ready(perpetual, stretch, funding)
    before = engine.state
    short = np.full(len(before.cash), -1.0)
    engine.state = before._replace(pending=short)
    bar = next(bars_in(stretch[1]))
    step = engine.take(bar._replace(high=5 * bar.open, close=5 * bar.open))
    assert not engine.state.equity.any()
    assert len(step.fills) == len(short)
    for fill in step.fills:
        assert fill.side == "sell"
        assert fill.quantity == pytest.approx(1 / bar.open, rel=1e-9)


def test_no_fill_is_worse_than_by_half_at_any_quotes(perpetual, stretch):
    terms = CostTerms(spread="quotes")
    costs = LiveCosts(perpetual.symbol, perpetual.interval_ms, terms)
    found = costs.of(np.array([0]), np.array([1.0]), np.empty(0), np.array([0.9]))
    assert found.half_spread.tolist() == [0.5]


def test_unknown_payments_are_counted(perpetual, stretch, funding):
    few = funding.take(np.delete(np.arange(len(funding)), [1, 2]))
    engine = ready(perpetual, stretch, few)
    for bar in bars_in(stretch[1].rows(0, 1000)):  # past the third payment
        engine.take(bar)
    assert engine.costs.missing == 2


def test_a_perpetual_needs_its_funding(perpetual):
    with pytest.raises(BundleError, match="SYNTH pays funding: say where its rates come from"):
        Engine(perpetual)
