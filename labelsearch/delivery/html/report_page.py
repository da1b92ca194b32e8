"""The report of one run, section by section."""

import dataclasses
import json
import platform
from importlib.metadata import version

import pandas as pd

from labelsearch.delivery import belief_details, belief_table, tables
from labelsearch.delivery.explain_table import family_effects_table, feature_effects_table
from labelsearch.delivery.html.blocks import Block, Explained, Folded, Section, Tiles, Words, missing
from labelsearch.delivery.html.curve_figures import tier_curves, walk_figure
from labelsearch.delivery.html.label_figures import label_choice
from labelsearch.delivery.html.learning_figures import auc_figure, classifier_choice, histogram_grid
from labelsearch.delivery.html.luck_figures import (
    ablation_figure,
    latest_explanation,
    null_grid,
    seeds_figure,
    swarm_grid,
)
from labelsearch.delivery.html.page import page
from labelsearch.delivery.html.plain_words import QUESTIONS
from labelsearch.delivery.html.strategy_figures import decile_figure, scatter_figure
from labelsearch.delivery.null_table import null_table
from labelsearch.delivery.seeds_table import seeds_note, seeds_table
from labelsearch.delivery.table import Table
from labelsearch.delivery.walk_forward_table import walk_forward_table
from labelsearch.pipeline import null, seeds
from labelsearch.pipeline.context import Context
from labelsearch.pipeline.ledger import Ledger, look_number
from labelsearch.pipeline.run import done_events, looks_ledger
from labelsearch.pipeline.stages import ensembles, labels

PACKAGES = (
    "labelsearch", "numpy", "numba", "pandas", "torch", "pytorch-lightning", "optuna", "shap", "vectorbt", "plotly",
)  # fmt: skip


def report_page(context: Context) -> str:
    """The whole page of a finished run."""
    makers = (
        tiers_section, belief_section, curves_section, walk_section, strategies_section, null_section, seeds_section,
        luck_section, labels_section, features_section, classifiers_section, explained_section, cost_section,
        provenance_section,
    )  # fmt: skip
    windows = context.experiment.windows
    data = context.experiment.data
    subtitle = (
        f"{data.symbol}, bars of {data.interval}. Learned on {_span(windows.train)}, searched on "
        f"{_span(windows.past)}, judged on {_span(windows.future)}."
    )
    return page(f"Run {context.folder.name}", subtitle, [maker(context) for maker in makers])


def _untitled(table: Table) -> Table:
    """A table that its section names already."""
    return dataclasses.replace(table, title="")


def _span(days: tuple[str, str]) -> str:
    return f"{days[0]} to {days[1]}"


def _looks(context: Context) -> tuple[str, str]:
    done = done_events(Ledger(context.folder / "ledger.jsonl"))
    look = look_number(looks_ledger(context.folder), done["ensembles"]["key"])
    if look is None:
        return "?", "not on record in this folder"
    words = "the first: nothing was chosen on it" if look[0] == 1 else "a later one: no longer out of sample"
    return f"{look[0]} of {look[1]}", words


def tiers_section(context: Context) -> Section:
    """What came out, in large type and as a table."""
    found = ensembles.load(context)
    table = tables.tier_table(context)
    rows = {(row["tier"], row["window"]): row for row in found["table"]}
    largest = f"Top-{max(found['members'], key=int)}"
    tier, market = rows[largest, "future"], rows[ensembles.MARKET, "future"]
    looks = _looks(context)
    entries = [
        ("Verdict of the placebo test", found["verdict"], verdict_words(found["verdict"])),
        (
            f"{largest} on future",
            f"{tier['total_return']:+.1f}%",
            f"after fees; at worst {tier['max_drawdown']:.1f}% below its peak",
        ),
        (
            "Buy and hold on future",
            f"{market['total_return']:+.1f}%",
            f"at worst {market['max_drawdown']:.1f}% below its peak",
        ),
        ("Look at this future", *looks),
    ]
    lead = (
        "Top-N holds the N strategies that ranked best on past. Compare future rows with buy and hold, in return and "
        "in the largest fall; past rows were chosen for looking good."
    )
    more = Folded("Further figures", tables.metrics_table(context))
    return Section("tiers", "What came out", lead, [Tiles(entries), table, more])


def verdict_words(verdict: str) -> str:
    """What a verdict of the placebo test says."""
    if verdict == "edge":
        return "earned more than the same trading without knowledge; read on before believing it"
    return "earned no more than the same trading without knowledge could"


def belief_section(context: Context) -> Section:
    """Whether it can be believed."""
    lead = "Of thousands of strategies some look good on any data. These are the ways to find out whether these do."
    blocks: list[Block] = [Explained(_untitled(belief_table.belief_table(context)), QUESTIONS)]
    return Section("belief", "Can this be believed?", lead, blocks)


def curves_section(context: Context) -> Section:
    """Curves of the tiers."""
    return Section("curves", "Equity over time", "", [tier_curves(context)])


def walk_section(context: Context) -> Section:
    """Tiers picked anew every few days, wherever this was done since the search."""
    events = Ledger(context.folder / "ledger.jsonl").events()
    last = max(i for i, event in enumerate(events) if event.get("stage") == "search")
    largest = f"Top-{max(ensembles.load(context)['members'], key=int)}"
    blocks: list[Block] = []
    for i, event in enumerate(event for event in events[last:] if event["event"] == "walk_forward"):
        folder = context.folder / "walk_forward" / event["key"][:12]
        table = walk_forward_table(json.loads((folder / "walk_forward.json").read_text()))
        title = f"{largest} on {event['window']}, picked anew every {event['every']} days"
        daily = pd.read_parquet(folder / "equity.parquet")
        shown = [name for name in daily.columns if name.startswith(f"{largest} ")]
        blocks += [walk_figure(f"walk-{i}", title, daily, shown), _untitled(table)]
    if not blocks:
        blocks = [missing("The tiers were picked once. To pick them anew as time goes by:", _again("walk-forward"))]
    return Section("walk", "Tiers picked anew", "", blocks)


