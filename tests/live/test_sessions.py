"""A market with sessions: a run on the grid of its calendar, and the same bits when its bundle is followed live."""

import dataclasses
import json

import numpy as np
import pytest

from labelsearch.delivery.export import export_bundle
from labelsearch.live.bundle import load_bundle
from labelsearch.live.engine import Engine
from labelsearch.live.feed import Feed, bars_in
from labelsearch.live.session import Session
from labelsearch.live.sources import replay
from labelsearch.market.calendars import Calendar
from labelsearch.market.rules import BarError
from labelsearch.market.store import Store
from labelsearch.market.synthetic import synthetic_bars
from labelsearch.market.times import DAY_MS, parse_time
from labelsearch.results.run import Results
from labelsearch.settings.experiment import Experiment
from strategies.tiers.metrics import year_of
from strategies.trade.simulate import simulate
from tests.running import run_experiment

pytest.importorskip("exchange_calendars")
STEP_MS = 300_000


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Five minutes of New York; the store lacks a few bars."""
    root = tmp_path_factory.mktemp("sessions")
    minutes = synthetic_bars(125 * 1440, 5, edge=0.15, start="2018-01-01", symbol="SYNTH")
    opens = Calendar("XNYS").opens(int(minutes.open_time[0]), int(minutes.open_time[-1]), 60_000)
    traded = minutes._take(np.isin(minutes.open_time, opens))
    Store(root / "store").save(traded._take(np.arange(len(traded)) // 5 % 97 != 50))
    experiment = Experiment.from_dict(
        {
            "name": "sessions",
            "data": {"symbol": "SYNTH", "interval": "5m", "calendar": "XNYS"},
            "windows": {
                "train": ["2018-01-02", "2018-03-28"],
                "past": ["2018-04-02", "2018-04-18"],
                "future": ["2018-04-20", "2018-05-04"],
            },
            "separation": {"n_pairs": 2000, "n_values": 3, "n_restarts": 1, "n_shifts": 19},
            "network": {"n_neutral": 2000, "n_trials": 1, "max_epochs": 1, "batch_size": 1024, "n_seeds": 1},
            "search": {"n_strategies": 100, "island_size": 50},
            "tiers": {"sizes": [10, 5], "controls": []},
            "null": {"repeats": 0},
            "label": [{"kind": "threshold", "theta": 0.003, "horizon": "1d"}],
        }
    )
    return Results(run_experiment(experiment, root / "runs", root / "store"), root / "store")


@pytest.fixture(scope="module")
def folder(run, tmp_path_factory):
    return export_bundle(run, None, tmp_path_factory.mktemp("bundles") / "winners")


def test_the_grid_is_that_of_the_calendar(run):
    bars = run.bars
    windows = run.experiment.windows.named
    opens = Calendar("XNYS").opens(windows["train"].start_ms, windows["future"].stop_ms, STEP_MS)
    assert bars.open_time.tolist() == opens.tolist()
    assert 0.0 < bars.filled.mean() < 0.02
    assert not np.isin(parse_time("2018-01-15") // DAY_MS, bars.open_time // DAY_MS)  # a holiday
    assert run.experiment.label_kinds()[0].lookahead == 78  # a session, over weekends too


def test_figures_count_days_of_the_calendar(run):
    outputs = run.outputs
    assert year_of(outputs.past) == outputs.past.days_a_year == 252
    assert outputs.bars.coverage["train"] == 1.0 - run.bars.filled[run.rows("train")].mean()
    assert run.bars.bars_a_day == 78


def test_live_is_the_search_bit_by_bit(run, folder):
    """Nights, weekends and holidays are no bars; missing ones are filled as in the run."""
    bundle, past = load_bundle(folder), run.rows("past")
    assert json.loads((folder / "market.json").read_text())["calendar"] == bundle.calendar == "XNYS"
    engine = Engine(bundle, int(run.bars.open_time[past.start]))
    engine.start(run.bars.rows(None, past.start).present())
    feed = Feed(STEP_MS, bundle.optional_columns, calendar=bundle.calendar)
    feed.last = engine.last
    steps = []
    for bar in bars_in(run.bars.rows(past.start, past.stop).present()):
        steps += [engine.take(one) for one in feed.take(bar)]
    assert feed.counts.missing == run.bars.filled[past].sum() > 0
    decided = np.array([step.outputs for step in steps if step.outputs.size])
    assert decided.tobytes() == run.outputs.past.outputs.tobytes()
    wanted = simulate(bundle.params, run.outputs.past, bundle.rules)
    assert engine.state.equity.tobytes() == wanted.equity.tobytes()
    whole = Engine(bundle, engine.start_ms)
    whole.start(run.bars.rows(None, past.stop).present())
    assert whole.state.equity.tobytes() == wanted.equity.tobytes()
    # another start of the history gives other warm-up values, but rows keep their numbers
    later = Engine(bundle, engine.start_ms)
    later.start(run.bars.rows(500, past.start))
    assert later._calendar.number(later.last.open_time, STEP_MS) == run.bars.number + past.start - 1


def test_bars_at_closed_times_are_dropped(run, folder):
    bundle, past = load_bundle(folder), run.rows("past")
    session = Session(bundle)
    session.start(run.bars.rows(None, past.start).present())
    nxt = next(bars_in(run.bars.rows(past.start, past.start + 1)))
    closed = nxt._replace(open_time=session.last_ms + STEP_MS)
    lines = list(session.run([closed, nxt]))
    assert lines[0] == {"dropped": "refused: 2018-03-29 20:00 is outside of calendar XNYS"}
    assert lines[1]["feed"]["refused"] == 1
    saturday = run.bars.rows(0, past.start)
    saturday = dataclasses.replace(saturday.rows(0, 1), open_time=np.array([parse_time("2018-01-06")]))
    with pytest.raises(BarError, match="the first is 2018-01-06 00:00 UTC"):
        Engine(bundle).start(saturday)


def test_a_snapshot_goes_on_with_the_same_bits(run, folder):
    bundle, past = load_bundle(folder), run.rows("past")
    one = Engine(bundle, int(run.bars.open_time[past.start]))
    one.start(run.bars.rows(None, past.start + 100).present())
    other = Engine(bundle)
    other.restore(one.snapshot())
    rest = list(replay(run.bars, int(run.bars.open_time[past.start + 99])))[:200]
    assert [one.take(bar).outputs.tolist() for bar in rest] == [other.take(bar).outputs.tolist() for bar in rest]
