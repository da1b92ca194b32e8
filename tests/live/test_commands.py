"""``labelsearch signal`` and ``live``: what they print, and what they refuse."""

import functools
import json
import sys

import pytest
from click.testing import CliRunner

from labelsearch.commands import main
from labelsearch.delivery.export import export_bundle
from labelsearch.live import sources
from labelsearch.live.bundle import load_bundle
from labelsearch.live.engine import Engine


def invoke(*arguments, **more):
    return CliRunner().invoke(main, [str(a) for a in arguments], **more)


@pytest.fixture(scope="module")
def bars_file(history, tmp_path_factory):
    """All bars up to an hour into past."""
    import pandas as pd

    before, past = history
    path = tmp_path_factory.mktemp("bars") / "bars.parquet"
    frame = pd.concat([before.to_frame(), past.rows(0, 60).to_frame()])
    frame.drop(columns="filled").reset_index().to_parquet(path)
    return path


def test_signal_is_where_the_engine_stands(bundle_folder, bars_file, history):
    got = invoke("signal", bundle_folder, "--bars", bars_file, "--start", "2018-01-22", "--json")
    assert got.exit_code == 0, got.stderr
    found = json.loads(got.stdout)["signal"]
    before, past = history
    engine = Engine(load_bundle(bundle_folder), int(past.open_time[0]))
    engine.start(before)
    from labelsearch.live.feed import bars_in

    *_, last = (engine.take(bar) for bar in bars_in(past.rows(0, 60)))
    assert found["time"] == "2018-01-22T00:59:00Z"
    assert (found["began"], found["in_sample"]) == ("2018-01-22T00:00:00Z", True)
    for n, standing in last.tiers.items():
        assert found["tiers"][f"Top-{n}"]["target"] == pytest.approx(standing.target, rel=1e-12)
        assert found["tiers"][f"Top-{n}"]["orders"] == standing.orders
    table = invoke("signal", bundle_folder, "--bars", bars_file, "--start", "2018-01-22")
    assert table.exit_code == 0
    assert f"{last.tiers[20].target:.3f}" in table.stdout


def test_live_replays_a_file(bundle_folder, bars_file):
    got = invoke("live", bundle_folder, "--source", f"replay:{bars_file}", "--start", "2018-01-22", "--capital", "900")
    assert got.exit_code == 0, got.stderr
    lines = [json.loads(line) for line in got.stdout.splitlines()]
    assert len(lines) == 60
    assert lines[0]["time"] == "2018-01-22T00:00:00Z"
    assert lines[0]["tiers"]["Top-5"]["equity"] == pytest.approx(900)
    signal = json.loads(invoke("signal", bundle_folder, "--bars", bars_file, "--start", "2018-01-22", "--json").stdout)
    wanted = signal["signal"]["tiers"]["Top-5"]
    assert lines[-1]["tiers"]["Top-5"]["target"] == pytest.approx(wanted["target"], rel=1e-12)


def test_without_a_start_trading_begins_when_warmed_up(bundle_folder, bars_file, bundle):
    got = invoke("live", bundle_folder, "--source", f"replay:{bars_file}", "--limit", "1")
    (line,) = map(json.loads, got.stdout.splitlines())
    minutes = bundle.warm_up % 1440
    assert line["time"] == f"2018-01-{1 + bundle.warm_up // 1440:02d}T{minutes // 60:02d}:{minutes % 60:02d}:00Z"
    assert "probabilities" in line


def test_stdin_warms_up_by_itself(bundle_folder, bundle):
    """Without history the first bars are the warm-up, and lines say how many are left."""
    bar = {"open": 15000, "high": 15001, "low": 14999, "close": 15000, "volume": 1, "quote_volume": 15000, "trades": 3}
    given = [json.dumps({"open_time": 1_514_764_800_000 + 60_000 * k, **bar}) for k in range(3)]
    more = ("no bar", given[0], *given[2:])  # what is dropped does not count for --limit
    got = invoke("live", bundle_folder, "--source", "stdin", "--limit", 3, input="\n".join([*given[:2], *more, "more"]))
    assert got.exit_code == 0
    lines = [json.loads(line) for line in got.stdout.splitlines()]
    assert [line["warming"] for line in lines] == [bundle.warm_up - k for k in range(3)]
    assert "late: 2018-01-01 00:00" in got.stderr


