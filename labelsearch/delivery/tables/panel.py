"""Tables of a panel: stitched tiers, splits, markets and cells."""

import dataclasses

from labelsearch.delivery.tables.book import book_sentences
from labelsearch.delivery.tables.table import Table, cell
from labelsearch.delivery.tables.verdict import Evidence, p_text, verdict_text
from labelsearch.results.ensembles import tier_name
from labelsearch.results.panel import Panel, Power, TierRow
from labelsearch.results.panel_run import PanelResults

LONGEST = 40  # rows of a table of markets on a terminal


def _interval(interval: tuple[float, float] | None, form: str) -> str:
    return "-" if interval is None else f"{interval[0]:{form}} .. {interval[1]:{form}}"


def stitched_table(results: PanelResults) -> Table:
    """The stitched account of every tier, and of the basket."""
    panel = results.panel
    rows = [_stitched_row(panel, row) for row in panel.tiers]
    columns = (
        "account", "bets", "total %", "% a year", "volatility %", "Sharpe", "95%", "drawdown %", "beta",
        "alpha % a year", "t", "p", "p of timing", "t over markets", "alike", "- without beta",
    )  # fmt: skip
    how = (
        "One account across all markets, and over all splits."
        if panel.book
        else "One account over all markets and splits: equal capital in each market of a split, costs at every seam."
    )
    note = (
        f"{how} Alpha and beta against the basket of the same markets (Newey & West; p one-sided, fixed-b, adjusted "
        "for the number of tiers, as that of timing). t over markets: each market against itself, pooled (Driscoll "
        "& Kraay). Alike: mean correlation of the markets' accounts, and of what their markets do not explain."
        f"{_unlike_words(panel)}"
    )
    return Table("Stitched tiers", columns, tuple(rows), note=note, key="stitched", data=_stitched_data(panel))


def _unlike_words(panel: Panel) -> str:
    """What bets are, and in how many cells tiers could not be formed."""
    words = " Bets: effective bets of the members' returns without their market's, mean of the cells."
    if all(panel.bets(n) is None for n in panel.sizes):
        return ""
    for n in panel.sizes:
        fewer = sum(row.unlike is not None and row.unlike < n for row in panel.cells)
        if fewer:
            words += (
                f" In {fewer} of {len(panel.cells)} cells fewer than {n} unlike strategies exist: the largest tier "
                f"that does stands for {tier_name(n)} there."
            )
    return words


def _stitched_data(panel: Panel) -> list[dict[str, object]]:
    """The rows with their test of timing, which the basket has not."""
    timing = panel.timing
    return [
        {
            **dataclasses.asdict(row),
            "effective_bets": None if row.size is None else panel.bets(row.size),
            "timing": None
            if row.size is None
            else {name: getattr(timing, name)[row.size] for name in ("statistic", "p_value", "adjusted")},
        }
        for row in panel.tiers
    ]


def _stitched_row(panel: Panel, row: TierRow) -> tuple[str, ...]:
    alpha, markets = row.alpha, row.alpha_of_markets
    return (
        row.name,
        cell(None if row.size is None else panel.bets(row.size), ".1f"),
        f"{row.total_pct:+,.1f}",
        f"{row.pct_a_year:+,.1f}",
        f"{row.volatility_pct:.1f}",
        f"{row.sharpe:+.2f}",
        _interval(row.sharpe_interval, "+.2f"),
        f"{row.max_drawdown_pct:.1f}",
        cell(row.beta, ".2f"),
        cell(alpha.pct_a_year if alpha else None, "+,.1f"),
        cell(alpha.t if alpha else None, "+.2f"),
        "-" if row.alpha_adjusted is None else p_text(row.alpha_adjusted),
        "-" if row.size is None else p_text(panel.timing.adjusted[row.size]),
        cell(markets.t if markets else None, "+.2f"),
        cell(row.correlation, ".2f"),
        cell(row.correlation_without_beta, ".2f"),
    )


def split_table(results: PanelResults) -> Table:
    """What happened in each split."""
    panel = results.panel
    rows = [
        (
            f"{row.split}",
            " .. ".join(row.future),
            f"{row.markets}",
            *(f"{row.return_pct[n]:+,.1f}" for n in panel.sizes),
            f"{row.basket_pct:+,.1f}",
            *(f"{row.timing[n]:+.2f}" for n in panel.sizes),
        )
        for row in panel.splits
    ]
    names = [tier_name(n) for n in panel.sizes]
    columns = ("split", "future", "markets", *(f"{n} %" for n in names), "basket %", *(f"{n} timing" for n in names))
    note = "Return of the stitched account in each split, and its statistic of timing in standard errors."
    return Table("Splits", columns, tuple(rows), n_text=2, note=note, key="splits", data=panel.splits)


