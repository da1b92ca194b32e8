"""Several runs side by side on one page."""

import tomllib
from collections.abc import Sequence
from typing import Any

from labelsearch.delivery import belief_table, tables
from labelsearch.delivery.html.blocks import Block, Choice, Explained, Section, Words, missing
from labelsearch.delivery.html.curve_figures import WINDOWS, curve_figure, curve_names, curves
from labelsearch.delivery.html.page import page
from labelsearch.delivery.html.plain_words import QUESTIONS
from labelsearch.delivery.table import Table
from labelsearch.pipeline.context import Context
from labelsearch.pipeline.stages import ensembles


def compare_page(contexts: Sequence[Context]) -> str:
    """The page of a comparison; runs of the same name are numbered."""
    names = run_names(contexts)
    sections = [
        Section("tiers", "Tiers of all runs", "", [tables.comparison_table(list(contexts))]),
        Section("curves", "Equity over time", "", [_curves(contexts, names)]),
        Section("belief", "Can they be believed?", _note(contexts), [_belief(contexts, names)]),
        Section("settings", "What differs", "Settings that are not the same.", [_differing(contexts, names)]),
    ]
    subtitle = "Each further run that is compared on the same future makes the best of them more likely to be luck."
    return page("Comparison of " + ", ".join(names), subtitle, sections)


def run_names(contexts: Sequence[Context]) -> list[str]:
    """Names of the runs' folders, with a number where two have the same."""
    names = [context.folder.name for context in contexts]
    return [f"{name} ({i + 1})" if names.count(name) > 1 else name for i, name in enumerate(names)]


def _curves(contexts: Sequence[Context], names: Sequence[str]) -> Block:
    """A figure for each tier that any run has: the runs, and the market of the first."""
    frames = [{window: curves(context, window) for window in WINDOWS} for context in contexts]
    all_names = dict.fromkeys(name for frame in frames for name in curve_names(frame["future"]))
    tiers = [name for name in all_names if name not in ensembles.BASELINES]
    caption = (
        "One line for each run that has this tier; the dashed one is buy and hold on the window of the first run. Past "
        "was used to choose, future was not."
    )
    entries: dict[str, list[Block]] = {}
    for i, tier in enumerate(tiers):
        shown: dict[str, dict[str, Any]] = {}
        for window in WINDOWS:
            shown[window] = {
                name: (frame[window], tier)
                for name, frame in zip(names, frames, strict=True)
                if tier in curve_names(frame[window])
            }
            shown[window][ensembles.MARKET] = (frames[0][window], ensembles.MARKET)
        entries[tier] = [curve_figure(f"curves-{i}", f"{tier} of all runs", caption, shown)]
    return Choice("Tier", entries)


def _note(contexts: Sequence[Context]) -> str:
    verdicts = {ensembles.load(context)["verdict"] for context in contexts}
    if len(verdicts) == 1:
        return f"Verdict of the placebo test, the same for all: {verdicts.pop()}."
    return "Verdicts of the placebo test differ; they stand in the last row."


def _belief(contexts: Sequence[Context], names: Sequence[str]) -> Block:
    """A row per question, a column per run."""
    found = [{row[0]: row[1] for row in belief_table.belief_table(context).rows} for context in contexts]
    questions = list(dict.fromkeys(question for one in found for question in one))
    if not questions:
        return missing("These runs have no such figures; run them again.")
    rows = [(question, *(one.get(question, "-") for one in found)) for question in questions]
    rows.append(("Verdict of the placebo test", *(ensembles.load(context)["verdict"] for context in contexts)))
    return Explained(Table("", ("question", *names), tuple(rows), n_text=1 + len(names), prose=True), QUESTIONS)


def _flat(settings: dict[str, Any], before: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in settings.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{before}{key}.")
        else:
            flat[before + key] = str(value)
    return flat


def _differing(contexts: Sequence[Context], names: Sequence[str]) -> Block:
    settings = [_flat(tomllib.loads((context.folder / "experiment.toml").read_text())) for context in contexts]
    keys = dict.fromkeys(key for one in settings for key in one)
    rows = [(key, *(one.get(key, "-") for one in settings)) for key in keys]
    rows = [row for row in rows if len(set(row[1:])) > 1]
    if not rows:
        return Words("All settings are the same.", muted=True)
    return Table("", ("setting", *names), tuple(rows), n_text=1 + len(names), prose=True)
