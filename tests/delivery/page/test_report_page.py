"""The page of a run, held against the files of the run."""

import dataclasses
import json
import math
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from labelsearch.delivery.page.compare_page import compare_page, run_names
from labelsearch.delivery.page.curve_figures import N_POINTS, tier_curves
from labelsearch.delivery.page.luck_figures import null_grid
from labelsearch.delivery.page.report_page import report_page, verdict_words
from labelsearch.delivery.page.strategy_figures import N_POINTS as N_DOTS
from labelsearch.delivery.page.strategy_figures import scatter_figure
from labelsearch.delivery.tables import stages
from labelsearch.delivery.tables.walk_forward import walk_forward_table
from labelsearch.engine.files import digest_files
from labelsearch.engine.ledger import Ledger
from labelsearch.engine.run import done_events
from labelsearch.results.ensembles import MARKET, Curves
from labelsearch.results.run import Results
from labelsearch.results.studies import NullResult, NullStatistic
from labelsearch.stages.plan import open_run
from labelsearch.studies import explanation, null, walk_forward

ROOT = Path(__file__).parents[3]
LIMIT = 15_000_000  # bytes of a page


def markup(page: str) -> str:
    """A page without the contents of its scripts and style."""
    return re.sub(r"(?s)(<script[^>]*>).*?</script>|<style>.*?</style>", r"\1", page)


@pytest.fixture(scope="module")
def text(tiny_run):
    return report_page(tiny_run)


def opened(tiny_run, folder: Path) -> Results:
    other = Results(folder, tiny_run.store)
    other.bars = tiny_run.bars
    return other


def copied(tiny_run, root: Path) -> Results:
    shutil.copytree(tiny_run.folder.parent, root / "runs")
    return opened(tiny_run, root / "runs" / tiny_run.folder.name)


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
    table = stages.tier_table(tiny_run)
    for row in table.rows:
        assert "".join(f'<td class="{"txt" if i < 2 else "num"}">{cell}</td>' for i, cell in enumerate(row)) in text
    for label in tiny_run.experiment.label_kinds():
        assert f">{label.name}</option>" in text
    assert tiny_run.experiment.digest in text
    assert tiny_run.bars.digest() in text


def test_the_same_run_gives_the_same_page(tiny_run, text):
    assert report_page(tiny_run) == text


def test_new_columns_of_a_table_appear(tiny_run, monkeypatch):
    made = stages.tier_table(tiny_run)
    wider = dataclasses.replace(made, columns=(*made.columns, "novel"), rows=tuple((*r, "77.7") for r in made.rows))
    monkeypatch.setattr(stages, "tier_table", lambda results: wider)
    page = report_page(tiny_run)
    assert page.count('<td class="num">77.7</td>') == len(made.rows)
    assert ">novel</button>" in page


def test_what_was_not_done_says_how(text):
    for command in ("labelsearch seeds", "labelsearch explain", "labelsearch walk-forward"):
        assert re.search(rf'<p class="muted">[^<]+<code>{command} [^<]+</code>', text)


def test_what_was_done_later_is_shown(tiny_run, tmp_path):
    folder = copied(tiny_run, tmp_path).folder
    label = tiny_run.labels.names[0]
    with open_run(tiny_run.experiment, folder.parent, tiny_run.store) as run:
        walked = run.do(walk_forward.STAGE, window="past", every=2, trailing=None).value
        run.do(null.STAGE, repeats=2, n_strategies=40)
        run.do(explanation.STAGE, label=label, n_rows=30)
    page = report_page(opened(tiny_run, folder))
    for row in walk_forward_table(walked).rows:
        assert f'<td class="txt">{row[0]}</td><td class="txt">{row[1]}</td><td class="num">{row[2]}</td>' in page
    for name in ("walk-0", "null-0", "swarm-0-buy", "ablation-0"):
        assert f'id="{name}"' in page
    ledger = Ledger(folder / "ledger.jsonl")
    later = done_events(ledger)["search"]
    with (folder / "search" / "search.json").open("a") as file:
        file.write("\n")
    ledger.append("stage", **{**later, "content": digest_files(folder / "search")})
    assert 'id="walk-0"' not in report_page(opened(tiny_run, folder))  # it was of a search that is no more


