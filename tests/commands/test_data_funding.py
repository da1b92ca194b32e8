"""Funding by the data commands: what they print, how they refuse, and what is stored."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from labelsearch.market.store import Store
from labelsearch.market.synthetic import synthetic_bars
from labelsearch.market.times import parse_time
from tests.commands.test_data import assert_refused, run
from tests.market.fetching.archive_server import ArchiveServer, serve, zipped

START = parse_time("2024-01-01")
STEP = 8 * 3_600_000


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LABELSEARCH_STORE", raising=False)


def write(name: str = "funding.csv", symbols: tuple[str, ...] = (), lost: int | None = None) -> str:
    """Ten payments of each symbol."""
    parts = []
    for symbol in symbols or ("",):
        time = START + STEP * np.arange(10)
        part = pd.DataFrame({"fundingTime": time, "fundingRate": np.arange(10) * 1e-4})
        parts.append(part.assign(symbol=symbol) if symbols else part)
    frame = pd.concat(parts, ignore_index=True)
    (frame if lost is None else frame.drop(index=lost)).to_csv(name, index=False)
    return name


def marks(name: str = "marks.csv", n: int = 4) -> str:
    time = START + STEP * np.arange(n)
    price = 100.0 + np.arange(n)
    pd.DataFrame({"open_time": time, "open": price, "high": price + 1, "low": price - 1, "close": price}).to_csv(
        name, index=False
    )
    return name


def test_import_then_list_and_check() -> None:
    result = run("import", write(), "--symbol", "BTCUSDT", "--funding")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.output == (
        "funding.csv: read as funding\nBTCUSDT: 10 payments added, 0 already there, 0 replaced, 0 got a mark price\n"
    )
    line = "BTCUSDT      funding     10 payments  2024-01-01 00:00 .. 2024-01-04 00:00, 0 missing, 0 with a mark price"
    assert run("list").output == line + "\n"
    assert run("check", "BTCUSDT").output == line + "\n"
    Store("store").save(synthetic_bars(5, 1, symbol="BTCUSDT"))
    assert run("list").output.splitlines()[1] == line
    assert run("check", "BTCUSDT").output.splitlines()[0] == "BTCUSDT 1m"
    row = {"symbol": "BTCUSDT", "payments": 10, "first": "2024-01-01 00:00", "last": "2024-01-04 00:00", "missing": 0}
    assert json.loads(run("list", "--json").stdout)["funding"] == [{**row, "marks": 0}]
    assert json.loads(run("check", "BTCUSDT", "--json").stdout)["funding"] == {"BTCUSDT": {**row, "marks": 0}}


def test_missing_payments_are_counted() -> None:
    run("import", write(lost=4), "--symbol", "BTC/USDT", "--funding", "--as", "MINE")
    assert "MINE         funding      9 payments" in run("list").output
    assert ", 1 missing," in run("list").output
    assert_refused(run("check", "BTCUSDT"), "no 1m bars of BTCUSDT")


def test_mark_prices_with_files_or_later() -> None:
    run("import", write(), "--symbol", "BTCUSDT", "--funding")
    result = run("import", "--symbol", "BTCUSDT", "--funding", "--marks", marks())
    assert result.output == (
        "4 of 10 payments have a mark price (BTCUSDT)\n"
        "BTCUSDT: 0 payments added, 10 already there, 0 replaced, 4 got a mark price\n"
    )
    assert Store("store").load_funding("BTCUSDT").mark[:5].tolist()[:4] == [100.0, 101.0, 102.0, 103.0]
    result = run("import", "funding.csv", "--symbol", "BTCUSDT", "--funding", "--marks", marks(n=6), "--json")
    found = json.loads(result.stdout)
    notes = ["funding.csv: read as funding", "6 of 10 payments have a mark price"]
    counts = {"new": 0, "same": 10, "replaced": 0, "completed": 2}
    assert found == {"imported": [{"symbol": "BTCUSDT", **counts, "notes": notes}], "skipped": {}}


def test_import_of_all_symbols() -> None:
    write("panel.csv", ("AAA", "BBB"))
    result = run("import", "panel.csv", "--symbol", "all", "--funding")
    assert result.output.splitlines() == [
        "panel.csv: read as funding",
        "AAA: 10 payments added, 0 already there, 0 replaced, 0 got a mark price",
        "BBB: 10 payments added, 0 already there, 0 replaced, 0 got a mark price",
        "2 symbols: 20 payments added, 0 already there, 0 replaced, 0 got a mark price",
    ]
    Path("panel.csv").write_text(Path("panel.csv").read_text().replace("0.0005,BBB", "2,BBB"))
    assert_refused(
        run("import", "panel.csv", "--symbol", "all", "--funding", "--store", "other"),
        "panel.csv: row 16: BBB: the funding rate is not a fraction between -1 and 1",
    )
    assert not Path("other").exists()
    result = run("import", "panel.csv", "--symbol", "all", "--funding", "--store", "other", "--skip-broken")
    assert "1 rows that break a rule are left out" in result.output
    assert len(Store("other").load_funding("BBB")) == 9


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (("funding.csv",), "holds funding rates, not bars: --funding imports them"),
        (("funding.csv", "--funding", "--interval", "8h"), "--interval, --anchor and --format are of bars"),
        (("funding.csv", "--marks", "x.csv"), "--marks fills in mark prices of funding: give --funding too"),
        (("funding.csv", "--funding", "--marks", "none.csv"), "none.csv: no such file"),
        (("--funding", "--marks", "marks.csv"), "no funding of BTCUSDT; the store holds none"),
        (
            ("marks.csv", "--funding"),
            "marks.csv: no column is of funding rates: it needs funding_time and funding_rate",
        ),
        (("funding.csv", "--funding", "--as", "../x"), "is not a valid symbol"),
    ],
)
def test_what_cannot_be_imported(arguments: tuple[str, ...], rule: str) -> None:
    write()
    marks()
    assert_refused(run("import", *arguments, "--symbol", "BTCUSDT"), rule)
    assert not Path("store").exists()


def test_import_needs_files() -> None:
    result = run("import", "--symbol", "BTCUSDT", "--funding")
    assert result.exit_code == 2
    assert "Missing argument 'FILES...'" in result.stderr


@pytest.fixture
def server(folder: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[ArchiveServer]:
    """An archive with the funding of a month, less one day."""
    with serve() as archive:
        monkeypatch.setenv("LABELSEARCH_ARCHIVE_URL", archive.url)
        rows = [f"{START + STEP * i + 3},8,0.0001" for i in range(93) if i not in (30, 31, 32)]
        path = "/data/futures/um/monthly/fundingRate/TESTUSDT/TESTUSDT-fundingRate-2024-01.zip"
        header = "calc_time,funding_interval_hours,last_funding_rate"
        archive.put(path, zipped("TESTUSDT-fundingRate-2024-01.csv", [header, *rows]))
        yield archive


def test_fetch(server: ArchiveServer) -> None:
    arguments = ("fetch", "TESTUSDT", "--funding", "--start", "2024-01-01", "--end", "2024-01-31")
    result = run(*arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.output == (
        "TESTUSDT funding: 1 files fetched, 90 payments added, 0 already there, 1 gaps remain (3 payments missing), "
        "the longest:\n  2024-01-11 00:00 .. 2024-01-11 16:00  3\n"
    )
    found = json.loads(run(*arguments, "--json").stdout)
    assert (found["interval"], found["present"], found["files"]) == (None, 90, 0)
    assert found["longest_holes"] == [{"first": "2024-01-11 00:00", "last": "2024-01-11 16:00", "payments": 3}]
    assert_refused(run(*arguments, "--interval", "8h"), "--interval is the length of a bar; funding has none")
    assert_refused(run("fetch", "NONE", *arguments[2:]), "no funding of NONE in 2024-01 .. 2024-01 at ")
    assert_refused(run("fetch", "A/B", *arguments[2:], "--from", "bitvavo"), "bitvavo provides no funding")
