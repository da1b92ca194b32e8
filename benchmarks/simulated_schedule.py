"""Carry the times of a finished panel on to more markets, splits and workers, by a simulated schedule.

    python benchmarks/simulated_schedule.py RUN --workers 2 --markets 1000 --splits 10 --cluster 2 16 64 256

RUN is a finished panel whose cells are units of their own, run without a break by so many workers. A worker takes the
next cell as soon as it is free, and its first cell also loads libraries. The schedule is first held against RUN itself:
its cells in their order on as many workers, against the time that they took. Then cells are drawn from those of RUN,
as many as asked for. What comes before the cells (bars are read once to see which market is in which split) and after
(the verdict) is one process's work, and grows with the number of cells.

The last line is one line of JSON; ``peer`` is the time that RUN took, ``ours`` that of its simulated schedule.
"""

import argparse
import heapq
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from labelsearch.engine.ledger import Ledger
from labelsearch.engine.run import LEDGER
from labelsearch.results.run import CELLS
from labelsearch.settings.experiment import Experiment
from labelsearch.settings.roll import Pool


class Cell(NamedTuple):
    """When a cell was at work, in seconds, and its files in bytes."""

    start: float
    stop: float
    disk: int

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.stop - self.start


def read(run: Path) -> tuple[list[Cell], float]:
    """Cells of a panel in the order in which they began, and the seconds of its verdict."""
    cells = []
    for path in run.glob(f"{CELLS}/*/*/{LEDGER}"):
        events = [event for event in Ledger(path).stages() if "run" not in event]
        start, stop = min(e["time"] - e["seconds"] for e in events), max(e["time"] for e in events)
        cells.append(Cell(start, stop, sum(f.stat().st_size for f in path.parent.rglob("*") if f.is_file())))
    verdict = next(event for event in Ledger(run / LEDGER).stages() if event["stage"] == "panel")
    return sorted(cells), float(verdict["seconds"])


def makespan(seconds: Sequence[float], workers: int) -> float:
    """Time until all cells are done, each begun by the first worker that is free."""
    free = [0.0] * workers
    for one in seconds:
        heapq.heapreplace(free, free[0] + one)
    return max(free)


def main() -> None:
    """Print a row for each number of workers; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--workers", type=int, default=2, help="that RUN had")
    parser.add_argument("--markets", type=int, default=1000)
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--cluster", type=int, nargs="+", default=[2, 16, 64, 256])
    args = parser.parse_args()
    experiment = Experiment.load(args.run / "experiment.toml")
    shares = (experiment.pool, experiment.roll.refit, experiment.roll.hyperparameters) != (Pool(), "everything", "each")
    cells, verdict = read(args.run)
    if shares or len(cells) < 4 * args.workers:
        raise SystemExit(f"{args.run} must have {4 * args.workers} cells or more, which share nothing")
    took = max(cell.stop for cell in cells) - min(cell.start for cell in cells)
    simulated = makespan([cell.seconds for cell in cells], args.workers)
    warm = np.array([cell.seconds for cell in cells[args.workers :]])
    loading = max(np.mean([cell.seconds for cell in cells[: args.workers]]) - warm.mean(), 0.0)
    n = args.markets * args.splits
    drawn = np.random.default_rng(0).choice(warm, n)
    judged = verdict * n / len(cells)
    disk = n * np.mean([cell.disk for cell in cells])
    print(
        f"{args.run.name}: {len(cells)} cells by {args.workers} workers took {took:.0f} s, simulated {simulated:.0f} s"
    )
    print(f"{n:,} cells of {warm.mean():.1f} s (standard deviation {warm.std():.1f}), {disk / 1e9:.0f} GB on disk")
    print("| workers | cells, hours | verdict, hours | workers busy |")
    print("| ---: | ---: | ---: | ---: |")
    carried = {}
    for workers in args.cluster:
        first = np.zeros(n)
        first[:workers] = loading
        whole = makespan(drawn + first, workers)
        carried[workers] = round((whole + judged) / 3600, 2)
        busy = (drawn + first).sum() / (workers * (whole + judged))
        print(f"| {workers:,} | {whole / 3600:.2f} | {judged / 3600:.2f} | {busy:.0%} |")
    print(json.dumps({
        "benchmark": "schedule", "ours": round(simulated, 1), "peer": round(took, 1),
        "ratio": round(took / simulated, 3),
        "unit": "seconds of the run's cells, simulated and as they were", "run": args.run.name, "cells": len(cells),
        "workers": args.workers, "carried_to_cells": n, "seconds_a_cell": round(float(warm.mean()), 2),
        "hours_by_workers": carried, "disk_gb": round(float(disk) / 1e9, 1),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
