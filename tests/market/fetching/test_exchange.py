"""Bars through ccxt: its own class of an exchange, against that exchange's API as served on this machine."""

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from labelsearch.market.archive import read
from labelsearch.market.bars import Bars
from labelsearch.market.fetching.download import TRIES, FetchError
from labelsearch.market.fetching.exchange import Exchange, fetch_exchange
from labelsearch.market.rules import OPTIONAL, REQUIRED, SUMS, BarError
from labelsearch.market.store import Store
from labelsearch.market.symbols import stored_name
from labelsearch.market.synthetic import synthetic_bars
from labelsearch.market.times import DAY_MS, parse_time
from tests.market.fetching.archive_server import rows as archive_rows
from tests.market.fetching.archive_server import zipped

ccxt = pytest.importorskip("ccxt")
MINUTE = 60_000
START = parse_time("2024-03-01")


class Api:
    """Bars, a clock and faults; each request of bars takes the next fault, a status or a body."""

    def __init__(self, bars: Bars) -> None:
        self.bars = bars
        self.clock_ms = int(bars.open_time[-1]) + DAY_MS
        self.faults: list[int | bytes] = []
        self.asked: list[int] = []
        self.largest_page = 1000
        self.url = ""

    def klines(self, query: dict[str, list[str]]) -> list[list]:
        since = int(query["startTime"][0])
        limit = min(int(query["limit"][0]), self.largest_page)
        self.asked.append(since)
        part = self.bars.between(since, None).rows(0, limit)
        return [[int(field) if i in (0, 6, 8) else field for i, field in enumerate(row)] for row in fields(part)]

    def candles(self, query: dict[str, list[str]]) -> list[list]:
        """Bitvavo's: newest first, six columns."""
        part = self.bars.between(int(query["start"][0]), int(query["end"][0]))
        return [[int(row[0]), *row[1:6]] for row in fields(part)][::-1]

    def answer(self, path: str) -> tuple[int, bytes]:
        parts = urlsplit(path)
        if parts.path == "/api/v3/time":
            return 200, json.dumps({"serverTime": self.clock_ms}).encode()
        if parts.path == "/api/v3/exchangeInfo":
            return 200, json.dumps({"symbols": [market("BTC"), market("ETH")]}).encode()
        if parts.path == "/v2/time":
            return 200, json.dumps({"time": self.clock_ms}).encode()
        if parts.path == "/v2/markets":
            btc = {"market": "BTC-USDT", "status": "trading", "base": "BTC", "quote": "USDT", "tickSize": "0.01"}
            return 200, json.dumps([btc]).encode()
        if parts.path == "/v2/assets":
            return 200, b"[]"
        if parts.path == "/v2/BTC-USDT/candles":
            return 200, json.dumps(self.candles(parse_qs(parts.query))).encode()
        if parts.path != "/api/v3/klines":
            return 404, b"{}"
        if self.faults:
            fault = self.faults.pop(0)
            return (fault, b"{}") if isinstance(fault, int) else (200, fault)
        return 200, json.dumps(self.klines(parse_qs(parts.query))).encode()


def fields(bars: Bars) -> list[list[str]]:
    """The text of each column of an archive file."""
    return [line.split(",") for line in archive_rows(bars)]


def market(base: str) -> dict[str, Any]:
    return {
        "symbol": f"{base}USDT", "status": "TRADING", "baseAsset": base, "quoteAsset": "USDT",
        "baseAssetPrecision": 8, "quotePrecision": 8, "orderTypes": ["LIMIT"], "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False, "filters": [], "permissions": ["SPOT"], "permissionSets": [["SPOT"]],
    }  # fmt: skip


@pytest.fixture
def api() -> Iterator[Api]:
    held = Api(synthetic_bars(3000, 1, start="2024-03-01", symbol="BTC/USDT"))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, content = held.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    held.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    with patch.dict(os.environ, no_proxy="127.0.0.1"):
        yield held
    server.shutdown()
    server.server_close()
    thread.join()


