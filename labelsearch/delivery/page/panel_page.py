"""The report of a panel, section by section."""

import dataclasses
import platform
from importlib.metadata import version

from labelsearch.delivery.page.blocks import Block, Folded, Section, Tiles, Words, missing
from labelsearch.delivery.page.cell_map import cell_maps
from labelsearch.delivery.page.page import page
from labelsearch.delivery.page.panel_figures import panel_seeds_figure, power_figure, stitched_figure
from labelsearch.delivery.page.report_page import PACKAGES, hedge_section, verdict_words
from labelsearch.delivery.tables import panel as tables
from labelsearch.delivery.tables.book import book_tables
from labelsearch.delivery.tables.panel_power import panel_seeds_table, power_table
from labelsearch.delivery.tables.table import Table
from labelsearch.delivery.tables.verdict import p_text
from labelsearch.engine.ledger import Ledger
from labelsearch.engine.run import LEDGER, done_events
from labelsearch.results.ensembles import tier_name
from labelsearch.results.panel_run import STAGE, PanelResults


def panel_page(results: PanelResults) -> str:
    """The whole page of a finished panel."""
    found = results.panel
    first, last = found.splits[0], found.splits[-1]
    subtitle = (
        f"{len(found.markets)} markets, {len(found.splits)} splits, bars of {results.experiment.data.interval}, judged "
        f"on {first.future[0]} to {last.future[1]}."
    )
    book = (book_section,) if found.book else ()
    makers = (
        verdict_section, curves_section, *book, cells_section, power_section, splits_section, markets_section,
        seeds_section, hedges_section, provenance_section,
    )  # fmt: skip
    return page(f"Run {results.name}", subtitle, [maker(results) for maker in makers])


def _untitled(table: Table) -> Table:
    """A table that its section names already."""
    return dataclasses.replace(table, title="")


def verdict_section(results: PanelResults) -> Section:
    """What was shown, in large type, as sentences and as a table."""
    blocks: list[Block] = [_tiles(results), *(Words(text) for text in tables.panel_sentences(results))]
    lead = (
        "Top-N is one account across all markets that follows the mean wish of the N strategies that ranked best on "
        "each split's past, through all splits."
        if results.panel.book
        else "Top-N holds, in each market of a split, the N strategies that ranked best on that split's past. The "
        "accounts of all markets and splits are stitched to one, which is judged as a whole."
    )
    return Section("verdict", "What was shown", lead, [*blocks, tables.stitched_table(results)])


def _tiles(results: PanelResults) -> Tiles:
    found = results.panel
    largest, basket = found.tier(found.sizes[0]), found.tier(None)
    timing = found.timing.adjusted
    best = min(timing, key=lambda size: (timing[size], size))
    alpha = {row.name: row.alpha_adjusted for row in found.tiers if row.alpha_adjusted is not None}
    best_alpha = min(alpha, key=lambda name: alpha[name], default=None)
    looks = [look for look in results.looks.values() if look is not None]
    first, cells = sum(look.number == 1 for look in looks), len(results.looks)
    return Tiles(
        [
            ("Verdict", found.verdict, verdict_words(found.verdict)),
            (
                f"{largest.name}, stitched",
                f"{largest.total_pct:+,.1f}%",
                f"{largest.pct_a_year:+,.1f}% a year after costs; at worst {largest.max_drawdown_pct:.1f}% below its "
                "peak",
            ),
            (
                "Basket of the same markets",
                f"{basket.total_pct:+,.1f}%",
                f"at worst {basket.max_drawdown_pct:.1f}% below its peak",
            ),
            ("Timing, p", p_text(timing[best]), f"{tier_name(best)}, for {len(timing)} tiers"),
            (
                "Alpha after costs, p",
                "-" if best_alpha is None else p_text(alpha[best_alpha]),
                "cannot be told" if best_alpha is None else f"{best_alpha}, for {len(timing)} tiers",
            ),
            (
                "Futures seen for the first time",
                f"{first} of {cells}" if len(looks) == cells else "?",
                "others are no longer out of sample" if len(looks) == cells else "not on record in this folder",
            ),
        ]
    )


