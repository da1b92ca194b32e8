"""Export the book of a run: the strategies of one split, and features and classifiers of all its markets."""

import math
from pathlib import Path
from typing import NamedTuple

from labelsearch.delivery.bundle_writing import (
    WrittenNetwork,
    check_out,
    costs_warm_up,
    days_of_windows,
    label_entries,
    own_files,
    write_bundle,
    write_classifier,
    write_json,
)
from labelsearch.engine.run import RunError
from labelsearch.live.bundle_files import Thresholds
from labelsearch.live.verify import BOOK, BOOK_STRATEGIES, interval_places, market_place
from labelsearch.market.calendars import ALWAYS, Calendar
from labelsearch.market.cross_section import UniverseTerms
from labelsearch.market.times import parse_interval
from labelsearch.results.ensembles import tier_name
from labelsearch.results.panel_run import BookSplit, PanelResults
from labelsearch.results.run import CELLS, Results
from labelsearch.settings.experiment import Experiment

PAST_FIGURES = (
    "score", "sharpe", "monthly_return_pct", "trades_per_month", "mean_gross_pct", "mean_net_pct", "max_drawdown_share",
    "fills",
)  # fmt: skip
FORGOTTEN = 1e-6  # weight of a wish from before strategies were followed, once accounts begin


class _Written(NamedTuple):
    """What was written of one interval."""

    networks: list[str]  # kinds, by label
    warm_ups: list[int]  # bars that features need, by label
    reads_funding: bool


class _Lengths(NamedTuple):
    """Bars of a book, on its first interval."""

    warm_up: int
    follow: int


def export_book(results: PanelResults, tier: int | None, out: Path, *, onnx: bool = False) -> Path:
    """Write the bundle of the book of the last split, of one tier and of the smaller ones, into the new folder ``out``.

    ``book.json``, ``labels.json``, ``book_strategies.json``, ``past.json``; ``markets/<market>/feature_sets/`` and
    ``classifiers/`` as `labelsearch.delivery.export.export_bundle` writes them, these below each market where markets
    have classifiers of their own, and all below ``intervals/<interval>/`` again for other intervals.

    Parameters
    ----------
    results : PanelResults
        Of a finished book.
    tier : int or None
        Size of the tier; None for the largest.
    out : Path
    onnx : bool
        Also write each classifier as ONNX.

    Raises
    ------
    RunError
        If the run has no such tier, its bars of several intervals follow a calendar, or ``out`` exists already.
    """
    experiment = results.experiment
    check_out(experiment, out)
    data, number = experiment.data, len(experiment.splits)
    intervals = data.intervals or (data.interval,)
    if data.calendar != ALWAYS and len(intervals) > 1:
        raise RunError(f"bars of several intervals of calendar {data.calendar} cannot be followed: export one interval")
    results.panel  # the whole book is done  # noqa: B018
    split = results.book_split(number)
    size = tier or max(split.tiers.sizes)
    if size not in split.tiers.sizes:
        raise RunError(f"the run has no tier of {size}; it has {', '.join(map(str, split.tiers.sizes))}")
    strategies = _strategies(experiment, split, size)

    def write(folder: Path) -> None:
        labels = [label.name for label in experiment.label_kinds()]
        written, lengths = [], [parse_interval(interval) for interval in intervals]
        for interval, place in zip(intervals, interval_places(lengths), strict=True):
            cells = {
                market: Results(results.at_interval(interval) / CELLS / market / f"split-{number}", results.store)
                for market in split.tiers.markets
            }
            # lengths of time in the names of labels count bars, which differ between intervals
            names = zip(labels, (label.name for label in experiment.at_interval(interval).label_kinds()), strict=True)
            written.append(_write_interval(experiment, cells, dict(names), folder / place, onnx=onnx))
            if not place:
                first = cells
        write_json(folder / "labels.json", label_entries(experiment, written[0].networks, written[0].warm_ups))
        bars = _lengths(experiment, lengths, [its.warm_ups for its in written], split, size)
        reads_funding = any(its.reads_funding for its in written)
        write_json(folder / BOOK, _book(experiment, split, first, lengths, bars, reads_funding=reads_funding))
        write_json(folder / BOOK_STRATEGIES, strategies)
        write_json(folder / "past.json", _past(experiment, split))

    return write_bundle(out, experiment, results.name, size, split.keys, write)


