"""A live session: incoming bars pass through feed, journal and engine, and yield one line each."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from labelsearch.live.account import Standing
from labelsearch.live.bundle import Bundle
from labelsearch.live.costs import Payments
from labelsearch.live.engine import Engine, Step
from labelsearch.live.feed import Bar, Counts, Feed
from labelsearch.live.journal import SNAPSHOT, Journal
from labelsearch.live.verify import BundleError
from labelsearch.market.bars import Bars
from labelsearch.market.times import iso_time

SAVE_EVERY = 1000  # bars between snapshots

Line = dict[str, object]


class Session:
    """Follows one bundle, and continues an earlier session of the same journal.

    Parameters
    ----------
    bundle : Bundle
    start_ms : int
        No decision before this time; the start recorded in the journal takes precedence.
    journal : Journal or None
        Storage of the session; None stores nothing.
    capital : float
        Initial capital of each tier's account in the lines.
    payments : callable, optional
        Where payments of funding come from, see `labelsearch.live.costs.LiveCosts`.
    """

    def __init__(
        self,
        bundle: Bundle,
        start_ms: int = 0,
        journal: Journal | None = None,
        capital: float = 1.0,
        payments: Payments | None = None,
    ) -> None:
        self.bundle = bundle
        self.capital = capital
        self.engine = Engine(bundle, start_ms, payments)
        self.feed = Feed(bundle.interval_ms, bundle.optional_columns, calendar=bundle.calendar)
        self.journal = journal
        self.resumed: Line | None = None  # line of the last recorded bar, if it may not have been delivered
        self._since = 0
        self._whole = False  # False before the start, and while a bar is processed but its line not yet delivered
        saved = journal.snapshot() if journal else None
        self.fresh = saved is None
        if journal is None or saved is None:
            return
        try:
            self.engine.restore(saved)
            self.feed.counts = Counts(*saved["feed"].tolist())
        except BundleError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(f"{journal.folder / SNAPSHOT}: not a snapshot of this version: {error}") from None
        self.feed.last = self.engine.last
        for bar in journal.bars():
            if self.engine.last is None or bar.open_time > self.engine.last.open_time:
                self.resumed = self._follow(self.feed.take_bar(bar))
        self._whole = self.resumed is None

    @property
    def last_ms(self) -> int | None:
        """Time of the last processed bar; None before the first."""
        return None if self.engine.last is None else self.engine.last.open_time

    def start(self, history: Bars | None) -> None:
        """Process history at once; only for a session that does not continue an earlier one.

        Decisions begin after the history unless the session has a start time.
        """
        if history is not None and len(history):
            if not self.engine.start_ms:
                self.engine.start_ms = int(history.open_time[-1]) + history.interval_ms
            self.engine.start(history)
            self.feed.last = self.engine.last
        self._whole = True
        self.save()

    def run(self, incoming: Iterable[Mapping[str, object] | Bar]) -> Iterator[Line]:
        """A line for every accepted bar, and one with ``dropped`` for every other.

        A bar enters a snapshot only after its line, and that of `resumed`, were delivered: a kill may repeat a line but
        never loses one.

        Raises
        ------
        FeedError
            As `labelsearch.live.feed.Feed.take`.
        """
        if not self.fresh:
            self.delivered()
            self.save()  # also removes a torn line at the end of the journal
        for raw in incoming:
            self._whole = False
            bars = self.feed.take_bar(raw) if isinstance(raw, Bar) else self.feed.take(raw)
            if not bars:
                self._whole = True
                yield {"dropped": self.feed.notice}
                continue
            if self.journal:
                self.journal.append(bars[-1])
            yield self._follow(bars)
            self.delivered()
            self._since += 1
            if self._since >= SAVE_EVERY:
                self.save()

    def delivered(self) -> None:
        """Confirm that the last line was delivered; requesting the next one from `run` confirms it too."""
        self._whole = True

    def _follow(self, bars: list[Bar]) -> Line:
        for bar in bars:
            step = self.engine.take(bar)
        line = as_line(self.bundle, step, self.feed.counts, self.capital)
        return {**line, "funding_missing": missing} if (missing := self.engine.costs.missing) else line

    def save(self) -> None:
        """Write a snapshot."""
        self._since = 0
        if self.journal:
            self.journal.save({**self.engine.snapshot(), "feed": np.array(self.feed.counts)})

    def close(self) -> None:
        """Write a snapshot and end.

        No snapshot is written of a session that has not started, or was stopped between a bar and its line: the journal
        holds the bar, and the next session repeats the line.
        """
        if self._whole:
            self.save()
        if self.journal:
            self.journal.close()


def as_line(bundle: Bundle, step: Step, counts: Counts, capital: float = 1.0) -> Line:
    """A step as plain data for JSON.

    ``time`` and ``closes`` of the bar; ``warming``, the bars until the first decision, or, from then on,
    ``probabilities`` by label, ``magnitudes`` by label where moves are predicted, ``fills`` at the bar's open by
    strategy, ``tiers`` with `Standing` and the cash and quantity of an account that started with ``capital``; ``feed``
    with `Counts`.
    """
    bar = step.bar
    line: Line = {
        "time": iso_time(bar.open_time),
        "closes": iso_time(bar.open_time + bundle.interval_ms),
        "close": bar.close,
    }
    if step.outputs.size:
        probabilities: dict[str, dict[str, float]] = {}
        magnitudes: dict[str, float] = {}
        for name, value in zip(bundle.outputs, step.outputs.tolist(), strict=True):
            label, _, output = name.rpartition(":")
            if output == "magnitude":
                magnitudes[label] = value
            else:
                probabilities.setdefault(label, {})[output] = value
        line["probabilities"] = probabilities
        if magnitudes:
            line["magnitudes"] = magnitudes
        line["fills"] = [fill._asdict() for fill in step.fills]
        line["tiers"] = {f"Top-{n}": _account(one, bar.close, capital) for n, one in step.tiers.items()}
    else:
        line["warming"] = step.warming
    line["feed"] = counts._asdict()
    return line


def _account(standing: Standing, close: float, capital: float) -> dict[str, float]:
    equity = standing.equity * capital
    held = equity * standing.position
    return {**standing._asdict(), "equity": equity, "cash": equity - held, "quantity": held / close}
