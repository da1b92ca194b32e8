"""Real minutes with the exchange's halts: bar by bar as all at once."""

import numpy as np
import pytest

from feature_space.feature_set import Feature, FeatureSet
from feature_space.indicators import INDICATORS
from feature_space.normalise import Normalisation
from labelsearch.classifiers.classifier import Predictor
from labelsearch.classifiers.inference import Perceptron
from labelsearch.live.bundle import Bundle, Tier
from labelsearch.live.engine import Engine
from labelsearch.live.session import Session
from labelsearch.market.archive import read
from labelsearch.market.times import parse_time
from strategies.search.linear import StrategySpace
from strategies.trade.rules import TradingRules

N_STRATEGIES = 40


@pytest.fixture(scope="module")
def bundle():
    """Two labels of random features and networks, and random strategies, some of which trade."""
    rng = np.random.default_rng(4)
    sets, classifiers = [], []
    for _ in range(2):
        features = tuple(
            Feature(i.name, tuple(int(rng.integers(a, b + 1)) for a, b in i.parameters.values())) for i in INDICATORS
        )
        sets.append(FeatureSet(features, Normalisation("local", 500, 1.0)))
        layers = [
            (rng.normal(0, 0.6, (b, a)).astype(np.float32), np.zeros(b, dtype=np.float32))
            for a, b in ((len(features), 16), (16, 3))
        ]
        one = Perceptron.of_layers([layers])
        classifiers.append(Predictor(1, lambda matrix, rows, origin, one=one: one.predict(matrix, rows)))
    return Bundle(
        digest="test",
        symbol="BTCUSDT",
        interval_ms=60_000,
        quote_volume=False,
        trades=False,
        warm_up=max(s.warm_up for s in sets),
        chosen_until=0,
        labels=("one", "two"),
        outputs=("one:buy", "one:sell", "two:buy", "two:sell"),
        feature_sets=tuple(sets),
        classifiers=tuple(classifiers),
        params=StrategySpace(4).sample(rng, N_STRATEGIES),
        strategies=np.arange(N_STRATEGIES),
        rules=TradingRules.of(fee_share=0.0005, half_spread=0.0002, short=True),
        learns=False,
        capital="equal",
        tiers={N_STRATEGIES: Tier(np.arange(N_STRATEGIES), np.full(N_STRATEGIES, 1 / N_STRATEGIES), 0.0)},
    )


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.parametrize(("day", "missing"), [("2020-02-19", 354), ("2018-02-10", 49)])
def test_a_halt_of_the_exchange(bundle, market_data, day, missing):
    """A halt of six hours; and the day after the longest one, which has bars off the grid and two more halts."""
    start = parse_time(day)
    whole = read(market_data / "btcusdt_1m.parquet", "BTCUSDT")
    days = 86_400_000
    before, bars = whole.between(start - 6 * days, start), whole.between(start, start + 2 * days)
    session = Session(bundle, start)
    session.start(before)
    frame = bars.to_frame().drop(columns="filled").reset_index()
    arriving = ({**row, "open_time": str(row["open_time"])} for row in frame.to_dict("records"))
    lines = list(session.run(arriving))
    assert len(lines) == len(bars)
    assert session.feed.counts.missing == missing
    engine = Engine(bundle, start)
    engine.start(whole.between(start - 6 * days, start + 2 * days))
    for name in engine.state._fields:
        assert getattr(engine.state, name).tobytes() == getattr(session.engine.state, name).tobytes()
    assert engine.state.fills.sum() > 100
    assert engine.standings()[N_STRATEGIES].target == pytest.approx(
        session.engine.standings()[N_STRATEGIES].target, rel=1e-12
    )
