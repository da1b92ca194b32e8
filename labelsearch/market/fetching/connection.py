"""A connection to an exchange that ccxt supports; no account is needed."""

import difflib
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from labelsearch.market.fetching.download import TRIES, FetchError, backoff
from labelsearch.market.rules import BarError
from labelsearch.market.symbols import stored_name

T = TypeVar("T")

_TIMEOUT_MS = 30_000


class Connection:
    """Public data of one symbol at one exchange.

    Requests respect ccxt's rate limit of the exchange, and are repeated after temporary failures.

    Parameters
    ----------
    name : str
        As in ccxt: ``kraken``.
    symbol : str
        As in ccxt, ``BTC/USDT``; or as the store, or the exchange, names it, ``BTCUSDT``, where that is one market.
    options : mapping, optional
        For the constructor of ccxt.
    sleep : callable
        Takes seconds; waits between attempts.
    like : Connection, optional
        Another one to the same exchange, whose list of markets and rate limit are shared.

    Raises
    ------
    BarError
        If exchange or symbol do not exist, the exchange does not provide the data, or ccxt is not installed.
    FetchError
        If the network or the exchange fails, here and in every method.
    """

    def __init__(
        self,
        name: str,
        symbol: str,
        options: Mapping[str, object] | None = None,
        sleep: Callable[[float], object] = time.sleep,
        like: "Connection | None" = None,
    ) -> None:
        ccxt = ccxt_module()
        if name not in ccxt.exchanges:
            near = difflib.get_close_matches(name, ccxt.exchanges, n=1)
            raise BarError(f"ccxt has no exchange {name!r}" + (f"; did you mean {near[0]}?" if near else ""))
        self.name = name
        self.broken = 0  # rows left out so far
        self.tries = TRIES  # of each request
        self._sleep = sleep
        made = {"enableRateLimit": True, "timeout": _TIMEOUT_MS, **(options or {})}
        self._ccxt: Any = getattr(ccxt, name)(made) if like is None else like._ccxt
        self._check_provided()
        markets = self._call("list of markets", self._ccxt.load_markets)
        self.symbol = symbol if symbol in markets else self._named(symbol, markets)
        self._market = markets[self.symbol]

    def _named(self, identifier: str, markets: Mapping[str, Any]) -> str:
        """Symbol of the market that the store, or else the exchange itself, names so: ``BTCUSDT`` for ``BTC/USDT``."""
        found = [symbol for symbol in markets if stored_name(symbol) == identifier]
        found = found or [symbol for symbol, its in markets.items() if its.get("id") == identifier]
        if not found:
            near = difflib.get_close_matches(identifier, markets, n=1)
            raise BarError(f"{self.name} has no symbol {identifier!r}" + (f"; did you mean {near[0]}?" if near else ""))
        if len(found) > 1:
            raise BarError(f"{self.name} has several markets {identifier}: {', '.join(found)}")
        return found[0]

    def _check_provided(self) -> None:
        """Raise `BarError` if the exchange does not provide the data, before anything is requested."""

    def clock_ms(self) -> int:
        """Clock of the exchange, ms since the epoch; of this machine if the exchange has none."""
        if self._ccxt.has.get("fetchTime") is True:
            clock = self._call("clock", self._ccxt.fetch_time)
            if clock:
                return int(clock)
        return int(time.time() * 1000)

    def _call(self, what: str, method: Callable[..., T], *args: Any) -> T:
        ccxt = ccxt_module()
        for attempt in range(self.tries):
            try:
                return method(*args)
            except ccxt.NetworkError as error:
                failure = _short(error)
            except ccxt.BaseError as error:
                raise FetchError(f"{self.name}: {what}: {_short(error)}") from None
            if attempt + 1 < self.tries:
                self._sleep(backoff(attempt))
        raise FetchError(f"{self.name}: {what}: {failure}; gave up after {self.tries} attempts")


def _short(error: Exception, length: int = 300) -> str:
    """One line; some exchanges send whole pages."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= length else text[:length] + ".."


def ccxt_module() -> Any:
    """The library, which is an extra; `BarError` where it is not installed."""
    try:
        import ccxt
    except ImportError:
        raise BarError("other exchanges need ccxt: pip install 'labelsearch[exchanges]'") from None
    return ccxt
