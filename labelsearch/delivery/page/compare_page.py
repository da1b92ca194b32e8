"""Several runs side by side on one page."""

from collections.abc import Sequence

from labelsearch.delivery.page.blocks import Block, Choice, Explained, Section, Words
from labelsearch.delivery.page.curve_figures import curve_figure
from labelsearch.delivery.page.page import page
from labelsearch.delivery.page.plain_words import QUESTIONS
from labelsearch.delivery.tables.belief import answers
from labelsearch.delivery.tables.stages import comparison_table
from labelsearch.delivery.tables.table import Table
from labelsearch.results.ensembles import MARKET, Curves, tier_name
from labelsearch.results.outputs import WINDOWS
from labelsearch.results.run import Results


def compare_page(runs: Sequence[Results]) -> str:
    """The page of a comparison; runs of the same name are numbered."""
    names = run_names(runs)
    sections = [
        Section("tiers", "Tiers of all runs", "", [comparison_table(runs)]),
        Section("curves", "Equity over time", "", [_curves(runs, names)]),
        Section("belief", "Can they be believed?", _note(runs), [_belief(runs, names)]),
        Section("settings", "What differs", "Settings that are not the same.", [_differing(runs, names)]),
    ]
    subtitle = "Each further run compared on the same future makes it more likely that the best of them is luck."
    return page("Comparison of " + ", ".join(names), subtitle, sections)


def run_names(runs: Sequence[Results]) -> list[str]:
    """Names of the runs' folders, with a number where two have the same."""
    names = [run.name for run in runs]
    return [f"{name} ({i + 1})" if names.count(name) > 1 else name for i, name in enumerate(names)]


def _curves(runs: Sequence[Results], names: Sequence[str]) -> Block:
    """A figure for each tier that any run has: the runs, and the market of the first."""
    curves = [{window: run.ensembles.curves[window] for window in WINDOWS} for run in runs]
    sizes = sorted({size for run in runs for size in run.ensembles.sizes}, reverse=True)
    caption = (
        "One line for each run that has this tier; the dashed one is buy and hold on the window of the first run. Past "
        "was used to choose, future was not."
    )
    entries: dict[str, list[Block]] = {}
    for i, size in enumerate(sizes):
        tier = tier_name(size)
        shown: dict[str, dict[str, tuple[Curves, str]]] = {}
        for window in WINDOWS:
            shown[window] = {
                name: (own[window], tier)
                for name, run, own in zip(names, runs, curves, strict=True)
                if size in run.ensembles.sizes
            }
            shown[window][MARKET] = (curves[0][window], MARKET)
        figure = curve_figure(f"curves-{i}", f"{tier} of all runs", caption, shown, (MARKET,))
        entries[tier] = [figure]
    return Choice("Tier", entries)


def _note(runs: Sequence[Results]) -> str:
    verdicts = {run.belief.verdict for run in runs}
    if len(verdicts) == 1:
        return f"Verdict, the same for all: {verdicts.pop()}."
    return "Verdicts differ; they are in the last row."


def _belief(runs: Sequence[Results], names: Sequence[str]) -> Block:
    """A row per question, a column per run."""
    found = [{answer.key: answer for answer in answers(run)} for run in runs]
    titles = {answer.key: answer.question for answers_of_run in found for answer in answers_of_run.values()}
    rows = [
        (title, *(of_run[key].figure if key in of_run else "-" for of_run in found)) for key, title in titles.items()
    ]
    rows.append(("Verdict", *(run.belief.verdict for run in runs)))
    table = Table("", ("question", *names), tuple(rows), n_text=1 + len(names), prose=True)
    return Explained(table, [QUESTIONS.get(key, "") for key in titles])


def _flat(settings: dict[str, object], before: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in settings.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{before}{key}.")
        else:
            flat[before + key] = str(value)
    return flat


def _differing(runs: Sequence[Results], names: Sequence[str]) -> Block:
    settings = [_flat(run.experiment.to_dict()) for run in runs]
    keys = dict.fromkeys(key for of_run in settings for key in of_run)
    rows = [(key, *(of_run.get(key, "-") for of_run in settings)) for key in keys]
    rows = [row for row in rows if len(set(row[1:])) > 1]
    if not rows:
        return Words("All settings are the same.", muted=True)
    return Table("", ("setting", *names), tuple(rows), n_text=1 + len(names), prose=True)
