"""Funding from the archive and from exchanges: what is asked for, what is refused, what is stored."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from labelsearch.market.checks import Gap
from labelsearch.market.fetching.archive import fetch_archive_funding
from labelsearch.market.fetching.archive_site import months_touched
from labelsearch.market.fetching.download import Client, FetchError
from labelsearch.market.fetching.exchange_funding import ExchangeFunding, fetch_exchange_funding
from labelsearch.market.fetching.inflow import Fetched
from labelsearch.market.funding import Funding
from labelsearch.market.rules import BarError
from labelsearch.market.store import Store
from labelsearch.market.times import DAY_MS, parse_time
from tests.market.fetching.archive_server import ArchiveServer, body, serve, status, zipped

HOUR = 3_600_000
START = parse_time("2024-01-01")


def history(days: int = 91, hours: int = 8, symbol: str = "TESTUSDT") -> Funding:
    time = START + hours * HOUR * np.arange(24 // hours * days)
    rng = np.random.default_rng(1)
    return Funding(symbol, time, np.round(rng.normal(0.0, 1e-4, len(time)), 8), np.full(len(time), np.nan))


def path_of(symbol: str, month: str) -> str:
    return f"/data/futures/um/monthly/fundingRate/{symbol}/{symbol}-fundingRate-{month}.zip"


def publish(server: ArchiveServer, funding: Funding, *months: str, late_ms: int = 7) -> None:
    """Publish files of months, stamped some milliseconds late as the exchange does."""
    for month in months:
        stop = f"{month[:5]}{int(month[5:]) + 1:02d}"
        part = funding.between(parse_time(f"{month}-01"), parse_time(f"{stop}-01"))
        rows = [f"{t + late_ms},8,{rate:.8f}" for t, rate in zip(part.time.tolist(), part.rate.tolist(), strict=True)]
        path = path_of(funding.symbol, month)
        member = path.rsplit("/", 1)[1].replace(".zip", ".csv")
        server.put(path, zipped(member, ["calc_time,funding_interval_hours,last_funding_rate", *rows]))


@pytest.fixture
def server() -> Iterator[ArchiveServer]:
    with serve() as archive:
        yield archive


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def fetch(
    server: ArchiveServer, store: Store, first: str, last: str, symbol: str = "TESTUSDT", now: str = "2024-06-01"
) -> Fetched:
    client = Client(tries=3, sleep=lambda _: None, timeout=5.0)
    start_ms, stop_ms = parse_time(first), parse_time(last) + DAY_MS
    return fetch_archive_funding(
        store, symbol, start_ms, stop_ms, url=server.url, now_ms=parse_time(now), client=client
    )


def test_months_that_touch_a_range() -> None:
    months = months_touched(parse_time("2023-11-30 10:00"), parse_time("2024-02-01 00:00:01"))
    assert [m.name for m in months] == ["2023-11", "2023-12", "2024-01", "2024-02"]
    assert [m.name for m in months_touched(parse_time("2024-01-05"), parse_time("2024-02-01"))] == ["2024-01"]


def test_months_come_into_the_store_once(server: ArchiveServer, store: Store) -> None:
    held = history()
    publish(server, held, "2024-01", "2024-02", "2024-03")
    got = fetch(server, store, "2024-01-10", "2024-02-29")
    assert (got.files, got.added, got.present, got.holes, got.refused) == (2, 3 * 60, 0, (), [])
    assert store.load_funding("TESTUSDT").digest() == held.between(None, parse_time("2024-03-01")).digest()
    assert sorted(server.zips()) == ["TESTUSDT-fundingRate-2024-01.zip", "TESTUSDT-fundingRate-2024-02.zip"]
    again = fetch(server, store, "2024-01-01", "2024-03-31")
    assert server.zips() == ["TESTUSDT-fundingRate-2024-03.zip"]
    assert (again.files, again.added, again.present, again.holes) == (1, 93, 180, ())
    assert store.load_funding("TESTUSDT").digest() == held.digest()
    assert sorted(file.name for file in (store.root / ".fetched/TESTUSDT/funding").glob("*.json")) == ["record.json"]
    assert store.contents() == []


def test_an_absent_month_is_a_gap_and_is_asked_for_once(server: ArchiveServer, store: Store) -> None:
    publish(server, history(), "2024-01", "2024-03")
    got = fetch(server, store, "2024-01-01", "2024-03-31")
    assert got.holes == (Gap(parse_time("2024-02-01"), parse_time("2024-02-29 16:00"), 87),)
    server.requests.clear()
    fetch(server, store, "2024-01-01", "2024-03-31")
    assert server.requests == []


def test_a_month_that_may_still_come_is_asked_for_again(server: ArchiveServer, store: Store) -> None:
    held = history()
    publish(server, held, "2024-01", "2024-02")
    fetch(server, store, "2024-01-01", "2024-03-31", now="2024-04-02")
    publish(server, held, "2024-03")
    assert fetch(server, store, "2024-01-01", "2024-03-31", now="2024-04-03").missing == 0
    with pytest.raises(BarError, match="the archive has funding of whole months, and no month of the range is over"):
        fetch(server, store, "2024-03-01", "2024-03-31", now="2024-03-20")


def test_what_is_not_published(server: ArchiveServer, store: Store) -> None:
    with pytest.raises(BarError, match=r"no funding of NONE in 2024-01 \.\. 2024-02 at .*fundingRate-2024-01\.zip"):
        fetch(server, store, "2024-01-01", "2024-02-29", symbol="NONE")
    with pytest.raises(BarError, match="'BTC/USDT' is not a valid symbol"):
        fetch(server, store, "2024-01-01", "2024-02-29", symbol="BTC/USDT")
    assert not store.root.exists() or not list(store.root.rglob("*.json"))


def test_bad_files_are_refused_and_the_others_stored(server: ArchiveServer, store: Store) -> None:
    held = history()
    publish(server, held, "2024-01", "2024-02", "2024-03")
    rows = ["calc_time,funding_interval_hours,last_funding_rate", f"{START},8,0.0001"]
    server.put(path_of("TESTUSDT", "2024-01"), zipped("TESTUSDT-fundingRate-2024-01.csv", [*rows, f"{START + 1},8,7"]))
    server.put(path_of("TESTUSDT", "2024-02"), zipped("TESTUSDT-fundingRate-2024-02.csv", rows))
    got = fetch(server, store, "2024-01-01", "2024-03-31")
    assert [line.split("fundingRate-")[1] for line in got.refused] == [
        "2024-01.zip: row 2: duplicate time 2024-01-01 00:00",
        "2024-02.zip: row 1: time 2024-01-01 00:00 is outside the period of the file name, 2024-02-01 00:00 .. "
        "2024-03-01 00:00 UTC: wrong time zone or wrong name",
    ]
    assert (got.files, got.added) == (3, 93)
    server.faults[path_of("TESTUSDT", "2024-01")] = [body(b"x")] * 2
    assert "SHA-256" in fetch(server, store, "2024-01-01", "2024-01-31").refused[0]


def test_a_file_that_conflicts_with_stored_funding_is_refused(server: ArchiveServer, store: Store) -> None:
    held = history()
    publish(server, held, "2024-01", "2024-02")
    store.add_funding(replace(held, rate=held.rate + 0.01).between(None, START + DAY_MS))
    got = fetch(server, store, "2024-01-01", "2024-02-29")
    assert len(got.refused) == 1
    assert "2024-01.zip: row 1: 2024-01-01 00:00: funding rate" in got.refused[0]
    assert got.added == 87


def test_what_came_before_a_failure_is_stored(server: ArchiveServer, store: Store) -> None:
    publish(server, history(), "2024-01", "2024-02")
    server.faults[path_of("TESTUSDT", "2024-02")] = [status(503)] * 3
    with pytest.raises(FetchError, match="503"):
        fetch(server, store, "2024-01-01", "2024-02-29")
    assert len(store.load_funding("TESTUSDT")) == 93
    assert fetch(server, store, "2024-01-01", "2024-02-29").files == 1


def test_sources_are_not_mixed(server: ArchiveServer, store: Store) -> None:
    publish(server, history(), "2024-01")
    fetch(server, store, "2024-01-01", "2024-01-31")
    with pytest.raises(BarError, match="the stored funding payments of TESTUSDT come from archive TESTUSDT"):
        fetch_archive_funding(
            store, "OTHER", START, START + 31 * DAY_MS, url=server.url, name="TESTUSDT", now_ms=START + 99 * DAY_MS
        )


# exchanges


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., ExchangeFunding]:
    """An exchange's own class of ccxt, whose answers come from a history."""
    ccxt = pytest.importorskip("ccxt")

    def connected(funding: Funding, kind: str = "oldest", faults: list | None = None) -> ExchangeFunding:
        class Recorded(ccxt.binanceusdm):
            asked: list[dict] = []  # noqa: RUF012 - of this class alone

            def fetch_markets(self, params: object = None) -> list:
                market = {"id": "TESTUSDT", "symbol": "TEST/USDT:USDT", "base": "TEST", "quote": "USDT", "type": "swap"}
                contract = {"swap": True, "contract": True, "linear": True, "settle": "USDT", "spot": False}
                return [self.safe_market_structure({**market, **contract})]

            def fetch_currencies(self, params: object = None) -> dict:
                return {}

            def fetch_time(self, params: object = None) -> int:
                return int(funding.time[-1]) + 3 * HOUR

            def fapiPublicGetFundingRate(self, params: dict) -> list:
                self.asked.append(params)
                if faults:
                    raise faults.pop(0)
                part = funding.between(params["startTime"], params["endTime"] + 1)
                n = params["limit"]
                part = part.take(slice(None, n) if kind == "oldest" else slice(-n, None))
                rows = zip(part.time.tolist(), part.rate.tolist(), part.mark.tolist(), strict=True)
                return [
                    {"symbol": "TESTUSDT", "fundingTime": str(t + 4), "fundingRate": f"{rate:.8f}",
                     "markPrice": "" if np.isnan(mark) else f"{mark:.8f}"}
                    for t, rate, mark in rows
                ]  # fmt: skip

        monkeypatch.setattr(ccxt, "binanceusdm", Recorded)
        exchange = ExchangeFunding("binanceusdm", "TEST/USDT:USDT", {"rateLimit": 1}, sleep=lambda _: None)
        Recorded.asked.clear()
        return exchange

    return connected


