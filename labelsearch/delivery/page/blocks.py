"""What a page is made of, as plain data, and its HTML. All text is escaped here and nowhere else."""

import html
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from labelsearch.delivery.tables.table import Table

Plotly: TypeAlias = dict[str, Any]  # a part of a figure, as plotly's JSON has it


@dataclass(frozen=True)
class Variant:
    """Another way to show a figure: values by dotted path, e.g. ``{"layout.yaxis.type": "log"}``."""

    title: str
    changes: Mapping[str, Any]


@dataclass(frozen=True)
class Figure:
    """A plotly figure as plain data; colours that start with ``@`` follow the theme of the page.

    Attributes
    ----------
    name : str
        Unique in the page; letters, digits and dashes.
    title, caption : str
        Above and below the figure.
    data : sequence of dict
        Traces. Text of users in them goes through `plain`.
    layout : dict
    height : int
        Pixels.
    variants : tuple of Variant
        The first is what ``data`` and ``layout`` show.
    """

    name: str
    title: str
    caption: str
    data: Sequence[Plotly]
    layout: Plotly
    height: int = 360
    variants: tuple[Variant, ...] = ()


@dataclass(frozen=True)
class Grid:
    """Small figures side by side, ``wide`` ones two in a row; buttons of ``variants`` change all of them."""

    title: str
    caption: str
    figures: Sequence[Figure]
    variants: tuple[Variant, ...] = ()
    wide: bool = False


@dataclass(frozen=True)
class Choice:
    """Blocks of which one entry is shown at a time."""

    title: str
    entries: Mapping[str, Sequence["Block"]]


@dataclass(frozen=True)
class Words:
    """A paragraph; muted, with a command, where something is missing."""

    text: str
    command: str = ""
    muted: bool = False


@dataclass(frozen=True)
class Tiles:
    """Figures in large type, each as (title, figure, words)."""

    entries: Sequence[tuple[str, str, str]]


@dataclass(frozen=True)
class Explained:
    """A table of prose whose first column has a sentence in plain words below each cell; "" for none."""

    table: Table
    sentences: Sequence[str]


@dataclass(frozen=True)
class Folded:
    """Text or a table behind a line to click on."""

    title: str
    content: str | Table


Block: TypeAlias = Table | Figure | Grid | Choice | Words | Tiles | Explained | Folded


@dataclass(frozen=True)
class Section:
    """A part of the page with an entry in its contents."""

    name: str
    title: str
    lead: str
    blocks: Sequence[Block] = field(default_factory=tuple)


def text(value: object) -> str:
    """Any text as HTML."""
    return html.escape(str(value), quote=True)


def plain(value: object) -> str:
    """Any text within a figure, where plotly reads a little HTML."""
    return html.escape(str(value), quote=False)


def missing(what: str, command: str = "") -> Words:
    """A muted line that says what is not there and how to get it."""
    return Words(what, command, muted=True)


def figures_of(blocks: Sequence[Block]) -> list[Figure]:
    """All figures in the order of the page; those of a grid with its variants."""
    found: list[Figure] = []
    for block in blocks:
        if isinstance(block, Figure):
            found.append(block)
        elif isinstance(block, Grid):
            found += [replace(figure, variants=block.variants or figure.variants) for figure in block.figures]
        elif isinstance(block, Choice):
            for entry in block.entries.values():
                found += figures_of(entry)
    return found


def section_html(section: Section) -> str:
    """A section with its heading."""
    body = "\n".join(map(block_html, section.blocks))
    lead = f'<p class="lead">{text(section.lead)}</p>' if section.lead else ""
    return f'<section id="{section.name}">\n<h2>{text(section.title)}</h2>\n{lead}\n{body}\n</section>'


def block_html(block: Block) -> str:
    """One block."""
    if isinstance(block, Table):
        return table_html(block)
    if isinstance(block, Explained):
        return table_html(block.table, block.sentences)
    if isinstance(block, Figure):
        return _figure(block)
    if isinstance(block, Grid):
        return _grid(block)
    if isinstance(block, Choice):
        return _choice(block)
    if isinstance(block, Tiles):
        return _tiles(block)
    if isinstance(block, Folded):
        inside = table_html(block.content, titled=False) if isinstance(block.content, Table) else _verbatim(block)
        return f"<details><summary>{text(block.title)}</summary>{inside}</details>"
    command = f" <code>{text(block.command)}</code>" if block.command else ""
    return f'<p class="{"muted" if block.muted else "words"}">{text(block.text)}{command}</p>'


