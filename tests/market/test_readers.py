"""Random files: bars or a `BarError`, and never another error."""

import io
import zipfile

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labelsearch.market.archive import parse_file_name, read
from labelsearch.market.bars import Bars
from labelsearch.market.checks import check
from labelsearch.market.rules import BarError

quick = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
START_MS = 1_577_836_800_000
COLUMNS = ("open_time", "open", "high", "low", "close", "volume", "quote_volume", "trades", "symbol", "other")

cells = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=10)
    | st.sampled_from(["2020-01-01", "1577836800000", "nan", "1e400", "", "-0.0"])
)


@st.composite
def tables(draw) -> pd.DataFrame:
    """Good bars with some cells, columns and rows spoiled."""
    n = draw(st.integers(0, 6))
    close = 100.0 + np.arange(n)
    good = {
        "open_time": START_MS + 60_000 * np.arange(n), "open": close, "high": close + 1, "low": close - 1,
        "close": close, "volume": np.full(n, 2.0), "quote_volume": 2 * close,
    }  # fmt: skip
    frame = pd.DataFrame(good).astype(object)
    for _ in range(draw(st.integers(0, 3)) if n else 0):
        frame.iloc[draw(st.integers(0, n - 1)), draw(st.integers(0, len(good) - 1))] = draw(cells)
    for _ in range(draw(st.integers(0, 2))):
        name = draw(st.sampled_from(COLUMNS))
        if draw(st.booleans()):
            frame = frame.drop(columns=name, errors="ignore")
        else:
            frame[name] = draw(st.lists(cells, min_size=n, max_size=n))
    if n and draw(st.booleans()):
        frame = frame.iloc[draw(st.permutations(range(n)))]
    return frame


def outcome(read_it) -> Bars | None:
    try:
        return read_it()
    except BarError:
        return None


def regular(bars: Bars | None) -> None:
    if bars is not None:
        assert (np.diff(bars.open_time) > 0).all()
        assert (bars.low <= bars.close).all()
        assert np.isfinite(bars.vwap).all()


@quick
@given(tables())
def test_a_table_is_bars_or_refused(frame):
    bars = outcome(lambda: Bars.from_frame(frame, "X"))
    regular(bars)
    report = outcome(lambda: check(frame, 60_000))
    if report is not None:
        assert report.ok == (bars is not None)
    else:
        assert bars is None


@quick
@given(tables())
def test_a_csv_file_is_bars_or_refused(tmp_path, frame):
    path = tmp_path / "x.csv"
    frame.to_csv(path, index=False)
    regular(outcome(lambda: read(path, "X", 60_000)))


@quick
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_bars_or_refused(tmp_path, content):
    for name in ("x.csv", "x.parquet", "x.zip"):
        (tmp_path / name).write_bytes(content)
        regular(outcome(lambda name=name: read(tmp_path / name, "X", 60_000)))


@quick
@given(tables(), st.data())
def test_a_damaged_parquet_file_is_bars_or_refused(tmp_path, frame, data):
    file = io.BytesIO()
    frame.astype("str").to_parquet(file)
    content = bytearray(file.getvalue())
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    (tmp_path / "x.parquet").write_bytes(content)
    regular(outcome(lambda: read(tmp_path / "x.parquet", "X", 60_000)))


@quick
@given(tables(), st.data())
def test_a_damaged_zip_is_bars_or_refused(tmp_path, frame, data):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.csv", frame.to_csv(index=False))
    content = bytearray(file.getvalue())
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    (tmp_path / "x.zip").write_bytes(content)
    regular(outcome(lambda: read(tmp_path / "x.zip", "X", 60_000)))


@quick
@given(
    st.text(alphabet="ABC-_.0123456789smhdwMo", max_size=30)
    | st.from_regex(r"[A-Z]{3}-\d[mhdwM]-\d{4}-\d\d(-\d\d)?\.zip")
)
def test_any_file_name_is_read_or_refused(name):
    outcome(lambda: parse_file_name(name.replace("\n", "") or "x"))
