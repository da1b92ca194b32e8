"""Tables of what bundles want to hold."""

from collections.abc import Iterator

from labelsearch.delivery.tables.table import Table
from labelsearch.live.book.engine import BookEngine
from labelsearch.live.book.session import tier_line
from labelsearch.live.engine import Engine
from labelsearch.market.times import iso_time, time_text
from labelsearch.results.ensembles import tier_name


def signal_of_market(engine: Engine) -> Table:
    """Target position of each tier."""
    last = engine.last
    assert last is not None
    standings = engine.standings()
    rows = tuple(
        (tier_name(n), f"{s.target:.3f}", f"{s.position:.3f}", f"{s.orders}", f"{s.equity:.4f}", f"{s.fills:.1f}")
        for n, s in standings.items()
    )
    return Table(
        f"Targets after {time_text(last.open_time)} UTC",
        ("tier", "target", "position", "orders", "equity", "fills"),
        rows,
        note=f"Close {last.close:g}; {_since(engine)}. target and position: shares of equity, the target from the next "
        "open on; orders: members that trade at the next open; equity: in multiples of the starting capital; fills: "
        "per unit of capital.",
        key="signal",
        data={
            "time": iso_time(last.open_time),
            "close": last.close,
            "began": iso_time(engine.began),
            "in_sample": engine.in_sample,
            "tiers": {tier_name(n): s._asdict() for n, s in standings.items()},
        },
    )


def signal_of_book(engine: BookEngine) -> Iterator[Table]:
    """Target weight of each market and tier, and where the tiers stand."""
    bundle, last = engine.bundle, engine.last
    assert last is not None
    standings = engine.standings()
    names = [tier_name(n) for n in standings]
    rows = tuple(
        (symbol, *(f"{s.target[m]:+.4f}" for s in standings.values()), f"{max(silent, 0)}" if silent else "-")
        for m, (symbol, silent) in enumerate(zip(bundle.symbols, engine.silent.tolist(), strict=True))
        if any(s.target[m] or s.held[m] for s in standings.values())
    )
    yield Table(
        f"Weights after {time_text(last.open_time)} UTC",
        ("market", *names, "silent"),
        rows,
        note=f"Shares of equity to hold from the next open on; markets without any are left out; {_since(engine)}. "
        "silent: bars since the last one of a market that has none now: its order waits for its next bar.",
        key="signal",
        data={
            "time": iso_time(last.open_time),
            "began": iso_time(engine.began),
            "in_sample": engine.in_sample,
            "silent": {symbol: n for symbol, n in zip(bundle.symbols, engine.silent.tolist(), strict=True) if n},
            "tiers": {tier_name(n): tier_line(bundle, s) for n, s in standings.items()},
        },
    )
    yield Table(
        "Tiers",
        ("tier", "equity", "gross", "net", "beta", "orders"),
        tuple(
            (tier_name(n), f"{s.equity:.4f}", f"{s.gross:.3f}", f"{s.net:+.3f}", f"{s.beta:+.3f}", f"{s.orders}")
            for n, s in standings.items()
        ),
        note="Of what is held at the last close: equity in multiples of the starting capital, exposure and beta to the "
        "basket in equity; orders: markets that are traded at the next open.",
        key="tiers",
        data={
            tier_name(n): {"equity": s.equity, "gross": s.gross, "net": s.net, "beta": s.beta, "orders": s.orders}
            for n, s in standings.items()
        },
    )


def _since(engine: Engine | BookEngine) -> str:
    seen = time_text(engine.chosen_until)
    in_sample = f", in sample up to {seen}: the strategies were chosen on these bars" if engine.in_sample else ""
    return f"trading since {time_text(engine.began)}{in_sample}"
