"""JSON Schemas (draft 2020-12) of the JSON files of a bundle; every field has a description."""

from typing import Any

from labelsearch.labels.base import HEADS
from labelsearch.live.strict_json import Json

FORMAT_VERSION = 6  # 6: networks that predict a magnitude; 5: costs by bar

Schema = dict[str, Json]


def _field(kind: Json, text: str, **more: Json) -> Schema:
    return {"type": kind, "description": text, **more}


def _object(text: str, optional: tuple[str, ...] = (), **fields: Schema) -> Schema:
    """An object with exactly these fields; the optional ones may be missing."""
    required: Json = [name for name in fields if name not in optional]
    return _field("object", text, properties={**fields}, required=required, additionalProperties=False)


def _map(text: str, each: Schema, names: str = ".+") -> Schema:
    """An object whose keys are names."""
    keys: Json = {f"^{names}{_END}": each}
    return _field("object", text, patternProperties=keys, additionalProperties=False, minProperties=1)


def _list(text: str, each: Schema, **more: Json) -> Schema:
    return _field("array", text, items=each, **more)


_END = "$(?!\\n)"  # Python's $ also matches before a last newline
_NAME = "[A-Za-z0-9][A-Za-z0-9_.+-]{0,199}"
_WORDS: Schema = {"pattern": "^[^\\x00-\\x1f\\x7f-\\x9f]{1,255}" + _END}  # no control characters
_SHA256 = _field("string", "SHA-256 in hex", pattern="^[0-9a-f]{64}" + _END)
_WHOLE: Schema = {"minimum": 0}
_SHARE: Schema = {"minimum": 0, "exclusiveMaximum": 1}
_HALF: Schema = {"minimum": 0, "maximum": 0.5}

MANIFEST = _object(
    "The origin of the bundle, and the checksum of every other file.",
    format=_field("integer", f"version of the format, {FORMAT_VERSION}", const=FORMAT_VERSION),
    labelsearch=_field("string", "version of labelsearch that wrote the bundle", **_WORDS),
    run=_field("string", "name of the run", **_WORDS),
    tier=_field("integer", "size of the largest tier", minimum=1),
    stages=_map("key of each stage of the run, by name", _field("string", "hash of everything the stage depends on")),
    sha256=_map("checksum of every other file, by path relative to the folder", _SHA256, f"{_NAME}(/{_NAME})*"),
)

MARKET = _object(
    "The bars that the bundle was made for, and how many it needs before the first decision.",
    optional=("calendar",),
    symbol=_field("string", "symbol of the bars", **_WORDS),
    interval_ms=_field("integer", "length of a bar in milliseconds; divides a day", minimum=1000, multipleOf=1000),
    calendar=_field(
        "string",
        "when bars are expected: FX, or a name of exchange-calendars; without it, always",
        pattern="^[A-Za-z0-9_/.-]{1,40}" + _END,
    ),
    quote_volume=_field(
        "boolean", "true: the price of a bar is quote volume / volume; false: (high + low + close) / 3"
    ),
    trades=_field("boolean", "true: features need the number of trades of each bar"),
    warm_up=_field(
        "integer",
        "bars before the first decision; an earlier start changes no raw indicator by more than 1e-6",
        minimum=0,
        maximum=10_000_000,
    ),
    windows=_map(
        "windows of the run", _list("first and last day, UTC", _field("string", "date"), minItems=2, maxItems=2)
    ),
    own_files=_list(
        "own files of the user; the bundle does not contain their code, so that they must be passed with --own",
        _object("one file", file=_field("string", "file name", **_WORDS), sha256=_SHA256),
    ),
)

