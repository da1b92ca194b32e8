"""A finished run's past window followed bar by bar, against the search that chose on it: bits and time.

Exports the largest tier, takes the bars of train at once and those of past one by one, and holds the state of every
strategy against the simulator's batch. Looks at no future bar.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from labelsearch.delivery.export import export_bundle
from labelsearch.live.bundle import load_bundle
from labelsearch.live.feed import bars_in
from labelsearch.live.session import Session
from labelsearch.results.run import Results
from strategies.trade.simulate import simulate


def main() -> None:
    """Replay and compare; the exit code is 1 where a bit differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="folder of the run")
    parser.add_argument("--store", type=Path, default=Path("store"))
    args = parser.parse_args()

    results = Results(args.run, args.store)
    with tempfile.TemporaryDirectory() as folder:
        bundle = load_bundle(export_bundle(results, None, Path(folder) / "bundle"))
    past = results.rows("past")
    batch = simulate(bundle.params, results.traded("past"), bundle.rules)

    session = Session(bundle, int(results.bars.open_time[past.start]))
    session.start(results.bars.rows(None, past.start))
    bars = list(bars_in(results.bars.rows(past.start, past.stop).present()))
    running, times = session.run(iter(bars)), []
    for _ in bars:
        start = time.perf_counter()
        json.dumps(next(running))
        times.append(time.perf_counter() - start)
    state = session.engine.state
    equal = all(getattr(state, name).tobytes() == getattr(batch, name).tobytes() for name in batch._fields)
    p50, p99 = np.percentile(times, [50, 99]) * 1e3
    print(f"{len(bars)} bars, {int(batch.fills.sum())} fills, {session.feed.counts.missing} bars missing")
    print(f"{len(bundle.params)} strategies, {len(bundle.labels)} labels: p50 {p50:.2f} ms, p99 {p99:.2f} ms")
    if not equal:
        raise SystemExit("the state of the strategies differs from that of the search")
    print("the state of every strategy has the bits of the search")


if __name__ == "__main__":
    main()
