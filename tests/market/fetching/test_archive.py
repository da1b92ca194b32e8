"""From a server's files to stored bars: what is asked for, what is refused, and that a kill loses nothing."""

import hashlib
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

import labelsearch
from labelsearch.market.bars import Bars
from labelsearch.market.checks import Gap
from labelsearch.market.fetching.archive import fetch_archive
from labelsearch.market.fetching.archive_site import days_between, months_between
from labelsearch.market.fetching.download import CONNECTIONS, Client, FetchError, backoff
from labelsearch.market.fetching.inflow import Fetched, find_holes
from labelsearch.market.fetching.record import FetchRecord
from labelsearch.market.rules import BarError
from labelsearch.market.store import Store
from labelsearch.market.times import DAY_MS, parse_time
from tests.market.fetching.archive_server import (
    HOUR,
    ArchiveServer,
    Handler,
    body,
    cut,
    hourly,
    path_of,
    rows,
    serve,
    stall,
    status,
    zipped,
)  # fmt: skip

NOW = "2024-06-01"


@pytest.fixture
def server() -> Iterator[ArchiveServer]:
    with serve() as archive:
        yield archive


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def pauses() -> list[float]:
    return []


def client(pauses: list[float] | None = None, **changes: float) -> Client:
    noted = [] if pauses is None else pauses
    return Client(**{"tries": 3, "sleep": noted.append, "timeout": 5.0, **changes})


def fetch(
    server: ArchiveServer, store: Store, first: str, last: str, symbol: str = "TESTUSDT", now: str = NOW, **how: object
) -> Fetched:
    """Fetch hours of whole days, `last` included."""
    how = {"client": client(), **how}
    start_ms, stop_ms = parse_time(first), parse_time(last) + DAY_MS
    return fetch_archive(store, symbol, HOUR, start_ms, stop_ms, url=server.url, now_ms=parse_time(now), **how)


def stored(store: Store, symbol: str = "TESTUSDT") -> Bars:
    return store.load(symbol, "1h")


def without(bars: Bars, *stretches: tuple[str, int]) -> Bars:
    """Bars less some stretches: first hour and length in hours."""
    keep = np.ones(len(bars), dtype=bool)
    for first, n in stretches:
        start = parse_time(first)
        keep &= (bars.open_time < start) | (bars.open_time >= start + n * HOUR)
    return Bars.from_frame(bars.to_frame()[keep], bars.symbol, HOUR)


def data_files(store: Store) -> list[str]:
    """Everything under the store but locks; no file may be a leftover."""
    return sorted(p.name for p in store.root.rglob("*") if p.is_file() and p.name != ".lock")


def test_whole_months_come_by_the_month_and_the_rest_by_the_day(server: ArchiveServer, store: Store) -> None:
    bars = hourly("2024-01-01", 91)
    for month in ("2024-01", "2024-02", "2024-03"):
        server.publish(bars, month)
    server.publish_days(bars)
    seen: list[tuple[str, int, int]] = []
    got = fetch(server, store, "2024-01-30", "2024-03-02", progress=lambda *step: seen.append(step))
    expected = bars.between(parse_time("2024-01-30"), parse_time("2024-03-03"))
    assert stored(store).digest() == expected.digest()
    assert sorted(server.zips()) == [f"TESTUSDT-1h-2024-{x}.zip" for x in ("01-30", "01-31", "02", "03-01", "03-02")]
    assert (got.files, got.added, got.present, got.holes, got.refused) == (5, 33 * 24, 0, (), [])
    assert seen == [("months", 0, 1), ("months", 1, 1), *(("days", i, 4) for i in range(5))]
    assert server.agents == {f"labelsearch/{labelsearch.__version__}"}


def test_a_second_call_asks_for_what_is_new_alone(server: ArchiveServer, store: Store) -> None:
    bars = hourly("2024-01-01", 60)
    server.publish(bars, "2024-01")
    server.publish(bars, "2024-02")
    fetch(server, store, "2024-01-01", "2024-01-31")
    server.requests.clear()
    again = fetch(server, store, "2024-01-01", "2024-01-31")
    assert server.requests == []
    assert (again.files, again.added, again.present) == (0, 0, 31 * 24)
    fetch(server, store, "2024-01-01", "2024-02-29")
    assert server.zips() == ["TESTUSDT-1h-2024-02.zip"]
    assert stored(store).digest() == bars.digest()