def market_table(results: PanelResults, longest: int | None = LONGEST) -> Table:
    """What happened in each market, over all of its splits."""
    panel = results.panel
    shown = panel.markets[:longest]
    rows = [
        (
            row.market,
            f"{row.splits}",
            *(f"{row.return_pct[n]:+,.1f}" for n in panel.sizes),
            f"{row.market_pct:+,.1f}",
            *(f"{row.timing[n]:+.2f}" for n in panel.sizes),
            *(cell(alpha.t if (alpha := row.alpha[n]) else None, "+.2f") for n in panel.sizes[:1]),
        )
        for row in shown
    ]
    names = [tier_name(n) for n in panel.sizes]
    columns = (
        "market", "splits", *(f"{n} %" for n in names), "market %", *(f"{n} timing" for n in names),
        f"{names[0]} alpha t",
    )  # fmt: skip
    ended = sorted({row.market for row in panel.cells if row.delisted})
    note = "Chained over the splits that have the market; the statistics depend on each other, and prove nothing alone."
    if ended:
        note += f" Ended within a split, and closed there at the last price: {', '.join(ended)}."
    if len(shown) < len(panel.markets):
        note += f" {len(panel.markets) - len(shown)} more are in the report."
    return Table("Markets", columns, tuple(rows), note=note, key="markets", data=panel.markets)


def cell_records(results: PanelResults) -> list[dict[str, object]]:
    """One record for each cell."""
    panel = results.panel
    return [
        {
            "market": row.market,
            "split": row.split,
            "first": row.first,
            "last": row.last,
            "ended": row.delisted,
            **{f"{tier_name(n)} %": row.return_pct[n] for n in panel.sizes},
            "market %": row.market_pct,
            **{f"{tier_name(n)} timing": row.timing[n] for n in panel.sizes},
            "rank correlation": row.rank,
            "strategies": row.strategies,
        }
        for row in panel.cells
    ]


def cell_table(results: PanelResults) -> Table:
    """What happened in each market of each split."""
    records = cell_records(results)
    columns = tuple(name for name in records[0] if name not in ("ended", "strategies"))
    rows = [tuple(_text(record[name]) for name in columns) for record in records]
    return Table("Cells", columns, tuple(rows), n_text=4, key="cells", data=results.panel.cells)


def _text(value: object) -> str:
    return "-" if value is None else f"{value:+,.2f}" if isinstance(value, float) else str(value)


def absent_table(results: PanelResults) -> Table:
    """Markets that splits do without."""
    rows = [(row.market, f"{row.split}", row.reason) for row in results.panel.absent]
    columns = ("market", "split", "why it is not there")
    return Table("Absent", columns, tuple(rows), n_text=3, key="absent", data=results.panel.absent)


def evidence(results: PanelResults) -> Evidence:
    """What the verdict rests on."""
    panel = results.panel
    of = {row.size: row for row in panel.tiers if row.size is not None}
    alpha = {n: row.alpha_adjusted for n, row in of.items() if row.alpha_adjusted is not None}
    return Evidence(
        verdict=panel.verdict,
        timing=panel.timing.adjusted,
        alpha=alpha,
        alpha_pct_a_year={n: of[n].alpha.pct_a_year for n in alpha},  # type: ignore[union-attr]
        strategies=panel.strategies,
        looks=_looks(results),
        years=panel.power.years,
        detectable_sharpe=panel.power.detectable_sharpe,
        years_needed=panel.power.years_needed,
    )


def _looks(results: PanelResults) -> str:
    looks = list(results.looks.values())
    known = [look for look in looks if look is not None]
    if len(known) < len(looks):
        return "how often these futures were looked at is not on record here"
    later = sum(look.number > 1 for look in known)
    if not later:
        return f"each of {len(looks)} futures was looked at for the first time"
    return f"{later} of {len(looks)} futures had been looked at before, so they are not out of sample"


def _markets_sentence(power: Power) -> str:
    return (
        f"{power.markets:.1f} markets a split count as {power.effective_markets:.1f} independent ones; one market in "
        f"one split could have shown a Sharpe ratio of {power.detectable_alone:.1f}, all together show "
        f"{power.detectable_sharpe:.1f}."
    )


def panel_sentences(results: PanelResults) -> list[str]:
    """Sentences that say what the panel shows."""
    panel = results.panel
    power = panel.power
    found = [verdict_text(evidence(results))]
    if panel.rank is not None:
        rank = panel.rank
        text = f"Past score against future return: Spearman {rank.mean:+.3f} on the mean of {rank.n_cells} cells"
        if rank.interval is not None and rank.p_value is not None:
            text += f", 95% {_interval(rank.interval, '+.3f')} by differences of splits, p {p_text(rank.p_value)}"
        found.append(f"{text}.")
    if panel.book is not None:
        found += book_sentences(results)
        found.append(
            f"A book of {power.markets:.1f} markets a split is one account: its {power.years:.1f} years could have "
            f"shown a Sharpe ratio of {power.detectable_sharpe:.1f}."
        )
    else:
        found.append(_markets_sentence(power))
    size = panel.sizes[0]
    alone = [alpha.p_value for row in panel.markets if (alpha := row.alpha[size])]
    if len(alone) > 1 and panel.book is None:
        found.append(
            f"{tier_name(size)} in one market alone: p of alpha from {p_text(min(alone))} to {p_text(max(alone))}, the "
            f"smallest of {len(alone)} and so no finding by itself."
        )
    if panel.seeds is not None:
        for n in panel.sizes:
            values = panel.seeds.total_pct[n]
            found.append(
                f"{tier_name(n)} over {len(values)} seeds of the classifiers: {min(values):+,.1f} .. "
                f"{max(values):+,.1f} %."
            )
    if panel.absent:
        found.append(f"Cells that are absent, as markets began later or ended: {len(panel.absent)}; see the report.")
    return found
