"""An experiment as commented TOML."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from labelsearch.labels.kinds import KINDS
from labelsearch.settings.entries import SCORE_COMMON
from labelsearch.settings.schema import Plain, dump_line, dump_section, dump_value
from strategies.search.score import SCORES


def experiment_text(
    head: str, sections: Mapping[str, Any], score: Plain, tables: Mapping[str, tuple[Plain, ...]]
) -> str:
    """Text of an experiment: keys without a section, sections by name, the score before that of tiers, and tables."""
    parts = ["# An experiment of labelsearch. Every key is optional; the values here are those in force.\n" + head]
    for name, section in sections.items():
        if name == "tiers":
            parts.append(_score_text(score))
        parts.append(f"# {type(section).__doc__}\n[{name}]\n{dump_section(section)}")
    kinds = (f"#   {kind}: {', '.join(f.name for f in dataclasses.fields(made))}" for kind, made in KINDS.items())
    parts.append("# Kinds of label and their options:\n" + "\n".join(kinds))
    for title, entries in tables.items():
        for entry in entries:
            lines = (f"{key} = {dump_value(value)}" for key, value in entry.items())
            parts.append(f"[[{title}]]\n" + "\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _score_text(score: Plain) -> str:
    """The section of the score, with all options of its kind where the kind is known here."""
    kind = SCORES.get(score["kind"])
    options = dataclasses.fields(kind) if kind else ()  # type: ignore[arg-type]
    texts = {**SCORE_COMMON, **{option.name: option.metadata.get("help", "") for option in options}}
    lines = (dump_line(name, value, texts.get(name, "")) for name, value in score.items())
    doc = (kind.__doc__ or "").splitlines()[0] if kind else "A score of your own."
    return f"# {doc}\n[score]\n" + "\n".join(lines)
