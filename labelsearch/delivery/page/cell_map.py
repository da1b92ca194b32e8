"""The cells of a panel as a map: markets by splits, coloured by what a tier did there."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from labelsearch.delivery.page.blocks import Block, Choice, Figure, Plotly, Variant, plain
from labelsearch.delivery.page.figures import DIVERGING, axis, legend_above, margins, numbers
from labelsearch.results.ensembles import tier_name
from labelsearch.results.panel import CellRow, Panel

LONGEST_NAME = 16  # of a market beside the map
MOST_WORDS = 60  # cells with their figure in them
KINDS: tuple[tuple[str, str, Callable[[CellRow, int], float]], ...] = (
    ("return over the market", "% over", lambda row, n: row.return_pct[n] - row.market_pct),
    ("return", "%", lambda row, n: row.return_pct[n]),
    ("timing statistic", "errors", lambda row, n: row.timing[n]),
)


def cell_maps(panel: Panel) -> Block:
    """A map for each tier, of which one is shown at a time."""
    maps = {tier_name(n): [_cell_map(panel, n)] for n in panel.sizes}
    return Choice("Tier", maps) if len(maps) > 1 else next(iter(maps.values()))[0]


def _cell_map(panel: Panel, size: int) -> Figure:
    markets = sorted({row.market for row in panel.cells} | {row.market for row in panel.absent})
    splits = [row.split for row in panel.splits]
    place = {(row.market, row.split): row for row in panel.cells}
    grid = [[place.get((market, split)) for split in splits] for market in markets]
    variants = tuple(_variant(grid, size, *kind) for kind in KINDS)
    first = variants[0].changes
    heat: Plotly = {
        "type": "heatmap", "x": splits, "y": list(range(len(markets))), "z": first["data.0.z"], "xgap": 1, "ygap": 1,
        "zmin": first["data.0.zmin"], "zmax": first["data.0.zmax"], "colorscale": DIVERGING, "hoverongaps": False,
        "hovertext": [[_words(row, size) for row in rows] for rows in grid],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "colorbar": {"title": {"text": first["data.0.colorbar.title.text"]}, "thickness": 12, "outlinewidth": 0},
        "showscale": len(markets) > 4,  # it has no room beside fewer, which bear their figures
    }  # fmt: skip
    if len(panel.cells) <= MOST_WORDS:
        heat["texttemplate"] = "%{z:+.1f}"
    layout: Plotly = {
        "margin": margins(top=36, bottom=44), "legend": legend_above(),
        "xaxis": axis("split", tickvals=splits[:: -(-len(splits) // 24)], range=[splits[0] - 0.5, splits[-1] + 0.5],
                      showgrid=False, zeroline=False),
        "yaxis": axis(tickvals=list(range(len(markets))), ticktext=[plain(_short(m)) for m in markets],
                      range=[len(markets) - 0.5, -0.5], showgrid=False, zeroline=False),
    }  # fmt: skip
    caption = (
        "Blue: above zero, red: below. The colours end where a twentieth of the cells lie beyond. Single cells prove "
        "nothing; a market or a split in one colour is worth a look. Point at a cell for its figures, or for why it "
        "is absent."
    )
    data = [heat, *_marks(panel, {market: y for y, market in enumerate(markets)})]
    name = f"cells-{size}"
    return Figure(name, f"Cells of {tier_name(size)}", caption, data, layout, 130 + 20 * max(len(markets), 3), variants)


def _variant(
    grid: Sequence[Sequence[CellRow | None]],
    size: int,
    title: str,
    unit: str,
    value: Callable[[CellRow, int], float],
) -> Variant:
    z = np.array([[np.nan if row is None else value(row, size) for row in rows] for rows in grid])
    top = _top(z)
    return Variant(
        title,
        {
            "data.0.z": [numbers(row) for row in z],
            "data.0.zmin": -top,
            "data.0.zmax": top,
            "data.0.colorbar.title.text": unit,
        },
    )


def _top(z: NDArray[np.float64]) -> float:
    """Where the colours end, on both sides of zero."""
    known = np.abs(z[np.isfinite(z)])
    return float(f"{np.quantile(known, 0.95):.3g}") if known.any() else 1.0


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _words(row: CellRow | None, size: int) -> str:
    """What is said of a cell that is pointed at."""
    if row is None:
        return ""
    lines = [
        f"<b>{plain(row.market)}</b>, split {row.split}",
        f"{row.first} to {row.last}",
        f"{tier_name(size)} {row.return_pct[size]:+,.1f} %, market {row.market_pct:+,.1f} %",
        f"timing {row.timing[size]:+.2f} standard errors",
    ]
    if row.rank is not None:
        lines.append(f"past score against future return {row.rank:+.2f}")
    if row.delisted:
        lines.append("its bars end here")
    return "<br>".join(lines)


def _marks(panel: Panel, place: dict[str, int]) -> list[Plotly]:
    """Crosses where a split does without a market, with the reason, and rings where the bars of one end."""
    ended = [row for row in panel.cells if row.delisted]
    kinds = (
        ("absent", "x-thin-open", panel.absent, [f"<b>{plain(a.market)}</b>, split {a.split}<br>absent: "
                                                 f"{plain(a.reason)}" for a in panel.absent]),
        ("bars end within the split", "circle-open", ended, None),
    )  # fmt: skip
    return [
        {
            "type": "scatter", "mode": "markers", "name": name,
            # a ring beside the figure of the cell
            "x": [row.split + (0.0 if words else 0.36) for row in rows],
            "y": [place[row.market] for row in rows],
            "marker": {"symbol": symbol, "size": 10 if words is None else 7, "color": "@muted" if words else "@ink",
                       "line": {"width": 1.6}},
            **({"hovertext": words, "hovertemplate": "%{hovertext}<extra></extra>"} if words
               else {"hoverinfo": "skip"}),
        }
        for name, symbol, rows, words in kinds
        if rows
    ]  # fmt: skip
