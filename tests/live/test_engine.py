"""Bar by bar, all at once, and the search: the same bits."""

import dataclasses

import numpy as np
import pytest

from labelsearch.classifiers.classifier import Predictor
from labelsearch.classifiers.networks import build_network
from labelsearch.classifiers.prediction import predict
from labelsearch.delivery.export import export_bundle
from labelsearch.live.bundle import load_bundle
from labelsearch.live.engine import Engine
from labelsearch.live.feed import Feed, bars_in
from labelsearch.live.verify import BundleError
from labelsearch.results.run import Results
from labelsearch.stages.ensembles import Judge, capital_at_start
from labelsearch.stages.features import inputs_of
from strategies.search.problem import SearchProblem
from strategies.search.score import PaperScore
from strategies.trade.simulate import simulate, simulate_paths

TWO_DAYS = 2900  # bars, into the third


def same_state(one, other):
    return all(getattr(one, name).tobytes() == getattr(other, name).tobytes() for name in one._fields)


def follow(engine, bars):
    return [engine.take(bar) for bar in bars_in(bars)]


def ready(bundle, history):
    """An engine at the start of past."""
    before, past = history
    engine = Engine(bundle, int(past.open_time[0]))
    engine.start(before)
    return engine


@pytest.fixture(scope="module")
def followed(bundle_folder, history):
    """An engine that has seen two days of past, bar by bar, and its steps."""
    engine = ready(load_bundle(bundle_folder), history)
    return engine, follow(engine, history[1].rows(0, TWO_DAYS))


def test_past_again_bit_by_bit(bundle, followed, tiny_run):
    """Probabilities, fills, fees and equity of every strategy are those of the search; of all of past in bulk."""
    seen = tiny_run.outputs.past
    engine, steps = followed
    assert np.array([step.outputs for step in steps]).tobytes() == seen.outputs[:TWO_DAYS].tobytes()
    wanted = simulate(bundle.params, seen.rows(slice(0, TWO_DAYS)), bundle.rules)
    assert same_state(engine.state, wanted)
    assert wanted.fills.sum() == sum(len(step.fills) for step in steps) > 20
    engine = Engine(bundle, engine.start_ms)
    engine.start(tiny_run.bars.rows(None, tiny_run.rows("past").stop))
    assert same_state(engine.state, simulate(bundle.params, seen, bundle.rules))
    found = tiny_run.strategies.frame.loc[bundle.strategies]
    assert engine.state.equity.tobytes() == found["value"].to_numpy().tobytes()
    assert np.array_equal(engine.state.fills, found["fills"])


def test_fills_add_up(bundle, followed):
    """Cash and holdings of a strategy follow from its fills alone."""
    engine, steps = followed
    cash, held = np.ones(len(bundle.params)), np.zeros(len(bundle.params))
    place = {s: k for k, s in enumerate(bundle.strategies.tolist())}
    for step in steps:
        for fill in step.fills:
            side = 1.0 if fill.side == "buy" else -1.0
            held[place[fill.strategy]] += side * fill.quantity
            cash[place[fill.strategy]] -= side * fill.quantity * fill.price + fill.fee
    np.testing.assert_allclose(cash, engine.state.cash, atol=1e-12)
    np.testing.assert_allclose(held, engine.state.quantity, atol=1e-15)


@pytest.mark.parametrize(
    ("capital", "n_bars"),
    [
        ("equal", 700),
        ("universal", TWO_DAYS),  # as capital moves each day
        *(
            pytest.param(name, TWO_DAYS, marks=pytest.mark.slow)
            for name in ("inverse_volatility", "hierarchical_risk_parity")
        ),
    ],
)
def test_accounts_are_the_tiers_of_the_run(capital, n_bars, history, tiny_run, tmp_path):
    """Every bar's equity and position, bar by bar and in bulk; the universal rate is set by past's length in both."""
    settings = dataclasses.replace(tiny_run.experiment.tiers, capital=capital)
    search = tiny_run.experiment.search
    problem = SearchProblem(
        tiny_run.outputs.past, search.space(2 * len(tiny_run.outputs.labels)), tiny_run.experiment.rules(), PaperScore()
    )
    judge = Judge({"past": problem}, tiny_run.strategies, settings)
    accounts = judge.accounts("past")
    other = Results(tiny_run.folder, tiny_run.store)
    start = capital_at_start(capital, judge.choice.known, settings.descending)
    other.ensembles = dataclasses.replace(tiny_run.ensembles, capital=capital, capital_at_start=start)
    bundle = load_bundle(export_bundle(other, None, tmp_path / "b"))
    assert bundle.capital == capital
    engine = ready(bundle, history)
    steps = follow(engine, history[1].rows(0, n_bars))
    bulk, whole = Engine(bundle, engine.start_ms), Engine(bundle, engine.start_ms)
    bulk.start(tiny_run.bars.rows(None, len(history[0]) + n_bars))
    whole.start(tiny_run.bars.rows(None, tiny_run.rows("past").stop))
    for n in (20, 5):
        for name in ("equity", "position"):
            got, wanted = [getattr(step.tiers[n], name) for step in steps], getattr(accounts[f"Top-{n}"], name)
            np.testing.assert_allclose(got, wanted[:n_bars], rtol=1e-12, atol=1e-14)
            assert getattr(bulk.standings()[n], name) == pytest.approx(got[-1], rel=1e-12)
            assert getattr(whole.standings()[n], name) == pytest.approx(wanted[-1], rel=1e-12)
        assert bulk.standings()[n].fills == pytest.approx(steps[-1].tiers[n].fills, rel=1e-9)


