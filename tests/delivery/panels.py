"""Panels of any size with drawn figures, for pages and tables."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd

from labelsearch.results.ensembles import tier_name
from labelsearch.results.panel import (
    BASKET,
    AlphaFigures,
    CellRow,
    MarketRow,
    Panel,
    SeedSpread,
    compound_pct,
)
from labelsearch.results.panel_run import PanelResults
from labelsearch.settings.cells import Absent
from strategies.luck.panel import PooledRank
from strategies.luck.power import detectable_sharpe

DAYS = 30  # of a split


def drawn(like: PanelResults, markets: list[str], n_splits: int, *, seeds: int = 0, gaps: bool = True) -> PanelResults:
    """A finished panel whose verdict is replaced by one of these markets and splits."""
    results = PanelResults(like.folder, like.store)
    results.panel = _panel(like.panel, markets, n_splits, seeds, gaps)
    results.looks = {(row.market, row.split): None for row in results.panel.cells}
    return results


def _panel(like: Panel, markets: list[str], n_splits: int, seeds: int, gaps: bool) -> Panel:
    rng = np.random.default_rng(len(markets) + n_splits)
    sizes, numbers = like.sizes, range(1, n_splits + 1)
    start = date(2019, 1, 1)
    spans = {n: (str(start + timedelta(DAYS * (n - 1))), str(start + timedelta(DAYS * n - 1))) for n in numbers}
    away = {(market, 1) for market in markets[1::5]} if gaps and n_splits > 1 else set()
    cells = tuple(
        CellRow(
            market, n, *spans[n], gaps and market == markets[-1] and n == n_splits,
            {s: float(rng.normal(0, 5)) for s in sizes}, float(rng.normal(0, 20)),
            {s: float(rng.normal()) for s in sizes}, float(rng.normal(0, 0.1)), 4000,
        )
        for n in numbers for market in markets if (market, n) not in away
    )  # fmt: skip
    one = like.splits[0]
    splits = tuple(replace(one, split=n, future=spans[n], markets=sum(c.split == n for c in cells)) for n in numbers)
    rows = tuple(
        MarketRow(
            market,
            sum(c.market == market for c in cells),
            *(
                {s: float(rng.normal(0, 9)) for s in sizes},
                float(rng.normal(0, 30)),
                {s: float(rng.normal()) for s in sizes},
            ),
            {s: AlphaFigures(float(rng.normal(0, 9)), float(rng.normal()), 0.4) if s > 1 else None for s in sizes},
        )
        for market in markets
    )
    days = np.datetime64(start) + np.arange(DAYS * n_splits)
    equity = pd.DataFrame({"day": days.astype("datetime64[ms]"), "split": 1 + np.arange(days.size) // DAYS})
    names = [tier_name(s) for s in sizes] + [BASKET]
    daily = {name: rng.normal(0.0005, 0.02, days.size) for name in names}
    for name, returns in daily.items():
        equity[name] = np.cumprod(1 + returns)
    tiers = tuple(replace(row, total_pct=compound_pct(daily[row.name])) for row in like.tiers)
    many = max(len(markets) / 4, 1.0)
    years = days.size / 365
    power = replace(
        like.power, years=years, markets=float(len(markets)), effective_markets=many,
        detectable_sharpe=detectable_sharpe(years, many), detectable_alone=detectable_sharpe(years / n_splits),
    )  # fmt: skip
    spread = SeedSpread({s: tuple(map(float, rng.normal(5, 3, seeds + 1))) for s in sizes}) if seeds else None
    return replace(
        like, splits=splits, cells=cells, markets=rows, tiers=tiers, power=power, seeds=spread, equity=equity,
        absent=tuple(Absent(market, n, "its bars begin on 2019-01-15") for market, n in sorted(away)),
        rank=PooledRank(0.01, 0.02, (-0.03, 0.05), 0.3, n_splits, len(cells)), strategies=4000 * len(cells),
    )  # fmt: skip