@pytest.mark.parametrize("kind", ["oldest", "newest"])
@pytest.mark.parametrize("hours", [8, 1])
def test_pages_are_joined(connect: Callable[..., ExchangeFunding], kind: str, hours: int) -> None:
    held = history(91, hours, "TEST/USDT:USDT")
    held = replace(held, mark=np.where(np.arange(len(held)) % 2, 100.0, np.nan))
    exchange = connect(held, kind)
    got = exchange.payments(START, START + 91 * DAY_MS)
    assert got.digest() == held.digest()
    assert len(exchange._ccxt.asked) <= 24 * 91 // hours // 100 + 3
    part = exchange.payments(START + 10 * DAY_MS, START + 12 * DAY_MS)
    assert part.digest() == held.between(START + 10 * DAY_MS, START + 12 * DAY_MS).digest()
    assert len(exchange.payments(START - 10 * DAY_MS, START)) == 0


def test_fetched_funding_is_stored_and_not_asked_for_again(
    connect: Callable[..., ExchangeFunding], store: Store
) -> None:
    held = history(symbol="TEST")
    exchange = connect(held)
    seen: list[tuple[str, int, int]] = []
    got = fetch_exchange_funding(
        store, exchange, "TEST", START, START + 200 * DAY_MS, progress=lambda *step: seen.append(step)
    )
    assert (got.added, got.present, got.missing, got.broken) == (273, 0, 0, 0)
    assert seen == [("stretches", 0, 1), ("stretches", 1, 1)]
    assert store.load_funding("TEST").digest() == held.digest()
    exchange._ccxt.asked.clear()
    again = fetch_exchange_funding(store, exchange, "TEST", START, START + 200 * DAY_MS)
    assert (again.added, again.present) == (0, 273)
    assert exchange._ccxt.asked[0]["startTime"] == held.time[-1] + 3 * HOUR - DAY_MS
    with pytest.raises(BarError, match="come from binanceusdm TEST/USDT:USDT, not from archive TESTUSDT"):
        fetch_archive_funding(store, "TESTUSDT", START, START + 40 * DAY_MS, url="http://x", name="TEST")


