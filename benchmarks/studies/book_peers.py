"""A book's own tiers beside boosted trees and ridge regression on the same features, book and costs, year by year.

    python benchmarks/studies/book_peers.py RUN --store store

RUN is a finished book of relative labels. Peers are fitted on the train of each split, on the features that the run
chose for its second label, as ranks: on the label's own value (how much a market gains beside the basket, in
volatilities) and on the rank of the beta-free return over the same horizon. Their predictions become wishes of the same
book, smoothed by 0.15 and by 0.05 a bar as in the first sketch, and are traded at the same costs and funding; so is the
plain mean of the run's own outputs. Rank correlation: of predictions and what followed over the horizon, across the
markets of the moment. Sharpe ratios are a year, after costs. The last line is one line of JSON.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from relative import gains
from scipy.stats import rankdata
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge

from feature_space.across import rank_rows_nb
from labelsearch.engine.run import recorded
from labelsearch.labels.relative import Relative
from labelsearch.market.cross_section import CrossSection
from labelsearch.panels.beside import recorded_beside
from labelsearch.panels.book.run import search_inputs
from labelsearch.panels.book.split import TIERS
from labelsearch.panels.cells import Place
from labelsearch.results.panel_run import PanelResults
from labelsearch.settings.bars import load_bars
from labelsearch.settings.cells import cells_of
from labelsearch.stages import features
from labelsearch.stages.features import inputs_of
from strategies.book.rules import BookRules
from strategies.book.simulate import mean_weights
from strategies.book.stitch import BookLeg, trade_splits
from strategies.book.watch import strength_correlation
from strategies.book.window import BookWindow
from strategies.tiers.metrics import sharpe

Array = NDArray[np.float64]
SPANS = (12.33, 39.0)  # exponential means of 0.15 and 0.05 a bar


def ranks_of(values: Array, member: NDArray[np.bool_]) -> Array:
    """Ranks (T, M) among members, in (-1, 1); NaN elsewhere."""
    found = np.full(values.shape, np.nan)
    for t in range(len(values)):
        own = member[t] & np.isfinite(values[t])
        if own.sum() > 2:
            found[t, own] = (2.0 * rankdata(values[t, own]) - 1.0) / own.sum() - 1.0
    return found


def follow(window: BookWindow, wishes: Array, rules: BookRules, span: float) -> Array:
    """Weights (T, M) of a book that follows wishes, smoothed."""
    scale = 2.0 * np.nanmax(np.abs(wishes))
    seen = window._replace(outputs=np.ascontiguousarray((wishes / scale)[:, None, None, :]))
    return mean_weights(np.array([[1.0, 0.0, 1.0, 0.0, 0.0, 0.0, span]]), seen, rules, (1,))[0][0]


class Split:
    """What one split knows: ranked features, targets, and the windows of its book."""

    def __init__(self, results: PanelResults, place: Place, cells: Any, number: int) -> None:
        experiment = results.experiment
        beside = recorded_beside(place.panel, number)
        assert beside is not None, "the run compares no markets"
        self.split = beside.split.value
        section: CrossSection = self.split.section
        self.section = section
        self.cells = cells.of(number)
        self.inputs = search_inputs(experiment, self.cells, [place], beside.split)
        self.window = self.inputs.window("future")
        label = experiment.label_kinds()[1]
        assert isinstance(label, Relative), "the second label is not relative"
        self.label = label
        pooled = recorded(place.panel / "pooled" / f"split-{number}", features.POOLED).value
        chosen = next(iter(pooled.markets.values())).of(self.label.name).feature_set.features
        self.matrix = np.full((*section.close.shape, len(chosen)), np.nan, dtype=np.float32)
        columns = {}
        for cell in self.cells:
            bars = load_bars(cell.experiment, place.store)
            columns[cell.market] = inputs_of(bars, self.split.view(cell.market, bars.open_time)), bars.open_time
        for k, feature in enumerate(chosen):
            raw, takes = np.zeros(section.close.shape), np.zeros(section.close.shape, dtype=np.bool_)
            for market, (its, times) in columns.items():
                rows, m = np.searchsorted(section.open_time, times), section.column(market)
                raw[rows, m] = feature.raw(its)
                takes[rows[feature.warm_up :], m] = True
            takes &= section.member
            self.matrix[:, :, k] = np.where(takes, rank_rows_nb(raw, takes), np.nan)
        self.known = section.member & np.isfinite(self.matrix).all(axis=2)
        spans = experiment.splits[number - 1].named
        self.train, self.future = (spans[name].rows(section.open_time) for name in ("train", "future"))
        self.gain = gains(section, self.label.lookahead)

    def predict(self, model: Any, target: Array) -> Array:
        """Predictions (T, M) on future of a model fitted on train; NaN where features are not known."""
        h = self.label.lookahead
        fit = self.known & np.isfinite(target)
        fit[: self.train.start] = fit[self.train.stop - h :] = False  # labels that end within train
        model.fit(self.matrix[fit], target[fit])
        found = np.full(self.known.shape, np.nan)
        rows = self.known.copy()
        rows[: self.future.start] = rows[self.future.stop :] = False
        found[rows] = model.predict(self.matrix[rows])
        return found[self.future]

    def value_target(self) -> Array:
        """The value of the label, larger where a market gains more; NaN where it is not settled."""
        values = self.split.values[self.label.name]
        found = np.full(self.known.shape, np.nan)
        settled = values.last_used < len(values.value)
        found[: len(settled)] = np.where(settled, -values.value, np.nan)
        return found

    def rank_correlation(self, wishes: Array) -> float:
        """Mean rank correlation of wishes and the beta-free return that followed."""
        gain, member = self.gain[self.future], self.section.member[self.future]
        found = []
        for t in range(len(wishes)):
            own = member[t] & np.isfinite(wishes[t]) & np.isfinite(gain[t])
            if own.sum() > 3 and np.ptp(wishes[t, own]) > 0:
                found.append(np.corrcoef(rankdata(wishes[t, own]), rankdata(gain[t, own]))[0, 1])
        return float(np.mean(found))


def trees() -> HistGradientBoostingRegressor:
    """Boosted trees as in the sketch."""
    return HistGradientBoostingRegressor(
        max_iter=150, learning_rate=0.05, max_leaf_nodes=15, min_samples_leaf=500, l2_regularization=1.0, random_state=0
    )


def by_year(days: NDArray[np.datetime64], returns: Array) -> dict[str, float]:
    """Sharpe ratios of the calendar years, of 2022 and 2023 together, and of all."""
    year = days.astype("datetime64[Y]").astype(int) + 1970
    found = {str(y): round(sharpe(returns[year == y]), 2) for y in np.unique(year).tolist()}
    both = np.isin(year, (2022, 2023))
    if both.any():
        found["2022-2023"] = round(sharpe(returns[both]), 2)
    return {**found, "all": round(sharpe(returns), 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--store", type=Path, default=Path("store"))
    options = parser.parse_args()
    results = PanelResults(options.run.absolute(), options.store)
    place = Place(options.run.absolute(), options.store.absolute())
    cells = cells_of(results.experiment, options.store)
    splits = [Split(results, place, cells, n + 1) for n in range(len(results.experiment.splits))]
    rules = splits[0].inputs.rules
    days = np.concatenate([split.window.days for split in splits])
    makers: dict[str, Callable[[Split], Array]] = {
        "ridge on value": lambda s: s.predict(Ridge(alpha=500.0), s.value_target()),
        "trees on value": lambda s: s.predict(trees(), s.value_target()),
        "ridge on rank": lambda s: s.predict(Ridge(alpha=500.0), ranks_of(s.gain, s.section.member)),
        "trees on rank": lambda s: s.predict(trees(), ranks_of(s.gain, s.section.member)),
        "mean of the run's outputs": lambda s: (
            s.window.outputs[:, 0, 0::2].mean(axis=1) - s.window.outputs[:, 0, 1::2].mean(axis=1)
        ),
    }
    rows = []
    for name, make in makers.items():
        wishes = [make(split) for split in splits]
        rho = float(np.mean([split.rank_correlation(wish) for split, wish in zip(splits, wishes, strict=True)]))
        for span in SPANS:
            weights = [follow(s.window, wish, rules, span) for s, wish in zip(splits, wishes, strict=True)]
            legs = [
                BookLeg(tuple(c.market for c in s.cells), s.window, w, (0.0, 0.0), k > 0)
                for k, (s, w) in enumerate(zip(splits, weights, strict=True))
            ]
            accounts = trade_splits(legs, rules)
            ends = [s.window.day_edges[1:] - 1 for s in splits]
            equity = np.concatenate([a.equity[e] for a, e in zip(accounts, ends, strict=True)])
            traded = sum(float(a.paid[:, :, 0].sum()) for a in accounts)
            rows.append({
                "who": f"{name}, span {span:g}", "rank_correlation": round(rho, 3),
                "sharpe": by_year(days, equity / np.r_[1.0, equity[:-1]] - 1.0),
                "turnover_a_day": round(traded / len(days), 2),
            })  # fmt: skip
    for tier in results.panel.book.tiers:  # type: ignore[union-attr]
        equity = results.panel.equity[tier.name].to_numpy()
        known = [recorded(place.panel / "pooled" / f"split-{k + 1}", TIERS).value for k in range(len(splits))]
        rho = np.concatenate([
            strength_correlation(found.weights[found.sizes.index(tier.size)], s.window, s.label.lookahead)
            for found, s in zip(known, splits, strict=True)
        ]).mean()  # fmt: skip
        rows.append({
            "who": tier.name, "rank_correlation": round(float(rho), 3),
            "sharpe": by_year(days, equity / np.r_[1.0, equity[:-1]] - 1.0),
            "turnover_a_day": round(tier.turnover_a_day, 2),
        })  # fmt: skip
    for row in rows:
        print(f"{row['who']:36s} {row['rank_correlation']:+.3f} {row['turnover_a_day']:5.2f}  {row['sharpe']}")
    print(json.dumps({"study": "book_peers", "run": results.name, "rows": rows}))


if __name__ == "__main__":
    main()
