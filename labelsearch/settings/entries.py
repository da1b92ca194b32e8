"""Entries of an experiment that are not sections of their own: symbols of a file, options of a score, labels."""

import dataclasses
from pathlib import Path

from labelsearch.label_space.ranges import LabelRange, parse_range
from labelsearch.labels.base import is_across
from labelsearch.labels.kinds import KINDS, Label, make_label, option_type
from labelsearch.market.calendars import bars_of_span
from labelsearch.market.rules import BarError
from labelsearch.settings.schema import ExperimentError, Plain
from labelsearch.settings.sections import Data
from strategies.search.score import SCORES

RATES = ("fixed", "volatility")
MOST_BARS = 1_000_000  # of a later return
SCORE_COMMON = {
    "kind": "kind of score; the options below it are those of the kind",
    "rate": "fixed, or volatility: the trades asked for, times volatility of past over that of train",
}


def listed(path: Path) -> list[str]:
    """Symbols of a file, one on each line; what follows a # is a comment."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ExperimentError(f"symbols: {path} cannot be read: {error}") from None
    symbols = [symbol for line in lines if (symbol := line.partition("#")[0].strip())]
    if not symbols:
        raise ExperimentError(f"symbols: {path} names none")
    return symbols


def with_defaults(score: Plain) -> Plain:
    """Options of a score, with the defaults of a built-in kind, so that naming a default changes no hash."""
    known = {"kind": "paper", "rate": "fixed", **score}
    if not isinstance(known["kind"], str):
        raise ExperimentError("[score]: kind must be text")
    kind = SCORES.get(known["kind"])
    if kind is None or kind.origin:
        return known
    defaults = {option.name: option.default for option in dataclasses.fields(kind)}  # type: ignore[arg-type]
    return {"kind": known["kind"], "rate": known["rate"], **defaults, **score}


def make_entry(data: object, where: str, bars: Data) -> Label:
    """Label of a table; numbers of bars may be lengths of time, such as 60m."""
    if not isinstance(data, dict) or not isinstance(data.get("kind"), str):
        raise ExperimentError(f"{where}: expected a table with a kind")
    try:
        known = {option.name: option_type(option) for option in dataclasses.fields(KINDS.find(data["kind"]))}
        options = {name: value for name, value in data.items() if name != "kind"}
        for name, value in options.items():
            if known.get(name) is int and isinstance(value, str):
                options[name] = _in_bars(name, value, bars)
        return make_label(data["kind"], **options)
    except ValueError as error:
        raise ExperimentError(f"{where}: {error}") from error


def make_range(data: object, where: str, bars: Data) -> LabelRange:
    """Range of labels of a table; a range of bars may be lengths of time, as ["5m", "1d"]."""
    if not isinstance(data, dict) or not isinstance(data.get("kind"), str):
        raise ExperimentError(f"{where}: expected a table with a kind")

    def in_bars(name: str, text: str) -> int:
        return _in_bars(name, text, bars)

    try:
        kind = KINDS.find(data["kind"])
        if is_across(kind):
            raise ExperimentError(f"kind {data['kind']} compares markets; labels are searched in one market alone")
        ranges = {
            name: parse_range(data["kind"], name, value, in_bars) for name, value in data.items() if name != "kind"
        }
        return LabelRange(data["kind"], ranges, kind.origin)
    except ValueError as error:
        raise ExperimentError(f"{where}: {error}") from error


def lengths_in_bars(name: str, text: str, bars: Data) -> tuple[int, ...]:
    """Rising numbers of bars of a text such as ``1,6,24`` or ``4h,1d``; `ExperimentError` for any other."""
    lengths = set()
    for part in filter(None, (part.strip() for part in text.split(","))):
        length = int(part) if part.isdecimal() else _in_bars(name, part, bars)
        if not 1 <= length <= MOST_BARS:
            raise ExperimentError(f"{name} must be 1 to {MOST_BARS:,} bars, not {part}")
        lengths.add(length)
    return tuple(sorted(lengths))


def _in_bars(name: str, text: str, bars: Data) -> int:
    try:
        return bars_of_span(text, bars.interval_ms, bars.calendar)
    except BarError as error:
        raise ExperimentError(f"{name} {error}") from None