def strategies_section(context: Context) -> Section:
    """All strategies, past against future."""
    lead = "Does a good past go with a good future, over all strategies rather than the chosen ones?"
    deciles = belief_details.decile_table(context)
    blocks: list[Block] = [scatter_figure(context), decile_figure(deciles), deciles, tables.search_table(context)]
    return Section("strategies", "All strategies", lead, blocks)


def null_section(context: Context) -> Section:
    """The null mode, if it was run."""
    found = null.load(context)
    if found is None:
        blocks: list[Block] = [missing("The search was not repeated on shifted outputs. To do so:", _again("null"))]
    else:
        blocks = [_untitled(null_table(found)), null_grid(found)]
    return Section("null", "Against outputs that know nothing", "", blocks)


def _again(command: str) -> str:
    return f"labelsearch {command} experiment.toml"


def seeds_section(context: Context) -> Section:
    """Spread over seeds, if there are others."""
    if any(seeds.load(context).values()):
        blocks = (seeds_figure(context), seeds_table(context))
        return Section("seeds", "Other random seeds", seeds_note(context), blocks)
    line = missing("Not repeated with other seeds, so a single figure may be chance. To do so:", _again("seeds"))
    return Section("seeds", "Other random seeds", "", [line])


def luck_section(context: Context) -> Section:
    """Figures behind the panel of belief."""
    lead = "The figures behind the answers above."
    made = (
        belief_details.sharpe_table(context),
        belief_details.overfitting_table(context),
        belief_details.attribution_table(context),
    )
    return Section("luck", "How much is luck", lead, made)


def labels_section(context: Context) -> Section:
    """What labels mark on train."""
    lead = "Labels say with hindsight which bars were worth buying or selling. Classifiers learn to guess them."
    blocks: list[Block] = [label_choice(context), _untitled(tables.label_table(context)), tables.overlap_table(context)]
    return Section("labels", "Labels", lead, blocks)


def features_section(context: Context) -> Section:
    """Feature sets and how far they hold classes apart."""
    lead = "For each label, the parameters of the indicators under which bars of different classes look most unlike."
    parameters = tables.parameter_table(context)
    blocks: list[Block] = [
        histogram_grid(context),
        _untitled(tables.feature_table(context)),
        Folded("The chosen parameters of every indicator", parameters),
    ]
    return Section("features", "Feature sets", lead, blocks)


def classifiers_section(context: Context) -> Section:
    """How good the classifiers are."""
    lead = "One network for each label gives each bar a probability to be one to buy and one to sell."
    blocks: list[Block] = [auc_figure(context), _untitled(tables.classifier_table(context)), classifier_choice(context)]
    return Section("classifiers", "Classifiers", lead, blocks)


def explained_section(context: Context) -> Section:
    """What ``labelsearch explain`` found, if it was run after the classifiers were trained."""
    done = done_events(Ledger(context.folder / "ledger.jsonl"))
    blocks: list[Block] = []
    names = [label.name for label in context.experiment.label_kinds()]
    for i, name in enumerate(names):
        folder = latest_explanation(context, name, done["classifiers"].get("time", 0))
        if folder is None:
            continue
        found = json.loads((folder / "explanation.json").read_text())
        effects = feature_effects_table(found)
        blocks += [
            Words(f"Label {name}:"),
            swarm_grid(f"swarm-{i}", found, folder),
            ablation_figure(f"ablation-{i}", found),
            Folded("All features", effects),
            Folded("All families", family_effects_table(found)),
        ]
    command = f"labelsearch explain {context.folder.name} --label {names[0]}"
    if not blocks:
        blocks = [missing("No classifier was explained bar by bar. To do so:", command)]
    return Section("explained", "What classifiers learned", "", blocks)


def cost_section(context: Context) -> Section:
    """Time and memory."""
    return Section("cost", "Cost", "", [_untitled(tables.cost_table(context))])


def provenance_section(context: Context) -> Section:
    """What the run was made from."""
    done = done_events(Ledger(context.folder / "ledger.jsonl"))
    data = labels.summary(context)["data"]
    rows = [
        ("run", context.folder.name),
        ("seed", str(context.experiment.seed)),
        ("settings, SHA-256", context.experiment.digest),
        ("bars", f"{data['bars']:,} from {data['first']} to {data['last']}"),
        ("missing bars", ", ".join(f"{window} {n:,}" for window, n in data["missing"].items())),
        ("bars, SHA-256", context.bars.digest()),
        ("looks at this future", ", ".join(_looks(context))),
        *((f"counted in {name}", _counts(event["counts"])) for name, event in done.items() if event["counts"]),
        ("python", platform.python_version()),
        *((f"package {name}", version(name)) for name in PACKAGES),
    ]
    settings = (context.folder / "experiment.toml").read_text()
    table = Table("", ("what", "value"), tuple(rows), n_text=1, prose=True)
    lead = "The same settings, bars and versions give the same run again."
    blocks: list[Block] = [table, Folded("The whole experiment file", settings)]
    return Section("provenance", "What it was made from", lead, blocks)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{value:,} {name.replace('_', ' ')}" for name, value in counts.items())