def test_a_month_that_is_not_published_comes_by_the_day(server: ArchiveServer, store: Store) -> None:
    bars = hourly("2024-05-01", 30)
    server.publish_days(bars)
    got = fetch(server, store, "2024-05-01", "2024-05-31")
    assert stored(store).digest() == bars.digest()
    assert got.holes == (Gap(parse_time("2024-05-31"), parse_time("2024-05-31 23:00"), 24),)


def test_days_that_may_still_come_are_asked_for_again(server: ArchiveServer, store: Store) -> None:
    bars = hourly("2024-05-01", 31)
    server.publish_days(bars.rows(0, 28 * 24))
    fetch(server, store, "2024-05-20", "2024-05-31", now="2024-06-01")
    server.requests.clear()
    fetch(server, store, "2024-05-20", "2024-05-31", now="2024-06-01")
    asked = [path[-23:] for path in server.requests]
    assert sorted(asked) == [f"2024-05-{day}.zip.CHECKSUM" for day in (29, 30, 31)]
    fetch(server, store, "2024-05-20", "2024-05-31", now="2024-06-04")  # three days after the last one's end
    server.requests.clear()
    fetch(server, store, "2024-05-20", "2024-05-31", now="2024-06-05")
    assert server.requests == []
    server.publish_days(bars)
    got = fetch(server, store, "2024-05-20", "2024-05-31", now="2024-06-05")
    assert got.missing == 3 * 24


def test_a_day_that_is_not_over_is_not_asked_for(server: ArchiveServer, store: Store) -> None:
    server.publish_days(hourly("2024-05-01", 31))
    got = fetch(server, store, "2024-05-30", "2024-05-31", now="2024-05-31 23:59")
    assert server.zips() == ["TESTUSDT-1h-2024-05-30.zip"]
    assert (got.missing, got.stop_ms) == (0, parse_time("2024-05-31"))


def test_holes_of_a_month_are_filled_from_days_and_halts_stay(server: ArchiveServer, store: Store) -> None:
    bars = without(hourly("2024-01-01", 31), ("2024-01-20 03:00", 5), ("2024-01-25", 24))  # the exchange halted
    server.publish_days(bars)
    server.publish(without(bars, ("2024-01-10", 24), ("2024-01-12 05:00", 2)), "2024-01")
    got = fetch(server, store, "2024-01-01", "2024-01-31")
    assert stored(store).digest() == bars.digest()
    assert [(hole.count, hole.first_ms) for hole in got.holes] == [
        (24, parse_time("2024-01-25")), (5, parse_time("2024-01-20 03:00")),
    ]  # fmt: skip
    assert sorted(server.zips()) == [
        "TESTUSDT-1h-2024-01-10.zip", "TESTUSDT-1h-2024-01-12.zip", "TESTUSDT-1h-2024-01-20.zip",
        "TESTUSDT-1h-2024-01.zip",
    ]  # fmt: skip
    fetch(server, store, "2024-01-01", "2024-01-31")
    assert server.requests == []


def test_the_monthly_file_counts_where_a_daily_one_differs(server: ArchiveServer, store: Store) -> None:
    bars = hourly("2024-01-01", 31)
    other = replace(bars, volume=bars.volume + 1.0)
    server.publish(without(bars, ("2024-01-12 05:00", 2)), "2024-01")
    server.publish_days(other)
    got = fetch(server, store, "2024-01-01", "2024-01-31")
    at = int(np.searchsorted(bars.open_time, parse_time("2024-01-12 05:00")))
    expected = bars.volume + np.isin(np.arange(len(bars)), [at, at + 1])
    np.testing.assert_array_equal(stored(store).volume, expected)
    assert (got.differing, got.missing) == (22, 0)


def test_a_month_after_its_days_fills_what_they_lack(server: ArchiveServer, store: Store) -> None:
    bars = hourly("2024-04-01", 30)
    server.publish_days(without(bars, ("2024-04-03 02:00", 1)).rows(0, 5 * 24))
    fetch(server, store, "2024-04-01", "2024-04-30", now="2024-04-06")
    server.publish(bars, "2024-04")
    fetch(server, store, "2024-04-01", "2024-04-30")
    assert stored(store).digest() == bars.digest()


