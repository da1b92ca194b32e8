"""Why the threshold labels of a run mark a few bars less than the same labels on the rows that the exchange sent.

A run looks ``horizon`` minutes ahead on a dense grid; on the rows present, the bar ``horizon`` rows ahead lies later
wherever minutes are missing between. And a run has bars after train, up to past, where the rows of train alone end.
Every action bar that differs falls into one of the columns, and the columns are checked to add up.
"""

import numpy as np
from common import real_market

from labelsearch.labels.base import BUY, SELL
from labelsearch.labels.threshold import Threshold
from labelsearch.settings.presets import preset
from labelsearch.stages.labels import label_bars

COLUMNS = ("rows present", "gap: lost", "gap: gained", "end of train", "in the run", "filled, not counted")


def main() -> None:
    """Print a Markdown table, buy and sell bars as ``buy/sell``."""
    market = real_market()
    train, stop = market.train, market.past.start
    traded = ~market.idle[train]
    minutes = np.flatnonzero(traded)  # grid row of each row present
    price = np.ascontiguousarray(market.price[train][traded])
    print(f"{price.size:,} rows present of {train.stop:,} minutes, {train.stop - price.size:,} missing\n")
    print("| label | " + " | ".join(COLUMNS) + " |")
    print("| --- |" + " ---: |" * len(COLUMNS))
    for label in preset("paper").label_kinds():
        if not isinstance(label, Threshold):
            continue
        by_row = label.values(price, 1.0).classes
        on_grid = label_bars(label, market.price, train, stop).classes[train]
        by_minute = on_grid[traded]
        ends = np.arange(price.size) + label.horizon
        inside = ends < price.size  # the row ahead lies in train
        gap = inside & (minutes[np.minimum(ends, price.size - 1)] - minutes != label.horizon)
        assert ((by_row == by_minute) | gap | ~inside).all()
        counts = []
        for side in (BUY, SELL):
            rows, run = by_row == side, by_minute == side
            parts = (
                rows.sum(), -(gap & rows & ~run).sum(), (gap & run & ~rows).sum(), (~inside & run).sum(), run.sum(),
                (on_grid[~traded] == side).sum(),
            )  # fmt: skip
            assert sum(parts[:4]) == parts[4]
            counts.append([int(part) for part in parts])
        cells = (f"{buy:,}/{sell:,}" for buy, sell in zip(*counts, strict=True))
        print(f"| ({label.theta:.1%}, {label.horizon}) | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
