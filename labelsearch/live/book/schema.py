"""JSON Schemas of the files that the bundle of a book has in place of ``market.json`` and ``strategies.json``."""

from labelsearch.live.schema_parts import (
    CALENDAR,
    COSTS,
    END,
    FEE_SHARE,
    FIGURES,
    HALF_SPREAD,
    INTERVAL_MS,
    NAME,
    OUTPUTS,
    OWN_FILES,
    QUOTE_VOLUME,
    SIGNAL_MAP,
    STRATEGY,
    THRESHOLDS,
    TRADES,
    WARM_UP,
    WEIGHTS,
    WHOLE,
    WINDOWS,
    Schema,
    listed,
    record,
    value,
)
from strategies.book.rules import KINDS


def _days(text: str) -> Schema:
    return value("integer", text, minimum=1, maximum=10_000)


BOOK = record(
    "The markets of a book, the terms that it trades on, and how many bars it needs before the first decision.",
    optional=("calendar",),
    kind=value("string", "what is held", enum=list(KINDS)),
    gross=value("number", "sum of the sizes of all positions, in equity", exclusiveMinimum=0, maximum=10),
    cap=value("number", "largest position of one market, in equity", exclusiveMinimum=0),
    drift=value("number", "dollars or beta of a neutral book beyond which bands give way", exclusiveMinimum=0),
    signal_map=SIGNAL_MAP,
    fee_share=FEE_SHARE,
    half_spread=HALF_SPREAD,
    costs=COSTS,
    universe=record(
        "which markets may be held at a time; days are those with bars",
        size=value("integer", "the most liquid ones, chosen at the start of each month; 0: all", **WHOLE),
        history_days=_days("days since its first bar before a market joins"),
        liquidity_days=_days("days over which traded value is compared"),
        beta_days=value("integer", "days behind the beta of a market", minimum=2, maximum=10_000),
        volatility_days=value("integer", "days behind its volatility", minimum=2, maximum=10_000),
    ),
    interval_ms=INTERVAL_MS | {"description": "length of the bars that come in, of which all others are made"},
    intervals_ms=listed("lengths of bars that outputs come from, the first that of the book", INTERVAL_MS, minItems=1),
    calendar=CALENDAR,
    shared_classifiers=value("boolean", "true: all markets have the classifiers in classifiers/"),
    warm_up=WARM_UP | {"description": "bars of the book before outputs and universe are known"},
    follow=value(
        "integer",
        "bars for which strategies are then followed before accounts begin, unless their start is given: by then a "
        "wish from before has a weight below 1e-6",
        minimum=0,
        maximum=10_000_000,
    ),
    windows=WINDOWS,
    own_files=OWN_FILES,
    markets=listed(
        "the markets, in the order of all weights",
        record(
            "one market",
            optional=("half_spread",),
            symbol=value("string", "symbol of its bars, as in markets/", pattern=f"^{NAME}{END}"),
            quote_volume=QUOTE_VOLUME,
            trades=TRADES,
            funding=value("boolean", "true: features read the funding that it pays"),
            half_spread=HALF_SPREAD | {"description": "that of its own, estimated once; without it that of the book"},
        ),
        minItems=2,
    ),
)

BOOK_STRATEGIES = record(
    "The strategies of a book, best first. A tier is one account that follows the mean weights of its first ones.",
    outputs=OUTPUTS,
    tiers=listed(
        "sizes, the largest first",
        value("integer", "strategies of the tier", minimum=1, maximum=999_999_999),
        minItems=1,
        uniqueItems=True,
    ),
    strategies=listed(
        "all strategies of the largest tier",
        record(
            "one strategy",
            strategy=STRATEGY,
            weights=WEIGHTS,
            thresholds=THRESHOLDS,
            band=value("number", "b: how far a position strays from its wish", minimum=0, maximum=1000),
            doubt=value("number", "k: how much further where classifiers doubt", minimum=0, maximum=1000),
            span=value("number", "bars that wishes are smoothed over", minimum=1, maximum=1_000_000),
            intervals=listed("weight of each interval; none where there is one", value("number", "weight", **WHOLE)),
            past=FIGURES,
        ),
        minItems=1,
    ),
)

BOOK_FILES: dict[str, Schema] = {"book.json": BOOK, "book_strategies.json": BOOK_STRATEGIES}
