"""Parts that the JSON Schemas of bundles are made of."""

from labelsearch.live.strict_json import Json

Schema = dict[str, Json]


def value(kind: Json, text: str, **more: Json) -> Schema:
    """Something of one type, with its meaning."""
    return {"type": kind, "description": text, **more}


def record(text: str, optional: tuple[str, ...] = (), **fields: Schema) -> Schema:
    """An object with exactly these fields; the optional ones may be missing."""
    required: Json = [name for name in fields if name not in optional]
    return value("object", text, properties={**fields}, required=required, additionalProperties=False)


def named(text: str, each: Schema, names: str = ".+") -> Schema:
    """An object whose keys are names."""
    keys: Json = {f"^{names}{END}": each}
    return value("object", text, patternProperties=keys, additionalProperties=False, minProperties=1)


def listed(text: str, each: Schema, **more: Json) -> Schema:
    """A list of one kind of thing."""
    return value("array", text, items=each, **more)


END = "$(?!\\n)"  # Python's $ also matches before a last newline
NAME = "[A-Za-z0-9][A-Za-z0-9_.+-]{0,199}"
WORDS: Schema = {"pattern": "^[^\\x00-\\x1f\\x7f-\\x9f]{1,255}" + END}  # no control characters
SHA256 = value("string", "SHA-256 in hex", pattern="^[0-9a-f]{64}" + END)
WHOLE: Schema = {"minimum": 0}
SHARE: Schema = {"minimum": 0, "exclusiveMaximum": 1}
HALF: Schema = {"minimum": 0, "maximum": 0.5}

INTERVAL_MS = value("integer", "length of a bar in milliseconds; divides a day", minimum=1000, multipleOf=1000)

CALENDAR = value(
    "string",
    "when bars are expected: FX, or a name of exchange-calendars; without it, always",
    pattern="^[A-Za-z0-9_/.-]{1,40}" + END,
)

QUOTE_VOLUME = value("boolean", "true: the price of a bar is quote volume / volume; false: (high + low + close) / 3")

TRADES = value("boolean", "true: features need the number of trades of each bar")

WARM_UP = value(
    "integer",
    "bars before the first decision; an earlier start changes no raw indicator by more than 1e-6",
    minimum=0,
    maximum=10_000_000,
)

DAYS = listed("first and last day, UTC", value("string", "date"), minItems=2, maxItems=2)

WINDOWS = named("windows of the run", DAYS)

OWN_FILES = listed(
    "own files of the user; the bundle does not contain their code, so that they must be passed with --own",
    record("one file", file=value("string", "file name", **WORDS), sha256=SHA256),
)

SIGNAL_MAP = value("string", "maps the weighted sum to the wanted share of equity", enum=["half", "clip", "logistic"])

FEE_SHARE = value("number", "assumed fee, as a share of traded value", **SHARE)

HALF_SPREAD = value("number", "share by which a fill is assumed to be worse than the open", **HALF)

COSTS = record(
    "costs that differ from bar to bar",
    spread=value("string", "fixed: half_spread; quotes: that of bid and ask", enum=["fixed", "quotes"]),
    impact=value("number", "Y of the square-root law of impact; 0 for none", minimum=0, maximum=10),
    capital=value("number", "in the quote currency, of the orders whose impact is meant", **WHOLE),
    impact_days=value("integer", "days over whose volumes and returns impact is measured", minimum=5, maximum=1000),
    funding=value("string", "none; base: a fixed rate; store: that of the market", enum=["none", "base", "store"]),
    funding_rate=value("number", "rate that longs pay of base", minimum=-0.01, maximum=0.01),
    funding_ms=value("integer", "between two payments, 0 for none", minimum=0, maximum=604_800_000),
    borrow=value("number", "rate a day for what is held short", **SHARE),
)

OUTPUTS = listed(
    "outputs in order: label:buy and label:sell, or label:magnitude, of each label",
    value("string", "output"),
    minItems=1,
)

STRATEGY = value("integer", "its row among all strategies of the run", **WHOLE)

WEIGHTS = named("weight of each output", value("number", "weight"))

THRESHOLDS = record(
    "when the strategy trades",
    theta_buy=value("number", "buys only if the wanted share is above this"),
    theta_sell=value("number", "sells only if the wanted share is below this"),
    delta=value("number", "trades only if wanted and held share differ by more than this", **WHOLE),
)

FIGURES = named("figures on past", value(["number", "null"], "figure"))
