"""The page of a run, held against the files of the run."""

import dataclasses
import json
import math
import re
import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from labelsearch.delivery import tables
from labelsearch.delivery.html.compare_page import compare_page, run_names
from labelsearch.delivery.html.curve_figures import N_POINTS, tier_curves
from labelsearch.delivery.html.luck_figures import latest_explanation, null_grid
from labelsearch.delivery.html.report_page import report_page, verdict_words
from labelsearch.delivery.html.strategy_figures import N_POINTS as N_DOTS
from labelsearch.delivery.html.strategy_figures import scatter_figure
from labelsearch.delivery.walk_forward_table import walk_forward_table as walked_table
from labelsearch.pipeline.context import Context
from labelsearch.pipeline.explanation import explain_label
from labelsearch.pipeline.null import run_null
from labelsearch.pipeline.stages import ensembles, search
from labelsearch.pipeline.walk_forward import run_walk_forward

ROOT = Path(__file__).parents[2]
LIMIT = 15_000_000  # bytes of a page


def markup(page: str) -> str:
    """A page without the contents of its scripts and style."""
    return re.sub(r"(?s)(<script[^>]*>).*?</script>|<style>.*?</style>", r"\1", page)


@pytest.fixture(scope="module")
def text(tiny_run):
    return report_page(tiny_run)


def copied(tiny_run, root: Path) -> Context:
    shutil.copytree(tiny_run.folder.parent, root / "runs")
    other = Context(tiny_run.experiment, root / "runs" / tiny_run.folder.name, tiny_run.store)
    other.bars = tiny_run.bars
    return other


def test_every_part_is_there_and_in_the_contents(text):
    sections = re.findall(r'<section id="([^"]+)">', text)
    assert sections[:2] == ["tiers", "belief"]
    assert {"curves", "walk", "strategies", "null", "seeds", "luck", "labels", "features", "classifiers", "explained",
            "cost", "provenance"} <= set(sections)  # fmt: skip
    assert re.findall(r'<a href="#([^"]+)">', text) == sections
    names = re.findall(r'id="([^"]+)"', markup(text))
    assert len(names) == len(set(names))


def test_nothing_is_fetched_and_plotly_is_there_once(text):
    outside = markup(text)
    assert not re.search(r"""(src|href)\s*=\s*["']?\s*(https?:)?//""", outside)
    assert not re.search(r"<(link|img|iframe|object|embed)\b", outside)
    assert "default-src 'none'" in text
    assert text.count("* plotly.js v") == 1


def test_tables_of_the_run_are_in_it(tiny_run, text):
    table = tables.tier_table(tiny_run)
    for row in table.rows:
        assert "".join(f'<td class="{"txt" if i < 2 else "num"}">{cell}</td>' for i, cell in enumerate(row)) in text
    for label in tiny_run.experiment.label_kinds():
        assert f">{label.name}</option>" in text
    assert tiny_run.experiment.digest in text
    assert tiny_run.bars.digest() in text


def test_the_same_run_gives_the_same_page(tiny_run, text):
    assert report_page(tiny_run) == text


def test_new_columns_of_a_table_appear(tiny_run, monkeypatch):
    made = tables.tier_table(tiny_run)
    wider = dataclasses.replace(made, columns=(*made.columns, "novel"), rows=tuple((*r, "77.7") for r in made.rows))
    monkeypatch.setattr(tables, "tier_table", lambda context: wider)
    page = report_page(tiny_run)
    assert page.count('<td class="num">77.7</td>') == len(made.rows)
    assert ">novel</button>" in page


def test_what_was_not_done_says_how(text):
    for command in ("labelsearch seeds", "labelsearch explain", "labelsearch walk-forward"):
        assert re.search(rf'<p class="muted">[^<]+<code>{command} [^<]+</code>', text)


