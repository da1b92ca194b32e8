"""The data commands: what they print, how they refuse, and that nothing is half-written."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from labelsearch.commands.data import data
from labelsearch.market.bars import Bars
from labelsearch.market.store import Store
from labelsearch.market.synthetic import synthetic_bars
from tests.market.fetching.archive_server import ArchiveServer, hourly, path_of, serve, status


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LABELSEARCH_STORE", raising=False)
    return tmp_path


def run(*args: str) -> Result:
    """Call the group; anything but a clean exit fails the test."""
    result = CliRunner().invoke(data, args)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def write_csv(bars: Bars, name: str) -> str:
    bars.to_frame().drop(columns="filled").reset_index().to_csv(name, index=False)
    return name


def assert_refused(result: Result, rule: str) -> None:
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert rule in result.stderr


def test_import_in_any_order_then_again(folder: Path) -> None:
    bars = synthetic_bars(300, 1)
    late, early = write_csv(bars.rows(100, 300), "late.csv"), write_csv(bars.rows(0, 150), "early.csv")
    result = run("import", late, early, "--symbol", "SYNTH")
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "late.csv: read as table",
        "early.csv: read as table",
        "SYNTH 1m: 300 bars added, 0 already there, 0 replaced",
    ]
    assert Store(folder / "store").load("SYNTH").digest() == bars.digest()
    result = run("import", early, "--symbol", "SYNTH")
    assert result.output == "early.csv: read as table\nSYNTH 1m: 0 bars added, 150 already there, 0 replaced\n"


def test_the_store_comes_from_option_or_environment(folder: Path) -> None:
    path = write_csv(synthetic_bars(20, 1), "x.csv")
    run("import", path, "--symbol", "A", "--store", "one")
    CliRunner().invoke(data, ["import", path, "--symbol", "B"], env={"LABELSEARCH_STORE": "two"})
    assert Store("one").symbols() == ["A"]
    assert Store("two").symbols() == ["B"]
    assert not Path("store").exists()


def test_one_bad_file_of_several_imports_nothing(folder: Path) -> None:
    bars = synthetic_bars(100, 1)
    good, bad = write_csv(bars.rows(0, 50), "good.csv"), write_csv(bars.rows(50, 100), "bad.csv")
    rows = Path(bad).read_text().splitlines()
    cells = rows[8].split(",")
    cells[4] = "-5"
    rows[8] = ",".join(cells)
    Path(bad).write_text("\n".join(rows))
    result = run("import", good, bad, "--symbol", "SYNTH")
    assert_refused(result, "Error: bad.csv: row 8: close is not positive")
    assert not Path("store").exists()


def test_conflicts_need_replace(folder: Path) -> None:
    run("import", write_csv(synthetic_bars(50, 1), "a.csv"), "--symbol", "S")
    other = write_csv(synthetic_bars(50, 2), "b.csv")
    before = Path("store/S/1m.parquet").read_bytes()
    assert_refused(run("import", other, "--symbol", "S"), "conflicts with")
    assert Path("store/S/1m.parquet").read_bytes() == before
    result = run("import", other, "--symbol", "S", "--replace")
    assert result.output == "b.csv: read as table\nS 1m: 0 bars added, 0 already there, 50 replaced\n"


@pytest.mark.parametrize("command", ["import", "check"])
def test_bad_bytes_are_one_line(folder: Path, command: str) -> None:
    Path("x.zip").write_bytes(b"PK\x03\x04 cut")
    Path("x.parquet").write_bytes(b"PAR1 and no more")
    Path("x.csv").write_bytes(b"\xff\xfe\x00\x80")
    for name in ("x.zip", "x.parquet", "x.csv"):
        assert_refused(run(command, name, "--symbol", "S"), f"Error: {name}: ")
    assert not Path("store").exists()


def test_import_refuses_names_that_leave_the_store(folder: Path) -> None:
    path = write_csv(synthetic_bars(20, 1), "x.csv")
    assert_refused(run("import", path, "--symbol", "../../x"), "is not a valid symbol")
    assert_refused(run("import", "none.csv", "--symbol", "S"), "none.csv: no such file")


def test_check_tells_gaps_and_quiet_stretches(folder: Path) -> None:
    frame = synthetic_bars(60, 1).to_frame().reset_index().drop(columns="filled")
    frame.loc[[7, 8], ["volume", "quote_volume", "taker_buy_volume"]] = 0.0
    frame.drop(index=[20, 21, 22]).to_csv("x.csv", index=False)
    result = run("check", "x.csv")
    assert result.exit_code == 0
    for line in (
        "x.csv",
        "  range            2018-01-01 00:00 .. 2018-01-01 00:59 UTC",
        "  interval         1m",
        "  rows             57 of 60 expected, 95.000 % complete",
        "  gaps             1, 3 bars missing",
        "    2018-01-01 00:20 .. 2018-01-01 00:22  3",
        "  duplicates       0",
        "  without volume   2 bars in 1 runs",
        "    2018-01-01 00:07  2 bars",
    ):
        assert line in result.output.splitlines()
    run("import", "x.csv", "--symbol", "S")
    stored = run("check", "S")
    assert stored.output.splitlines()[0] == "S 1m"
    assert stored.output.splitlines()[1:] == result.output.splitlines()[1:]


def test_check_reports_a_file_that_import_refuses(folder: Path) -> None:
    frame = synthetic_bars(30, 1).to_frame().reset_index()
    frame.loc[3, "high"] = 1.0
    frame.loc[9, "open_time"] = frame.loc[8, "open_time"]
    frame.to_csv("x.csv", index=False)
    good = write_csv(synthetic_bars(30, 1), "good.csv")
    result = run("check", "x.csv", "nothing", good)
    assert result.exit_code == 2
    assert "  duplicates       1" in result.output
    assert "  broken OHLC      1" in result.output
    assert "  broken spreads   0" in result.output
    assert "good.csv\n" in result.output  # a broken file does not hide the next one
    assert result.stderr.splitlines() == [
        "Error: x.csv: row 10: duplicate time 2018-01-01 00:08",
        "Error: store: no 1m bars of nothing; the store holds nothing",
    ]


def test_check_sees_what_only_the_archive_rules_see(folder: Path) -> None:
    open_ms = 1_577_836_800_000
    rows = [f"{open_ms + i * 60_000},1,1,1,1,1,{open_ms + i * 60_000 + 59_999},1,1,1,1,0" for i in range(5)]
    name = "TESTUSDT-1m-2020-02-01.zip"
    with zipfile.ZipFile(name, "w") as archive:
        archive.writestr("x.csv", "\n".join(rows))
    result = run("check", name)
    assert "  rows             5 of 5 expected" in result.output
    assert_refused(result, f"Error: {name}: row 1: time 2020-01-01 00:00 is outside the period")


def test_list(folder: Path) -> None:
    assert run("list").output == "store holds no bars\n"
    run("import", write_csv(synthetic_bars(1500, 1), "a.csv"), "--symbol", "AAA")
    assert run("list").output == "AAA           1m      1,500 bars  2018-01-01 00:00 .. 2018-01-02 00:59\n"


def test_figures_as_json(folder: Path) -> None:
    bars = synthetic_bars(1500, 1)
    told = json.loads(run("import", write_csv(bars, "a.csv"), "--symbol", "AAA", "--json").stdout)
    assert (told["symbol"], told["new"], told["same"], told["interval"]) == ("AAA", 1500, 0, "1m")
    assert json.loads(run("list", "--json").stdout)["stored"] == [
        {"symbol": "AAA", "interval": "1m", "bars": 1500, "first": "2018-01-01 00:00", "last": "2018-01-02 00:59"}
    ]
    found = json.loads(run("check", "AAA", "--json").stdout)["checked"]["AAA 1m"]
    assert (found["rows"], found["gaps"], found["refusal"]) == (1500, [], None)
    broken = Path(write_csv(bars, "b.csv")).read_text().splitlines()
    Path("b.csv").write_text("\n".join([*broken, broken[-1] + "1"]))
    result = run("check", "b.csv", "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["checked"]["b.csv"]["duplicates"] == 1
    assert "duplicate time" in result.stderr


@pytest.fixture
def server(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ArchiveServer]:
    """An archive with two days of hours; attempts follow each other at once."""
    monkeypatch.setattr("labelsearch.market.fetching.download.backoff", lambda attempt: 0.0)
    with serve() as archive:
        monkeypatch.setenv("LABELSEARCH_ARCHIVE_URL", archive.url)
        archive.publish_days(hourly("2024-01-01", 2))
        yield archive


FETCH = ("fetch", "TESTUSDT", "--interval", "1h", "--start", "2024-01-01")


def test_fetch_brings_whole_days_into_the_store(server: ArchiveServer) -> None:
    result = run(*FETCH, "--end", "2024-01-03")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.output == (
        "TESTUSDT 1h: 2 files fetched, 48 bars added, 0 already there, 1 gaps remain (24 bars missing), the longest:\n"
        "  2024-01-03 00:00 .. 2024-01-03 23:00  24\n"
    )
    assert Store("store").load("TESTUSDT", "1h").digest() == hourly("2024-01-01", 2).digest()
    result = run(*FETCH, "--end", "2024-01-02")
    assert (
        result.output
        == "TESTUSDT 1h: 0 files fetched, 0 bars added, 48 already there, 0 gaps remain (0 bars missing)\n"
    )


def test_fetch_for_machines(server: ArchiveServer) -> None:
    result = run(*FETCH, "--end", "2024-01-03", "--as", "MINE", "--json", "--store", "other")
    assert result.stderr == ""
    assert json.loads(result.stdout) == {
        "symbol": "MINE", "interval": "1h", "source": "archive TESTUSDT", "start": "2024-01-01 00:00",
        "stop": "2024-01-04 00:00", "files": 2, "added": 48, "present": 0, "differing": 0, "broken": 0, "refused": [],
        "holes": 1, "missing": 24,
        "longest_holes": [{"first": "2024-01-03 00:00", "last": "2024-01-03 23:00", "bars": 24}],
    }  # fmt: skip
    assert Store("other").symbols() == ["MINE"]


def test_fetch_ends_with_1_where_the_server_fails(server: ArchiveServer) -> None:
    path = path_of("TESTUSDT", "1h", "2024-01-02")
    server.faults[path] = [status(500)] * 9
    result = run(*FETCH, "--end", "2024-01-02")
    assert (result.exit_code, result.stdout) == (1, "")
    gave_up = "HTTP 500 Internal Server Error; gave up after 6 attempts"
    assert result.stderr == f"Error: {server.url}{path}: {gave_up}\n"


def test_fetch_ends_with_1_where_a_file_is_refused(server: ArchiveServer) -> None:
    server.put(path_of("TESTUSDT", "1h", "2024-01-02"), b"<html>not here</html>")
    result = run(*FETCH, "--end", "2024-01-02")
    assert result.exit_code == 1
    assert result.stdout.startswith("TESTUSDT 1h: 2 files fetched, 24 bars added")
    url = server.url + path_of("TESTUSDT", "1h", "2024-01-02")
    assert result.stderr == f"Error: rejected {url}: not a zip file: File is not a zip file\n"


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (("TESTUSDC", "--start", "2024-01-01", "--end", "2024-01-02"), "no 1m bars of TESTUSDC in 2024-01-01 .. "),
        (("TESTUSDT", "--start", "2024-01-02", "--end", "2024-01-01"), "--end 2024-01-01 lies before --start"),
        (("TESTUSDT", "--start", "2024-13-01"), "does not exist"),
        (("TESTUSDT", "--start", "2024-01-01 12:00"), "--start and --end must be days"),
        (("TESTUSDT", "--start", "2999-01-01"), "is outside 1900-01-01..tomorrow"),
        (("TESTUSDT", "--start", "2024-01-01", "--interval", "7m"), "'7m' is not an interval"),
        (("TESTUSDT", "--start", "2024-01-01", "--as", "../x"), "is not a valid symbol"),
        (("TESTUSDT", "--start", "2024-01-01", "--url", "nowhere"), "is not the address of an archive"),
        (("BTC/USD", "--start", "2024-01-01", "--from", "krakn"), "did you mean kraken"),
    ],
)  # fmt: skip
def test_fetch_ends_with_2_where_the_arguments_are_wrong(
    server: ArchiveServer, arguments: tuple[str, ...], rule: str
) -> None:
    assert_refused(run("fetch", *arguments), rule)
    assert not Path("store").exists()


def test_fetch_from_an_exchange(server: ArchiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    ccxt = pytest.importorskip("ccxt")
    bars = hourly("2024-01-01", 2)

    class Recorded(ccxt.kraken):
        """The exchange's own class with its answers given."""

        def fetch_markets(self, params: object = None) -> list:
            market = {"id": "TESTUSD", "symbol": "TEST/USD", "base": "TEST", "quote": "USD", "type": "spot"}
            return [self.safe_market_structure({**market, "spot": True})]

        def fetch_currencies(self, params: object = None) -> dict:
            return {}

        def fetch_time(self, params: object = None) -> int:
            return int(bars.open_time[-1]) + 90 * 60_000  # half an hour after the end of the last bar

        def fetch_ohlcv(self, symbol: str, timeframe: str, since: int, limit: int) -> list:
            assert (symbol, timeframe) == ("TEST/USD", "1h")
            part = bars.between(since, None).rows(0, limit)
            columns = (part.open_time, part.open, part.high, part.low, part.close, part.volume)
            return [list(row) for row in zip(*(column.tolist() for column in columns), strict=True)]

    monkeypatch.setattr(ccxt, "kraken", Recorded)
    result = run("fetch", "TEST/USD", "--from", "kraken", "--interval", "1h", "--start", "2024-01-01")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.output == "TESTUSD 1h: 48 bars added, 0 already there, 0 gaps remain (0 bars missing)\n"
    held = Store("store").load("TESTUSD", "1h")
    assert held.close.tolist() == bars.close.tolist()
    assert held.quote_volume is None
    again = run("fetch", "TEST/USD", "--from", "kraken", "--interval", "1h", "--start", "2024-01-01")
    assert again.output == "TESTUSD 1h: 0 bars added, 48 already there, 0 gaps remain (0 bars missing)\n"
    assert_refused(run("fetch", "TEST/EUR", "--from", "kraken", "--start", "2024-01-01"), "has no symbol 'TEST/EUR'")


