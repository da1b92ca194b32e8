"""A session: lines, journal, and going on after a kill."""

import dataclasses
import io
import json
import os
import signal
import subprocess
import sys
from itertools import islice

import numpy as np
import pytest
from click.testing import CliRunner

from labelsearch.commands import main
from labelsearch.durable import DamagedFileError
from labelsearch.live.bundle import load_bundle
from labelsearch.live.feed import Bar, FeedError, bars_in
from labelsearch.live.journal import BARS, SNAPSHOT, Journal
from labelsearch.live.session import Session
from labelsearch.live.sources import from_exchange, from_lines, replay
from labelsearch.live.verify import BundleError


@pytest.fixture(scope="module")
def file_of_bars(history, tmp_path_factory):
    """Parquet of all bars up to the end of past, with a hole."""
    before, past = history
    path = tmp_path_factory.mktemp("bars") / "bars.parquet"
    import pandas as pd

    frame = pd.concat([before.to_frame(), past.to_frame()]).drop(columns="filled")
    frame.drop(frame.index[len(before) + 40 : len(before) + 45]).reset_index().to_parquet(path)
    return path


def session_of(bundle, history, folder=None):
    session = Session(bundle, 0, Journal(folder) if folder else None)
    if session.fresh:
        session.start(history[0])
    return session


def test_lines(bundle, history):
    session = Session(bundle, 0, None, capital=5000.0)
    session.start(history[0])
    lines = list(session.run(bars_in(history[1].rows(0, 300))))
    assert len(lines) == 300
    line = lines[-1]
    assert line["time"] == "2018-01-22T04:59:00Z"
    assert line["closes"] == "2018-01-22T05:00:00Z"
    assert list(line["probabilities"]) == list(bundle.labels)
    assert set(line["tiers"]) == {"Top-20", "Top-5"}
    tier = line["tiers"]["Top-20"]
    assert tier["cash"] + tier["quantity"] * line["close"] == pytest.approx(tier["equity"])
    assert 2500 < tier["equity"] < 10_000
    assert json.loads(json.dumps(line)) == line
    assert any(line["fills"] for line in lines)


def test_what_is_dropped_is_told(bundle, history):
    session = session_of(bundle, history)
    bars = list(bars_in(history[1].rows(0, 4)))
    got = list(session.run([bars[0], bars[0], bars[2], bars[1], {"open_time": 3}, bars[3]]))
    assert [line.get("dropped", "").split(":")[0] for line in got] == ["", "repeated", "", "late", "refused", ""]
    assert got[-1]["feed"] == {"taken": 3, "missing": 1, "repeated": 1, "late": 1, "refused": 1}


@pytest.mark.parametrize("every", [1, 7, 1000])
def test_going_on_gives_the_same_lines(bundle, history, tmp_path, monkeypatch, every):
    """However often it is saved and wherever it is cut; the last line is told again."""
    monkeypatch.setattr("labelsearch.live.following.SAVE_EVERY", every)
    bars = list(bars_in(history[1].rows(0, 60)))
    bars[20:25] = []
    whole = list(session_of(bundle, history).run(bars))
    found, taken = [], 0
    for stop in (1, 3, 19, 21, 40, 55):
        session = session_of(bundle, history, tmp_path / "s")
        if session.untold:
            assert session.untold == found[-1:]
        after = session.last_ms
        rest = [bar for bar in bars if bar.open_time > after]
        found += list(islice(session.run(rest), stop - taken))
        taken = stop
        session.journal.close()  # the journal's, which saves nothing: as if killed
    assert found == whole[:55]


def kept(folder):
    journal = Journal(folder)
    found = [Bar(*record) for record in journal.records()]
    journal.close()
    return found


def test_a_line_that_did_not_go_out_is_told_again(bundle, history, tmp_path):
    """As when standard output is closed: the bar is in the journal, not in the snapshot."""
    session = session_of(bundle, history, tmp_path)
    running = session.run(bars_in(history[1].rows(0, 5)))
    for _ in range(3):
        next(running)
        session.delivered()
    lost = next(running)
    session.close()
    for _ in range(2):  # also if it is stopped again before that line
        again = Session(bundle, 0, Journal(tmp_path))
        assert again.untold == [lost]
        again.close()


