"""Small valid bars and files, to be broken by the tests."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from labelsearch.market.bars import Bars

START = 1_577_836_800_000  # 2020-01-01 00:00 UTC


@pytest.fixture
def frame() -> pd.DataFrame:
    """Ten good minutes from 2020-01-01, every price and volume different."""
    t = np.arange(10)
    close = 100.0 + t
    return pd.DataFrame(
        {
            "open_time": START + t * 60_000,
            "open": close - 0.5,
            "high": close + 1.0,
            "low": close - 1.0,
            "close": close,
            "volume": 2.0 + t,
            "quote_volume": (2.0 + t) * (close + 0.25),
            "trades": 5.0 + t,
            "taker_buy_volume": 1.0 + t,
        }
    )


@pytest.fixture
def bars(frame: pd.DataFrame) -> Bars:
    """The same as bars."""
    return Bars.from_frame(frame, "TEST")


@pytest.fixture
def lines(frame: pd.DataFrame) -> list[str]:
    """The same as lines of an archive file, in milliseconds."""
    return [
        f"{int(r.open_time)},{r.open:.8f},{r.high:.8f},{r.low:.8f},{r.close:.8f},{r.volume:.8f},"
        f"{int(r.open_time) + 59_999},{r.quote_volume:.8f},{int(r.trades)},{r.taker_buy_volume:.8f},1.0,0"
        for r in frame.itertuples()
    ]


@pytest.fixture
def write_zip(tmp_path: Path) -> Callable[..., Path]:
    """Write lines as an archive zip: ``write_zip(lines, "BTCUSDT-1m-2020-01-01")``."""

    def write(lines: list[str], stem: str = "TESTUSDT-1m-2020-01-01") -> Path:
        path = tmp_path / f"{stem}.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{stem}.csv", "\n".join(lines) + "\n")
        return path

    return write