def test_rows_off_the_grid(server: ArchiveServer, store: Store) -> None:
    """As in 2017-12 of the archive: after a halt rows are off the grid, the first within the last good bar."""
    bars = hourly("2024-01-01", 1)
    lines = [*rows(bars.rows(0, 6)), *rows(bars.rows(5, 24), offset_ms=20_799)]
    server.put(path_of("TESTUSDT", "1h", "2024-01-01"), zipped("TESTUSDT-1h-2024-01-01.csv", lines))
    got = fetch(server, store, "2024-01-01", "2024-01-01")
    assert got.refused == []
    assert stored(store).digest() == bars.digest()


@pytest.mark.parametrize(
    ("faults", "slept"),
    [
        ([status(429, Retry_After="7")], [7.0]),
        ([status(500)], 1),
        ([status(503, Retry_After="nonsense"), status(502)], 2),
        ([cut], 1),
        ([cut, status(504)], 2),
        ([body(b"<html>busy</html>")], 0),  # as where the file was replaced after its checksum was read
    ],
)
def test_faults_that_pass(
    server: ArchiveServer, store: Store, pauses: list[float], faults: list, slept: int | list[float]
) -> None:
    bars = hourly("2024-01-01", 3)
    server.publish_days(bars)
    server.faults[path_of("TESTUSDT", "1h", "2024-01-02")] = faults
    got = fetch(server, store, "2024-01-01", "2024-01-03", client=client(pauses))
    assert stored(store).digest() == bars.digest()
    assert got.refused == []
    assert pauses == slept if isinstance(slept, list) else len(pauses) == slept
    assert not [name for name in data_files(store) if name.endswith(".part")]


@pytest.mark.parametrize(
    ("fault", "what"),
    [
        (status(500), "HTTP 500 Internal Server Error; gave up after 3 attempts"),
        (status(429), "HTTP 429 Too Many Requests; gave up after 3 attempts"),
        (
            status(429, Retry_After="4000"),
            "HTTP 429 Too Many Requests, the server asks to wait 4000 s: try again later",
        ),
        (status(403), "HTTP 403 Forbidden"),
        (cut, "IncompleteRead"),
    ],
)
def test_a_server_that_fails_for_good(server: ArchiveServer, store: Store, fault: object, what: str) -> None:
    bars = hourly("2024-01-01", 3)
    server.publish_days(bars)
    path = path_of("TESTUSDT", "1h", "2024-01-02")
    server.faults[path] = [fault] * 9
    with pytest.raises(FetchError) as caught:
        fetch(server, store, "2024-01-01", "2024-01-03")
    assert str(caught.value).startswith(f"{server.url}{path}: ")
    assert what in str(caught.value)
    assert "\n" not in str(caught.value)
    assert server.requests.count(path) <= 3
    assert stored(store).digest() == bars.rows(0, 24).digest()  # what came before it is kept
    assert not [name for name in data_files(store) if name.endswith(".part")]
    server.faults.clear()
    fetch(server, store, "2024-01-01", "2024-01-03")
    assert stored(store).digest() == bars.digest()


def day_rows(day: str) -> list[str]:
    return rows(hourly(day, 1))


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"<html>not here</html>", "not a zip file"),
        (zipped("OTHERUSDT-1h-2024-01-02.csv", day_rows("2024-01-02")), "the zip contains OTHERUSDT-1h-2024-01-02.csv"),
        (zipped("TESTUSDT-1h-2024-01-02.csv", day_rows("2024-03-02")), "is outside the period"),
        (zipped("TESTUSDT-1h-2024-01-02.csv", ["a,b", "1,2"]), "missing columns"),
        (zipped("TESTUSDT-1h-2024-01-02.csv", ["time,open,high,low,close,volume", "2024-01-02,1,1,1,1,1"]), "12 col"),
        (zipped("TESTUSDT-1h-2024-01-02.csv", day_rows("2024-01-02"))[:-30], "not a zip file"),
        (zipped("TESTUSDT-1h-2024-01-02.csv", [*day_rows("2024-01-02")[:5], "1,2,3"]), "row 6: time 1 is outside"),
    ],
)  # fmt: skip
def test_wrong_content_with_a_right_checksum(server: ArchiveServer, store: Store, content: bytes, rule: str) -> None:
    bars = hourly("2024-01-01", 3)
    server.publish_days(bars)
    server.put(path_of("TESTUSDT", "1h", "2024-01-02"), content)
    got = fetch(server, store, "2024-01-01", "2024-01-03")
    assert len(got.refused) == 1
    assert "TESTUSDT-1h-2024-01-02.zip: " in got.refused[0]
    assert rule in got.refused[0]
    assert stored(store).digest() == without(bars, ("2024-01-02", 24)).digest()
    assert "TESTUSDT-1h-2024-01-02.zip" not in data_files(store)
    server.publish_days(bars)  # the file is put right
    fetch(server, store, "2024-01-01", "2024-01-03")
    assert stored(store).digest() == bars.digest()