def test_curves_are_those_of_the_run(tiny_run):
    figure = tier_curves(tiny_run)
    table = {(row.name, row.window): row.figures for row in tiny_run.ensembles.rows}
    for window, equity, drawdown in (("past", "y", "y2"), ("future", "y4", "y5")):
        for tier in ("Top-20", "Top-5", MARKET):
            own = {trace["yaxis"]: trace["y"] for trace in figure.data if trace["name"] == tier}
            assert own[equity][-1] == pytest.approx(1 + table[tier, window].total_return_pct / 100, abs=1e-3)
            assert -min(own[drawdown]) == pytest.approx(table[tier, window].max_drawdown_pct, abs=0.06)
            assert len(own[equity]) <= N_POINTS


def test_a_run_of_paper_size_stays_small(tiny_run, tmp_path):
    """20,000 strategies and two windows of 180,000 bars."""
    big = copied(tiny_run, tmp_path)
    rng = np.random.default_rng(1)

    def repeated(frame, n):
        frame = frame.iloc[np.arange(n) % len(frame)].reset_index(drop=True)
        for name in frame.select_dtypes("float").columns:
            frame[name] += 1e-3 * rng.normal(size=n)
        return frame

    def longer(curves, n):
        rows = np.arange(n) % len(curves.open_time)
        noise = 1e-3 * rng.normal(size=(n, 1))
        open_time = curves.open_time[0] + 60_000 * np.arange(n)
        return Curves(curves.names, open_time, curves.equity[rows] + noise, curves.position[rows] + noise)

    big.strategies = dataclasses.replace(big.strategies, frame=repeated(big.strategies.frame, 20_000))
    big.ensembles = dataclasses.replace(
        big.ensembles,
        future=repeated(big.ensembles.future, 20_000),
        curves={window: longer(curves, 180_000) for window, curves in big.ensembles.curves.items()},
    )
    scatter, curves = scatter_figure(big), tier_curves(big)
    assert f"{N_DOTS:,} of 20,000 strategies are drawn" in scatter.caption
    assert "Thinned to a point in 258 bars" in curves.caption
    drawn = {trace["name"]: len(trace["x"]) for trace in scatter.data if len(trace["x"]) > 1}
    assert drawn["searched"] + drawn["drawn at random"] == N_DOTS
    assert len(report_page(big).encode()) < LIMIT


def test_dots_are_strategies_and_random_ones_are_marked(tiny_run):
    figure = scatter_figure(tiny_run)
    past, future = tiny_run.strategies.frame, tiny_run.ensembles.future
    random = past["random"].to_numpy()
    by_name = {(trace["name"], trace["xaxis"]): trace for trace in figure.data if "xaxis" in trace}
    for axis, column in (("x", "monthly_return_pct"), ("x2", "score")):
        dots = by_name["drawn at random", axis]
        assert dots["x"] == pytest.approx(past[column][random].tolist(), rel=1e-3)
        assert dots["y"] == pytest.approx(future["monthly_return_pct"][random].tolist(), rel=1e-3)
        assert dots["marker"]["symbol"] != by_name["searched", axis]["marker"]["symbol"]
        assert len(by_name["member of Top-20", axis]["x"]) == 20
    trades = figure.variants[1].changes
    assert trades["data.1.marker.color"] == pytest.approx(past["trades_per_month"][random].tolist(), rel=1e-2)
    assert trades["data.3.marker.color"] == pytest.approx(past["trades_per_month"][~random].tolist(), rel=1e-2)
    assert figure.data[3]["name"] == "searched"


def test_statistics_that_are_undefined_are_left_out():
    known = NullStatistic("known", "", 0.5, (0.1, 0.2), 1 / 3)
    unknown = NullStatistic("unknown", "", math.nan, (0.1, math.nan), 1.0)
    grid = null_grid(NullResult(2, 40, (known, unknown)))
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
    assert drawn == {f"{name} (1)", f"{name} (2)", MARKET}
    assert "All settings are the same." in compare_page([tiny_run, tiny_run])
    names = re.findall(r'id="([^"]+)"', markup(page))
    assert len(names) == len(set(names))


def test_words_of_the_verdict():
    assert "earned more" in verdict_words("edge")
    assert "neither" in verdict_words("no edge shown")
    assert "knew the direction" in verdict_words("timing, no profit shown")


def test_the_guide_names_every_part(text):
    guide, _, _ = (ROOT / "docs" / "READING_THE_REPORT.md").read_text().partition("## A run of many markets")
    for title in re.findall(r"<h2>([^<]+)</h2>", text):
        assert f"**{title}**" in guide
    assert set(re.findall(r"\*\*([^*]+)\*\*", guide)) <= {*re.findall(r"<h2>([^<]+)</h2>", text)}