def connect(
    api: Api, symbol: str = "BTC/USDT", interval_ms: int = MINUTE, pauses: list | None = None, name: str = "binance"
) -> Exchange:
    options = {
        "urls": {"api": {"public": api.url if name == "bitvavo" else f"{api.url}/api/v3"}},
        "options": {"fetchMarkets": {"types": ["spot"]}},
        "rateLimit": 1,
    }
    noted: list[float] = [] if pauses is None else pauses
    return Exchange(name, symbol, interval_ms, options, sleep=noted.append)


def same_bars(got: Bars, expected: Bars, columns: tuple[str, ...] = (*REQUIRED, *OPTIONAL)) -> None:
    np.testing.assert_array_equal(got.open_time, expected.open_time)
    for name in columns:
        np.testing.assert_array_equal(getattr(got, name), getattr(expected, name))


def test_pages_are_joined(api: Api) -> None:
    got = connect(api).bars(START, START + 3000 * MINUTE)
    same_bars(got, api.bars)
    assert api.asked == [START + i * 1000 * MINUTE for i in range(3)]


def test_pages_shorter_than_asked_for(api: Api) -> None:
    api.largest_page = 300
    same_bars(connect(api).bars(START + MINUTE, START + 700 * MINUTE), api.bars.rows(1, 700))
    assert len(api.asked) == 3


@pytest.mark.parametrize("name", ["binance", "binanceus"])
def test_klines_are_the_bars_of_the_archive(api: Api, tmp_path: Path, name: str) -> None:
    whole = api.bars
    path = tmp_path / "BTCUSDT-1m-2024-03-01.zip"
    path.write_bytes(zipped(f"{path.stem}.csv", archive_rows(whole.rows(0, 1440))))
    got = connect(api, name=name).bars(START, START + DAY_MS)
    assert got.digest() == replace(read(path), symbol="BTC/USDT").digest()
    same_bars(got, whole.rows(0, 1440))