@pytest.mark.parametrize(
    ("checksum", "rule"),
    [
        (f"{'0' * 64}  TESTUSDT-1h-2024-01-02.zip", "its .CHECKSUM says 000000000000.."),
        (f"{'0' * 64}  TESTUSDT-1h-2024-01-03.zip", "belongs to TESTUSDT-1h-2024-01-03.zip"),
        ("<html>sign in</html>", "contains no SHA-256 digest"),
        ("", "contains no SHA-256 digest"),
        ("x" * 5000, "more than 4096 bytes"),
    ],
)
def test_wrong_checksums(server: ArchiveServer, store: Store, checksum: str, rule: str) -> None:
    bars = hourly("2024-01-01", 3)
    server.publish_days(bars)
    server.files[path_of("TESTUSDT", "1h", "2024-01-02") + ".CHECKSUM"] = checksum.encode()
    got = fetch(server, store, "2024-01-01", "2024-01-03")
    assert len(got.refused) == 1
    assert rule in got.refused[0]
    assert server.zips().count("TESTUSDT-1h-2024-01-02.zip") == (2 if "says" in rule else 0)
    assert stored(store).digest() == without(bars, ("2024-01-02", 24)).digest()


def test_a_huge_body_is_refused_before_it_fills_the_disk(server: ArchiveServer, store: Store) -> None:
    bars = hourly("2024-01-01", 2)
    server.publish_days(bars)
    server.put(path_of("TESTUSDT", "1h", "2024-01-02"), bytes(3_000_000))
    got = fetch(server, store, "2024-01-01", "2024-01-02", client=client(largest=1_000_000))
    assert "more than 1000000 bytes" in got.refused[0]
    assert not [name for name in data_files(store) if "01-02" in name]


def test_a_server_of_nothing_but_pages_is_left_soon(server: ArchiveServer, store: Store) -> None:
    for day in days_between(parse_time("2024-01-01"), parse_time("2024-05-31")):
        server.files[path_of("TESTUSDT", "1h", day.name) + ".CHECKSUM"] = b"<html>sign in</html>"
    with pytest.raises(FetchError, match="8 files refused, none accepted"):
        fetch(server, store, "2024-01-01", "2024-05-30")
    assert len(server.requests) < 60
    assert not store.root.exists()


def test_a_refused_month_comes_by_the_day(server: ArchiveServer, store: Store) -> None:
    bars = hourly("2024-01-01", 31)
    server.publish_days(bars)
    server.put(path_of("TESTUSDT", "1h", "2024-01"), b"<html>not here</html>")
    got = fetch(server, store, "2024-01-01", "2024-01-31")
    assert stored(store).digest() == bars.digest()
    assert len(got.refused) == 1


def test_a_symbol_that_does_not_exist(server: ArchiveServer, store: Store) -> None:
    with pytest.raises(BarError) as caught:
        fetch(server, store, "2023-01-01", "2024-05-30", symbol="TESTUSDC")
    assert "no 1h bars of TESTUSDC in 2023-01-01 .. 2024-05-30" in caught.value.rule
    assert f"{server.url}{path_of('TESTUSDC', '1h', '2023-01')}" in caught.value.rule
    assert len(server.requests) < 16 + 33  # not one for each of 516 days
    assert not store.root.exists()


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"symbol": "btc/usdt"}, "is not a valid symbol"),
        ({"symbol": "testusdt"}, "is not a valid symbol of the archive"),
        ({"url": "data.binance.vision"}, "is not the address of an archive"),
        ({"url": "file:///etc"}, "is not the address of an archive"),
        ({"interval_ms": 600_000}, "the archive has no bars of 10m"),
    ],
)
def test_what_cannot_be_asked_for(server: ArchiveServer, store: Store, changes: dict, rule: str) -> None:
    asked = {"symbol": "TESTUSDT", "interval_ms": HOUR, "url": server.url, **changes}
    with pytest.raises(BarError, match=rule):
        fetch_archive(store, start_ms=parse_time("2024-01-01"), stop_ms=parse_time("2024-01-02"), **asked)
    assert server.requests == []
    assert not store.root.exists()