def _write_interval(
    experiment: Experiment, cells: dict[str, Results], names: dict[str, str], folder: Path, *, onnx: bool
) -> _Written:
    """Write features and classifiers of all markets; ``names``: of labels there by that in the bundle."""
    networks: dict[str, WrittenNetwork] = {}
    reads_funding = False
    warm_ups = dict.fromkeys(names, 0)
    for market, cell in cells.items():
        own = folder / market_place("", market)
        for name, there in names.items():
            feature_set = cell.features.of(there).feature_set
            write_json(own / "feature_sets" / f"{name}.json", feature_set.to_dict())
            reads_funding |= any("funding" in feature.indicator().columns for feature in feature_set.features)
            target = (folder if experiment.pool.classifiers else own) / "classifiers" / name
            if not target.exists():
                networks[name] = write_classifier(cell.classifiers.networks[there], target, onnx=onnx)
            network = networks[name]
            warm_ups[name] = max(warm_ups[name], feature_set.warm_up + network.window - 1)
    return _Written([networks[name].kind for name in names], list(warm_ups.values()), reads_funding)


def _lengths(
    experiment: Experiment, lengths: list[int], needed: list[list[int]], split: BookSplit, size: int
) -> _Lengths:
    """Bars before outputs and universe are known, and for which strategies are followed before accounts begin."""
    calendar, days = Calendar(experiment.data.calendar), universe_days(experiment.universe.terms)
    warm_up = 0
    for length, warm_ups in zip(lengths, needed, strict=True):
        a_day = calendar.bars_a_session(length)
        own = max(days * a_day + max(warm_ups), costs_warm_up(experiment.costs.terms, a_day))
        warm_up = max(warm_up, math.ceil(own * length / lengths[0]))
    members = list(split.tiers.members[size])
    span = float(split.strategies.frame["span"].iloc[members].max())
    pace = 2.0 / (span + 1.0)
    return _Lengths(warm_up, math.ceil(math.log(FORGOTTEN) / math.log1p(-pace)) if pace < 1.0 else 1)


def universe_days(terms: UniverseTerms) -> int:
    """Days, with bars, before universe, basket and betas are those of any longer history.

    A market is chosen at the start of a month, by what was traded before; its beta is measured against a basket that
    was chosen so too.
    """
    chosen = 31 + max(terms.history_days, terms.liquidity_days) if terms.size else terms.history_days + 1
    return chosen + max(terms.beta_days, terms.volatility_days) + 1


def _strategies(experiment: Experiment, split: BookSplit, size: int) -> dict[str, object]:
    outputs = experiment.output_names
    names = split.strategies.parameters
    weights, shares = names[: len(outputs)], [name for name in names if name[:1] == "a" and name[1:].isdigit()]
    frame = split.strategies.frame.iloc[list(split.tiers.members[size])]
    return {
        "outputs": outputs,
        "tiers": [n for n in split.tiers.sizes if n <= size],
        "strategies": [
            {
                "strategy": int(str(index)),
                "weights": dict(zip(outputs, (float(row[n]) for n in weights), strict=True)),
                "thresholds": {name: float(row[name]) for name in Thresholds.__dataclass_fields__},
                **{name: float(row[name]) for name in ("band", "doubt", "span")},
                "intervals": [float(row[name]) for name in shares],
                "past": {name: float(row[name]) for name in PAST_FIGURES},
            }
            for index, row in frame.iterrows()
        ],
    }


def _book(
    experiment: Experiment,
    split: BookSplit,
    cells: dict[str, Results],
    lengths: list[int],
    bars: _Lengths,
    *,
    reads_funding: bool,
) -> dict[str, object]:
    book, rules, data = experiment.book, experiment.rules(), experiment.data
    terms = experiment.costs.terms
    estimated = terms.spread == "estimated"  # once, on train
    markets = []
    for market, cell in cells.items():
        column = split.markets.section.column(market)
        markets.append(
            {
                "symbol": market,
                "quote_volume": cell.bars.quote_volume is not None,
                "trades": cell.bars.trades is not None,
                "funding": reads_funding and bool(split.markets.funding[:, column].any()),
                **({"half_spread": float(cell.costs.past.half_spread[0])} if estimated else {}),
            }
        )
    return {
        "kind": book.kind,
        "gross": book.gross,
        "cap": book.cap,
        "drift": book.drift,
        "signal_map": experiment.search.signal_map,
        "fee_share": rules.fee_share,
        "half_spread": rules.half_spread,
        "costs": (terms._replace(spread="fixed") if estimated else terms)._asdict(),
        "universe": experiment.universe.terms._asdict(),
        "interval_ms": math.gcd(*lengths),
        "intervals_ms": lengths,
        **({} if data.calendar == ALWAYS else {"calendar": data.calendar}),
        "shared_classifiers": experiment.pool.classifiers,
        "warm_up": bars.warm_up,
        "follow": bars.follow,
        "windows": days_of_windows(experiment.splits[-1]),
        "own_files": own_files(experiment),
        "markets": markets,
    }


def _past(experiment: Experiment, split: BookSplit) -> dict[str, object]:
    rows = {tier_name(row.size): row.__dict__ for row in split.tiers.past}
    return {
        "window": list(experiment.splits[-1].past),
        "tiers": {name: {key: value for key, value in row.items() if key != "size"} for name, row in rows.items()},
    }