STRATEGIES = _object(
    "The linear strategies, best first, their costs and the tiers they form.",
    signal_map=_field(
        "string", "maps the weighted sum to the wanted share of equity", enum=["half", "clip", "logistic"]
    ),
    side=_field("string", "long: positions from 0 to 1; both: from -1 to 1", enum=["long", "both"]),
    fee_share=_field("number", "assumed fee, as a share of traded value", **_SHARE),
    half_spread=_field("number", "share by which a fill is assumed to be worse than the open", **_HALF),
    costs=_object(
        "costs that differ from bar to bar",
        spread=_field("string", "fixed: half_spread; quotes: that of bid and ask", enum=["fixed", "quotes"]),
        impact=_field("number", "Y of the square-root law of impact; 0 for none", minimum=0, maximum=10),
        capital=_field("number", "in the quote currency, of the orders whose impact is meant", **_WHOLE),
        impact_days=_field(
            "integer", "days over whose volumes and returns impact is measured", minimum=5, maximum=1000
        ),
        funding=_field("string", "none; base: a fixed rate; store: that of the market", enum=["none", "base", "store"]),
        funding_rate=_field("number", "rate that longs pay of base", minimum=-0.01, maximum=0.01),
        funding_ms=_field("integer", "between two payments, 0 for none", minimum=0, maximum=604_800_000),
        borrow=_field("number", "rate a day for what is held short", **_SHARE),
    ),
    outputs=_list(
        "outputs in order: label:buy and label:sell, or label:magnitude, of each label",
        _field("string", "output"),
        minItems=1,
    ),
    capital=_field("string", "rule by which a tier divides capital", **_WORDS),
    tiers=_map(
        "tiers by size",
        _object(
            "one tier",
            members=_list("positions in strategies, from 0", _field("integer", "position", **_WHOLE), minItems=1),
            shares=_list("initial share of capital of each member", _field("number", "share", minimum=0)),
            rate=_field("number", "learning rate of the universal rule; 0 for other rules", minimum=0),
        ),
        "[1-9][0-9]{0,8}",
    ),
    strategies=_list(
        "all strategies of the largest tier",
        _object(
            "one strategy",
            strategy=_field("integer", "its row among all strategies of the run", **_WHOLE),
            weights=_map("weight of each output", _field("number", "weight")),
            thresholds=_object(
                "when the strategy trades",
                theta_buy=_field("number", "buys only if the wanted share is above this"),
                theta_sell=_field("number", "sells only if the wanted share is below this"),
                delta=_field("number", "trades only if wanted and held share differ by more than this", **_WHOLE),
            ),
            past=_map("figures on past", _field(["number", "null"], "figure")),
        ),
        minItems=1,
    ),
)

LABELS = _list(
    "The labels, in the order of the outputs.",
    _object(
        "one label",
        name=_field(
            "string", "name, as in outputs, feature_sets/ and classifiers/", pattern=f"^{_NAME}{_END}", maxLength=100
        ),
        kind=_field("string", "kind of label"),
        options=_field("object", "parameters of the label", additionalProperties={"type": ["number", "string"]}),
        lookahead=_field(["integer", "null"], "largest look-ahead in bars; null if it depends on the prices"),
        network=_field("string", "kind of network of the classifier"),
        warm_up=_field("integer", "bars that its features need", **_WHOLE),
    ),
    minItems=1,
)

FEATURE_SET = _object(
    "The features of one label, in the order of the inputs of the network.",
    normalisation=_object(
        "maps an indicator to a feature in (-1, 1)",
        kind=_field("string", "divisor. train: scale; local: trailing standard deviation", enum=["train", "local"]),
        window=_field("integer", "bars of the trailing standard deviation", minimum=2, maximum=1_000_000),
        gain=_field("number", "factor of the divisor", exclusiveMinimum=0),
    ),
    features=_list(
        "the features",
        _object(
            "one feature",
            name=_field("string", "indicator"),
            parameters=_list("parameters of the indicator", _field("integer", "parameter")),
            scale=_field("number", "standard deviation of the indicator on train", minimum=0),
        ),
        minItems=1,
    ),
    warm_up=_field("integer", "bars that its features need", **_WHOLE),
)