def test_stored_bars_of_another_origin_are_not_mixed_in(server: ArchiveServer, store: Store) -> None:
    bars = hourly("2024-01-01", 3)
    server.publish_days(bars)
    mine = replace(bars, volume=bars.volume + 1.0).rows(30, 40)
    store.add(mine)
    got = fetch(server, store, "2024-01-01", "2024-01-03")
    assert len(got.refused) == 1
    assert "TESTUSDT-1h-2024-01-02.zip: row 7: 2024-01-02 06:00: volume" in got.refused[0]
    held = stored(store)
    assert held.between(parse_time("2024-01-02"), parse_time("2024-01-03")).digest() == mine.digest()
    assert len(held) == 48 + 10
    fetch(server, store, "2024-01-01", "2024-01-03", name="MINE")
    assert stored(store, "MINE").digest() == replace(bars, symbol="MINE").digest()


def test_names_keep_to_one_source(server: ArchiveServer, store: Store) -> None:
    for symbol in ("TESTUSDT", "TESTEUR"):
        server.publish_days(hourly("2024-01-01", 2, symbol))
    fetch(server, store, "2024-01-01", "2024-01-01")
    with pytest.raises(BarError, match="come from archive TESTUSDT, not from archive TESTEUR"):
        fetch(server, store, "2024-01-02", "2024-01-02", symbol="TESTEUR", name="TESTUSDT")


def test_a_removed_store_comes_back_from_the_kept_files(server: ArchiveServer, store: Store) -> None:
    bars = without(hourly("2024-01-01", 31), ("2024-01-20 03:00", 5))
    server.publish(bars, "2024-01")
    server.publish_days(bars)
    fetch(server, store, "2024-01-01", "2024-01-31")
    store.path("TESTUSDT", "1h").unlink()
    server.requests.clear()
    got = fetch(server, store, "2024-01-01", "2024-01-31")
    assert (server.requests, got.files) == ([], 0)
    assert stored(store).digest() == bars.digest()


def test_kept_files_may_be_removed(server: ArchiveServer, store: Store) -> None:
    bars = without(hourly("2024-01-01", 31), ("2024-01-20 03:00", 5))
    server.publish(bars, "2024-01")
    server.publish_days(bars)
    fetch(server, store, "2024-01-01", "2024-01-31")
    for kept in store.root.rglob("*.zip*"):
        kept.unlink()
    server.requests.clear()
    fetch(server, store, "2024-01-01", "2024-01-31")
    assert server.requests == []  # the record knows that the hole is one
    shutil.rmtree(store.root / ".fetched")
    fetch(server, store, "2024-01-01", "2024-01-31")
    assert sorted(server.zips()) == ["TESTUSDT-1h-2024-01-20.zip", "TESTUSDT-1h-2024-01.zip"]
    assert stored(store).digest() == bars.digest()


def test_a_kept_file_that_was_damaged_is_fetched_again(server: ArchiveServer, store: Store) -> None:
    bars = hourly("2024-01-01", 2)
    server.publish_days(bars)
    fetch(server, store, "2024-01-01", "2024-01-02")
    store.path("TESTUSDT", "1h").unlink()
    kept = next(store.root.rglob("*-2024-01-02.zip"))
    broken = bytearray(kept.read_bytes())
    broken[len(broken) // 2] ^= 0x55
    kept.write_bytes(broken)
    server.requests.clear()
    fetch(server, store, "2024-01-01", "2024-01-02")
    assert server.zips() == ["TESTUSDT-1h-2024-01-02.zip"]
    assert stored(store).digest() == bars.digest()


def test_connections_are_bounded(server: ArchiveServer, store: Store) -> None:
    server.publish_days(hourly("2024-01-01", 20))
    server.pause = 0.02
    fetch(server, store, "2024-01-01", "2024-01-20")
    assert 1 < server.most_at_once <= CONNECTIONS


def test_the_record_says_what_was_fetched(server: ArchiveServer, store: Store) -> None:
    bars = hourly("2024-01-01", 1)
    path = server.publish(bars, "2024-01-01")
    fetch(server, store, "2024-01-01", "2024-01-02")
    record = json.loads((store.root / ".fetched/TESTUSDT/1h/record.json").read_text())
    assert record["files"] == {"2024-01-01": {"bars": 24, "sha256": hashlib.sha256(server.files[path]).hexdigest()}}
    assert record["absent"] == {"2024-01-02": parse_time(NOW)}
    assert store.contents() == [("TESTUSDT", "1h")]


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"source": 3, "foreign": 1}'])
def test_a_damaged_record_costs_requests_only(server: ArchiveServer, store: Store, damage: str) -> None:
    bars = without(hourly("2024-01-01", 3), ("2024-01-02 04:00", 1))
    server.publish_days(bars)
    fetch(server, store, "2024-01-01", "2024-01-03")
    (store.root / ".fetched/TESTUSDT/1h/record.json").write_text(damage)
    got = fetch(server, store, "2024-01-01", "2024-01-03")
    assert (got.added, got.refused) == (0, [])
    assert stored(store).digest() == bars.digest()


