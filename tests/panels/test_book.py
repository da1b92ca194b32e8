"""Books of all markets of a panel, on a planted one: the quiet markets gain most."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from labelsearch.commands import main
from labelsearch.delivery.report import write_panel_report
from labelsearch.delivery.tables.book import book_sentences, book_tables
from labelsearch.engine.executors.choice import Workers
from labelsearch.engine.ledger import Ledger
from labelsearch.engine.run import LEDGER, LOOKS, recorded
from labelsearch.errors import InputError
from labelsearch.notebook.opening import open_run
from labelsearch.panels.book.split import SEARCH, TIERS, outputs_then
from labelsearch.panels.hedges import _book_past, hedge_panel
from labelsearch.panels.run import open_panel
from labelsearch.results.panel_run import PanelResults
from labelsearch.settings.experiment import Experiment
from labelsearch.settings.schema import ExperimentError
from strategies.trade.window import TradingWindow
from tests.panels.test_relative import MARKETS, experiment, planted

BOOK = {
    "roll": {"step": "10d", "splits": 2},
    "windows": {
        "train": ["2020-01-01", "2020-03-21"], "past": ["2020-03-23", "2020-04-20"],
        "future": ["2020-04-22", "2020-05-01"],
    },
    "book": {"kind": "neutral", "cap": 0.4, "shifts": 19, "beta_bound": 0.2},
    "search": {
        "n_strategies": 200, "island_size": 100, "side": "both", "signed": True, "theta_buy": [0.4, 0.5],
        "theta_sell": [0.5, 0.6], "delta": [0.0, 0.02],
    },
    "tiers": {"sizes": [5, 20]},
    "null": {"repeats": 2, "n_strategies": 40},
    "costs": {"borrow": 0.0001, "impact": 0.1, "capital": 10.0, "impact_days": 5},
}  # fmt: skip


def book(**changes) -> Experiment:
    merged = {name: {**its, **changes.get(name, {})} for name, its in BOOK.items()}
    return experiment(**{**changes, **merged})


def run(settings: Experiment, runs: Path, store: Path, workers: int = 1) -> PanelResults:
    with open_panel(settings, runs, store, workers=Workers(workers)) as opened:
        opened.do()
    return PanelResults(opened.folder, store)


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    return planted(tmp_path_factory.mktemp("planted") / "store")


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("books") / "runs"


@pytest.fixture(scope="module")
def done(store, runs) -> PanelResults:
    return run(book(), runs, store)


def test_a_planted_edge_is_earned_without_the_basket(done):
    panel = done.panel
    assert panel.book.kind == "neutral"
    largest = panel.tier(20)
    assert largest.alpha.t > 2.0
    assert largest.sharpe > 3.0
    assert abs(largest.beta) < 0.2
    assert panel.book.watched(20).is_neutral
    assert min(panel.book.shifts.p_value.values()) <= 0.1
    assert panel.book.shifts.mean_t[20] < 1.0
    assert largest.alpha.t > max(panel.book.null.t[20])
    assert not any(row.interval for row in panel.book.strength)
    rows = [row for row in panel.book.strength if row.hours == 1.0]
    assert all(row.correlation > 3 * row.error for row in rows)


def test_what_is_watched_adds_up(done):
    panel = done.panel
    for tier in panel.book.tiers:
        total = tier.total
        assert total.net_pct == pytest.approx(panel.tier(tier.size).total_pct, abs=1e-9)
        paid = (total.fees_pct, total.spread_pct, total.impact_pct, total.funding_pct, total.borrow_pct)
        assert total.long_pct + total.short_pct - sum(paid) == pytest.approx(total.net_pct, abs=1e-9)
        assert min(total.fees_pct, total.impact_pct, total.borrow_pct) > 0
        assert abs(tier.net_worst_pct) < 40
        assert 20 < tier.gross_pct <= tier.gross_most_pct < 130
        assert tier.capacity > 10
    by_market = panel.wide("Top-20").sum(axis=1).to_numpy()
    equity = panel.equity["Top-20"].to_numpy()
    np.testing.assert_allclose(by_market, equity / np.r_[1.0, equity[:-1]] - 1.0, atol=1e-9)


def _stages(results: PanelResults, split: int):
    return Ledger(results.folder / "pooled" / f"split-{split}" / LEDGER).stages()


def test_looks_are_counted_once_for_each_market_and_split(done):
    looks = list(Ledger(done.folder.parent / LOOKS).events("look"))
    tiers = {event["key"] for split in (1, 2) for event in _stages(done, split) if event["stage"] == "book tiers"}
    own = [look for look in looks if look["key"] in tiers]
    assert len(own) == len(done.panel.cells) == len(done.looks)
    assert all(look.number == 1 for look in done.looks.values())


def test_it_goes_on_where_it_was(done, runs, store):
    before = {path: path.read_bytes() for path in done.folder.rglob(LEDGER)}
    panel = done.folder / "panel" / "panel.json"
    content = panel.read_bytes()
    run(book(), runs, store)
    assert {path: path.read_bytes() for path in done.folder.rglob(LEDGER)} == before
    assert panel.read_bytes() == content


@pytest.mark.slow
def test_two_workers_give_the_same_bits(done, store, tmp_path):
    other = run(book(), tmp_path / "runs", store, workers=2)
    for name in ("panel.json", "equity.parquet", "returns.parquet"):
        assert (other.folder / "panel" / name).read_bytes() == (done.folder / "panel" / name).read_bytes()


@pytest.mark.parametrize("kind", [pytest.param("long", marks=pytest.mark.slow), "best"])
def test_other_kinds_of_book(done, runs, store, kind):
    found = run(book(book={"kind": kind, "shifts": 0}, null={"repeats": 0}), runs, store).panel
    assert found.book.kind == kind
    assert found.book.shifts is None
    watched = found.book.watched(20)
    if kind == "long":
        assert watched.total.short_pct == 0
        assert found.tier(20).beta > 0.3
        assert watched.net_pct == pytest.approx(watched.gross_pct)
    else:
        assert watched.total.short_pct != 0
        assert watched.total.long_pct != 0


def test_report_and_commands(done):
    folder = write_panel_report(done)
    page, text = ((folder / name).read_text() for name in ("report.html", "report.md"))
    for title in ("Neutrality and exposure", "Gain by leg", "Wishes and what followed", "Alpha among shifted outputs"):
        assert title in page
        assert title in text
    assert "A cell is a run of its own" not in page
    keys = [table.key for table in book_tables(done)]
    shown = CliRunner().invoke(main, ["runs", "show", str(done.folder), "--json"])
    assert shown.exit_code == 0, shown.output
    assert set(keys) <= set(json.loads(shown.output))
    refused = CliRunner().invoke(
        main, ["export", str(done.folder), "--market", "M0", "--out", str(done.folder / "bundle")]
    )
    assert refused.exit_code == 2
    assert "is one book: its markets have no tiers of their own" in refused.output
    assert any("neutral" in sentence.lower() for sentence in book_sentences(done))


def test_in_a_notebook(done, store):
    opened = open_run(done.folder, store)
    assert opened.book.loc["Top-20", "beta"] == done.panel.book.watched(20).neutrality.beta
    assert opened.book["is_neutral"].all()
    gain = opened.legs.groupby("tier")["net_pct"].sum()
    assert gain["Top-5"] == pytest.approx(100.0 * (opened.equity["Top-5"].iloc[-1] - 1.0))
    assert (opened.strength.loc["Top-20", "", 1.0]["correlation"]) > 0
    weights = opened.weights("Top-5")
    assert weights.shape == (480, len(MARKETS))
    assert weights.sum(axis=1).abs().max() < 1e-9
    assert weights.abs().sum(axis=1).max() <= 1.0 + 1e-9
    with pytest.raises(InputError, match="no tier 'Top-7'; there are Top-20, Top-5"):
        opened.weights("Top-7")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"book": {"cap": 0.1}}, r"\[book\]: 6 markets of at most 0.1 each cannot hold a gross exposure of 1"),
        ({"costs": {"borrow": None, "venue": "binance-spot"}}, "binance-spot lends nothing for short positions"),
        ({"book": {"kind": "both"}}, "kind = 'both' is unknown"),
        ({"book": {"band": [0.4, 0.1]}}, "band needs a lower end"),
        ({"data": {"intervals": ["2h", "1h"]}}, "intervals must begin with 1h"),
        ({"data": {"intervals": ["1h", "30m"]}}, "none may be shorter than the first"),
        ({"data": {"intervals": ["1h", "7h"]}}, "intervals: "),
        ({"data": {"intervals": ["1h", "2h"]}, "book": {"kind": "each"}}, "several intervals are of a book"),
        ({"data": {"symbols": ["M0"]}}, "a book needs several markets|there is one market alone"),
    ],
)
def test_settings_that_make_no_book_are_refused(changes, words):
    merged = {**BOOK, **{name: {**BOOK.get(name, {}), **its} for name, its in changes.items()}}
    merged["costs"] = {name: value for name, value in merged["costs"].items() if value is not None}
    with pytest.raises(ExperimentError, match=words):
        experiment(**merged)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"pool": {"strategies": True}}, "a book searches its strategies for all markets anyway"),
        ({"roll": {"refit": "tiers"}}, r"\[book\]: refit = tiers is not for books"),
        ({"universe": {"history_days": 90}}, "the fitted part of train has"),
    ],
)
def test_runs_that_make_no_book_are_refused_in_one_line(store, tmp_path, changes, words):
    merged = {**BOOK, **{name: {**BOOK.get(name, {}), **its} for name, its in changes.items()}}
    with pytest.raises(ExperimentError, match=words) as refused:
        run(experiment(**merged), tmp_path / "runs", store)
    assert "\n" not in str(refused.value)


@pytest.mark.slow
def test_outputs_of_several_intervals(store, tmp_path):
    found = run(
        book(data={"intervals": ["1h", "2h", "3h"]}, book={"shifts": 0}, null={"repeats": 0}), tmp_path / "runs", store
    )
    strategies = recorded(found.folder / "pooled" / "split-1", SEARCH).value
    assert strategies.parameters[-3:] == ("a0", "a1", "a2")
    assert {path.name for path in (found.folder / "intervals").iterdir()} == {"2h", "3h"}
    assert found.panel.tier(20).sharpe > 2.0
    strength = {(row.name, row.interval): row for row in found.panel.book.strength if row.hours == 1.0}
    assert {interval for _, interval in strength} == {"", "1h", "2h", "3h"}
    assert strength["Top-20", "1h"].correlation > 3 * strength["Top-20", "1h"].error
    assert len({row.correlation for row in strength.values()}) == len(strength)
    assert "interval" in next(table for table in book_tables(found) if table.key == "strength").columns


def test_the_last_closed_value_is_no_later_one():
    hour = 3_600_000
    outputs = np.arange(8.0)[:, None]
    window = TradingWindow.of(outputs, np.ones(8), np.ones(8), 90 * 60_000 * np.arange(8), 1.0)
    grid = hour * np.arange(12)
    found = outputs_then(grid, hour, window, 90 * 60_000)[:, 0]
    closes = (np.arange(8) + 1) * 90 * 60_000
    for row, value in zip(grid + hour, found, strict=True):
        known = outputs[closes <= row, 0]
        assert (np.isnan(value) and not len(known)) or value == known[-1]
    gone = outputs_then(hour * np.arange(30), hour, window, 90 * 60_000)[:, 0]
    assert np.isnan(gone[-1])
    assert gone[11] == 7.0


def test_the_universe_says_whom_it_left_out(done):
    found = recorded(done.folder / "pooled" / "split-1", TIERS).value
    facts = found.universe["future"]
    assert facts.rows == 240
    assert 5 <= facts.members <= len(MARKETS)
    assert facts.without_members == facts.singular == 0
    assert found.sizes == (20, 5)
    assert found.weights.shape == (2, 240, len(found.markets))


def test_hedges_stand_beside_the_tiers_of_the_past_of_the_first_split(done, runs, store):
    with open_panel(book(), runs, store) as opened:
        found = hedge_panel(opened, "past", 4 * 3_600_000).value
        past = _book_past(opened, opened.cells.of(1))
    assert (found.lead[0], found.days[1]) == ("2020-03-23", "2020-04-20")
    tiers = recorded(done.folder / "pooled" / "split-1", TIERS).value
    for row, returns in zip(tiers.past, past.returns.T, strict=True):
        assert 100.0 * (np.prod(1.0 + returns) - 1.0) == pytest.approx(row.return_pct, rel=1e-9)
    assert {(row.size, row.method) for row in found.over_all()} == {
        (size, name) for size in (5, 20) for name in ("LSTM", "ARIMA-GARCH", "momentum", "contrarian", "combined")
    }
    assert {row.market for row in found.within()} <= set(MARKETS)
    assert PanelResults(done.folder, store).hedges == [found]
