"""JSON Schemas (draft 2020-12) of the JSON files of a bundle; every field has a description."""

from typing import Any

from labelsearch.labels.base import HEADS
from labelsearch.live.book.schema import BOOK_FILES
from labelsearch.live.schema_parts import (
    CALENDAR,
    COSTS,
    DAYS,
    END,
    FEE_SHARE,
    FIGURES,
    HALF_SPREAD,
    INTERVAL_MS,
    NAME,
    OUTPUTS,
    OWN_FILES,
    QUOTE_VOLUME,
    SHA256,
    SHARE,
    SIGNAL_MAP,
    STRATEGY,
    THRESHOLDS,
    TRADES,
    WARM_UP,
    WEIGHTS,
    WHOLE,
    WINDOWS,
    WORDS,
    Schema,
    listed,
    named,
    record,
    value,
)
from labelsearch.live.strict_json import Json

FORMAT_VERSION = 7  # 7: books of many markets; 6: networks that predict a magnitude; 5: costs by bar

MANIFEST = record(
    "The origin of the bundle, and the checksum of every other file.",
    format=value("integer", f"version of the format, {FORMAT_VERSION}", const=FORMAT_VERSION),
    labelsearch=value("string", "version of labelsearch that wrote the bundle", **WORDS),
    run=value("string", "name of the run", **WORDS),
    tier=value("integer", "size of the largest tier", minimum=1),
    stages=named("key of each stage of the run, by name", value("string", "hash of everything the stage depends on")),
    sha256=named("checksum of every other file, by path relative to the folder", SHA256, f"{NAME}(/{NAME})*"),
)

MARKET = record(
    "The bars that the bundle was made for, and how many it needs before the first decision.",
    optional=("calendar",),
    symbol=value("string", "symbol of the bars", **WORDS),
    interval_ms=INTERVAL_MS,
    calendar=CALENDAR,
    quote_volume=QUOTE_VOLUME,
    trades=TRADES,
    warm_up=WARM_UP,
    windows=WINDOWS,
    own_files=OWN_FILES,
)

STRATEGIES = record(
    "The linear strategies, best first, their costs and the tiers they form.",
    signal_map=SIGNAL_MAP,
    side=value("string", "long: positions from 0 to 1; both: from -1 to 1", enum=["long", "both"]),
    fee_share=FEE_SHARE,
    half_spread=HALF_SPREAD,
    costs=COSTS,
    outputs=OUTPUTS,
    capital=value("string", "rule by which a tier divides capital", **WORDS),
    tiers=named(
        "tiers by size",
        record(
            "one tier",
            members=listed("positions in strategies, from 0", value("integer", "position", **WHOLE), minItems=1),
            shares=listed("initial share of capital of each member", value("number", "share", minimum=0)),
            rate=value("number", "learning rate of the universal rule; 0 for other rules", minimum=0),
        ),
        "[1-9][0-9]{0,8}",
    ),
    strategies=listed(
        "all strategies of the largest tier",
        record(
            "one strategy",
            strategy=STRATEGY,
            weights=WEIGHTS,
            thresholds=THRESHOLDS,
            past=FIGURES,
        ),
        minItems=1,
    ),
)

LABELS = listed(
    "The labels, in the order of the outputs.",
    record(
        "one label",
        name=value(
            "string", "name, as in outputs, feature_sets/ and classifiers/", pattern=f"^{NAME}{END}", maxLength=100
        ),
        kind=value("string", "kind of label"),
        options=value("object", "parameters of the label", additionalProperties={"type": ["number", "string"]}),
        lookahead=value(["integer", "null"], "largest look-ahead in bars; null if it depends on the prices"),
        network=value("string", "kind of network of the classifier"),
        warm_up=value("integer", "bars that its features need", **WHOLE),
    ),
    minItems=1,
)

FEATURE_SET = record(
    "The features of one label, in the order of the inputs of the network.",
    normalisation=record(
        "maps an indicator to a feature in (-1, 1)",
        kind=value(
            "string",
            "divisor. train: scale; local: trailing standard deviation. rank: place among the markets, of a book",
            enum=["train", "local", "rank"],
        ),
        window=value("integer", "bars of the trailing standard deviation", minimum=2, maximum=1_000_000),
        gain=value("number", "factor of the divisor", exclusiveMinimum=0),
    ),
    features=listed(
        "the features",
        record(
            "one feature",
            name=value("string", "indicator"),
            parameters=listed("parameters of the indicator", value("integer", "parameter")),
            scale=value("number", "standard deviation of the indicator on train", minimum=0),
        ),
        minItems=1,
    ),
    warm_up=value("integer", "bars that its features need", **WHOLE),
)

NETWORK = record(
    "The network of one label; its weights are in the safetensors files beside it.",
    optional=("n_networks", "temperature", "head"),
    kind=value("string", "kind of network"),
    n_features=value("integer", "number of features", minimum=1, maximum=10_000),
    options=record(
        "hyper-parameters; those of a kind of your own may have other names",
        optional=("window", "width", "depth", "heads", "dropout"),
        window=value("integer", "bars of the input window", minimum=2, maximum=100_000),
        width=value("integer", "units per layer", minimum=1, maximum=100_000),
        depth=value("integer", "layers", minimum=1, maximum=100),
        heads=value("integer", "attention heads", minimum=1, maximum=1000),
        dropout=value("number", "share of units dropped in training", **SHARE),
    )
    | {"additionalProperties": {"type": ["number", "string"], "maximum": 100_000, "maxLength": 200}},
    n_networks=value("integer", "networks whose predictions are averaged; 1 if absent", minimum=1, maximum=1000),
    temperature=value("number", "divisor of the log probabilities; 1 if absent", minimum=1e-3, maximum=1e3),
    head=value("string", "what is predicted: three classes, also if absent, or the move", enum=list(HEADS)),
)

PAST = record(
    "Results of the tiers on past. The strategies were chosen there, so these are not to be expected later.",
    window=DAYS,
    tiers=named("figures by tier or baseline", FIGURES),
)

FILES: dict[str, Schema] = {
    "manifest.json": MANIFEST,
    "market.json": MARKET,
    "labels.json": LABELS,
    "feature_sets/<label>.json": FEATURE_SET,
    "classifiers/<label>/network.json": NETWORK,
    "strategies.json": STRATEGIES,
    "past.json": PAST,
    **BOOK_FILES,
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