def test_a_killed_fetch_goes_on_where_it_was(server: ArchiveServer, store: Store, tmp_path: Path) -> None:
    bars = hourly("2024-01-01", 91)
    for month in ("2024-01", "2024-02", "2024-03"):
        server.publish(bars, month)
    undisturbed = Store(tmp_path / "undisturbed")
    fetch(server, undisturbed, "2024-01-01", "2024-03-31")
    server.requests.clear()
    stalled = path_of("TESTUSDT", "1h", "2024-03")
    server.faults[stalled] = [stall]
    command = [
        sys.executable, "-c", "from labelsearch.commands import main; main()", "data", "fetch", "TESTUSDT",
        "--interval", "1h", "--start", "2024-01-01", "--end", "2024-03-31", "--url", server.url,
        "--store", str(store.root),
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for _ in range(6000):
        half = list(store.root.rglob(".*2024-03.zip.*.part"))
        if half and len(list(store.root.rglob("TESTUSDT-1h-2024-0[12].zip"))) == 2:
            break
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert half
    assert process.returncode == -signal.SIGKILL
    server.requests.clear()
    fetch(server, store, "2024-01-01", "2024-03-31")
    assert server.zips() == ["TESTUSDT-1h-2024-03.zip"]
    assert stored(store).digest() == stored(undisturbed).digest() == bars.digest()


def test_leftovers_of_killed_runs_go_when_they_are_old(server: ArchiveServer, store: Store) -> None:
    server.publish_days(hourly("2024-01-01", 2))
    folder = store.root / ".fetched/TESTUSDT/1h"
    folder.mkdir(parents=True)
    old, young = folder / ".a.zip.1.part", folder / ".b.zip.2.part"
    for part in (old, young):
        part.write_bytes(b"half")
    os.utime(old, (0, 0))
    fetch(server, store, "2024-01-01", "2024-01-02")
    assert not old.exists()
    assert young.exists()


def test_pauses_grow_and_end() -> None:
    for attempt in range(12):
        longest = min(60.0, 2.0**attempt)
        assert all(longest / 2 <= backoff(attempt) <= longest for _ in range(20))


def test_a_port_that_nobody_listens_on(store: Store, pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serve() as gone:
        pass
    with pytest.raises(FetchError, match="Connection refused; gave up after 3 attempts"):
        fetch(gone, store, "2024-01-01", "2024-01-01", client=client(pauses))
    assert len(pauses) == 2
    assert not store.root.exists()


def test_a_certificate_that_nobody_vouches_for(server: ArchiveServer, tmp_path: Path, pauses: list[float]) -> None:
    encrypt(server, tmp_path)
    server.files["/x"] = b"x"
    with pytest.raises(FetchError, match="CERTIFICATE_VERIFY_FAILED"):
        client(pauses).text(server.url + "/x")
    assert pauses == []


def encrypt(server: ArchiveServer, folder: Path) -> None:
    """Let the server speak TLS, with a certificate that it signed itself."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    certificate = builder.not_valid_before(now).not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    private = serialization.PrivateFormat.PKCS8
    both = key.private_bytes(pem, private, serialization.NoEncryption()) + certificate.public_bytes(pem)
    (folder / "server.pem").write_bytes(both)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    server.http.socket = context.wrap_socket(server.http.socket, server_side=True)
    server.url = server.url.replace("http://", "https://")


def test_a_connection_that_goes_silent_counts_as_cut(server: ArchiveServer, store: Store) -> None:
    bars = hourly("2024-01-01", 1)
    server.faults[server.publish(bars, "2024-01-01")] = [stall]
    fetch(server, store, "2024-01-01", "2024-01-01", client=client(timeout=0.2))
    assert stored(store).digest() == bars.digest()


def test_a_failure_does_not_wait_for_silent_connections(server: ArchiveServer, store: Store) -> None:
    server.publish_days(hourly("2024-01-01", 2))
    silent, failing = (path_of("TESTUSDT", "1h", f"2024-01-0{day}") for day in (2, 1))

    def once_silent(handler: Handler, content: bytes) -> None:
        while silent not in server.requests:
            time.sleep(0.01)
        handler.answer(403, b"")

    server.faults[silent] = [stall]
    server.faults[failing] = [once_silent]
    with pytest.raises(FetchError, match="HTTP 403"):
        fetch(server, store, "2024-01-01", "2024-01-02", client=Client(timeout=3600.0))
    assert server.at_once >= 1  # the silent one is still there: nobody waited for it


def test_a_proxy_comes_from_the_environment(
    server: ArchiveServer, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    bars = hourly("2024-01-01", 1)
    path = server.publish(bars, "2024-01-01")
    for name in (path, path + ".CHECKSUM"):
        server.files["http://archive.invalid" + name] = server.files.pop(name)
    monkeypatch.setenv("http_proxy", server.url)
    day = parse_time("2024-01-01")
    fetch_archive(store, "TESTUSDT", HOUR, day, day + DAY_MS, url="http://archive.invalid", client=client())
    assert stored(store).digest() == bars.digest()


def test_find_holes() -> None:
    times = np.array([2, 3, 6, 7], dtype=np.int64) * HOUR
    holes = find_holes(times, 0, 9 * HOUR, HOUR)
    assert holes == [Gap(0, HOUR, 2), Gap(4 * HOUR, 5 * HOUR, 2), Gap(8 * HOUR, 8 * HOUR, 1)]
    assert find_holes(times[:0], 0, 2 * HOUR, HOUR) == [Gap(0, HOUR, 2)]
    assert find_holes(times, 2 * HOUR, 4 * HOUR, HOUR)[0].count == 2


def test_stretches_asked_for_are_joined() -> None:
    record = FetchRecord("x")
    for stretch in ((10, 20), (40, 50), (20, 25), (45, 60)):
        record.add_asked(*stretch)
    assert record.asked == [[10, 25], [40, 60]]
    assert record.not_asked(0, 70) == [(0, 10), (25, 40), (60, 70)]
    assert record.not_asked(12, 24) == []
    assert record.not_asked(30, 35) == [(30, 35)]
    assert record.not_asked(0, 12) == [(0, 10)]
    assert record.not_asked(65, 70) == [(65, 70)]


def test_periods() -> None:
    months = months_between(parse_time("2023-11-02"), parse_time("2024-03-01"))
    assert [month.name for month in months] == ["2023-12", "2024-01", "2024-02"]
    assert months[-1].stop_ms == parse_time("2024-03-01")
    days = days_between(parse_time("2024-02-27 01:00"), parse_time("2024-03-01 23:00"))
    assert [day.name for day in days] == ["2024-02-28", "2024-02-29"]
    assert months[0].month == "2023-12"
    assert days[0].month == "2024-02"


@pytest.mark.real_data
def test_genuine_days(market_data: Path, server: ArchiveServer, store: Store) -> None:
    server.publish_folder(market_data / "binance_archive_sample/genuine")
    start_ms, stop_ms = parse_time("2020-01-01"), parse_time("2020-01-04")
    got = fetch_archive(store, "BTCUSDT", 60_000, start_ms, stop_ms, url=server.url, client=client())
    assert (got.files, got.added, got.missing, got.refused) == (3, 4320, 0, [])
    bars = store.load("BTCUSDT", "1m")
    assert (bars.open[0], bars.close[-1]) == (7195.24, 7344.96)
    assert bars.trades is not None


@pytest.mark.real_data
def test_months_in_milliseconds_and_microseconds(market_data: Path, server: ArchiveServer, store: Store) -> None:
    server.publish_folder(market_data / "binance_archive_sample/reconstructed")
    got = fetch_archive(
        store, "ETHUSDT", HOUR, parse_time("2024-12-01"), parse_time("2025-02-01"), url=server.url, client=client()
    )
    assert (got.files, got.added, got.missing, got.refused) == (2, 62 * 24, 0, [])
    bars = store.load("ETHUSDT", "1h")
    assert set(np.diff(bars.open_time)) == {HOUR}
