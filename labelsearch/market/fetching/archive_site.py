"""The exchange's public archive: its files, and the verified download of one of them.

Layout under the base URL, with a ``.CHECKSUM`` (sha256) beside each zip::

    data/spot/monthly/klines/BTCUSDT/1m/BTCUSDT-1m-2020-01.zip
    data/spot/daily/klines/BTCUSDT/1m/BTCUSDT-1m-2020-01-01.zip
    data/futures/um/monthly/fundingRate/BTCUSDT/BTCUSDT-fundingRate-2020-01.zip
"""

import hashlib
import re
import zipfile
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Generic, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

import numpy as np

from labelsearch.market.archive import RawBars, read_raw
from labelsearch.market.bars import Bars
from labelsearch.market.fetching.download import BadFile, Client
from labelsearch.market.funding import Funding
from labelsearch.market.funding_files import read_archive_month
from labelsearch.market.rules import BarError
from labelsearch.market.times import DAY_MS, interval_name, next_month, to_ms

T = TypeVar("T")

ARCHIVE_URL = "https://data.binance.vision"
INTERVALS = ("1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d")

_CHECKSUM = re.compile(r"([0-9a-fA-F]{64})\s+\*?(\S+)\s*")


@dataclass(frozen=True)
class Period:
    """A month or a day, [start_ms, stop_ms), UTC; ``name`` as in file names, ``2020-01`` or ``2020-01-31``."""

    name: str
    start_ms: int
    stop_ms: int

    @property
    def monthly(self) -> bool:
        """Whether it is a month."""
        return len(self.name) == len("2020-01")

    @property
    def month(self) -> str:
        """Name of its month."""
        return self.name[:7]


