"""Names that files give to our columns."""

import re
from collections.abc import Sequence, Set

from labelsearch.market.rules import PRICES, QUOTES, REQUIRED, BarError

ARCHIVE_COLUMNS = (
    "open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "trades",
    "taker_buy_volume", "taker_buy_quote_volume", "ignore",
)  # fmt: skip
FUNDING_COLUMNS = ("funding_time", "funding_rate", "mark_price", "symbol")
TRADE_COLUMNS = ("open_time", "price", "amount", "buyer_maker", "side", "trade_id")

# other names of our columns; if a file has several, the first counts
_ALIASES = {
    "open_time": (
        "unix", "unix_timestamp", "timestamp", "open_timestamp", "datetime", "transact_time", "time", "date", "data",
        "gmt_time", "local_time", "lean_time", "__index_level_0__", "unnamed:_0", "index",
    ),
    "open": ("otwarcie",),
    "high": ("najwyzszy", "najwyższy"),
    "low": ("najnizszy", "najniższy"),
    "close": ("zamkniecie", "zamknięcie"),
    "volume": ("base_volume", "wolumen", "tickvol", "tick_volume", "vol"),
    "quote_volume": ("quote_asset_volume", "quote_vol"),
    "trades": ("count", "number_of_trades", "num_trades", "trade_count", "tradecount"),
    "taker_buy_volume": ("taker_buy_base_asset_volume", "taker_buy_base_volume", "taker_base_vol"),
    "taker_buy_quote_volume": ("taker_buy_quote_asset_volume", "taker_quote_vol"),
    "symbol": ("ticker",),
    "amount": ("quantity", "qty", "size", "volume"),
    "buyer_maker": ("is_buyer_maker", "isbuyermaker"),
    "trade_id": ("agg_trade_id", "id"),
    "funding_time": ("fundingtime", "calc_time", "timestamp", "datetime", "time", "date"),
    "funding_rate": ("fundingrate", "last_funding_rate", "lastfundingrate"),
    "mark_price": ("markprice",),
}  # fmt: skip


_RATES = ("funding_rate", *_ALIASES["funding_rate"])
_SIDES = {"bid": "bid", "ask": "ask", "offer": "ask", "ofr": "ask"}
_PRICES = {name: price for price in PRICES for name in (price, price[0])}
# bid_open, BidOpen, openBid, open_bid, "Bid Open", bid.o
_QUOTE = re.compile(rf"({'|'.join(_SIDES)})?({'|'.join(_PRICES)})({'|'.join(_SIDES)})?")
_VOLUME_OF = re.compile(r"volume_\(?[a-z0-9]{2,10}\)?")  # volume_btc, volume_(btc)


def plain(name: object) -> str:
    """A heading in lower case, without angle brackets, and with underscores between its words."""
    return re.sub(r"\s+", "_", str(name).strip().strip("<>").strip().lower())


def _columns_of(headings: Set[str]) -> tuple[str, ...]:
    """Our columns of a file with these headings, of bars, of trades or of funding."""
    if "close" in headings:
        return (*ARCHIVE_COLUMNS, "symbol", "filled")
    if "price" in headings:
        return (*TRADE_COLUMNS, "symbol")
    return FUNDING_COLUMNS if headings & {*_RATES} else (*ARCHIVE_COLUMNS, "symbol", "filled")


def our_names(given: Sequence[object]) -> dict[object, str]:
    """Our names of the known columns of a file of bars, quotes, trades or funding; ``clock`` is the time of a date."""
    headings = {plain(name): name for name in reversed(given)}
    ours = _columns_of(headings.keys())
    names: dict[object, str] = {}
    for our in ours:
        for candidate in (our, *_ALIASES.get(our, ())):
            if candidate in headings:
                names[headings[candidate]] = our
                break
    if ours is not FUNDING_COLUMNS and {"date", "time"} <= headings.keys() and headings["time"] in names:
        names[headings["date"]], names[headings["time"]] = "open_time", "clock"
    if "spread" in headings and "open_time" in headings:  # our own tables: that of others may count points
        names[headings["spread"]] = "spread"
    quotes = _quotes(headings) if "open" in ours else {}
    if len(quotes) == len(QUOTES) or not {"open", "close"} <= set(names.values()):
        names = {name: our for name, our in names.items() if not quotes or our not in (*PRICES, "spread")} | quotes
    return {name: names[name] for name in given if name in names} | _volumes(given, names)


def _quotes(headings: dict[str, object]) -> dict[object, str]:
    """Our names of the prices of bid and ask, perhaps not all of them, by those of the file."""
    names: dict[object, str] = {}
    for heading, name in headings.items():
        match = _QUOTE.fullmatch(re.sub(r"[\W_]+", "", heading))
        if match and bool(match[1]) != bool(match[3]):
            our = f"{_SIDES[match[1] or match[3]]}_{_PRICES[match[2]]}"
            if our not in names.values():
                names[name] = our
    return names


def _volumes(given: Sequence[object], names: dict[object, str]) -> dict[object, str]:
    """Volumes named by their currency, as ``Volume BTC`` and ``Volume USDT``: that of the base comes first."""
    found = [name for name in given if _VOLUME_OF.fullmatch(plain(name)) and name not in names]
    wanted = [our for our in ("volume", "quote_volume") if our not in names.values()]
    return dict(zip(found, wanted, strict=False)) if len(found) <= 2 else {}


def by_currency(names: dict[object, str]) -> bool:
    """Whether volume and quote volume are told apart by the names of currencies alone, that is by their order."""
    volumes = [name for name, our in names.items() if our in ("volume", "quote_volume")]
    return len(volumes) == 2 and all(_VOLUME_OF.fullmatch(plain(name)) for name in volumes)


def require(names: set[str], file: object) -> None:
    """Raise `BarError` unless all columns of bars or quotes are there but for the volume, or all of others."""
    needed: tuple[str, ...] = ("open_time", *(QUOTES if set(QUOTES) & names else REQUIRED))
    if "price" in names:
        needed = ("open_time", "price", "amount")
    elif "funding_rate" in names:
        needed = ("funding_time", "funding_rate")
    lacking = [name for name in needed if name not in names and name != "volume"]
    if lacking:
        raise BarError(f"missing columns: {', '.join(lacking)}", file)
