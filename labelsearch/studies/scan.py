"""Study: the rank correlation of every candidate feature with every label and with later returns, on train alone.

No bar after train is read: a row counts only if all labels and returns of it depend on bars of train. Nor is one
before it, so that a feature begins when train has lasted for its warm-up; features of about the same warm-up share
their rows, and the days that they are resampled from.

Labels made of turning points hold the moves before a bar as well as those after it, so that features of past moves
always go with them, also where nothing can be known of the future. They are a family of tests of their own: discoveries
among them would else make room for false ones among the others. So are tests of all markets together: there are few of
them, and they are what is asked first.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from feature_space.candidates import compute_candidates
from labelsearch.classifiers.intervals import block_length
from labelsearch.labels.base import bars_ahead
from labelsearch.labels.kinds import Label
from labelsearch.labels.spans import DAY_MS
from labelsearch.market.bars import Bars
from labelsearch.market.rules import BarError
from labelsearch.results.scan import ALL, Scan, ScanRow, ScanTarget
from labelsearch.settings.bars import bars_of, on_grid
from labelsearch.settings.cells import covers_train, whole
from labelsearch.settings.experiment import Experiment
from labelsearch.settings.schema import ExperimentError
from labelsearch.settings.sections import Windows
from labelsearch.stages.features import inputs_of
from labelsearch.stages.labels import label_bars, price_of
from strategies.luck.rank_scan import LEAST_BLOCKS, N_REPS, Blocks, DaySums, RankScan, adjusted, day_sums, scan_ranks

MOST_REASONS = 3  # why markets are absent, in an error
LEAST_SETTLED = 0.5  # of the usable bars of a market, by every label
Floats = NDArray[np.float64]


class Asked(NamedTuple):
    """What the user chose."""

    values: int = 3  # settings of an indicator
    horizons: tuple[int, ...] = ()  # bars; empty: those of the labels
    split: int = 1
    level: float = 0.1  # of false discoveries
    n_reps: int = N_REPS


class _Market(NamedTuple):
    """One market: sums of every group of features, and how far each target looks ahead in the mean."""

    groups: dict[int, DaySums]  # by warm-up in bars
    titles: dict[int, tuple[str, ...]]  # of the features of a group
    overlap: Floats  # (K,) bars
    n_bars: int


def scan(experiment: Experiment, store: Path, asked: Asked) -> Scan:
    """Scan the markets of an experiment whose own files are active.

    Raises
    ------
    ExperimentError
        If there is no such split, no market has the bars of its train, or train holds too few blocks.
    """
    splits = experiment.splits
    if not 1 <= asked.split <= len(splits):
        raise ExperimentError(f"there is no split {asked.split}; the experiment has {len(splits)}")
    windows = splits[asked.split - 1]
    labels = experiment.label_kinds()
    horizons = asked.horizons or tuple(sorted({label.lookahead for label in labels if label.lookahead}))
    markets, absent, a_day = _markets(experiment, store, windows, horizons, asked.values)
    if not markets:
        reasons = "; ".join(f"{market} {reason}" for market, reason in list(absent.items())[:MOST_REASONS])
        raise ExperimentError(f"split {asked.split}: no market to scan: {reasons}")
    targets = _targets(labels, horizons, list(markets.values()), a_day, round(windows.named["train"].days))
    figures, titles, short = _scan_groups(list(markets.values()), targets, a_day, asked.n_reps, experiment.seed)
    if not titles:
        raise ExperimentError(
            f"split {asked.split}: after the warm-up of any feature, train holds fewer than {LEAST_BLOCKS} blocks of "
            f"{max(target.block_days for target in targets)} days: lengthen it"
        )
    rows, skipped = _rows(figures, list(markets) if len(markets) == 1 else [ALL, *markets], titles, targets)
    return Scan(
        split=asked.split,
        train=windows.train,
        level=asked.level,
        markets=tuple(markets),
        absent=absent,
        n_features=len(titles),
        targets=targets,
        bars=sum(market.n_bars for market in markets.values()),
        skipped=skipped,
        short=short,
        rows=rows,
    )


def _markets(
    experiment: Experiment, store: Path, windows: Windows, horizons: Sequence[int], n_values: int
) -> tuple[dict[str, _Market], dict[str, str], int]:
    """Markets with the bars of train, why others lack, and bars of a day."""
    markets: dict[str, _Market] = {}
    absent: dict[str, str] = {}
    train, a_day = windows.named["train"], 1
    for symbol in experiment.data.markets:
        data = whole(experiment, symbol)
        try:
            bars = on_grid(data, bars_of(data, store, *windows.train))
        except BarError as error:
            absent[symbol] = str(error)
            continue
        a_day = bars.bars_a_day
        found: _Market | str = "lacks bars of train"
        if covers_train(data, bars.present(), train):
            found = _market(experiment, bars, horizons, n_values, (train.start_ms // DAY_MS, round(train.days)))
        if isinstance(found, str):
            absent[symbol] = found
        else:
            markets[symbol] = found
    return markets, absent, a_day


def _targets(
    labels: Sequence[Label], horizons: Sequence[int], markets: Sequence[_Market], a_day: int, days: int
) -> tuple[ScanTarget, ...]:
    """Labels and later returns, with blocks that suit how far they look ahead."""
    names = [*(label.name for label in labels), *(f"return_{h}" for h in horizons)]
    ahead = [*(label.lookahead is not None for label in labels), *(True for _ in horizons)]
    overlap = np.mean([market.overlap for market in markets], axis=0)
    return tuple(
        ScanTarget(name, float(h), -(-block_length(float(h), a_day, a_day * days) // a_day), its_ahead)
        for name, h, its_ahead in zip(names, overlap, ahead, strict=True)
    )


def _scan_groups(
    markets: Sequence[_Market], targets: Sequence[ScanTarget], a_day: int, n_reps: int, seed: int
) -> tuple[RankScan, list[str], tuple[str, ...]]:
    """Figures of all features that train is long enough for, their titles, and those of the others."""
    blocks = [Blocks(target.block_days, target.overlap_bars / a_day) for target in targets]
    longest = max(its.days for its in blocks)
    found: list[RankScan] = []
    titles: list[str] = []
    short: list[str] = []
    for warm_up, names in markets[0].titles.items():
        sums = [market.groups[warm_up] for market in markets]
        if np.count_nonzero(np.sum([its.n for its in sums], axis=0)) < longest * LEAST_BLOCKS:
            short += names
            continue
        found.append(
            scan_ranks(
                sums,
                blocks,
                memory=-(-warm_up // a_day),
                n_reps=n_reps,
                seed=seed,
            )
        )
        titles += names
    joined = RankScan(*(np.concatenate(arrays, axis=1) for arrays in zip(*found, strict=True))) if found else None
    return joined or RankScan(*[np.empty((0, 0, 0))] * 4), titles, tuple(short)


def _market(
    experiment: Experiment, bars: Bars, horizons: Sequence[int], n_values: int, days: tuple[int, int]
) -> _Market | str:
    """Sums of one market over its train, on days from the first, so many; or why it has none."""
    space, price = experiment.feature_space, price_of(bars, experiment.labels.price)
    candidates, normalisation = space.chosen(), space.normaliser()
    n = len(bars)
    values, last_used = [], []
    for label in experiment.label_kinds():
        found = label_bars(label, price, slice(0, n), n)
        values.append(-found.value)
        last_used.append(found.last_used)
    for horizon in horizons:
        if horizon >= n:
            return f"has {n:,} bars of train, and returns look {horizon:,} ahead"
        later = np.zeros(n)
        later[: n - horizon] = np.log(price[horizon:] / price[: n - horizon])
        values.append(later)
        last_used.append(bars_ahead(n, horizon))
    settled = (np.array(last_used) < n).all(axis=0)
    rows = np.flatnonzero(~bars.filled & settled)
    if len(rows) < LEAST_SETTLED * n:
        return f"has {len(rows):,} of its {n:,} bars of train that were traded and are settled by all labels"
    fit_stop = int(n * (1.0 - experiment.windows.validation_share))
    features = compute_candidates(
        candidates, inputs_of(bars), rows, normalisation, n_values=n_values, fit_stop=fit_stop
    )
    flat = [feature for group in features.features for feature in group]
    needed = [feature.warm_up + normalisation.warm_up for feature in flat]
    alike: dict[int, list[int]] = {}
    for f, bars_needed in enumerate(needed):
        alike.setdefault(bars_needed.bit_length(), []).append(f)
    groups = {max(needed[f] for f in members): members for members in alike.values()}
    day, later = bars.open_time // DAY_MS - days[0], np.array(values)
    sums = {}
    for warm_up, members in groups.items():
        past = rows >= warm_up
        sums[warm_up] = day_sums(features.values[members][:, past], later[:, rows[past]], day[rows[past]], days[1])
    titles = {warm_up: tuple(flat[f].title for f in members) for warm_up, members in groups.items()}
    overlap = np.array([np.mean(used[rows] - rows) for used in last_used])
    return _Market(sums, titles, overlap, len(rows))


def _rows(
    figures: RankScan, markets: list[str], features: Sequence[str], targets: Sequence[ScanTarget]
) -> tuple[tuple[ScanRow, ...], int]:
    """All tests, the surest first, and how many could not be made."""
    rates = np.full(figures.p.shape, np.nan)
    for ahead in (True, False):
        family = [k for k, target in enumerate(targets) if target.ahead == ahead]
        for own in (slice(0, 1), slice(1, None)):  # all markets together; single ones
            rates[own][:, :, family] = adjusted(figures.p[own][:, :, family])
    rows = [
        ScanRow(
            market=market,
            feature=feature,
            target=target.name,
            rho=float(figures.rho[m, f, k]),
            low=float(figures.low[m, f, k]),
            high=float(figures.high[m, f, k]),
            p=float(figures.p[m, f, k]),
            adjusted=float(rates[m, f, k]),
            ahead=target.ahead,
        )
        for m, market in enumerate(markets)
        for f, feature in enumerate(features)
        for k, target in enumerate(targets)
        if np.isfinite(rates[m, f, k])
    ]
    rows.sort(key=lambda row: (row.p, -abs(row.rho)))
    return tuple(rows), figures.rho.size - len(rows)