def test_a_file_that_is_too_short_is_told(bundle_folder, bars_file):
    got = invoke("live", bundle_folder, "--source", f"replay:{bars_file}", "--start", "2019-01-01")
    assert got.exit_code == 2
    assert "comes after --start" in got.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--source", "replay"), "is none of replay:FILE, stdin, ccxt:EXCHANGE:SYMBOL"),
        (("--source", "ccxt:kraken"), "is none of"),
        (("--source", "replay:no_such.parquet"), "no_such.parquet: no such file"),
        (("--source", "stdin", "--start", "soon"), "'soon' cannot be read"),
        (("--source", "ccxt:no_such_exchange:BTC/USDT"), "has no exchange"),
    ],
)
def test_what_live_refuses(bundle_folder, arguments, message):
    got = invoke("live", bundle_folder, *arguments)
    assert got.exit_code == 2
    assert message in got.stderr
    assert got.stderr.count("\n") == 1


def test_capital_is_finite(bundle_folder):
    got = invoke("live", bundle_folder, "--source", "stdin", "--capital", "nan")
    assert got.exit_code == 2
    assert "nan is not a finite amount" in got.stderr


def test_a_session_is_not_kept_in_the_bundle(bundle_folder):
    for state in (bundle_folder, bundle_folder / "classifiers" / "state"):
        got = invoke("live", bundle_folder, "--source", "stdin", "--state", state)
        assert got.exit_code == 2
        assert "lies in the bundle" in got.stderr
    load_bundle(bundle_folder)


def test_what_signal_refuses(bundle_folder, bars_file, tmp_path, history):
    for arguments, message in (
        ((tmp_path, "--bars", bars_file), "is not a bundle"),
        ((bundle_folder, "--bars", tmp_path / "none.csv"), "no such file"),
        ((bundle_folder, "--bars", bars_file, "--start", "2019-01-01"), "the bundle needs more than"),
        ((bundle_folder, "--bars", bars_file, "--own", tmp_path / "none.py"), "cannot be read"),
    ):
        got = invoke("signal", *arguments)
        assert got.exit_code == 2, got.output
        assert message in got.stderr
    import dataclasses

    bare = dataclasses.replace(history[0], quote_volume=None).to_frame().drop(columns="filled").reset_index()
    bare.to_csv(tmp_path / "bare.csv", index=False)
    got = invoke("signal", bundle_folder, "--bars", tmp_path / "bare.csv")
    assert got.exit_code == 2
    assert "need quote_volume, which the bars do not have" in got.stderr


def test_an_exchange_warms_up_and_goes_on(bundle_folder, bundle, history, monkeypatch, tmp_path):
    """History as far as the warm-up needs, then each bar as it closes; a second session takes up the first."""
    _, past = history
    now = [int(past.open_time[100])]

    class Fake:
        interval_ms = 60_000

        def __init__(self, name, symbol, interval_ms):
            assert (name, symbol, interval_ms) == ("somewhere", "BTC/USDT:USDT", 60_000)

        def clock_ms(self):
            return now[0]

        def bars(self, start_ms, stop_ms):
            import numpy as np

            from labelsearch.market.store import merge

            whole, _ = merge(list(history))
            assert np.all(np.diff(whole.open_time) == 60_000)
            return whole.between(start_ms, stop_ms // 60_000 * 60_000)

        broken = 0

        def closed_since(self, start_ms):
            now[0] += 60_000
            found = self.bars(start_ms, now[0])
            return found if len(found) else None

    monkeypatch.setattr(sys.modules["labelsearch.commands.live"], "_connect", Fake)
    monkeypatch.setattr(sources, "from_exchange", functools.partial(sources.from_exchange, sleep=lambda seconds: None))
    source = "ccxt:somewhere:BTC/USDT:USDT"
    options = ("live", bundle_folder, "--source", source, "--state", tmp_path / "s", "--limit", 2)
    lines = []
    for _ in range(2):
        got = invoke(*options)
        assert got.exit_code == 0, got.output
        lines += [json.loads(line)["time"] for line in got.stdout.splitlines()]
    assert lines == [f"2018-01-22T01:{40 + k}:00Z" for k in range(4)]


@pytest.mark.slow
def test_export_with_onnx(tiny_run, tmp_path):
    folder = export_bundle(tiny_run, 5, tmp_path / "five", onnx=True)
    bundle = load_bundle(folder)
    assert list(bundle.tiers) == [5]
    assert all((folder / "classifiers" / label / "classifier.onnx").is_file() for label in bundle.labels)
