"""The report of a panel, section by section."""

from labelsearch.delivery.page.blocks import Block, Section, Words
from labelsearch.delivery.page.page import page
from labelsearch.delivery.tables import panel
from labelsearch.results.panel_run import PanelResults


def panel_page(results: PanelResults) -> str:
    """The whole page of a finished panel."""
    found = results.panel
    first, last = found.splits[0], found.splits[-1]
    subtitle = (
        f"{len(found.markets)} markets, {len(found.splits)} splits, bars of {results.experiment.data.interval}, judged "
        f"on {first.future[0]} to {last.future[1]}."
    )
    return page(f"Run {results.name}", subtitle, [verdict_section(results), markets_section(results)])


def verdict_section(results: PanelResults) -> Section:
    """What was shown."""
    blocks: list[Block] = [Words(text) for text in panel.panel_sentences(results)]
    return Section("verdict", "What was shown", "", [*blocks, panel.stitched_table(results)])


def markets_section(results: PanelResults) -> Section:
    """Splits, markets and cells."""
    return Section("cells", "Splits and markets", "", [panel.split_table(results), panel.market_table(results, None)])