def test_every_command_has_help_with_an_example() -> None:
    assert sorted(data.commands) == ["check", "fetch", "import", "list"]
    for name in data.commands:
        text = run(name, "--help").output
        assert "Example:\n    labelsearch data" in text


def several(n: int, name: str = "panel.parquet") -> str:
    frames = [synthetic_bars(20, i + 1).to_frame().reset_index().assign(symbol=f"S{i:02}") for i in range(n)]
    pd.concat(frames, ignore_index=True).drop(columns="filled").to_parquet(name, index=False)
    return name


def test_import_of_all_symbols(folder: Path) -> None:
    path = several(3)
    result = run("import", path, "--symbol", "all")
    assert result.output.splitlines() == [
        "panel.parquet: read as table",
        *(f"S{i:02} 1m: 20 bars added, 0 already there, 0 replaced" for i in range(3)),
        "3 symbols 1m: 60 bars added, 0 already there, 0 replaced",
    ]
    assert Store("store").symbols() == ["S00", "S01", "S02"]
    told = json.loads(run("import", path, "--symbol", "S01", "--symbol", "S02", "--json").stdout)
    assert told["imported"][1] == {
        "symbol": "S02", "interval": "1m", "new": 0, "same": 20, "replaced": 0, "dropped": [],
        "notes": ["panel.parquet: read as table"],
    }  # fmt: skip
    assert told["skipped"] == {}