def test_stopped_inside_a_bar(bundle, history, tmp_path, monkeypatch):
    """Nothing half done is saved: the next session has the same bits."""
    bars = list(bars_in(history[1].rows(0, 40)))
    whole = list(session_of(bundle, history).run(bars))
    session = session_of(bundle, history, tmp_path)
    classify, seen = session.engine._classify, []

    def stopped(number):
        seen.append(number)
        if len(seen) == 30:
            raise KeyboardInterrupt
        return classify(number)

    monkeypatch.setattr(session.engine, "_classify", stopped)
    found = []
    with pytest.raises(KeyboardInterrupt):
        found.extend(session.run(bars))
    session.close()
    again = Session(bundle, 0, Journal(tmp_path))
    found += [*again.untold, *again.run(bars[30:])]
    assert found == whole
    again.close()


def test_a_session_that_never_started_leaves_nothing(bundle, tmp_path):
    """A mistyped source must not become a session without history."""
    Session(bundle, 0, Journal(tmp_path)).close()
    again = Session(bundle, 5, Journal(tmp_path))
    assert again.fresh
    assert again.engine.start_ms == 5
    again.close()


def test_a_damaged_snapshot_is_named(bundle, history, tmp_path):
    session = session_of(bundle, history, tmp_path)
    session.close()
    path = tmp_path / SNAPSHOT
    whole = path.read_bytes()
    other = io.BytesIO()
    np.savez(other, a=np.zeros(1))
    odd = io.BytesIO()
    with np.load(path) as file:
        np.savez(odd, **{**file, "stream.so_far": np.zeros((2, 1))})
    changed = whole[:5000] + bytes([whole[5000] ^ 255]) + whole[5001:]
    torn = (b"", b"PK\3\4", whole[:1000], whole[:-30], changed)
    for bad in (*torn, b"\x93NUMPY", b"words", other.getvalue(), odd.getvalue()):
        path.write_bytes(bad)
        journal = Journal(tmp_path)
        with pytest.raises(BundleError, match=r"snapshot\.npz: ") as caught:
            Session(bundle, 0, journal)
        assert "\n" not in str(caught.value)
        journal.close()


def test_a_torn_line_takes_no_later_one_with_it(bundle, history, tmp_path):
    session = session_of(bundle, history, tmp_path)
    session.journal.close()
    bars = list(bars_in(history[1].rows(0, 3)))
    (tmp_path / BARS).write_bytes(b"0123 [15")  # killed while the first bar was written
    session = Session(bundle, 0, Journal(tmp_path))
    list(session.run(bars))
    session.journal.close()
    assert kept(tmp_path) == bars


def test_bars_that_lack_a_column_end_the_session(bundle, history):
    """A price of NaN would stay in recursive features for ever."""
    session = session_of(bundle, history)
    bare = next(bars_in(dataclasses.replace(history[1].rows(0, 1), quote_volume=None)))
    with pytest.raises(FeedError, match="need quote_volume, which the bars do not have"):
        list(session.run([bare]))


def test_two_sessions_cannot_share_a_folder(bundle, history, tmp_path):
    session = session_of(bundle, history, tmp_path)
    with pytest.raises(BundleError, match="another session is using this folder"):
        Journal(tmp_path)
    session.close()
    Journal(tmp_path).close()


def test_a_torn_journal_loses_the_torn_line_only(bundle, history, tmp_path):
    """Cut at every byte of the last line: the session goes on before it."""
    session = session_of(bundle, history, tmp_path)
    bars = list(bars_in(history[1].rows(0, 3)))
    list(session.run(bars))
    session.journal.close()
    path = tmp_path / BARS
    whole = path.read_bytes()
    start = whole[:-1].rfind(b"\n") + 1
    for size in range(start, len(whole)):
        path.write_bytes(whole[:size])
        assert [bar.open_time for bar in kept(tmp_path)] == [bar.open_time for bar in bars[:2]]
    path.write_bytes(whole.replace(b"1", b"2", 1))
    journal = Journal(tmp_path)
    with pytest.raises(DamagedFileError, match=r"bars\.jsonl: line 1"):  # not a session without these bars
        Session(bundle, 0, journal)
    journal.close()
    path.write_bytes(whole[:-4])
    again = Session(bundle, 0, Journal(tmp_path))
    assert again.last_ms == bars[1].open_time
    assert [line["time"] for line in again.run([bars[2]])] == ["2018-01-22T00:02:00Z"]


