"""A live session of the bundle of one market, and the lines that it yields."""

from collections.abc import Sequence

from labelsearch.live.account import Standing
from labelsearch.live.bundle import Bundle
from labelsearch.live.costs import Payments
from labelsearch.live.engine import Engine, Step
from labelsearch.live.feed import Bar, Counts, Feed
from labelsearch.live.following import Following, Line
from labelsearch.live.journal import Journal
from labelsearch.live.lines import outputs_by_label
from labelsearch.market.bars import Bars
from labelsearch.market.times import iso_time


class Session(Following[Bar]):
    """Follows the bundle of one market.

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
        super().__init__(self.feed, self.engine, journal)

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

    def _recorded(self, record: list) -> Bar:
        return Bar(*record)

    def _follow(self, items: Sequence[Bar]) -> list[Line]:
        for bar in items:
            step = self.engine.take(bar)
        line = as_line(self.bundle, step, self.feed.counts, self.capital)
        return [{**line, "funding_missing": missing} if (missing := self.engine.costs.missing) else line]


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
        probabilities, magnitudes = outputs_by_label(bundle.outputs, step.outputs.tolist())
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