def test_target_is_what_members_want(bundle, history):
    """With equal capital: the mean of what each wants, weighted by what each is worth."""
    engine = ready(bundle, history)
    seen = set()
    for step in follow_until(engine, history[1], 600):
        state, held = engine.state, engine.held
        wanted = np.where(np.isnan(state.pending), held, state.pending)
        for n, tier in bundle.tiers.items():
            worth = state.equity[tier.members]
            assert step.tiers[n].target == pytest.approx((worth * wanted[tier.members]).sum() / worth.sum(), rel=1e-12)
            assert step.tiers[n].orders == np.isfinite(state.pending[tier.members]).sum()
            seen.add(step.tiers[n].orders > 0)
    assert seen == {True, False}


def follow_until(engine, bars, n):
    for bar in list(bars_in(bars.rows(0, n))):
        yield engine.take(bar)


@pytest.mark.parametrize("stop", [pytest.param(1, marks=pytest.mark.slow), 1450])
def test_in_bulk_as_bar_by_bar(bundle, history, tiny_run, stop):
    """Also goes on from there with the same bits."""
    before, past = history
    one = ready(bundle, history)
    follow(one, past.rows(0, stop))
    whole = Engine(bundle, one.start_ms)
    whole.start(tiny_run.bars.rows(None, len(before) + stop))
    assert same_state(one.state, whole.state)
    assert one.outputs.tobytes() == whole.outputs.tobytes()
    a, b = follow(one, past.rows(stop, stop + 100)), follow(whole, past.rows(stop, stop + 100))
    assert same_state(one.state, whole.state)
    assert [s.fills for s in a] == [s.fills for s in b]


def test_networks_that_see_windows(bundle, history, tiny_run):
    """Any network: a bar has the bits of the batch."""
    kinds = ("gru", "tcn", "stacked")
    classifiers = []
    for kind, feature_set in zip(kinds, bundle.feature_sets, strict=True):
        network = build_network(kind, len(feature_set.features), window=8, width=16).eval()
        classifiers.append(
            Predictor(8, lambda m, rows, origin, network=network: predict(network, m, rows, origin=origin))
        )
    bundle = dataclasses.replace(bundle, classifiers=tuple(classifiers), warm_up=bundle.warm_up + 7)
    one = ready(bundle, history)
    steps = follow(one, history[1].rows(0, 30))
    whole = Engine(bundle, one.start_ms)
    whole.start(tiny_run.bars.rows(None, len(history[0]) + 30))
    origin = int(tiny_run.bars.open_time[0]) // 60_000
    rows = len(history[0]) + np.arange(30)
    matrix = bundle.feature_sets[0].matrix(inputs_of(tiny_run.bars))
    wanted = classifiers[0].predict(matrix, rows, origin)[:, (0, 2)]
    assert np.array([s.outputs[:2] for s in steps]).tobytes() == wanted.astype(float).tobytes()
    assert same_state(one.state, whole.state)


def test_gaps_are_those_of_a_run(bundle, history, tiny_run):
    """Bars that are missing: features see them filled, strategies do not see them; the batch path agrees."""
    before, past = history[0], history[1].rows(0, 1100)
    keep = np.ones(len(past), dtype=bool)
    keep[[3, 100, 101, 102, 500]] = False
    keep[900:1000] = False
    present = past._take(keep)
    engine = ready(bundle, history)
    feed = Feed(60_000, ("quote_volume", "trades"))
    feed.last = engine.last
    for bar in bars_in(present):
        for one in feed.take(bar):
            engine.take(one)
    assert feed.counts.missing == 105
    whole = Engine(bundle, engine.start_ms)
    whole.start(tiny_run.bars.rows(None, len(before) + len(past))._take(np.r_[np.ones(len(before), dtype=bool), keep]))
    assert same_state(engine.state, whole.state)
    assert engine.state.bars[0] == keep.sum()
    undisturbed = Engine(bundle, engine.start_ms)
    undisturbed.start(tiny_run.bars.rows(None, len(before) + len(past)))
    assert not same_state(engine.state, undisturbed.state)