def test_a_kill_between_snapshot_and_list(bundle, history, tmp_path):
    """Bars that the snapshot holds already are not taken twice."""
    session = session_of(bundle, history, tmp_path)
    list(session.run(bars_in(history[1].rows(0, 5))))
    bars = (tmp_path / BARS).read_bytes()
    session.save()
    session.journal.close()
    (tmp_path / BARS).write_bytes(bars)
    again = Session(bundle, 0, Journal(tmp_path))
    assert again.engine.state.bars[0] == 5
    assert again.feed.counts.taken == 5


def test_snapshots_hold_no_objects(bundle, history, tmp_path):
    session = session_of(bundle, history, tmp_path)
    session.close()
    with np.load(tmp_path / SNAPSHOT, allow_pickle=False) as file:
        assert all(file[name].dtype != object for name in file.files)


def live(bundle_folder, *more, **options):
    command = [sys.executable, "-m", "labelsearch.commands", "live", str(bundle_folder), *map(str, more)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def test_killed_and_started_again(bundle_folder, file_of_bars, tmp_path):
    """SIGKILL at any moment: lines go on where they were; the last is told again."""
    options = ("--source", f"replay:{file_of_bars}", "--start", "2018-01-22", "--limit", "400")
    whole = CliRunner().invoke(main, ["live", str(bundle_folder), *options])
    wanted = whole.stdout.splitlines()
    assert whole.exit_code == 0
    assert len(wanted) == 400
    assert json.loads(wanted[-1])["feed"]["missing"] == 5
    got = []
    for stop in (30, 111):
        process = live(bundle_folder, *options[:4], "--state", tmp_path / "s")
        lines = [next(process.stdout).strip() for _ in range(stop)]
        os.kill(process.pid, signal.SIGKILL)
        lines += [line.strip() for line in process.stdout if line.endswith("\n")]
        process.communicate()
        # the last bar is told again, unless the kill came between writing it down and telling it
        got += lines[1:] if got and lines[0] == got[-1] else lines
    assert len(got) >= 140
    n = min(len(got), len(wanted))
    assert got[:n] == wanted[:n]


def test_ctrl_c_saves_and_ends(bundle_folder, file_of_bars, tmp_path):
    process = live(
        bundle_folder, "--source", "stdin", "--warm-up", file_of_bars, "--state", tmp_path / "s", stdin=subprocess.PIPE
    )
    start = 1_517_184_000_000  # after the file's last bar
    bar = {"open": 15000, "high": 15001, "low": 14999, "close": 15000, "volume": 1, "quote_volume": 15000, "trades": 3}
    for minute in range(3):
        process.stdin.write("no bar\n" + json.dumps({"open_time": start + 60_000 * minute, **bar}) + "\n")
    process.stdin.flush()
    lines = [json.loads(next(process.stdout)) for _ in range(3)]
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert "refused: missing open_time" in process.stderr.read()
    assert [line["time"][-9:] for line in lines] == ["00:00:00Z", "00:01:00Z", "00:02:00Z"]
    assert lines[0]["probabilities"]
    assert lines[0]["tiers"]["Top-20"]["equity"] == pytest.approx(1.0)  # accounts start after the warm-up file
    again = Session(load_bundle(bundle_folder), 0, Journal(tmp_path / "s"))
    assert again.engine.state.bars[0] == 3


class FakeExchange:
    """Closed bars of a table by a clock that sleeping moves on."""

    interval_ms = 60_000

    def __init__(self, bars, now):
        self.bars, self.now, self.asked = bars, now, 0

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds

    broken = 0

    def closed_since(self, start_ms):
        self.asked += 1
        stop = int(self.now * 1000) // 60_000 * 60_000
        found = self.bars.between(start_ms, stop)
        return found if len(found) else None


def test_an_exchange_is_asked_after_each_close(history):
    past = history[1].rows(0, 40)
    keep = np.ones(40, dtype=bool)
    keep[7] = False  # a minute that the exchange never gives
    exchange = FakeExchange(past._take(keep), past.open_time[5] / 1000)
    source = from_exchange(exchange, int(past.open_time[0]), 2.0, exchange.clock, exchange.sleep)
    got = [next(source) for _ in range(20)]
    wanted = past._take(keep).open_time[1:21]
    assert [bar.open_time for bar in got] == wanted.tolist()
    assert exchange.now == pytest.approx(wanted[-1] / 1000 + 62, abs=2)
    assert exchange.asked < 60  # also while the missing minute is waited for


def test_a_clock_that_is_set_back(history):
    """Bars are waited for no longer than one lasts."""
    past = history[1].rows(0, 40)
    exchange = FakeExchange(past, past.open_time[5] / 1000)
    slow = from_exchange(exchange, int(past.open_time[0]), 2.0, lambda: exchange.now - 86_400, exchange.sleep)
    got = [next(slow) for _ in range(20)]
    assert [bar.open_time for bar in got] == past.open_time[1:21].tolist()
    assert exchange.now < past.open_time[22] / 1000 + 60


def test_an_exchange_that_fails_is_asked_again(history):
    past = history[1].rows(0, 10)
    exchange = FakeExchange(past, past.open_time[1] / 1000)
    answer, told = exchange.closed_since, []

    def closed_since(start_ms):
        if exchange.asked % 3 == 1:
            exchange.asked += 1
            raise TimeoutError("no answer")
        return answer(start_ms)

    exchange.closed_since = closed_since
    source = from_exchange(
        exchange, int(past.open_time[0]), 2.0, exchange.clock, exchange.sleep, (TimeoutError,), told.append
    )
    assert [next(source).open_time for _ in range(8)] == past.open_time[1:9].tolist()
    assert set(told) == {"no answer"}
    with pytest.raises(TimeoutError):
        list(from_exchange(exchange, int(past.open_time[0]), 2.0, exchange.clock, exchange.sleep))


def test_a_line_is_never_swallowed(bundle, history, tmp_path, monkeypatch):
    """Killed after every step of the session: what follows starts at the last line told, or the one after it."""
    monkeypatch.setattr("labelsearch.live.following.SAVE_EVERY", 2)
    bars = list(bars_in(history[1].rows(0, 9)))
    whole = list(session_of(bundle, history).run(bars))
    told = []
    for _ in range(20):
        session = session_of(bundle, history, tmp_path)
        first = list(session.untold)
        rest = [bar for bar in bars if bar.open_time > session.last_ms]
        more = list(islice(session.run(rest), 1))
        session.journal.close()
        for line in first + more:
            if not told or line != told[-1]:
                told.append(line)
    assert told == whole


def test_other_sources(history):
    past = history[1].rows(0, 4)
    assert [bar.open_time for bar in replay(past, int(past.open_time[1]))] == past.open_time[2:].tolist()
    assert len(list(replay(past, None))) == 4
    holed = past._take(np.array([True, False, True, True])).on_grid()
    assert [bar.open_time for bar in replay(holed, None)] == past.open_time[[0, 2, 3]].tolist()
    assert isinstance(next(replay(past, None)), Bar)


def test_lines_that_are_no_json(monkeypatch):
    """Each is told as one broken bar, however long; what follows is read."""
    monkeypatch.setattr("labelsearch.live.sources.LONGEST_LINE", 64)
    good = b'{"a": 1}\n'
    for bad in (b"[1]\n", b"{\n", b"\xff\xfe\n", b"\0\n", b"[" * 63 + b"\n", b'{"a": NaN}\n', b'{"a": 1, "a": 2}\n',
                b"x" * 64 + good, b"x" * 150 + good):  # fmt: skip
        assert list(from_lines(io.BytesIO(good + bad + b"\n" + good))) == [{"a": 1}, {}, {"a": 1}]
    assert list(from_lines(io.BytesIO(good + good.strip()))) == [{"a": 1}] * 2
    assert list(from_lines(io.BytesIO(b""))) == []
    assert list(from_lines(io.BytesIO(b"[" * 100_000))) == [{}]
