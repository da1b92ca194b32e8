"""Time for one bar of a live session: p50 and p99, against computing the features of the warm-up window anew.

A Top-100 with its smaller tiers, eight classifiers of 28 features each with random parameters over the whole of their
intervals, on a generated market. The networks are three averaged ones of the largest shape that a search may choose, so
no trained bundle is slower. Ours takes the bar from the feed to the line of JSON, written down in the journal. The peer
recomputes the features in bulk, on both threads, then asks the same classifiers and the same simulator for its one bar.
"""

import argparse
import itertools
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from feature_space.feature_set import Feature, FeatureSet
from feature_space.indicators import INDICATORS, make_inputs
from feature_space.normalise import Normalisation
from labelsearch.classifiers.classifier import Predictor
from labelsearch.classifiers.inference import Perceptron
from labelsearch.live.bundle import Bundle, Tier
from labelsearch.live.feed import bars_in
from labelsearch.live.journal import Journal
from labelsearch.live.session import Session
from labelsearch.market.synthetic import synthetic_bars
from strategies.search.linear import StrategySpace
from strategies.trade.rules import TradingRules
from strategies.trade.simulate import simulate
from strategies.trade.window import TradingWindow


def make_bundle(seed: int, normalisation: Normalisation, width: int, depth: int, n_networks: int) -> Bundle:
    """Eight labels and a hundred strategies, all at random."""
    rng = np.random.default_rng(seed)
    sets, classifiers = [], []
    for _ in range(8):
        features = tuple(
            Feature(i.name, tuple(int(rng.integers(a, b + 1)) for a, b in i.parameters.values()), 0.01)
            for i in INDICATORS
        )
        sets.append(FeatureSet(features, normalisation))
        sizes = [len(features), *[width] * depth, 3]
        networks = [
            [
                (rng.normal(0, a**-0.5, (b, a)).astype(np.float32), np.zeros(b, dtype=np.float32))
                for a, b in itertools.pairwise(sizes)
            ]
            for _ in range(n_networks)
        ]
        one = Perceptron.of_layers(networks)
        classifiers.append(Predictor(1, lambda matrix, rows, origin, one=one: one.predict(matrix, rows)))
    labels = tuple(f"label_{k}" for k in range(8))
    tiers = {n: Tier(np.arange(n), np.full(n, 1.0 / n), 0.0) for n in (100, 20, 10, 5)}
    return Bundle(
        digest="benchmark",
        symbol="SYNTH",
        interval_ms=60_000,
        quote_volume=True,
        trades=True,
        warm_up=max(s.warm_up for s in sets),
        chosen_until=0,
        labels=labels,
        outputs=tuple(f"{label}:{side}" for label in labels for side in ("buy", "sell")),
        feature_sets=tuple(sets),
        classifiers=tuple(classifiers),
        params=StrategySpace(16).sample(rng, 100),
        strategies=np.arange(100),
        rules=TradingRules(fee_share=0.0005),
        learns=False,
        capital="equal",
        tiers=tiers,
    )


def main() -> None:
    """Follow both ways and print the ratio; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bars", type=int, default=5000, help="bars timed")
    parser.add_argument("--peer-bars", type=int, default=30)
    parser.add_argument("--normalisation", choices=("local", "train"), default="local")
    args = parser.parse_args()

    bundle = make_bundle(0, Normalisation(args.normalisation, 1440, 1.0), width=128, depth=3, n_networks=3)
    bars = synthetic_bars(bundle.warm_up + args.bars + 200, 1, edge=0.1)
    first = bundle.warm_up + 100
    with tempfile.TemporaryDirectory() as folder:
        session = Session(bundle, 0, Journal(Path(folder)))
        session.start(bars.rows(None, first))
        times, lines = [], 0
        incoming = iter(list(bars_in(bars.rows(first, first + 100 + args.bars))))
        running = session.run(incoming)
        for k in range(100 + args.bars):
            start = time.perf_counter()
            line = json.dumps(next(running))
            if k >= 100:  # the first ones compile
                times.append(time.perf_counter() - start)
                lines += len(line)
        session.close()

    # The peer: features of the warm-up window in bulk for every bar.
    peer, state = [], None
    for k in range(args.peer_bars + 2):
        stop = first + 100 + k
        window = bars.rows(stop - bundle.warm_up - 1, stop)
        start = time.perf_counter()
        inputs = make_inputs(window.vwap, window.high, window.low, window.close, window.volume, window.trades)
        last = np.array([len(window) - 1])
        outputs = np.concatenate(
            [
                classifier.predict(feature_set.matrix(inputs), last, 0)[0, ::2]
                for classifier, feature_set in zip(bundle.classifiers, bundle.feature_sets, strict=True)
            ]
        )
        one = (window.open[-1:], window.close[-1:], window.open_time[-1:])
        state = simulate(bundle.params, TradingWindow(outputs[None, :], *one, 1.0), bundle.rules, state)
        peer.append(time.perf_counter() - start)
    p50, p99, worst = np.percentile(times, [50, 99, 100]) * 1e3
    peer50 = float(np.median(peer[2:])) * 1e3
    print(f"warm-up of {bundle.warm_up} bars, 8 x 28 features, 8 x 3 networks of 3 x 128, 100 strategies in 4 tiers")
    print(f"live        p50 {p50:7.3f} ms   p99 {p99:7.3f} ms   worst {worst:7.3f} ms   over {len(times)} bars")
    print(f"recomputing p50 {peer50:7.3f} ms   over {args.peer_bars} bars")
    result = {
        "benchmark": "live",
        "ours": round(p50, 4),
        "peer": round(peer50, 4),
        "ratio": round(peer50 / p50, 1),
        "p99": round(p99, 4),
        "unit": "ms per bar",
        "what": f"one bar to its line, {args.normalisation} normalisation, {len(times)} bars, warm-up {bundle.warm_up}",
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
