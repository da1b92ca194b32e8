"""Tables of the markets of an experiment."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from labelsearch.delivery.tables.table import Table
from labelsearch.results.universe import Membership, Pick, Universe

LONGEST = 40  # markets that a note lists
MOST_NAMED = 6  # markets that a row names


def history_table(found: Universe) -> Table:
    """How many markets each split has, and why others are absent."""
    splits = Counter(history.split for history in found.histories)
    rows = []
    for split, markets in splits.items():
        there = [h for h in found.histories if h.split == split and not h.reason]
        rows.append((str(split), f"{markets:,}", f"{len(there):,}", f"{markets - len(there):,}"))
    first: dict[str, str] = {h.market: h.reason for h in reversed(found.histories) if h.reason}
    counts = Counter(h.market for h in found.histories if h.reason)
    listed = [f"{market} in {counts[market]} ({first[market]})" for market in sorted(first)[:LONGEST]]
    more = f", and {len(first) - LONGEST} more markets" if len(first) > LONGEST else ""
    note = f"Absent from splits: {'; '.join(listed)}{more}." if listed else ""
    columns = ("split", "markets", "with enough history", "absent")
    return Table("History", columns, tuple(rows), note=note, key="history", data=found.histories)


def picks_table(found: Universe) -> Table:
    """Markets unlike each other."""
    rows = [
        (
            pick.by,
            pick.market,
            f"{pick.volatility_pct:.1f}",
            *_against(pick.largest, pick.largest_with, pick.mean),
            *_against(pick.beta_free_largest, pick.beta_free_with, pick.beta_free_mean),
        )
        for pick in found.picks
    ]
    counts = ", ".join(f"{m:.1f} by {by}" for by, m in found.independent.items() if m is not None)
    note = (
        f"Daily returns of {' .. '.join(found.train)}, the train of split {found.split}, of {found.candidates:,} "
        "markets. Each pick is the market whose largest correlation with the picks before it is least, by size: one "
        "that mirrors another is no other market. Beta-free: what is left of returns after their line on the mean "
        f"return of all these markets. The picks count as {counts} markets that share nothing."
    )
    columns = (
        "by", "market", "volatility of a day %", "largest", "with", "mean", "beta-free largest", "beta-free with",
        "beta-free mean",
    )  # fmt: skip
    data = {"independent": found.independent, "picks": found.picks}
    return Table("Markets unlike each other", columns, tuple(rows), n_text=2, note=note, key="picks", data=data)


def _against(largest: float, other: str, mean: float) -> tuple[str, str, str]:
    return ("-", "-", "-") if math.isnan(largest) else (f"{largest:.2f}", other, f"{mean:+.2f}")


def dates_table(found: Universe) -> Table:
    """Who is in the universe when."""
    rows = [
        (
            date.date,
            f"{date.fit:,}",
            f"{date.members:,}",
            f"{len(date.joins):,}",
            f"{len(date.leaves):,}",
            "-" if date.turnover is None else f"{date.turnover:.0%}",
            _named(date),
        )
        for date in found.dates
    ]
    turned = [date.turnover for date in found.dates if date.turnover is not None]
    mean = f"{sum(turned) / len(turned):.0%}" if turned else "none"
    size = f"the {found.size:,} most liquid markets" if found.size else "all markets with enough history"
    below = sum(0 < date.members < found.size for date in found.dates)
    note = (
        f"Members: {size}, as known on that day; a market is one for as long as it trades, whether it is still listed "
        f"today or not. Turnover: share of members of the date before that have left, {mean} in the mean. "
        f"{len(found.ever):,} markets were members. {found.empty:,} of {len(found.dates):,} dates have none: nothing "
        "is held there, and the basket returns 0."
    )
    if below:
        note += f" {below:,} have fewer than {found.size:,}: those there are share the capital."
    columns = ("date", "with history", "members", "join", "leave", "turnover", "who joins and leaves")
    return Table("Universe", columns, tuple(rows), note=note, prose=True, key="universe", data=found.dates)


def _named(date: Membership) -> str:
    """A few of those that join and leave."""
    parts = []
    for sign, names in (("+", date.joins), ("-", date.leaves)):
        if names:
            more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
            parts.append(f"{sign} {', '.join(names[:MOST_NAMED])}{more}")
    return "; ".join(parts)


def rank_table(found: Universe) -> Table:
    """The most liquid markets at the last date."""
    last = [rank for rank in found.ranks if rank.date == found.ranks[-1].date] if found.ranks else []
    rows = tuple(
        (f"{rank.rank}", rank.market, f"{rank.value / 1e6:,.1f}", "yes" if rank.member else "no")
        for rank in last[: max(found.size, 10)]
        if rank.rank is not None
    )
    note = "Value traded in a day, in the mean of the days before; ranks of all dates are in the files of --out."
    title = f"Liquidity on {last[0].date}" if last else "Liquidity"
    return Table(title, ("rank", "market", "million a day", "member"), rows, n_text=2, note=note)


def records(found: Universe) -> Mapping[str, Sequence[Mapping[str, object]]]:
    """All rows as records, by name of a file."""
    return {
        "history": [history._asdict() for history in found.histories],
        "picks": [_finite(pick) for pick in found.picks],
        "ranks": [rank._asdict() for rank in found.ranks],
        "universe": [
            {**date._asdict(), "joins": " ".join(date.joins), "leaves": " ".join(date.leaves)} for date in found.dates
        ],
    }


def _finite(pick: Pick) -> Mapping[str, object]:
    """A pick whose unknown figures are empty."""
    return {name: "" if isinstance(x, float) and math.isnan(x) else x for name, x in pick._asdict().items()}