def curves_section(results: PanelResults) -> Section:
    """The stitched accounts over time."""
    return Section("curves", "Equity over time", "", [stitched_figure(results.panel)])


def book_section(results: PanelResults) -> Section:
    """What the book is watched by."""
    lead = "Whether the book holds what it should, where its gain came from, and whether its wishes foretold anything."
    return Section("book", "The book", lead, list(book_tables(results)))


def cells_section(results: PanelResults) -> Section:
    """Every market in every split."""
    found = results.panel
    lead = "Each cell is one market in one split, with labels, classifiers and strategies of its own."
    if found.book:
        lead = "What the book earned in each market of each split, in its equity; a strategy trades all of them."
    one = found.cells[-1]
    command = f"labelsearch run runs/{results.name}/cells/{one.market}/split-{one.split}/experiment.toml"
    alone = "A cell is a run of its own. To finish it with what a panel does without, and write its report:"
    blocks: list[Block] = [
        cell_maps(found),
        Folded(f"All cells: {len(found.cells)}", tables.cell_table(results)),
        *([Folded(f"Absent cells: {len(found.absent)}", tables.absent_table(results))] if found.absent else []),
        *([] if found.book else [Words(alone, command)]),
    ]
    return Section("cells", "Markets by splits", lead, blocks)


def power_section(results: PanelResults) -> Section:
    """What could have been shown at all."""
    lead = "Few markets and short times cannot tell skill from luck, however well both do."
    blocks: list[Block] = [power_figure(results.panel), _untitled(power_table(results))]
    return Section("power", "What it could have shown", lead, blocks)


def splits_section(results: PanelResults) -> Section:
    """What happened in each split."""
    return Section("splits", "Splits", "", [_untitled(tables.split_table(results))])


def markets_section(results: PanelResults) -> Section:
    """What happened in each market."""
    return Section("markets", "Markets", "", [_untitled(tables.market_table(results, longest=None))])


def seeds_section(results: PanelResults) -> Section:
    """Spread over the seeds of the classifiers."""
    if results.panel.book:
        return Section("seeds", "Other random seeds", "", [Words("A book is not repeated with other seeds yet.")])
    figure = panel_seeds_figure(results.panel)
    command = f"labelsearch seeds runs/{results.name}/experiment.toml --classifier-seeds 3"
    blocks: list[Block] = [missing("The classifiers were trained with one seed. To repeat all with others:", command)]
    if figure is not None:
        blocks = [figure, _untitled(panel_seeds_table(results))]
    return Section("seeds", "Other random seeds", "", blocks)


def hedges_section(results: PanelResults) -> Section:
    """What strategies without labels do beside the stitched tiers, if it was asked for."""
    return hedge_section(results.hedges, f"labelsearch hedges runs/{results.name}/experiment.toml")


def provenance_section(results: PanelResults) -> Section:
    """What the panel was made from."""
    found, experiment = results.panel, results.experiment
    event = done_events(Ledger(results.folder / LEDGER))[STAGE]
    rows = [
        ("run", results.name),
        ("seed", str(experiment.seed)),
        ("settings, SHA-256", experiment.digest),
        ("markets", ", ".join(row.market for row in found.markets)),
        ("bars", f"{experiment.data.interval} of {experiment.data.source}"),
        ("splits", "; ".join(f"{row.split}: {' to '.join(row.future)}" for row in found.splits)),
        ("strategies tried", f"{found.strategies:,}"),
        ("all inputs of the verdict, SHA-256", str(event["key"])),
        ("python", platform.python_version()),
        *((f"package {name}", version(name)) for name in PACKAGES),
    ]
    settings = (results.folder / "experiment.toml").read_text()
    blocks: list[Block] = [
        Table("", ("what", "value"), tuple(rows), n_text=1, prose=True),
        Folded("The whole experiment file", settings),
    ]
    lead = "The same settings, bars and versions give the same run again. Each cell names the hash of its bars."
    return Section("provenance", "What it was made from", lead, blocks)