def _verbatim(block: Folded) -> str:
    return f"<pre>{text(block.content)}</pre>"


def table_html(table: Table, sentences: Sequence[str] = (), titled: bool = True) -> str:
    """A table; its columns sort by a click unless the rows belong together, as in prose."""
    prose = len(table.columns) - 1 if table.prose else -1
    kinds = ["txt" if i < table.n_text or i == prose else "num" for i in range(len(table.columns))]
    title = f"<h3>{text(table.title)}</h3>" if titled and table.title else ""
    note = f'<p class="note">{text(table.note)}</p>' if table.note else ""
    if not table.rows:
        return f"{title}{note or '<p class=muted>Nothing.</p>'}"
    button = (lambda c: text(c)) if table.prose else (lambda c: f'<button type="button">{text(c)}</button>')
    head = "".join(f'<th scope="col" class="{k}">{button(c)}</th>' for k, c in zip(kinds, table.columns, strict=True))
    rows = []
    for row, sentence in itertools.zip_longest(table.rows, sentences, fillvalue=""):
        cells = [f'<td class="{kind}">{text(cell)}</td>' for kind, cell in zip(kinds, row, strict=True)]
        if sentence:
            cells[0] = f'<td class="txt">{text(row[0])}<small>{text(sentence)}</small></td>'
        rows.append(f"<tr>{''.join(cells)}</tr>")
    body = "\n".join(rows)
    style = "prose" if table.prose else "sortable"
    return (
        f'{title}<div class="wide"><table class="{style}"><thead><tr>{head}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>{note}"
    )


def _buttons(variants: tuple[Variant, ...], figures: Sequence[Figure]) -> str:
    if not variants:
        return ""
    targets = " ".join(figure.name for figure in figures)
    buttons = "".join(
        f'<button type="button" aria-pressed="{str(i == 0).lower()}" data-variant="{i}">{text(v.title)}</button>'
        for i, v in enumerate(variants)
    )
    return f'<div class="variants" data-figures="{targets}">{buttons}</div>'


def _plot(figure: Figure) -> str:
    return (
        f'<div class="plot" id="{figure.name}" role="img" aria-label="{text(figure.title)}" '
        f'style="height:{figure.height}px"></div>'
    )


def _figure(figure: Figure, tag: str = "h3") -> str:
    caption = f"<figcaption>{text(figure.caption)}</figcaption>" if figure.caption else ""
    return (
        f"<figure><{tag}>{text(figure.title)}</{tag}>{_buttons(figure.variants, [figure])}"
        f"{_plot(figure)}{caption}</figure>"
    )


def _grid(grid: Grid) -> str:
    cells = "".join(_figure(figure, "h4") for figure in grid.figures)
    title = f"<h3>{text(grid.title)}</h3>" if grid.title else ""
    caption = f'<p class="note">{text(grid.caption)}</p>' if grid.caption else ""
    style = "grid wide-grid" if grid.wide else "grid"
    return f'{title}{_buttons(grid.variants, grid.figures)}<div class="{style}">{cells}</div>{caption}'


def _choice(choice: Choice) -> str:
    options = "".join(f'<option value="{i}">{text(title)}</option>' for i, title in enumerate(choice.entries))
    panels = []
    for i, blocks in enumerate(choice.entries.values()):
        inside = "\n".join(map(block_html, blocks))
        panels.append(f'<div class="panel"{" hidden" if i else ""}>{inside}</div>')
    return f'<div class="choice"><label>{text(choice.title)} <select>{options}</select></label>{"".join(panels)}</div>'


def _tiles(tiles: Tiles) -> str:
    cells = "".join(
        f"<div><span>{text(title)}</span><strong>{text(figure)}</strong><small>{text(words)}</small></div>"
        for title, figure, words in tiles.entries
    )
    return f'<div class="tiles">{cells}</div>'
