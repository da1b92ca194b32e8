"""The page of a panel, held against its figures."""

import dataclasses
import json
import re

import numpy as np
import pytest

from labelsearch.delivery.page.cell_map import KINDS, cell_maps
from labelsearch.delivery.page.panel_figures import panel_seeds_figure, power_figure, stitched_figure
from labelsearch.delivery.page.panel_page import panel_page
from labelsearch.delivery.tables import panel as tables
from labelsearch.delivery.tables.panel_power import power_rows
from labelsearch.settings.cells import Absent
from strategies.luck.power import detectable_sharpe
from tests.delivery.panels import drawn

NASTY = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def text(tiny_panel):
    return panel_page(tiny_panel)


def markup(page: str) -> str:
    """A page without the contents of its scripts and style."""
    return re.sub(r"(?s)(<script[^>]*>).*?</script>|<style>.*?</style>", r"\1", page)


def test_every_part_is_there_and_in_the_contents(text):
    sections = re.findall(r'<section id="([^"]+)">', text)
    assert sections == ["verdict", "curves", "cells", "power", "splits", "markets", "seeds", "hedges", "provenance"]
    assert re.findall(r'<a href="#([^"]+)">', text) == sections
    names = re.findall(r'id="([^"]+)"', markup(text))
    assert len(names) == len(set(names))


def test_the_page_says_what_the_panel_shows(tiny_panel, text):
    panel = tiny_panel.panel
    assert f"<strong>{panel.verdict}</strong>" in text
    assert f"<strong>{panel.tier(20).total_pct:+,.1f}%</strong>" in text
    assert "<strong>4 of 4</strong>" in text
    for make in (tables.stitched_table, tables.split_table, tables.market_table, tables.cell_table):
        for row in make(tiny_panel).rows:
            assert all(f">{cell}</td>" in text for cell in row)


def test_curves_are_the_stitched_ones(tiny_panel):
    panel = tiny_panel.panel
    figure = stitched_figure(panel)
    by_name = {trace["name"]: trace for trace in figure.data if trace["yaxis"] == "y"}
    assert list(by_name) == ["Top-20", "Top-5", "basket"]
    for name, trace in by_name.items():
        np.testing.assert_allclose(trace["y"], panel.equity[name], rtol=1e-4)
    starts = {shape["x0"] for shape in figure.layout["shapes"]}
    assert starts == {row.future[0] for row in panel.splits[1:]}
    assert [variant.title for variant in figure.variants] == ["linear", "logarithmic"]


def test_the_map_has_every_cell(tiny_panel):
    results = drawn(tiny_panel, [f"M{i}" for i in range(7)], 3)
    panel = results.panel
    figure = cell_maps(panel).entries["Top-5"][0]
    markets = figure.layout["yaxis"]["ticktext"]
    for variant, (title, _, value) in zip(figure.variants, KINDS, strict=True):
        assert variant.title == title
        z = variant.changes["data.0.z"]
        for row in panel.cells:
            assert z[markets.index(row.market)][row.split - 1] == pytest.approx(value(row, 5), rel=1e-3)
        assert sum(cell is None for line in z for cell in line) == len(panel.absent) > 0
    heat, absent, ended = figure.data
    assert heat["z"] == figure.variants[0].changes["data.0.z"]
    assert list(zip(absent["x"], absent["y"], strict=True)) == [
        (row.split, markets.index(row.market)) for row in panel.absent
    ]
    assert all("absent: its bars begin on" in words for words in absent["hovertext"])
    assert ended["y"] == [markets.index("M6")]


def test_power_is_drawn_where_the_table_has_it(tiny_panel):
    panel = drawn(tiny_panel, [f"M{i}" for i in range(8)], 3).panel
    figure = power_figure(panel)
    lines = [trace for trace in figure.data if trace["mode"] == "lines"]
    for line, markets in zip(lines, (1.0, panel.power.effective_markets), strict=True):
        wanted = [detectable_sharpe(x, markets) for x in line["x"]]
        np.testing.assert_allclose(line["y"], wanted, rtol=1e-3)
    points = [trace for trace in figure.data if trace["mode"] == "markers"]
    for point, row in zip(points, power_rows(panel), strict=True):
        assert (point["name"], point["y"]) == (row.name, [pytest.approx(row.detectable_sharpe, rel=1e-3)])


def test_seeds_are_shown_or_how_to_get_them(tiny_panel, text):
    assert panel_seeds_figure(tiny_panel.panel) is None
    assert "labelsearch seeds runs/" in text
    results = drawn(tiny_panel, ["A"], 5, seeds=2, gaps=False)
    others, own = panel_seeds_figure(results.panel).data
    assert own["y"] == [pytest.approx(results.panel.seeds.total_pct[n][0], rel=1e-3) for n in (20, 5)]
    assert len(others["y"]) == 4
    assert "labelsearch seeds runs/" not in panel_page(results)


def test_names_of_users_are_no_markup(tiny_panel):
    results = drawn(tiny_panel, ["A", NASTY], 2)
    results.panel = dataclasses.replace(results.panel, absent=(Absent(NASTY, 1, NASTY),))
    page = panel_page(results)
    assert "<img" not in markup(page)
    figures = json.loads(re.search(r'(?s)id="figures">(.*?)</script>', page)[1])
    assert "<img" not in json.dumps(figures)


def test_large_panels_make_pages_of_moderate_size(tiny_panel, text):
    results = drawn(tiny_panel, [f"COIN{i}USDT" for i in range(33)], 12)
    assert len(panel_page(results)) < len(text) + 1_000_000
