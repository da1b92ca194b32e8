"""Stages: outputs of every classifier, bar by bar, on past and future, in one market or in all."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from feature_space.across import SideBySide, arranged, matrices
from feature_space.feature_set import FeatureSet
from feature_space.indicators import Inputs
from labelsearch.engine.files import Files
from labelsearch.engine.stage import Stage, Stored, Work
from labelsearch.labels.base import HEADS, Label, head_of, output_names
from labelsearch.labels.spans import Span, coverage
from labelsearch.market.bars import Bars
from labelsearch.market.calendars import ALWAYS, Calendar
from labelsearch.results.classifiers import Classifiers
from labelsearch.results.cross_section import MarketView
from labelsearch.results.features import FeatureSets
from labelsearch.results.outputs import NO_MEMBERS, BarCounts, Outputs, PooledOutputs
from labelsearch.stages.features import idle_bars, inputs_of
from strategies.trade.window import TradingWindow

MEMBERS = "members"  # outputs of each network by itself, beside those of the windows


@dataclass(frozen=True)
class MarketWindows:
    """Bars of a market and its windows."""

    bars: Bars  # on the grid
    train: Span
    past: Span
    future: Span

    @property
    def spans(self) -> dict[str, Span]:
        """Windows that outputs are computed on."""
        return {"past": self.past, "future": self.future}

    @property
    def rows(self) -> dict[str, slice]:
        """Rows of these windows."""
        return {window: span.rows(self.bars.open_time) for window, span in self.spans.items()}


@dataclass(frozen=True)
class OutputInputs(MarketWindows):
    """All that the stage may know."""

    label_kinds: tuple[Label, ...]
    features: Stored[FeatureSets]
    classifiers: Stored[Classifiers]
    view: MarketView | None


class OutputTask(NamedTuple):
    """The classifier of one label, and its feature set in each market."""

    network: Files
    feature_sets: tuple[FeatureSet, ...]


class OutputColumns(NamedTuple):
    """What all labels share, of each market."""

    columns: SideBySide | list[Inputs]
    rows: tuple[dict[str, slice], ...]  # of the windows
    origins: tuple[int, ...]  # number of the first row, as it is when followed live


def output_unit(task: OutputTask, shared: OutputColumns) -> Files:
    """Outputs (N, 2) or (N, 1) of a label in each window of each market, as float32 in row order.

    Where several networks are averaged, those of each on past too, one after another.
    """
    from labelsearch.classifiers.files import network_from_files
    from labelsearch.classifiers.inference import strategy_outputs
    from labelsearch.classifiers.networks import members_of, window_of
    from labelsearch.classifiers.prediction import predict

    network = network_from_files(task.network)
    members = members_of(network)
    # the windows of some networks reach back; most of train is not needed
    back = window_of(network) - 1
    starts = [max(min(its.start for its in rows.values()) - back, 0) for rows in shared.rows]
    found = {}
    made = matrices(task.feature_sets, shared.columns, starts=starts)
    for m, (matrix, start, origin) in enumerate(zip(made, starts, shared.origins, strict=True)):
        for window, rows in shared.rows[m].items():
            index = np.arange(rows.start - start, rows.stop - start)
            predicted = predict(network, matrix, index, origin=origin + start)
            found[_file(window, m)] = strategy_outputs(predicted).tobytes()
            if window == "past" and members:
                parts = [predict(member, matrix, index, origin=origin + start) for member in members]
                found[_file(MEMBERS, m)] = b"".join(strategy_outputs(part).tobytes() for part in parts)
    return found


def _file(window: str, market: int) -> str:
    return f"{window}-{market}"


def run(inputs: OutputInputs, work: Work) -> Outputs:
    """Compute the outputs on both windows; each label is a unit."""
    labels, bars = inputs.label_kinds, inputs.bars
    names = tuple(label.name for label in labels)
    networks, sets = inputs.classifiers.value.networks, inputs.features.value
    tasks = {name: OutputTask(networks[name], (sets.of(name).feature_set,)) for name in names}
    shared = OutputColumns([inputs_of(bars, inputs.view)], (inputs.rows,), (bars.number,))
    done = work.units(output_unit, tasks, shared)
    found = _sides(done, labels, inputs.spans, 0)
    return outputs_of(inputs, (names, output_names(labels)), found)


def _joined(done: Mapping[str, Files], labels: tuple[Label, ...], window: str, market: int) -> NDArray[np.float32]:
    """Outputs (N, K) of all labels in a window of a market."""
    parts = [
        np.frombuffer(done[label.name][_file(window, market)], dtype=np.float32).reshape(-1, len(HEADS[head_of(label)]))
        for label in labels
    ]
    return np.hstack(parts)


def _sides(
    done: Mapping[str, Files], labels: tuple[Label, ...], windows: Iterable[str], market: int
) -> dict[str, NDArray[np.float32]]:
    """Outputs of all labels in each window of a market, and those of each network on past if there are several."""
    found = {window: _joined(done, labels, window, market) for window in windows}
    file = _file(MEMBERS, market)
    if all(file in done[label.name] for label in labels):
        n = len(found["past"])
        parts = [
            np.frombuffer(done[label.name][file], dtype=np.float32).reshape(-1, n, len(HEADS[head_of(label)]))
            for label in labels
        ]
        found[MEMBERS] = np.concatenate(parts, axis=2)
    return found


def outputs_of(
    market: MarketWindows, names: tuple[tuple[str, ...], tuple[str, ...]], sides: Mapping[str, NDArray[np.float32]]
) -> Outputs:
    """What strategies see, from names of labels and outputs, and the outputs (N, K) at all bars of each window.

    Those of single networks on past, (M, N, K), are named ``members``.
    """
    bars, windows, year = market.bars, [], calendar_year(market.bars)
    for window, r in market.rows.items():
        traded = ~bars.filled[r]
        seen = sides[window][traded].astype(np.float64)
        prices = (bars.open[r][traded], bars.close[r][traded], bars.open_time[r][traded])
        windows.append(TradingWindow.of(seen, *prices, market.spans[window].months, year))
    past, future = windows
    members = sides[MEMBERS][:, ~bars.filled[market.rows["past"]]] if MEMBERS in sides else NO_MEMBERS
    return Outputs(*names, count_bars(bars, {"train": market.train, **market.spans}), past, future, members)


def calendar_year(bars: Bars) -> int:
    """Days with bars in a year of the calendar; 0 without one, where the days that are there say it."""
    return 0 if bars.calendar == ALWAYS else Calendar(bars.calendar).days_a_year(bars.interval_ms)


def count_bars(bars: Bars, spans: dict[str, Span]) -> BarCounts:
    """Which bars these are, and how many are missing in each window; the first window says how many are usual."""
    missing = {window: int(bars.filled[span.rows(bars.open_time)].sum()) for window, span in spans.items()}
    covered = coverage(bars.open_time[~bars.filled], spans)
    if bars.calendar != ALWAYS:  # the grid has what is expected and nothing else
        covered = {window: 1.0 - float(bars.filled[span.rows(bars.open_time)].mean()) for window, span in spans.items()}
    return BarCounts(bars.symbol, len(bars), missing, covered, str(bars.index[0]), str(bars.index[-1]), bars.digest())


STAGE = Stage("outputs", OutputInputs, Outputs, run)


@dataclass(frozen=True)
class PooledOutputMarket(MarketWindows):
    """What one of several markets adds."""

    market: str
    features: Stored[FeatureSets]
    view: MarketView


@dataclass(frozen=True)
class PooledOutputInputs:
    """All that the stage may know where features compare all markets."""

    label_kinds: tuple[Label, ...]
    markets: tuple[PooledOutputMarket, ...]
    classifiers: Stored[Classifiers]


def run_pooled(inputs: PooledOutputInputs, work: Work) -> PooledOutputs:
    """Compute the outputs of all markets on both windows; each label is a unit."""
    names, networks = tuple(label.name for label in inputs.label_kinds), inputs.classifiers.value.networks
    sets = [its.features.value for its in inputs.markets]
    tasks = {name: OutputTask(networks[name], tuple(its.of(name).feature_set for its in sets)) for name in names}
    columns = arranged(
        [inputs_of(its.bars, its.view) for its in inputs.markets],
        [~idle_bars(its.bars, its.view) for its in inputs.markets],
        [its.bars.number for its in inputs.markets],
    )
    rows, origins = (tuple(values) for values in zip(*((m.rows, m.bars.number) for m in inputs.markets), strict=True))
    done = work.units(output_unit, tasks, OutputColumns(columns, rows, origins))
    labels = inputs.label_kinds
    found = {its.market: _sides(done, labels, its.spans, m) for m, its in enumerate(inputs.markets)}
    return PooledOutputs(names, output_names(labels), tuple(found), found)


POOLED = Stage("pooled outputs", PooledOutputInputs, PooledOutputs, run_pooled)


@dataclass(frozen=True)
class ShareInputs(MarketWindows):
    """All that the stage may know where the outputs of all markets were computed together."""

    pooled: Stored[PooledOutputs]
    market: str


def run_share(inputs: ShareInputs, work: Work) -> Outputs:
    """A market's own of the outputs of all."""
    pooled = inputs.pooled.value
    return outputs_of(inputs, (pooled.labels, pooled.columns), pooled.markets[inputs.market])


SHARE = Stage("outputs", ShareInputs, Outputs, run_share)