def test_what_was_done_later_is_shown(tiny_run, tmp_path):
    other = copied(tiny_run, tmp_path)
    walked = run_walk_forward(other, window="past", every=2)
    run_null(other, 2, 40)
    label = tiny_run.experiment.label_kinds()[0].name
    explain_label(other, label, 30)
    page = report_page(other)
    for row in walked_table(walked).rows:
        assert f'<td class="txt">{row[0]}</td><td class="txt">{row[1]}</td><td class="num">{row[2]}</td>' in page
    for name in ("walk-0", "null-0", "swarm-0-buy", "ablation-0"):
        assert f'id="{name}"' in page
    assert latest_explanation(other, label, 0.0).parent.name == label
    assert latest_explanation(other, label, time.time() + 1.0) is None
    newer = (other.folder / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    search_line = next(line for line in newer if b'"stage": "search"' in line and b'"event": "stage"' in line)
    (other.folder / "ledger.jsonl").write_bytes(b"".join([*newer, search_line]))
    assert 'id="walk-0"' not in report_page(other)  # it was of a search that is no more


def test_curves_are_those_of_the_run(tiny_run):
    figure = tier_curves(tiny_run)
    table = {(row["tier"], row["window"]): row for row in ensembles.load(tiny_run)["table"]}
    for window, equity, drawdown in (("past", "y", "y2"), ("future", "y4", "y5")):
        for tier in ("Top-20", "Top-5", ensembles.MARKET):
            own = {trace["yaxis"]: trace["y"] for trace in figure.data if trace["name"] == tier}
            assert own[equity][-1] == pytest.approx(1 + table[tier, window]["total_return"] / 100, abs=1e-3)
            assert -min(own[drawdown]) == pytest.approx(table[tier, window]["max_drawdown"], abs=0.06)
            assert len(own[equity]) <= N_POINTS


def test_a_run_of_paper_size_stays_small(tiny_run, tmp_path):
    """20,000 strategies and two windows of 180,000 bars."""
    big = copied(tiny_run, tmp_path)
    rng = np.random.default_rng(1)

    def repeated(path, n):
        frame = pd.read_parquet(path)
        frame = frame.iloc[np.arange(n) % len(frame)].reset_index(drop=True)
        for name in frame.select_dtypes("float").columns:
            frame[name] += 1e-3 * rng.normal(size=n)
        if "open_time" in frame:
            frame["open_time"] = frame["open_time"].iloc[0] + pd.to_timedelta(np.arange(n), unit="min")
        frame.to_parquet(path)

    repeated(big.stage("search") / "strategies.parquet", 20_000)
    repeated(big.stage("ensembles") / "future.parquet", 20_000)
    for window in ("past", "future"):
        repeated(big.stage("ensembles") / f"curves_{window}.parquet", 180_000)
    scatter, curves = scatter_figure(big), tier_curves(big)
    assert f"{N_DOTS:,} of 20,000 strategies are drawn" in scatter.caption
    assert "Thinned to a point in 258 bars" in curves.caption
    drawn = {trace["name"]: len(trace["x"]) for trace in scatter.data if len(trace["x"]) > 1}
    assert drawn["searched"] + drawn["drawn at random"] == N_DOTS
    assert len(report_page(big).encode()) < LIMIT


def test_dots_are_strategies_and_random_ones_are_marked(tiny_run):
    figure = scatter_figure(tiny_run)
    past, future = search.load(tiny_run), ensembles.load_future(tiny_run)
    random = past["random"].to_numpy()
    by_name = {(trace["name"], trace["xaxis"]): trace for trace in figure.data if "xaxis" in trace}
    for axis, column in (("x", "monthly_return"), ("x2", "score")):
        dots = by_name["drawn at random", axis]
        assert dots["x"] == pytest.approx(past[column][random].tolist(), rel=1e-3)
        assert dots["y"] == pytest.approx(future["monthly_return"][random].tolist(), rel=1e-3)
        assert dots["marker"]["symbol"] != by_name["searched", axis]["marker"]["symbol"]
        assert len(by_name["member of Top-20", axis]["x"]) == 20
    trades = figure.variants[1].changes
    assert trades["data.1.marker.color"] == pytest.approx(past["trades_per_month"][random].tolist(), rel=1e-2)
    assert trades["data.3.marker.color"] == pytest.approx(past["trades_per_month"][~random].tolist(), rel=1e-2)
    assert figure.data[3]["name"] == "searched"


def test_statistics_that_are_undefined_are_left_out():
    known = {"real": 0.5, "null": [0.1, 0.2], "p_value": 1 / 3}
    unknown = {"real": math.nan, "null": [0.1, math.nan], "p_value": 1.0}
    grid = null_grid({"statistics": {"known": known, "unknown": unknown}})
    json.dumps([[figure.data, figure.layout] for figure in grid.figures], allow_nan=False)
    assert [len(figure.layout["shapes"]) for figure in grid.figures] == [1, 0]
    assert grid.figures[0].layout["shapes"][0]["x0"] == 0.5


def test_a_comparison_has_every_run(tiny_run, tmp_path):
    other = copied(tiny_run, tmp_path)
    path = other.folder / "experiment.toml"
    path.write_text(path.read_text().replace("seed = 3", "seed = 4", 1))
    name = tiny_run.folder.name
    assert run_names([tiny_run, other]) == [f"{name} (1)", f"{name} (2)"]
    page = compare_page([tiny_run, other])
    assert re.findall(r'<section id="([^"]+)">', page) == ["tiers", "curves", "belief", "settings"]
    assert '<td class="txt">seed</td><td class="txt">3</td><td class="txt">4</td>' in page
    found = json.loads(re.search(r'(?s)id="figures">(.*?)</script>', page)[1])
    drawn = {trace["name"] for trace in found["curves-0"]["data"]}
    assert drawn == {f"{name} (1)", f"{name} (2)", ensembles.MARKET}
    assert "All settings are the same." in compare_page([tiny_run, tiny_run])
    names = re.findall(r'id="([^"]+)"', markup(page))
    assert len(names) == len(set(names))


def test_words_of_the_verdict():
    assert "earned more" in verdict_words("edge")
    assert "no more" in verdict_words("no edge shown")


def test_the_guide_names_every_part(text):
    guide = (ROOT / "docs" / "READING_THE_REPORT.md").read_text()
    for title in re.findall(r"<h2>([^<]+)</h2>", text):
        assert f"**{title}**" in guide
    assert set(re.findall(r"\*\*([^*]+)\*\*", guide)) <= {*re.findall(r"<h2>([^<]+)</h2>", text)}
