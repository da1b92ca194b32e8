"""Blocks of a page: escaped, sortable, and drawn from plain data."""

import json
import re

import numpy as np
import pytest

from labelsearch.delivery.data import buckets
from labelsearch.delivery.page.blocks import (
    Choice,
    Explained,
    Figure,
    Folded,
    Grid,
    Section,
    Tiles,
    Variant,
    Words,
    block_html,
    figures_of,
    missing,
    plain,
    table_html,
)
from labelsearch.delivery.page.figures import colour_cycle, evenly, numbers
from labelsearch.delivery.page.page import page
from labelsearch.delivery.page.strategy_figures import shown_strategies
from labelsearch.delivery.tables.table import Table

NASTY = """</script><script>alert("1")</script><img src=x onerror='alert(2)'>&amp;"""
FIGURE = Figure("one", NASTY, NASTY, [{"type": "bar", "x": [plain(NASTY)], "y": [1.0]}], {})
TABLE = Table(NASTY, (NASTY, "b"), ((NASTY, NASTY),), note=NASTY)
BLOCKS = (
    FIGURE,
    Grid(NASTY, NASTY, [Figure("two", NASTY, "", [], {})], (Variant(NASTY, {"layout.title.text": plain(NASTY)}),)),
    TABLE,
    Explained(TABLE, {NASTY: NASTY}),
    Choice(NASTY, {NASTY: [Words(NASTY)]}),
    Folded(NASTY, NASTY),
    Folded(NASTY, TABLE),
    Tiles([(NASTY, NASTY, NASTY)]),
    missing(NASTY, NASTY),
)


@pytest.mark.parametrize("block", BLOCKS)
def test_text_of_users_makes_no_element(block):
    text = block_html(block)
    assert "<img" not in text
    assert "<script" not in text
    assert "&lt;/script&gt;&lt;script&gt;alert(&quot;1&quot;)" in text
    assert "&amp;amp;" in text


def test_figures_cannot_end_their_script():
    text = page(NASTY, NASTY, [Section("all", NASTY, NASTY, BLOCKS)])
    start = text.index('<script type="application/json" id="figures">')
    embedded = text[start : text.index("</script>", start)].split(">", 1)[1]
    found = json.loads(embedded)
    assert found["one"]["data"][0]["x"] == [plain(NASTY)]
    assert found["two"]["variants"] == [{"layout.title.text": plain(NASTY)}]
    assert "<img src=x" not in text


def test_tables_align_and_sort_what_is_a_number():
    text = table_html(Table("", ("name", "figure"), (("a", "1"),)))
    assert 'class="sortable"' in text
    assert re.search(r'<th scope="col" class="num"><button type="button">figure</button>', text)
    assert '<td class="num">1</td>' in text
    prose = table_html(Table("", ("name", "words"), (("a", "b"),), prose=True))
    assert "<button" not in prose
    assert '<td class="txt">b</td>' in prose
    assert "not yet" in table_html(Table("Empty", ("a",), (), note="not yet"))


def test_figures_are_found_at_any_depth():
    inner = Choice("which", {"a": [FIGURE], "b": [Grid("", "", [Figure("two", "", "", [], {})])]})
    assert [figure.name for figure in figures_of([TABLE, inner])] == ["one", "two"]


def test_thinning_keeps_ends_and_extremes():
    values = np.sin(np.arange(1003.0))
    parts = buckets(values.size, 100)
    assert len(parts.starts) <= 100
    assert parts.lowest(values).min() == values.min()
    assert parts.last[-1] == 1002
    assert np.isclose((parts.mean(values) * (parts.ends - parts.starts)).sum(), values.sum())
    assert buckets(3, 100).length == 1
    assert evenly(1000, 10)[[0, -1]].tolist() == [0, 999]
    assert evenly(5, 10).tolist() == [0, 1, 2, 3, 4]
    assert evenly(0, 10).size == 0
    score = np.random.default_rng(1).normal(size=5000)
    shown = shown_strategies(score, 300)
    assert len(shown) == 300
    assert {score.argmax(), score.argmin()} <= set(shown)


def test_numbers_are_json():
    assert numbers([1.23456, np.nan, np.inf, -2e-9], 3) == [1.23, None, None, -2e-9]


def test_styles_differ_however_many_tiers_there_are():
    names = [f"Top-{n}" for n in range(14)]
    styles = colour_cycle([*names, "market", "other"], ("market", "other"))
    assert len({json.dumps(style) for style in styles.values()}) == 16
