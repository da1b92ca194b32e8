"""A live session of a book, and the lines that it yields."""

from collections.abc import Mapping, Sequence

from labelsearch.live.book.account import BookStanding
from labelsearch.live.book.bundle import BookBundle
from labelsearch.live.book.engine import BookEngine, BookStep
from labelsearch.live.book.history import take_history
from labelsearch.live.book.rows import Row, RowFeed
from labelsearch.live.costs import Payments
from labelsearch.live.feed import Counts
from labelsearch.live.following import Following, Line
from labelsearch.live.journal import Journal
from labelsearch.live.lines import outputs_by_label
from labelsearch.market.bars import Bars
from labelsearch.market.times import iso_time


class BookSession(Following[Row]):
    """Follows the bundle of a book.

    Parameters
    ----------
    bundle : BookBundle
    start_ms : int
        No order before this time; the start recorded in the journal takes precedence.
    journal : Journal or None
        Storage of the session; None stores nothing.
    capital : float
        Initial capital of each tier's account in the lines.
    payments : mapping of str to callable, optional
        Where payments of funding come from, by symbol, see `labelsearch.live.costs.LiveCosts`.
    """

    def __init__(
        self,
        bundle: BookBundle,
        start_ms: int = 0,
        journal: Journal | None = None,
        capital: float = 1.0,
        payments: Mapping[str, Payments] | None = None,
    ) -> None:
        self.bundle = bundle
        self.capital = capital
        self.engine = BookEngine(bundle, start_ms, payments)
        self.feed = RowFeed(bundle)
        self._refused: list[str] = []  # bars of rows since the last line, and why
        super().__init__(self.feed, self.engine, journal)

    def start(self, history: Mapping[str, Bars] | None) -> None:
        """Process history at once; only for a session that does not continue an earlier one.

        Orders begin after the history unless the session has a start time.
        """
        known = [bars for bars in (history or {}).values() if len(bars)]
        if history and known:
            if not self.engine.start_ms:
                self.engine.start_ms = max(int(its.open_time[-1]) for its in known) + self.bundle.interval_ms
            take_history(self.engine, history)
            self.feed.last = self.engine.last
        self._whole = True
        self.save()

    def _recorded(self, record: list) -> Row:
        return Row.recorded(*record)

    def _follow(self, items: Sequence[Row]) -> list[Line]:
        if self.feed.notice:
            self._refused.append(self.feed.notice)
        found: list[Line] = []
        for row in items:
            step = self.engine.take(row)
            # what is filled in closes bars that have some of their rows, and bars that have none
            if step is not None and (row is items[-1] or step.has_bars):
                line = book_line(self.bundle, step, self.feed.counts, self.capital)
                missing = self.engine.missing
                found.append({**line, "funding_missing": missing} if missing else line)
        if found and self._refused:
            found[-1] = {**found[-1], "refused": self._refused}
            self._refused = []
        return found


def book_line(bundle: BookBundle, step: BookStep, counts: Counts, capital: float = 1.0) -> Line:
    """A step as plain data for JSON.

    ``time`` and ``closes`` of the bars; ``members``, the markets that may be held; ``silent``, bars since the last one
    of each market that has none; ``warming``, the bars until accounts begin, or, from then on, ``probabilities`` and
    ``magnitudes`` by market and label, ``fills`` by tier and ``tiers`` with `tier_line`; ``feed`` with `Counts`. A
    session adds ``refused``, bars of rows that were left out.
    """
    length = bundle.intervals[0].interval_ms
    line: Line = {
        "time": iso_time(step.open_time),
        "closes": iso_time(step.open_time + length),
        "members": [symbol for symbol, member in zip(bundle.symbols, step.members, strict=True) if member],
        "silent": step.silent,
    }
    if step.warming:
        line["warming"] = step.warming
    else:
        seen = {
            symbol: outputs_by_label(bundle.outputs, step.outputs[0, :, m].tolist())
            for m, symbol in enumerate(bundle.symbols)
            if (step.outputs[0, :, m] == step.outputs[0, :, m]).all()
        }
        line["probabilities"] = {symbol: found for symbol, (found, _) in seen.items()}
        if any(moves for _, moves in seen.values()):
            line["magnitudes"] = {symbol: moves for symbol, (_, moves) in seen.items()}
        line["fills"] = {
            f"Top-{n}": [{**order._asdict(), "quantity": order.quantity * capital, "fee": order.fee * capital}
                         for order in orders]
            for n, orders in step.orders.items()
        }  # fmt: skip
        line["tiers"] = {f"Top-{n}": tier_line(bundle, one, capital) for n, one in step.tiers.items()}
    line["feed"] = counts._asdict()
    return line


def tier_line(bundle: BookBundle, standing: BookStanding, capital: float = 1.0) -> dict[str, object]:
    """A tier as plain data: equity, gross and net exposure and beta of what it holds, and weights by market.

    ``target`` has the weights to hold from the next open on, ``position`` those that are held at this close, ``wanted``
    what strategies want before bands; all are shares of equity, and markets with 0 are left out.
    """

    def weights(values: Sequence[float]) -> dict[str, float]:
        return {symbol: float(value) for symbol, value in zip(bundle.symbols, values, strict=True) if value}

    return {
        "equity": standing.equity * capital,
        "gross": standing.gross,
        "net": standing.net,
        "beta": standing.beta,
        "orders": standing.orders,
        "target": weights(standing.target.tolist()),
        "position": weights(standing.held.tolist()),
        "wanted": weights(standing.wanted.tolist()),
    }