def test_decimals_become_the_nearest_doubles(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = api.klines
    texts = ["0.30000001", "0.90000003", "0.10000007", "0.70000013", "123456789.12345671"]

    def klines(query: dict[str, list[str]]) -> list[list]:
        return [[row[0], *texts, row[6], "0.02450123", 7, "1.10000009", *row[10:]] for row in genuine(query)]

    monkeypatch.setattr(api, "klines", klines)
    got = connect(api).bars(START, START + MINUTE)
    assert [float(getattr(got, name)[0]) for name in REQUIRED] == [float(text) for text in texts]
    assert [float(getattr(got, name)[0]) for name in SUMS[1:]] == [0.02450123, 7.0, 1.10000009]


def test_other_exchanges_give_no_optional_columns(api: Api) -> None:
    got = connect(api, name="bitvavo").bars(START, START + 2000 * MINUTE)
    same_bars(got, api.bars.rows(0, 2000), REQUIRED)
    assert got.quote_volume is got.trades is got.taker_buy_volume is None
    assert api.asked == []


@pytest.mark.parametrize("answer", [b"[[1,2]]", b'["x"]', b"[7]", b"{}", b"", b"soon"])
def test_what_is_no_list_of_klines(api: Api, answer: bytes) -> None:
    exchange = connect(api)
    api.faults = [answer]
    with pytest.raises(FetchError, match=r"bars of BTC/USDT from 2024-03-01 00:00: the answer is not a list of klines"):
        exchange.bars(START, START + MINUTE)


def test_a_halt_longer_than_a_page(api: Api) -> None:
    keep = np.r_[0:100, 2900:3000]
    api.bars = Bars.from_frame(api.bars.to_frame().iloc[keep], "BTC/USDT")
    same_bars(connect(api).bars(START, START + 3000 * MINUTE), api.bars)


def test_nothing_there_ends(api: Api) -> None:
    got = connect(api).bars(START + 5000 * MINUTE, START + 7500 * MINUTE)
    assert len(got) == 0
    assert len(api.asked) <= 3


def test_a_bar_counts_once_its_end_is_past(api: Api) -> None:
    exchange = connect(api)
    api.clock_ms = START + 10 * MINUTE - 1
    assert len(exchange.bars(START, START + DAY_MS)) == 9
    assert exchange.closed_since(START + 9 * MINUTE) is None
    api.clock_ms += 1
    got = exchange.closed_since(START + 9 * MINUTE)
    assert got is not None
    same_bars(got, api.bars.rows(9, 10))


def test_twins_and_rows_off_the_grid(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = api.klines

    def klines(query: dict[str, list[str]]) -> list[list]:
        rows = genuine(query)
        moved = [[rows[4][0] + 20_799, *rows[5][1:]], *rows[:3]]
        return [*moved, *rows]

    monkeypatch.setattr(api, "klines", klines)
    same_bars(connect(api).bars(START, START + 50 * MINUTE), api.bars.rows(0, 50))


def test_faults_that_pass(api: Api) -> None:
    pauses: list[float] = []
    exchange = connect(api, pauses=pauses)
    api.faults = [503, 429]
    same_bars(exchange.bars(START, START + 100 * MINUTE), api.bars.rows(0, 100))
    assert len(pauses) == 2


def test_faults_that_stay(api: Api) -> None:
    exchange = connect(api)
    api.faults = [503] * 20
    with pytest.raises(
        FetchError, match=r"^binance: bars of BTC/USDT from 2024-03-01 00:00: .*gave up after"
    ) as caught:
        exchange.bars(START, START + 100 * MINUTE)
    assert "\n" not in str(caught.value)
    assert len(api.faults) == 20 - TRIES


@pytest.mark.parametrize("broken", ["5", None, "0", "-1", "1e400"])
def test_broken_candles_are_left_out_and_counted(api: Api, monkeypatch: pytest.MonkeyPatch, broken: str | None) -> None:
    genuine = api.klines

    def klines(query: dict[str, list[str]]) -> list[list]:
        return [[*row[:1], broken, *row[2:]] if row[0] == START + 3 * MINUTE else row for row in genuine(query)]

    monkeypatch.setattr(api, "klines", klines)
    exchange = connect(api)
    got = exchange.bars(START, START + 10 * MINUTE)
    assert ((got.open_time - START) // MINUTE).tolist() == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert exchange.broken == 1
    assert len(exchange.bars(START + 3 * MINUTE, START + 4 * MINUTE)) == 0
    assert exchange.broken == 2


@pytest.mark.parametrize("days", [3, 1, -1])
def test_a_candle_of_another_day_ends_nothing(api: Api, monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    """A page of 500 minutes with a candle dated days later: what lies between is fetched."""
    genuine, spoilt = api.klines, START + 400 * MINUTE
    api.largest_page = 500

    def klines(query: dict[str, list[str]]) -> list[list]:
        rows = genuine(query)
        return [
            [row[0] + days * DAY_MS, *row[1:]] if row[0] == spoilt and row[0] != rows[0][0] else row for row in rows
        ]

    monkeypatch.setattr(api, "klines", klines)
    got = connect(api).bars(START, START + 3000 * MINUTE)
    missing = set(range(3000)) - set(((got.open_time - START) // MINUTE).tolist())
    assert missing <= {400}
    assert len(api.asked) < 15


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (("krakn", "BTC/USDT", MINUTE), "ccxt has no exchange 'krakn'; did you mean kraken"),
        (("binance", "BTC/USDT", 10 * MINUTE), "binance has no bars of 10m, only 1s, 1m"),
    ],
)
def test_what_does_not_exist(arguments: tuple, rule: str) -> None:
    with pytest.raises(BarError, match=rule):
        Exchange(*arguments)


def test_a_symbol_that_does_not_exist(api: Api) -> None:
    with pytest.raises(BarError, match="binance has no symbol 'BTC/USD'; did you mean BTC/USDT"):
        connect(api, "BTC/USD")


def test_a_symbol_by_other_names(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the store or the exchange name it; a second connection asks for no markets again."""
    first = connect(api, "BTCUSDT")
    assert first.symbol == "BTC/USDT"
    first._ccxt.markets["X/Y:Y"] = {**first._ccxt.markets["BTC/USDT"], "id": "XY-PERP"}
    monkeypatch.setattr(first._ccxt, "fetch_markets", lambda *_: pytest.fail("asked again"))
    assert [Exchange("binance", name, MINUTE, like=first).symbol for name in ("XY_Y", "XY-PERP")] == ["X/Y:Y"] * 2
    first._ccxt.markets["X/Z"] = first._ccxt.markets["X/Y:Y"]
    with pytest.raises(BarError, match="several markets XY-PERP: X/Y:Y, X/Z"):
        Exchange("binance", "XY-PERP", MINUTE, like=first)


def test_without_ccxt_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ccxt", None)
    with pytest.raises(BarError, match=r"pip install 'labelsearch\[exchanges\]'"):
        Exchange("kraken", "BTC/USD", MINUTE)


def test_names_in_the_store() -> None:
    assert stored_name("BTC/USDT") == "BTCUSDT"
    assert stored_name("BTC/USDT:USDT") == "BTCUSDT_USDT"
    assert stored_name("BTCUSDT") == "BTCUSDT"


def test_fetched_bars_are_stored_and_not_asked_for_again(api: Api, tmp_path: Path) -> None:
    keep = np.delete(np.arange(3000), np.r_[200:230])
    api.bars = Bars.from_frame(api.bars.to_frame().iloc[keep], "BTC/USDT")
    store = Store(tmp_path / "store")
    api.clock_ms = START + 3000 * MINUTE + DAY_MS
    exchange = connect(api)
    got = fetch_exchange(store, exchange, "BTCUSDT", START, START + 2000 * MINUTE)
    same_bars(store.load("BTCUSDT"), api.bars.between(START, START + 2000 * MINUTE))
    assert (got.added, got.present, got.missing, got.source) == (1970, 0, 30, "binance BTC/USDT")
    api.asked.clear()
    again = fetch_exchange(store, exchange, "BTCUSDT", START, START + 2000 * MINUTE)
    assert api.asked == []
    assert (again.added, again.present) == (0, 1970)
    fetch_exchange(store, exchange, "BTCUSDT", START, START + 3000 * MINUTE)
    assert api.asked == [START + 2000 * MINUTE]
    same_bars(store.load("BTCUSDT"), api.bars)
    with pytest.raises(BarError, match="come from binance BTC/USDT, not from binance ETH/USDT"):
        fetch_exchange(store, connect(api, "ETH/USDT"), "BTCUSDT", START, START + 3000 * MINUTE)


def test_holes_of_the_last_day_are_asked_for_again(api: Api, tmp_path: Path) -> None:
    whole = api.bars
    api.bars = Bars.from_frame(whole.to_frame().drop(index=whole.index[1500:1510]), "BTC/USDT")
    api.clock_ms = START + 2000 * MINUTE
    store, exchange = Store(tmp_path / "store"), connect(api)
    assert fetch_exchange(store, exchange, "BTCUSDT", START, START + DAY_MS * 2).missing == 10
    api.bars = whole
    assert fetch_exchange(store, exchange, "BTCUSDT", START, START + DAY_MS * 2).added == 10
    same_bars(store.load("BTCUSDT"), whole.rows(0, 2000))


def test_what_came_before_a_failure_is_stored(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labelsearch.market.fetching.exchange._PAGE_BARS", 500)
    store, exchange = Store(tmp_path / "store"), connect(api)
    genuine = api.answer
    monkeypatch.setattr(api, "answer", lambda path: (503, b"{}") if len(api.asked) == 2 else genuine(path))
    with pytest.raises(FetchError):
        fetch_exchange(store, exchange, "BTCUSDT", START, START + 3000 * MINUTE)
    same_bars(store.load("BTCUSDT"), api.bars.rows(0, 1000))
    monkeypatch.setattr(api, "answer", genuine)
    fetch_exchange(store, exchange, "BTCUSDT", START, START + 3000 * MINUTE)
    same_bars(store.load("BTCUSDT"), api.bars)
