"""The costs stage: what it takes from bars and funding, and what it refuses."""

import dataclasses

import numpy as np
import pytest

from labelsearch.engine.executors.local import LocalExecutor
from labelsearch.engine.stage import Work
from labelsearch.market.funding import Funding
from labelsearch.market.spreads import half_spread
from labelsearch.market.trading_costs import HOUR_MS, NO_TERMS, CostTerms
from labelsearch.settings.experiment import Experiment
from labelsearch.settings.schema import ExperimentError
from labelsearch.settings.trading_costs import Costs
from labelsearch.stages import costs
from labelsearch.stages.plan import RunValues
from strategies.trade.rules import MOST_SLIPPAGE
from strategies.trade.venues import VENUES

STEP = 8 * HOUR_MS
STORE = CostTerms(funding="store", funding_ms=STEP)


def inputs(run, terms=NO_TERMS, funding=None, bars=None):
    windows = run.experiment.windows.named
    return costs.CostInputs(bars or run.bars, **windows, cost_terms=terms, funding=funding)


def found(run, *args, **kwargs):
    return costs.run(inputs(run, *args, **kwargs), Work(LocalExecutor(), run.folder))


def payments(run, without=()):
    windows = run.experiment.windows.named
    time = np.arange(windows["past"].start_ms, windows["future"].stop_ms, STEP)
    time = np.delete(time, list(without))
    return Funding("SYNTH", time, np.full(len(time), 1e-4), np.full(len(time), np.nan))


def test_no_terms_are_no_costs(tiny_run):
    stored = tiny_run.costs
    assert all(len(field) == 0 for window in (stored.past, stored.future) for field in window)
    assert set(vars(stored.facts["past"]).values()) == {None}
    assert tiny_run.traded("past").costs == stored.past


def test_an_estimated_spread_is_that_of_train(tiny_run):
    bars, train = tiny_run.bars, tiny_run.experiment.windows.named["train"]
    estimate = half_spread(bars.present().between(train.start_ms, train.stop_ms))
    made = found(tiny_run, CostTerms(spread="estimated"))
    assert len(made.past.half_spread) == len(tiny_run.outputs.past.close)
    assert set(made.past.half_spread) == set(made.future.half_spread) == {estimate}
    assert made.facts["future"].half_spread_bp == pytest.approx(1e4 * estimate)


def test_quotes_give_the_spread_of_each_open(tiny_run):
    bars = tiny_run.bars
    quoted = dataclasses.replace(bars, spread=2e-4 * np.linspace(1, 2, len(bars)) * bars.open)
    made = found(tiny_run, CostTerms(spread="quotes"), bars=quoted)
    row = bars.open_time.searchsorted(tiny_run.outputs.past.open_time[5])
    assert made.past.half_spread[5] == pytest.approx(1e-4 * np.linspace(1, 2, len(bars))[row])
    wide = found(tiny_run, CostTerms(spread="quotes"), bars=dataclasses.replace(bars, spread=1.8 * bars.open))
    assert (wide.past.half_spread == MOST_SLIPPAGE).all()  # as live
    with pytest.raises(ExperimentError, match=r"spread = 'quotes': the bars of SYNTH have no bid and ask"):
        found(tiny_run, CostTerms(spread="quotes"))


def test_missing_payments_are_counted_and_long_gaps_refused(tiny_run):
    assert found(tiny_run, STORE, payments(tiny_run)).facts["past"].n_missing == 0
    few = found(tiny_run, STORE, payments(tiny_run, without=[4]))
    assert (few.facts["past"].n_payments, few.facts["past"].n_missing) == (7 * 3 - 1, 1)
    text = r"funding of SYNTH is not known from 2018-01-23 .* to 2018-01-24 .*: import or fetch it"
    with pytest.raises(ExperimentError, match=text):
        found(tiny_run, STORE, payments(tiny_run, without=[4, 5, 6]))


def test_payments_of_another_schedule_are_refused(tiny_run):
    text = r"147 of 168 payments of funding of SYNTH are missing, one being expected every 1 hours"
    with pytest.raises(ExperimentError, match=text):
        found(tiny_run, STORE._replace(funding_ms=HOUR_MS), payments(tiny_run))


def test_a_capital_beyond_the_market_is_refused(tiny_run):
    terms = CostTerms(impact=1.0, capital=1e15, impact_days=5)
    with pytest.raises(ExperimentError, match=r"capital = 1e\+15 is more than is traded in a day on \d of 7 days"):
        found(tiny_run, terms)
    few = dataclasses.replace(
        inputs(tiny_run, terms._replace(capital=1.0)), past=tiny_run.experiment.windows.named["train"]
    )
    with pytest.raises(ExperimentError, match=r"there must be impact_days \+ 1 days with bars before past"):
        costs.run(few, Work(LocalExecutor(), tiny_run.folder))


def test_a_generated_market_has_no_funding_in_the_store(tiny_run):
    plain = {**tiny_run.experiment.to_dict(), "costs": {"venue": "okx-perp"}}
    with pytest.raises(ExperimentError, match=r"\[costs\] funding: a generated market has none in the store"):
        RunValues(Experiment.from_dict(plain), tiny_run.store)["funding"]
    assert RunValues(tiny_run.experiment, tiny_run.store)["funding"] is None


@pytest.mark.parametrize("name", VENUES)
def test_venues(name):
    venue = VENUES[name]
    assert 0 <= venue.maker <= venue.taker < 0.01
    assert Costs(venue=name).fee_share == venue.taker
    assert Costs(venue=name, maker_share=1.0).fee_share == venue.maker
    assert Costs(venue=name, taker=0.002, maker=0.001, maker_share=0.5).fee_share == pytest.approx(0.0015)
    assert Costs(venue=name).terms.funding == ("store" if name.endswith("-perp") else "none")
    assert bool(venue.as_of) == (name != "own")
