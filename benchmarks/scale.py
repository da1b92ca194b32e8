"""Time and memory as a run grows: bars, markets, splits, strategies, workers. Generated markets, so no future is spent.

    python benchmarks/scale.py markets --sizes 1 2 4 8

Each size is a run of its own by the command line, in a new folder; the smallest goes once before them, to compile what
a new environment has to. The last line is one line of JSON; its exponent is the slope of log time over log size, 1 if
time is proportional to it, and below 1 as long as what is the same for all sizes takes a share.
"""

import argparse
import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from measured import Measured, measured

from labelsearch.settings.experiment import Experiment
from labelsearch.settings.presets import preset


def of_bars(times: int) -> Experiment:
    """The quick experiment with so many times the bars of train."""
    quick = preset("quick")
    days = np.datetime64(quick.windows.train[1]) - 69 * times
    windows = replace(quick.windows, train=(str(days), quick.windows.train[1]))
    return replace(quick, windows=windows, null=replace(quick.null, repeats=0))


def of_panel(markets: int = 2, splits: int = 2) -> Experiment:
    """The panel preset with so many markets and splits."""
    panel = preset("panel")
    data = replace(panel.data, symbols=tuple(f"SYNTH-{k}" for k in range(markets)))
    return replace(panel, data=data, roll=replace(panel.roll, splits=splits))


def of_strategies(n: int) -> Experiment:
    """The quick experiment with so many strategies, in islands of the usual size."""
    quick = preset("quick")
    search = replace(quick.search, n_strategies=n, island_size=min(n, preset("paper").search.island_size))
    return replace(quick, search=search, null=replace(quick.null, repeats=0))


CASES: dict[str, tuple[tuple[int, ...], Callable[[int], Experiment]]] = {
    "bars": ((1, 2, 4), of_bars),
    "markets": ((1, 2, 4, 8, 16, 32), lambda n: of_panel(markets=n)),
    "splits": ((1, 2, 4, 8), lambda n: of_panel(splits=n)),
    "strategies": ((20_000, 200_000, 1_000_000), of_strategies),
    "workers": ((1, 2), lambda n: of_panel(markets=16)),
}


def run_of(experiment: Experiment, workers: int) -> Measured:
    """Run an experiment in a new folder."""
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "experiment.toml").write_text(experiment.to_toml())
        return measured(Path(name), "run", "experiment.toml", "--workers", workers)


def main() -> None:
    """Print a row for each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", choices=CASES, nargs="?", default="markets")
    parser.add_argument("--sizes", type=int, nargs="+")
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    usual, make = CASES[args.case]
    sizes = args.sizes or usual
    print(f"| {args.case} | seconds | peak MiB | of the largest process |")
    print("| ---: | ---: | ---: | ---: |")
    found = []
    run_of(make(min(sizes)), args.workers)
    for size in sizes:
        result = run_of(make(size), size if args.case == "workers" else args.workers)
        found.append(result)
        print(f"| {size:,} | {result.seconds:.1f} | {result.peak:,.0f} | {result.largest:,.0f} |", flush=True)
    seconds = [result.seconds for result in found]
    slope = float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0]) if len(sizes) > 1 else None
    print(json.dumps({
        "benchmark": "scale", "case": args.case, "sizes": list(sizes), "ours": [round(s, 1) for s in seconds],
        "peer": None, "ratio": None, "unit": "seconds", "exponent": slope,
        "peak_mib": [round(result.peak) for result in found],
        "largest_process_mib": [round(result.largest) for result in found], "workers": args.workers,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