@pytest.mark.parametrize("stop", [*(pytest.param(n, marks=pytest.mark.slow) for n in (0, 1)), 777])
def test_a_snapshot_goes_on_with_the_same_bits(bundle, history, stop, tmp_path):
    one = ready(bundle, history)
    follow(one, history[1].rows(0, stop))
    with (tmp_path / "s.npz").open("wb") as file:
        np.savez(file, **one.snapshot())
    other = Engine(bundle)
    with np.load(tmp_path / "s.npz", allow_pickle=False) as file:
        other.restore({name: file[name] for name in file.files})
    rest = history[1].rows(stop, stop + 700)  # into the second day
    a, b = follow(one, rest), follow(other, rest)
    assert same_state(one.state, other.state)
    assert [(s.bar, s.fills, s.tiers) for s in a] == [(s.bar, s.fills, s.tiers) for s in b]
    assert any(s.fills for s in a)


def test_warm_up(bundle, history):
    """No decision before the bundle's warm-up, however the bars come."""
    engine = Engine(bundle)
    steps = [engine.take(bar) for bar in bars_in(history[0].rows(0, bundle.warm_up + 3))]
    assert [step.warming for step in steps[-5:]] == [2, 1, 0, 0, 0]
    assert not steps[bundle.warm_up - 1].outputs.size
    assert steps[bundle.warm_up].outputs.size
    assert engine.state.bars[0] == 3
    bulk = Engine(bundle)
    bulk.start(history[0].rows(0, bundle.warm_up + 3))
    assert same_state(engine.state, bulk.state)


def test_a_start_that_is_still_to_come(bundle, history):
    """Once warm, the bars until then are those still needed."""
    past = history[1]
    engine = Engine(bundle, int(past.open_time[3]) - 1)
    engine.start(history[0])
    steps = follow(engine, past.rows(0, 5))
    assert [step.warming for step in steps] == [3, 2, 1, 0, 0]
    assert [step.outputs.size > 0 for step in steps] == [False, False, False, True, True]


def test_a_later_history_changes_little(bundle, history):
    """What the warm-up promises: features that forgot where the series began."""
    before, past = history
    whole = ready(bundle, history)
    late = Engine(bundle, whole.start_ms)
    late.start(before.rows(len(before) - bundle.warm_up - 10, None))
    a, b = follow(whole, past.rows(0, 50)), follow(late, past.rows(0, 50))
    difference = max(abs(x.outputs - y.outputs).max() for x, y in zip(a, b, strict=True))
    assert difference < 1e-4


def test_what_does_not_fit_is_refused(bundle, history, bundle_folder, tmp_path):
    engine = ready(bundle, history)
    with pytest.raises(BundleError, match="history must come first"):
        engine.start(history[1])
    hourly = dataclasses.replace(history[0].rows(0, 1), interval_ms=3_600_000)
    with pytest.raises(BundleError, match="not 60000 ms"):
        Engine(bundle).start(hourly)
    with pytest.raises(BundleError, match="need quote_volume"):
        Engine(bundle).start(dataclasses.replace(history[0], quote_volume=None))
    saved = engine.snapshot()
    saved["bundle"] = np.array("another")
    with pytest.raises(BundleError, match="belongs to another bundle"):
        Engine(bundle).restore(saved)


def test_orders_never_see_their_own_bar(bundle, history):
    """A fill is at the open of the bar after the decision: changing a bar's close changes no fill in it."""
    engine, other = ready(bundle, history), ready(bundle, history)
    for bar in bars_in(history[1].rows(0, 400)):
        step = engine.take(bar)
        if step.fills:
            last = other.take(bar._replace(close=bar.close * 1.1, high=bar.high * 1.2))
            assert last.fills == step.fills
            return
        other.take(bar)
    pytest.fail("no fill")


def test_paths_are_those_of_simulate_paths(bundle, history, tiny_run):
    paths = simulate_paths(bundle.params, tiny_run.outputs.past, bundle.rules)
    engine = ready(bundle, history)
    held = np.array([engine.held for _ in follow_until(engine, history[1], 500)])
    assert held.tobytes() == paths.position[:500].tobytes()
