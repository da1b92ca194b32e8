"""Downloads over HTTP: a few at a time, retried with growing pauses, limited in size, and hashed while written."""

import hashlib
import os
import random
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError, InvalidHeader

from labelsearch.errors import LabelsearchError

T = TypeVar("T")

CONNECTIONS = 4
TRIES = 6
LONGEST_PAUSE = 60.0  # seconds between attempts
LONGEST_WAIT = 120.0  # seconds that a server may ask us to wait
_TEMPORARY = frozenset({429, 500, 502, 503, 504})
_CHUNK = 1 << 16


class FetchError(LabelsearchError):
    """A failure of the network or a server, not of the request; the message is one line."""

    def __init__(self, text: str) -> None:
        super().__init__(" ".join(text.split()))


class BadFile(FetchError):
    """A server sent something other than the requested file; its other files may be correct."""


def backoff(attempt: int) -> float:
    """Seconds to pause after failed attempt 0, 1, ..: doubled each time, with jitter, up to `LONGEST_PAUSE`."""
    return min(LONGEST_PAUSE, 2.0**attempt) * random.uniform(0.5, 1.0)


class Client:
    """Downloads over at most `CONNECTIONS` connections; its methods may be called from several threads.

    Certificates are verified; proxies come from the environment (``https_proxy``, ``no_proxy``).

    Parameters
    ----------
    tries : int
        Attempts for one URL before `FetchError`.
    sleep : callable, optional
        Takes seconds; by default a sleep that `stop` ends.
    largest : int
        Maximum size of a file in bytes.
    timeout : float
        Seconds without data after which a connection counts as lost.
    """

    def __init__(
        self,
        tries: int = TRIES,
        sleep: Callable[[float], object] | None = None,
        largest: int = 256 << 20,
        timeout: float = 30.0,
    ) -> None:
        self.tries = tries
        self.largest = largest
        self._stopped = threading.Event()
        self._sleep = sleep or self._stopped.wait
        self._timeout = urllib3.Timeout(connect=min(10.0, timeout), read=timeout)
        self._pools: dict[str, urllib3.PoolManager] = {}
        self._lock = threading.Lock()
        self._open: set[urllib3.BaseHTTPResponse] = set()

    def stop(self) -> None:
        """Abort the downloads of other threads with `FetchError`, even while they wait for a server."""
        self._stopped.set()
        with self._lock:
            running = list(self._open)
        for response in running:
            with suppress(ValueError, RuntimeError, OSError):  # it has ended in the meantime
                response.shutdown()

    def text(self, url: str, largest: int = 4096) -> str | None:
        """Download a short text; None if there is none (404)."""

        def receive(response: urllib3.BaseHTTPResponse) -> str:
            content = b"".join(self._chunks(response, url, largest))
            return content.decode("utf-8", errors="replace")

        return self._get(url, receive)

    def save(self, url: str, path: Path) -> str | None:
        """Download a file, synced to disk, and return its SHA-256 in hex; None if there is none (404).

        After a failure the caller must remove the partial file.

        Raises
        ------
        BadFile
            If it has more than ``largest`` bytes.
        FetchError
            If every attempt failed, or the status is not temporary.
        """

        def receive(response: urllib3.BaseHTTPResponse) -> str:
            sha = hashlib.sha256()
            with path.open("wb") as file:
                for chunk in self._chunks(response, url, self.largest):
                    sha.update(chunk)
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            return sha.hexdigest()

        return self._get(url, receive)

    def _get(self, url: str, receive: Callable[[urllib3.BaseHTTPResponse], T]) -> T | None:
        reason = ""
        for attempt in range(self.tries):
            pause = backoff(attempt)
            try:
                response = self._request(url)
                with self._lock:
                    self._open.add(response)
                try:
                    self._check_stopped(url)
                    if response.status == 200:
                        return receive(response)
                    reason = f"HTTP {response.status} {response.reason or ''}".rstrip()
                    asked = _retry_after(response)
                    response.read(_CHUNK)  # reading a short body to its end keeps the connection for the next file
                finally:
                    with self._lock:
                        self._open.discard(response)
                    response.close()
                if response.status == 404:
                    return None
                if response.status not in _TEMPORARY:
                    raise FetchError(f"{url}: {reason}")
                if asked is not None:
                    reason += f", the server asks to wait {asked:.0f} s"
                    if asked > LONGEST_WAIT:
                        raise FetchError(f"{url}: {reason}: try again later")
                    pause = asked
            except (HTTPError, ConnectionError, TimeoutError) as error:
                reason = _words(error)
                if "CERTIFICATE_VERIFY_FAILED" in reason:  # not temporary
                    raise FetchError(f"{url}: {reason}") from None
            if attempt + 1 < self.tries:
                self._sleep(pause)
            self._check_stopped(url)
        raise FetchError(f"{url}: {reason}; gave up after {self.tries} attempts")

    def _request(self, url: str) -> urllib3.BaseHTTPResponse:
        return self._pool(url).request(
            "GET",
            url,
            preload_content=False,
            timeout=self._timeout,
            # only redirects are handled here: incomplete bodies need the retries above anyway
            retries=urllib3.Retry(3, connect=0, read=0, status=0, other=0, respect_retry_after_header=False),
            headers={"User-Agent": f"labelsearch/{version('labelsearch')}", "Accept-Encoding": "identity"},
        )

    def _pool(self, url: str) -> urllib3.PoolManager:
        parts = urlsplit(url)
        proxy = urllib.request.getproxies().get(parts.scheme, "")
        if urllib.request.proxy_bypass(parts.hostname or ""):
            proxy = ""
        with self._lock:
            if proxy not in self._pools:
                self._pools[proxy] = (
                    urllib3.ProxyManager(proxy, maxsize=CONNECTIONS, block=True)
                    if proxy
                    else urllib3.PoolManager(maxsize=CONNECTIONS, block=True)
                )
            return self._pools[proxy]

    def _chunks(self, response: urllib3.BaseHTTPResponse, url: str, largest: int) -> Iterator[bytes]:
        received = 0
        for chunk in response.stream(_CHUNK, decode_content=False):
            received += len(chunk)
            if received > largest:
                raise BadFile(f"{url}: more than {largest} bytes")
            self._check_stopped(url)
            yield chunk

    def _check_stopped(self, url: str) -> None:
        if self._stopped.is_set():
            raise FetchError(f"{url}: stopped")


def _retry_after(response: urllib3.BaseHTTPResponse) -> float | None:
    try:
        return urllib3.Retry().get_retry_after(response)
    except InvalidHeader:
        return None


def _words(error: Exception) -> str:
    """The message without the name of the connection object at its start."""
    reason = getattr(error, "reason", None) or error
    text = " ".join(str(reason).split()) or type(reason).__name__
    return text.split("): ", 1)[-1]
