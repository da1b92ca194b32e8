"""A server on this machine in the layout of the exchange's public archive, with faults on demand."""

import hashlib
import io
import os
import threading
import time
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest.mock import patch

import numpy as np

from labelsearch.market.bars import Bars
from labelsearch.market.times import DAY_MS, interval_name, parse_time

Action = Callable[["Handler", bytes], None]
HOUR = 3_600_000


def hourly(first_day: str, days: int, symbol: str = "TESTUSDT", seed: int = 0) -> Bars:
    """Hours of a random walk, every column there."""
    n = 24 * days
    rng = np.random.default_rng(seed)
    close = np.round(100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, n))), 4)
    opened = np.concatenate([[100.0], close[:-1]])
    volume = np.round(rng.uniform(1.0, 9.0, n), 3)
    return Bars(
        symbol,
        HOUR,
        parse_time(first_day) + HOUR * np.arange(n),
        opened,
        np.maximum(opened, close) + 1.0,
        np.minimum(opened, close) - 1.0,
        close,
        volume,
        np.round(volume * close, 3),
        np.round(volume * 7.0),
        np.round(volume / 2.0, 3),
    )


def rows(bars: Bars, offset_ms: int = 0) -> list[str]:
    """Lines of an archive file; `offset_ms` moves them off the grid."""
    columns = zip(
        (bars.open_time + offset_ms).tolist(), bars.open.tolist(), bars.high.tolist(), bars.low.tolist(),
        bars.close.tolist(), bars.volume.tolist(), bars.quote_volume.tolist(), bars.trades.tolist(),
        bars.taker_buy_volume.tolist(), strict=True,
    )  # fmt: skip
    return [
        f"{t},{o!r},{h!r},{low!r},{c!r},{v!r},{t + bars.interval_ms - 1},{q!r},{int(n)},{b!r},1.0,0"
        for t, o, h, low, c, v, q, n, b in columns
    ]


def zipped(member: str, lines: list[str]) -> bytes:
    """A zip with one CSV, the same bytes each time."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(member), "\n".join(lines) + "\n")
    return packed.getvalue()


def path_of(symbol: str, interval: str, period: str) -> str:
    kind = "monthly" if len(period) == 7 else "daily"
    return f"/data/spot/{kind}/klines/{symbol}/{interval}/{symbol}-{interval}-{period}.zip"


class ArchiveServer:
    """Files by path, what was asked for, and faults by path: each request of a path takes its next action."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list[Action]] = defaultdict(list)
        self.requests: list[str] = []
        self.agents: set[str] = set()
        self.at_once = self.most_at_once = 0
        self.pause = 0.0
        self.lock = threading.Lock()
        self.released = threading.Event()
        self.url = ""
        self.http: ThreadingHTTPServer

    def put(self, path: str, content: bytes) -> str:
        """Publish a file and its checksum."""
        self.files[path] = content
        self.files[path + ".CHECKSUM"] = f"{hashlib.sha256(content).hexdigest()}  {path.rsplit('/', 1)[1]}".encode()
        return path

    def publish(self, bars: Bars, period: str) -> str:
        """Publish the part of `bars` that lies in a month (``2024-01``) or day (``2024-01-31``)."""
        days = np.datetime_as_string(bars.open_time.astype("datetime64[ms]"), unit="D")
        inside = np.flatnonzero([day.startswith(period) for day in days])
        interval = interval_name(bars.interval_ms)
        part = bars.between(int(bars.open_time[inside[0]]), int(bars.open_time[inside[-1]]) + 1)
        path = path_of(bars.symbol, interval, period)
        return self.put(path, zipped(f"{bars.symbol}-{interval}-{period}.csv", rows(part)))

    def publish_days(self, bars: Bars) -> None:
        """Publish a daily file for each day of `bars`."""
        for day in np.unique(bars.open_time // DAY_MS):
            self.publish(bars, str(np.datetime64(int(day), "D")))

    def publish_folder(self, root: Path) -> None:
        """Publish a folder as it lies there, checksums included."""
        for file in root.rglob("*"):
            if file.is_file():
                self.files["/" + file.relative_to(root).as_posix()] = file.read_bytes()

    def zips(self) -> list[str]:
        """Names of the zips asked for so far, in order; forgets them."""
        asked, self.requests = self.requests, []
        return [path.rsplit("/", 1)[1] for path in asked if path.endswith(".zip")]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    archive: ArchiveServer

    def do_GET(self) -> None:
        archive = self.archive
        with archive.lock:
            archive.requests.append(self.path)
            archive.agents.add(self.headers["User-Agent"])
            archive.at_once += 1
            archive.most_at_once = max(archive.most_at_once, archive.at_once)
            faults = archive.faults[self.path]
            action = faults.pop(0) if faults else None
        try:
            if archive.pause:
                time.sleep(archive.pause)
            content = archive.files.get(self.path)
            if action is not None:
                action(self, content or b"")
            elif content is None:
                self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
            else:
                self.answer(200, content)
        finally:
            with archive.lock:
                archive.at_once -= 1

    def answer(self, status: int, content: bytes, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        pass


def status(code: int, **headers: str) -> Action:
    """Answer with a status in place of the file."""
    return lambda handler, content: handler.answer(code, b"busy", **headers)


def body(content: bytes) -> Action:
    """Answer with other bytes."""
    return lambda handler, _: handler.answer(200, content)


def cut(handler: Handler, content: bytes) -> None:
    """Send half of the body, then close the connection."""
    handler.answer(200, content[: len(content) // 2], length=len(content))
    handler.close_connection = True


def stall(handler: Handler, content: bytes) -> None:
    """Send half of the body and nothing more until the server is released."""
    handler.answer(200, content[: len(content) // 2], length=len(content))
    handler.wfile.flush()
    handler.archive.released.wait(60)
    handler.close_connection = True


@contextmanager
def serve() -> Iterator[ArchiveServer]:
    archive = ArchiveServer()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"archive": archive}))
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that hang up are the point
    archive.http = server
    archive.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        with patch.dict(os.environ, no_proxy="127.0.0.1"):
            yield archive
    finally:
        archive.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