def test_many_symbols_are_counted(folder: Path) -> None:
    result = run("import", several(41), "--symbol", "all")
    assert result.output.splitlines()[1:] == ["41 symbols 1m: 820 bars added, 0 already there, 0 replaced"]


def test_import_of_a_panel_with_a_broken_symbol(folder: Path) -> None:
    frame = pd.read_parquet(several(3))
    frame.loc[25, "open_time"] = frame.loc[24, "open_time"]
    frame.to_parquet("panel.parquet", index=False)
    rule = "panel.parquet: row 26: S01: duplicate time 2018-01-01 00:04"
    assert_refused(run("import", "panel.parquet", "--symbol", "all"), rule)
    assert not Path("store").exists()
    result = run("import", "panel.parquet", "--symbol", "all", "--skip-broken")
    assert result.exit_code == 0
    assert "S01 is left out: panel.parquet: row 26: duplicate time 2018-01-01 00:04" in result.output.splitlines()
    assert Store("store").symbols() == ["S00", "S02"]


def test_all_symbols_exclude_other_names(folder: Path) -> None:
    path = several(2)
    assert_refused(run("import", path, "--symbol", "all", "--as", "X"), "--as names the bars of one symbol")
    assert_refused(run("import", path, "--symbol", "all", "--symbol", "S01"), "name no other")