def days_between(start_ms: int, stop_ms: int) -> list[Period]:
    """The complete days within [start_ms, stop_ms)."""
    first = -(-start_ms // DAY_MS) * DAY_MS
    return [
        Period(f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d}", ms, ms + DAY_MS)
        for ms in range(first, stop_ms - DAY_MS + 1, DAY_MS)
    ]


def months_between(start_ms: int, stop_ms: int) -> list[Period]:
    """The complete months within [start_ms, stop_ms)."""
    moment = datetime.fromtimestamp(start_ms / 1000, UTC)
    start = datetime(moment.year, moment.month, 1, tzinfo=UTC)
    months = []
    while start.timestamp() * 1000 < stop_ms:
        following = next_month(start)
        month = Period(f"{start:%Y-%m}", int(start.timestamp()) * 1000, int(following.timestamp()) * 1000)
        if month.start_ms >= start_ms and month.stop_ms <= stop_ms:
            months.append(month)
        start = following
    return months


def months_touched(start_ms: int, stop_ms: int) -> list[Period]:
    """The months that begin before ``stop_ms`` and end after ``start_ms``."""
    first = datetime.fromtimestamp(start_ms / 1000, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    last = next_month(datetime.fromtimestamp((stop_ms - 1) / 1000, UTC).replace(day=1, hour=0, minute=0, second=0))
    return months_between(int(first.timestamp()) * 1000, int(last.timestamp()) * 1000)


class ArchiveFiles(ABC, Generic[T]):
    """Files of one symbol and kind.

    Parameters
    ----------
    url : str
        Base of the archive or of a mirror.
    symbol : str
        As written by the archive: ``BTCUSDT``.
    folder : Path
        Of verified files: a zip gets its final name there only after verification.
    client : Client

    Raises
    ------
    BarError
        For an invalid URL or symbol.
    """

    kind: str  # as in file names: an interval, or ``fundingRate``

    def __init__(self, url: str, symbol: str, folder: Path, client: Client) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise BarError(f"{url!r} is not the address of an archive: use {ARCHIVE_URL}")
        if not re.fullmatch(r"[A-Z0-9]{2,40}", symbol):
            raise BarError(
                f"{symbol!r} is not a valid symbol of the archive: use capital letters and digits, as in BTCUSDT"
            )
        self.url, self.symbol, self.folder, self.client = url.rstrip("/"), symbol, folder, client

    def stem(self, period: Period) -> str:
        """File name without its extension."""
        return f"{self.symbol}-{self.kind}-{period.name}"

    @abstractmethod
    def address(self, period: Period) -> str:
        """URL of the zip file."""

    @abstractmethod
    def read(self, path: Path, name: str) -> T:
        """Read a local file, as a series of the name; `BarError` if it breaks a rule."""

    def kept(self, period: Period) -> Path | None:
        """The local file, if it is there and matches its checksum."""
        path = self.folder / f"{self.stem(period)}.zip"
        checksum = path.with_name(path.name + ".CHECKSUM")
        if not (path.is_file() and checksum.is_file()):
            return None
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return path if checksum.read_text(errors="replace").lower().startswith(digest) else None

    def download(self, period: Period) -> Path | None:
        """Download a file; None if it or its checksum is not published (404).

        Raises
        ------
        BadFile
            If the ``.CHECKSUM`` file is invalid, or two downloads do not match it.
        FetchError
            As `Client.save`.
        """
        url = self.address(period)
        path = self.folder / f"{self.stem(period)}.zip"
        part = path.with_name(f".{path.name}.{uuid4().hex}.part")
        digests = ("", "")
        try:
            for _ in range(2):  # the file may be replaced between the two requests
                text = self.client.text(url + ".CHECKSUM")
                if text is None:
                    return None
                expected = _parse_checksum(text, url)
                self.folder.mkdir(parents=True, exist_ok=True)
                digest = self.client.save(url, part)
                if digest is None:
                    return None
                if digest == expected:
                    checksum = path.with_name(path.name + ".CHECKSUM")
                    _write(checksum, f"{digest}  {path.name}\n")
                    part.replace(path)
                    return path
                digests = (digest, expected)
        finally:
            part.unlink(missing_ok=True)
        raise BadFile(f"{url}: SHA-256 is {digests[0][:12]}.., but its .CHECKSUM says {digests[1][:12]}..")

    def forget(self, path: Path) -> None:
        """Remove a file, so that the next call downloads it again."""
        path.unlink(missing_ok=True)
        path.with_name(path.name + ".CHECKSUM").unlink(missing_ok=True)


class BarFiles(ArchiveFiles[Bars]):
    """Files of bars of one interval; `BarError` for one that the archive does not have."""

    def __init__(self, url: str, symbol: str, interval_ms: int, folder: Path, client: Client) -> None:
        super().__init__(url, symbol, folder, client)
        self.kind = interval_name(interval_ms)
        if self.kind not in INTERVALS:
            raise BarError(f"the archive has no bars of {self.kind}, only {', '.join(INTERVALS)}")

    def address(self, period: Period) -> str:
        """URL of the zip file."""
        kind = "monthly" if period.monthly else "daily"
        return f"{self.url}/data/spot/{kind}/klines/{self.symbol}/{self.kind}/{self.stem(period)}.zip"

    def read(self, path: Path, name: str) -> Bars:
        """Read a local file.

        If two rows fall on one bar after rounding, the row on the grid is used: after some halts the archive has rows
        some seconds off the grid, and the first of them can fall into the last regular minute.

        Raises
        ------
        BarError
            If the zip does not contain a CSV file of its own name with the columns of the archive, or rows break a rule
            or are outside the period of the file.
        """
        _check_member(path)
        raw = read_raw(path)
        if raw.format != "klines":
            raise BarError("the CSV file in the zip does not have the 12 columns of the archive", path)
        return _without_twins(raw).bars(name)


class FundingFiles(ArchiveFiles[Funding]):
    """Files of funding, of months only."""

    kind = "fundingRate"

    def address(self, period: Period) -> str:
        """URL of the zip file."""
        return f"{self.url}/data/futures/um/monthly/{self.kind}/{self.symbol}/{self.stem(period)}.zip"

    def read(self, path: Path, name: str) -> Funding:
        """Read a local file.

        Raises
        ------
        BarError
            If the zip does not contain a CSV file of its own name with times and rates, or rows break a rule or are
            outside the month.
        """
        _check_member(path)
        return read_archive_month(path, name)


def _parse_checksum(text: str, url: str) -> str:
    match = _CHECKSUM.fullmatch(text.strip())
    if match is None:
        raise BadFile(f"{url}.CHECKSUM: contains no SHA-256 digest with a file name")
    if match[2] != url.rsplit("/", 1)[1]:
        raise BadFile(f"{url}.CHECKSUM: belongs to {match[2]}")
    return match[1].lower()


def _write(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.{uuid4().hex}.part")
    part.write_text(text)
    part.replace(path)


def _check_member(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise BarError(f"not a zip file: {error}", path) from None
    if names != [f"{path.stem}.csv"]:
        raise BarError(f"the zip contains {', '.join(names[:3]) or 'nothing'} instead of {path.stem}.csv", path)


def _without_twins(raw: RawBars) -> RawBars:
    exact = to_ms(raw.frame["open_time"], raw.file)
    off = exact % raw.interval_ms != 0
    if not off.any():
        return raw
    twin = off & np.isin(exact - exact % raw.interval_ms, exact[~off])
    return replace(raw, frame=raw.frame[~twin])