NETWORK = _object(
    "The network of one label; its weights are in the safetensors files beside it.",
    optional=("n_networks", "temperature", "head"),
    kind=_field("string", "kind of network"),
    n_features=_field("integer", "number of features", minimum=1, maximum=10_000),
    options=_object(
        "hyper-parameters; those of a kind of your own may have other names",
        optional=("window", "width", "depth", "heads", "dropout"),
        window=_field("integer", "bars of the input window", minimum=2, maximum=100_000),
        width=_field("integer", "units per layer", minimum=1, maximum=100_000),
        depth=_field("integer", "layers", minimum=1, maximum=100),
        heads=_field("integer", "attention heads", minimum=1, maximum=1000),
        dropout=_field("number", "share of units dropped in training", **_SHARE),
    )
    | {"additionalProperties": {"type": ["number", "string"], "maximum": 100_000, "maxLength": 200}},
    n_networks=_field("integer", "networks whose predictions are averaged; 1 if absent", minimum=1, maximum=1000),
    temperature=_field("number", "divisor of the log probabilities; 1 if absent", minimum=1e-3, maximum=1e3),
    head=_field("string", "what is predicted: three classes, also if absent, or the move", enum=list(HEADS)),
)

PAST = _object(
    "Results of the tiers on past. The strategies were chosen there, so these are not to be expected later.",
    window=_list("first and last day, UTC", _field("string", "date"), minItems=2, maxItems=2),
    tiers=_map("figures by tier or baseline", _map("figures", _field(["number", "null"], "figure"))),
)

FILES: dict[str, Schema] = {
    "manifest.json": MANIFEST,
    "market.json": MARKET,
    "labels.json": LABELS,
    "feature_sets/<label>.json": FEATURE_SET,
    "classifiers/<label>/network.json": NETWORK,
    "strategies.json": STRATEGIES,
    "past.json": PAST,
}


def whole_schema() -> Schema:
    """All schemas in one document, ``schema.json`` of a bundle: a definition for each file name."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Bundle of labelsearch, format {FORMAT_VERSION}",
        "$defs": {**FILES},
    }


def check(data: Json, kind: str, where: str) -> None:
    """Check data against the schema of a file.

    Parameters
    ----------
    data : JSON
    kind : str
        Key of `FILES`.
    where : str
        Named in the error.

    Raises
    ------
    ValueError
        One line with the place in the file and what is wrong.
    """
    import jsonschema

    draft = jsonschema.Draft202012Validator
    types = draft.TYPE_CHECKER.redefine("integer", lambda _, x: type(x) is int)  # 5.0 is not an integer
    validator = jsonschema.validators.extend(draft, type_checker=types)(FILES[kind])
    error = jsonschema.exceptions.best_match(validator.iter_errors(data))
    if error is not None:
        place = "/".join(map(str, error.absolute_path))
        raise ValueError(f"{where}{': ' + place if place else ''}: {error.message[:200]}")


def reference() -> str:
    """The fields of all files as Markdown."""
    parts = []
    for name, schema in FILES.items():
        lines = [
            f"## `{name}`",
            "",
            str(schema["description"]),
            "",
            "| field | type | meaning |",
            "| --- | --- | --- |",
        ]
        lines += [f"| `{place}` | {kind} | {text} |" for place, kind, text in _fields(schema, "")]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _fields(schema: Any, place: str) -> list[tuple[str, str, str]]:
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    rows = []
    if place:
        known = f" ({', '.join(schema['enum'])})" if "enum" in schema else ""
        rows.append((place, " or ".join(kinds), schema.get("description", "") + known))
    for name, part in schema.get("properties", {}).items():
        rows += _fields(part, f"{place}.{name}" if place else name)
    for part in schema.get("patternProperties", {}).values():
        rows += _fields(part, f"{place}.<name>" if place else "<name>")
    if "items" in schema:
        rows += _fields(schema["items"], f"{place}[]")
    return rows
