"""Download from the public archive: monthly files first, then daily files of bars for the days still missing."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from labelsearch.market.bars import Bars
from labelsearch.market.fetching.archive_site import (
    ArchiveFiles,
    BarFiles,
    FundingFiles,
    Period,
    days_between,
    months_between,
    months_touched,
)
from labelsearch.market.fetching.download import CONNECTIONS, BadFile, Client, FetchError
from labelsearch.market.fetching.inflow import BarsInflow, Fetched, FundingInflow, Inflow, Progress
from labelsearch.market.funding import Funding
from labelsearch.market.rules import BarError
from labelsearch.market.store import Store
from labelsearch.market.times import DAY_MS

T = TypeVar("T", Bars, Funding)

# a file may be published this long after the end of its period; until then a 404 is not final
_DAY_PATIENCE = 3 * DAY_MS
_MONTH_PATIENCE = 14 * DAY_MS
_PROBES = 32
_HOPELESS = 8


@dataclass(frozen=True)
class _Obtained:
    """A local file, new or from an earlier call; without a path it is not published, or was refused."""

    path: Path | None
    downloaded: bool = False
    refusal: str | None = None


def fetch_archive(
    store: Store,
    symbol: str,
    interval_ms: int,
    start_ms: int,
    stop_ms: int,
    *,
    url: str,
    name: str | None = None,
    client: Client | None = None,
    progress: Progress | None = None,
    now_ms: int | None = None,
) -> Fetched:
    """Download bars of the exchange's public archive into the store.

    A month completely within the range comes from its monthly file; days that are then not complete in the store come
    from daily files. Where both have a bar, that of the monthly file is used. A file that conflicts with stored bars of
    another origin is refused as a whole.

    Parameters
    ----------
    store : Store
    symbol : str
        As written by the archive.
    interval_ms : int
    start_ms, stop_ms : int
        The range, limited to UTC days that are over.
    url : str
        Base of the archive or of a mirror.
    name : str, optional
        Symbol in the store, by default ``symbol``.
    client : Client, optional
    progress : callable, optional
        Counts files.
    now_ms : int, optional
        By default the current time.

    Raises
    ------
    BarError
        If symbol or interval are invalid or nothing of them is published in the range, or if the store has bars of
        another source under the name.
    FetchError
        If the network or the server failed; files received before are stored.
    """
    now_ms = int(time.time() * 1000) if now_ms is None else now_ms
    stop_ms = min(stop_ms, now_ms) // DAY_MS * DAY_MS
    inflow = BarsInflow(store, name or symbol, interval_ms, f"archive {symbol}", start_ms, stop_ms)
    client = client or Client()
    files = BarFiles(url, symbol, interval_ms, inflow.folder, client)
    return _BarsFetch(files, inflow, client, progress, now_ms).run(start_ms, stop_ms)


def fetch_archive_funding(
    store: Store,
    symbol: str,
    start_ms: int,
    stop_ms: int,
    *,
    url: str,
    name: str | None = None,
    client: Client | None = None,
    progress: Progress | None = None,
    now_ms: int | None = None,
) -> Fetched:
    """Download funding of the exchange's public archive into the store.

    It is published by the month: every month that is over and touches the range is stored as a whole. A file that
    conflicts with stored funding is refused as a whole.

    Parameters
    ----------
    store, symbol, start_ms, stop_ms, url, name, client, progress, now_ms
        As for `fetch_archive`.

    Raises
    ------
    BarError
        If the symbol is invalid, no month is over or nothing is published in the range, or if the store has funding of
        another source under the name.
    FetchError
        If the network or the server failed; files received before are stored.
    """
    now_ms = int(time.time() * 1000) if now_ms is None else now_ms
    stop_ms = min(stop_ms, now_ms)
    inflow = FundingInflow(store, name or symbol, f"archive {symbol}", start_ms, stop_ms)
    client = client or Client()
    files = FundingFiles(url, symbol, inflow.folder, client)
    return _FundingFetch(files, inflow, client, progress, now_ms).run(start_ms, stop_ms)


class _ArchiveFetch(Generic[T]):
    def __init__(
        self, site: ArchiveFiles[T], inflow: Inflow[T], client: Client, progress: Progress | None, now_ms: int
    ) -> None:
        self.site: ArchiveFiles[T] = site
        self.inflow: Inflow[T] = inflow
        self.client, self.now_ms = client, now_ms
        self.progress: Callable[[str, int, int], None] = progress or (lambda *_: None)
        self.found = False
        self.refused: set[str] = set()
        _remove_leftovers(inflow.folder)

    def _open(self, periods: list[Period]) -> list[Period]:
        """Periods whose file was not stored before, is not known to be absent and was not refused."""
        return [period for period in periods if not self._settled(period)]

    def _none_published(self, what: str, periods: list[Period], asked: Period) -> BarError:
        return BarError(
            f"no {what} of {self.site.symbol} in {periods[0].name} .. {periods[-1].name} "
            f"at {self.site.url}: {self.site.address(asked)} and all others are not published"
        )

    def _settled(self, period: Period) -> bool:
        if period.name in self.refused:
            return True
        record = self.inflow.record
        patience = _MONTH_PATIENCE if period.monthly else _DAY_PATIENCE
        if record.absent.get(period.name, 0) >= period.stop_ms + patience:
            return True
        # fewer bars than in the file mean that the store was removed or rebuilt
        file = record.files.get(period.name)
        return file is not None and self.inflow.count(period.start_ms, period.stop_ms) >= int(file[self.inflow.counted])

    def _take(self, title: str, periods: list[Period]) -> None:
        """Download several files at a time, and store them in time order."""
        if not periods:
            return
        self.progress(title, 0, len(periods))
        pool = ThreadPoolExecutor(CONNECTIONS)
        try:
            for done, (period, got) in enumerate(zip(periods, pool.map(self._obtain, periods), strict=True)):
                self._put(period, got)
                self.progress(title, done + 1, len(periods))
        except BaseException:
            self.client.stop()
            raise
        finally:
            pool.shutdown(cancel_futures=True)
            self.inflow.flush()

    def _obtain(self, period: Period) -> _Obtained:
        path = self.site.kept(period)
        if path is not None:
            return _Obtained(path)
        try:
            return _Obtained(self.site.download(period), downloaded=True)
        except BadFile as error:
            return _Obtained(None, refusal=str(error))

    def _put(self, period: Period, got: _Obtained) -> None:
        result = self.inflow.result
        if got.refusal is not None:
            self._refuse(period, got.refusal)
        elif got.path is None:
            self.inflow.record.absent[period.name] = self.now_ms
        else:
            result.files += got.downloaded
            try:
                self._read(period, got.path)
                self.found = True
            except BarError as error:
                self.site.forget(got.path)
                row = "" if error.row is None else f"row {error.row}: "
                self._refuse(period, f"{self.site.address(period)}: {row}{error.rule}")

    def _refuse(self, period: Period, why: str) -> None:
        refused = self.inflow.result.refused
        refused.append(why)
        self.refused.add(period.name)
        if len(refused) >= _HOPELESS and not self.found:
            raise FetchError(f"{refused[0]}; {len(refused)} files refused, none accepted")

    def _read(self, period: Period, path: Path) -> None:
        series = self.site.read(path, self.inflow.name)
        sha256 = path.with_name(path.name + ".CHECKSUM").read_text().split()[0]
        accepted = self._accepted(series, period, path)
        self.inflow.record.absent.pop(period.name, None)
        self.inflow.put(accepted, period.name, sha256, len(series))

    def _accepted(self, series: T, period: Period, path: Path) -> T:
        """What is stored of a file; `BarError` if it conflicts with what is there."""
        return self.inflow.agree(series, path)


class _BarsFetch(_ArchiveFetch[Bars]):
    inflow: BarsInflow

    def run(self, start_ms: int, stop_ms: int) -> Fetched:
        months = months_between(start_ms, stop_ms)
        days = days_between(start_ms, stop_ms)
        self._take("months", self._open(months))
        left = self._open(days)
        if left and not self.found and len(self.inflow.stored) == 0:
            # perhaps a wrong symbol, which takes no thousand requests to find out
            self._take("days", left[:: -(-len(left) // _PROBES)])
            if not self.found and not self.refused:
                raise self._none_published(f"{self.site.kind} bars", days, (months or left)[0])
            left = self._open(left)
        self._take("days", left)
        return self.inflow.finish()

    def _open(self, periods: list[Period]) -> list[Period]:
        """Those of them with missing bars."""
        return super()._open([p for p in periods if not self.inflow.complete(p.start_ms, p.stop_ms)])

    def _accepted(self, series: Bars, period: Period, path: Path) -> Bars:
        return self.inflow.lacking(series) if self._has_twin(period) else self.inflow.agree(series, path)

    def _has_twin(self, period: Period) -> bool:
        """Whether the store has bars of this period from the other file of the archive, monthly or daily."""
        files = self.inflow.record.files
        if period.monthly:
            return any(other.startswith(period.month + "-") for other in files)
        return period.month in files


class _FundingFetch(_ArchiveFetch[Funding]):
    def run(self, start_ms: int, stop_ms: int) -> Fetched:
        months = [month for month in months_touched(start_ms, stop_ms) if month.stop_ms <= self.now_ms]
        if not months:
            raise BarError("the archive has funding of whole months, and no month of the range is over")
        self._take("months", self._open(months))
        if len(self.inflow.stored) == 0 and not (self.found or self.refused):
            raise self._none_published("funding", months, months[0])
        return self.inflow.finish()


def _remove_leftovers(folder: Path, older_than_s: float = 3600.0) -> None:
    """Remove temporary files of killed processes; younger ones may belong to a running process."""
    for part in folder.glob(".*.part"):
        if time.time() - part.stat().st_mtime > older_than_s:
            part.unlink(missing_ok=True)
