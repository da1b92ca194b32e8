"""Tables of a panel hold what its files hold."""

import csv
import dataclasses
import json

import pytest

from labelsearch.delivery.report import write_panel_report
from labelsearch.delivery.tables import panel as tables
from labelsearch.delivery.tables.panel_power import panel_seeds_table, power_rows, power_table, spreads
from labelsearch.results.codec import to_plain
from labelsearch.results.panel_run import PanelResults
from labelsearch.settings.cells import Absent
from strategies.luck.power import markets_needed, years_needed
from tests.delivery.panels import drawn

NASTY = "<b>|`*[x](y)"


@pytest.fixture(scope="module")
def saved(tiny_panel):
    return json.loads((tiny_panel.folder / "panel" / "panel.json").read_text())


def test_tables_hold_the_figures_of_the_file(tiny_panel, saved):
    for make, key in (
        (tables.split_table, "splits"),
        (tables.market_table, "markets"),
        (tables.cell_table, "cells"),
        (tables.absent_table, "absent"),
    ):
        table = make(tiny_panel)
        assert table.key == key
        assert to_plain(table.data) == saved[key]
        assert len(table.rows) == len(saved[key])
    stitched = to_plain(tables.stitched_table(tiny_panel).data)
    more = {"timing", "effective_bets"}
    assert [{name: row[name] for name in row if name not in more} for row in stitched] == saved["tiers"]
    assert [row["effective_bets"] for row in stitched] == [*(tiny_panel.panel.bets(size) for size in (20, 5)), None]
    assert [row["timing"] and row["timing"]["adjusted"] for row in stitched] == [
        *(saved["timing"]["adjusted"][size] for size in ("20", "5")), None,
    ]  # fmt: skip
    first = tables.stitched_table(tiny_panel).rows[0]
    bets = f"{tiny_panel.panel.bets(20):.1f}"
    assert first[:3] == ("Top-20", bets, f"{saved['tiers'][0]['total_pct']:+,.1f}")


def test_power_is_that_of_the_panel(tiny_panel):
    panel = tiny_panel.panel
    alone, long, whole = power_rows(panel)
    assert alone.detectable_sharpe == panel.power.detectable_alone
    assert whole.detectable_sharpe == panel.power.detectable_sharpe
    assert (alone.years, long.years, whole.years) == (panel.power.years / 2, panel.power.years, panel.power.years)
    assert alone.detectable_sharpe > long.detectable_sharpe >= whole.detectable_sharpe
    assert whole.years_needed == years_needed(1.0, panel.power.effective_markets)
    assert alone.markets_needed == markets_needed(1.0, alone.years, 0.0) or panel.tier(20).correlation_without_beta > 0
    assert len(power_table(tiny_panel).rows) == 3


def test_no_number_of_markets_is_enough_where_they_are_alike(tiny_panel):
    results = drawn(tiny_panel, ["A", "B"], 2)
    alike = tuple(dataclasses.replace(row, correlation_without_beta=0.9) for row in results.panel.tiers)
    results.panel = dataclasses.replace(results.panel, tiers=alike)
    assert power_rows(results.panel)[2].markets_needed is None
    assert power_table(results).rows[2][-1] == "-"


def test_spread_over_seeds(tiny_panel):
    assert spreads(tiny_panel.panel) == {}
    results = drawn(tiny_panel, ["A", "B"], 2, seeds=3)
    found = spreads(results.panel)[20]
    values = results.panel.seeds.total_pct[20]
    assert (found.n, found.low, found.high) == (4, min(values), max(values))
    assert panel_seeds_table(results).rows[0][:2] == ("Top-20", "4")


def test_report_files_hold_the_panel(tiny_panel, saved, tmp_path):
    results = PanelResults(tiny_panel.folder, tiny_panel.store)
    folder = write_panel_report(results)
    assert {path.name for path in folder.iterdir()} == {"report.html", "report.md", "panel.json", "cells.csv"}
    assert json.loads((folder / "panel.json").read_text()) == saved
    with (folder / "cells.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["Top-5 %"]) for row in rows] == [row["return_pct"]["5"] for row in saved["cells"]]
    text = (folder / "report.md").read_text()
    assert f"Verdict: {saved['verdict']}." in text
    for title in ("Stitched tiers", "What it could have shown", "Splits", "Markets", "Cells"):
        assert f"## {title}" in text
    assert "## Absent" not in text


def test_names_are_no_markup_in_markdown(tiny_panel):
    results = drawn(tiny_panel, ["A", NASTY], 2)
    results.panel = dataclasses.replace(results.panel, absent=(Absent(NASTY, 1, NASTY),))
    for make in (tables.market_table, tables.cell_table, tables.absent_table):
        text = make(results).to_markdown()
        assert "<b>" not in text
        assert "`" not in text
        assert {line.count("|") for line in text.splitlines() if line.startswith("|")} == {
            len(make(results).columns) + 1
        }