def test_faults_that_pass_and_faults_that_stay(connect: Callable[..., ExchangeFunding], store: Store) -> None:
    ccxt = pytest.importorskip("ccxt")
    held = history(200, symbol="TEST")
    exchange = connect(held, faults=[ccxt.NetworkError("busy")])
    assert len(exchange.payments(START, START + 5 * DAY_MS)) == 15
    faults: list[Exception] = []
    exchange = connect(held, faults=faults)
    stored = exchange.payments
    calls = []

    def failing(start_ms: int, stop_ms: int) -> Funding:
        calls.append(start_ms)
        if len(calls) == 2:
            faults.append(ccxt.ExchangeError("no\nmore"))
        return stored(start_ms, stop_ms)

    exchange.payments = failing  # type: ignore[method-assign]
    with pytest.raises(FetchError, match="binanceusdm: funding of TEST/USDT:USDT from 2024-04-10 00:00: no more"):
        fetch_exchange_funding(store, exchange, "TEST", START, START + 200 * DAY_MS)
    assert len(store.load_funding("TEST")) == 300
    exchange.payments = stored  # type: ignore[method-assign]
    assert fetch_exchange_funding(store, exchange, "TEST", START, START + 200 * DAY_MS).added == 300


def test_broken_payments_are_left_out_and_counted(connect: Callable[..., ExchangeFunding]) -> None:
    exchange = connect(history(2, symbol="TEST/USDT:USDT"))
    times = [START + 8 * HOUR * i for i in range(5)]
    rates = [1e-4, None, 5.0, float("nan"), -1e-4]
    marks = ["7.5", "x", None, "1", "0"]
    answer = [
        {"timestamp": t, "fundingRate": rate, "info": {"markPrice": mark}}
        for t, rate, mark in zip(times, rates, marks, strict=True)
    ]
    exchange._ccxt.fetch_funding_rate_history = lambda *_: [*answer, {**answer[0], "timestamp": START + 9, "info": []}]
    got = exchange.payments(START, START + DAY_MS * 2)
    assert (got.time.tolist(), got.rate.tolist(), exchange.broken) == ([times[0], times[4]], [1e-4, -1e-4], 3)
    np.testing.assert_array_equal(got.mark, [7.5, np.nan])
    exchange._ccxt.fetch_funding_rate_history = lambda *_: [{"x": 1}]
    with pytest.raises(FetchError, match="the answer is not a list of payments"):
        exchange.payments(START, START + DAY_MS)


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (("nowhere", "A/B"), "ccxt has no exchange 'nowhere'"),
        (("bitvavo", "BTC/EUR"), "bitvavo provides no funding"),
    ],
)
def test_what_does_not_exist(arguments: tuple, rule: str) -> None:
    pytest.importorskip("ccxt")
    with pytest.raises(BarError, match=rule):
        ExchangeFunding(*arguments)


def test_a_symbol_that_does_not_exist(connect: Callable[..., ExchangeFunding]) -> None:
    connect(history())
    with pytest.raises(BarError, match="binanceusdm has no symbol 'TEST/USDT'; did you mean TEST/USDT:USDT"):
        ExchangeFunding("binanceusdm", "TEST/USDT")
