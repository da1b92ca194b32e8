"""The report of one run, section by section."""

import dataclasses
import platform
from importlib.metadata import version

from labelsearch.delivery.data import deciles
from labelsearch.delivery.page.blocks import Block, Explained, Folded, Section, Tiles, Words, missing
from labelsearch.delivery.page.curve_figures import tier_curves, walk_figure
from labelsearch.delivery.page.diversity_figures import (
    ambiguity_block,
    bets_figure,
    correlation_block,
    map_block,
    weights_figure,
)
from labelsearch.delivery.page.label_figures import label_choice
from labelsearch.delivery.page.learning_figures import auc_figure, classifier_choice, histogram_grid, moves_figure
from labelsearch.delivery.page.luck_figures import ablation_figure, null_grid, seeds_figure, swarm_grid
from labelsearch.delivery.page.page import page
from labelsearch.delivery.page.plain_words import QUESTIONS
from labelsearch.delivery.page.space_figures import space_grid
from labelsearch.delivery.page.strategy_figures import decile_figure, scatter_figure
from labelsearch.delivery.tables import belief, belief_details, controls, costs, features, space, stages
from labelsearch.delivery.tables.diversity import ambiguity_table, diversity_table, lived_on_table
from labelsearch.delivery.tables.explanation import family_effects_table, feature_effects_table
from labelsearch.delivery.tables.hedges import hedge_tables
from labelsearch.delivery.tables.magnitude import magnitude_table
from labelsearch.delivery.tables.members import exit_table, members_table
from labelsearch.delivery.tables.null import null_table
from labelsearch.delivery.tables.seeds import seeds_note, seeds_table
from labelsearch.delivery.tables.table import Table
from labelsearch.delivery.tables.walk_forward import walk_forward_table
from labelsearch.results.ensembles import tier_name
from labelsearch.results.hedges import Hedges
from labelsearch.results.run import Results
from strategies.luck.verdict import EDGE, TIMING_ALONE

PACKAGES = (
    "labelsearch", "numpy", "numba", "pandas", "torch", "pytorch-lightning", "optuna", "shap", "vectorbt", "plotly",
)  # fmt: skip


def report_page(results: Results) -> str:
    """The whole page of a finished run."""
    makers = (
        tiers_section, belief_section, curves_section, walk_section, strategies_section, diversity_section,
        null_section, seeds_section, hedges_section, luck_section, costs_section, labels_section, space_section,
        features_section, classifiers_section, explained_section, cost_section, provenance_section,
    )  # fmt: skip
    windows = results.experiment.windows
    data = results.experiment.data
    subtitle = (
        f"{data.symbol}, bars of {data.interval}. Learned on {_span(windows.train)}, searched on "
        f"{_span(windows.past)}, judged on {_span(windows.future)}."
    )
    return page(f"Run {results.name}", subtitle, [maker(results) for maker in makers])


def _untitled(table: Table) -> Table:
    """A table that its section names already."""
    return dataclasses.replace(table, title="")


def _span(days: tuple[str, str]) -> str:
    return f"{days[0]} to {days[1]}"


def _looks(results: Results) -> tuple[str, str]:
    look = results.look
    if look is None:
        return "?", "not on record in this folder"
    words = "the first: nothing was chosen on it" if look.number == 1 else "a later one: no longer out of sample"
    return f"{look.number} of {look.of}", words


def tiers_section(results: Results) -> Section:
    """What came out, in large type and as a table."""
    found = results.ensembles
    largest = found.sizes[0]
    tier, market = (found.row("future", size).figures for size in (largest, None))
    entries = [
        ("Verdict", results.belief.verdict, verdict_words(results.belief.verdict)),
        (
            f"{tier_name(largest)} on future",
            f"{tier.total_return_pct:+.1f}%",
            f"after fees; at worst {tier.max_drawdown_pct:.1f}% below its peak",
        ),
        (
            "Buy and hold on future",
            f"{market.total_return_pct:+.1f}%",
            f"at worst {market.max_drawdown_pct:.1f}% below its peak",
        ),
        ("Look at this future", *_looks(results)),
    ]
    lead = (
        "Top-N holds the N strategies that ranked best on past. Compare future rows with buy and hold, in return and "
        "in the largest fall; past rows were chosen for looking good."
    )
    more = Folded("Further figures", stages.metrics_table(results))
    blocks: list[Block] = [Tiles(entries), stages.tier_table(results), more]
    against, fitted = controls.against_table(results), controls.control_table(results)
    blocks += [against] if against else []
    blocks += [Folded("How the controls were fitted", fitted)] if fitted else []
    return Section("tiers", "What came out", lead, blocks)


def verdict_words(verdict: str) -> str:
    """What a verdict says."""
    return {
        EDGE: "earned more than its share of the market after costs; read on before believing it",
        TIMING_ALONE: "knew the direction, but earned no more than its share of the market after costs",
    }.get(verdict, "neither knowledge of direction nor profit after costs is shown")


def belief_section(results: Results) -> Section:
    """Whether it can be believed."""
    lead = "Of thousands of strategies some look good on any data. These are the ways to find out whether these do."
    words = [QUESTIONS.get(answer.key, "") for answer in belief.answers(results)]
    blocks: list[Block] = [Explained(_untitled(belief.belief_table(results)), words)]
    return Section("belief", "Can this be believed?", lead, blocks)


def curves_section(results: Results) -> Section:
    """Curves of the tiers."""
    return Section("curves", "Equity over time", "", [tier_curves(results)])


def walk_section(results: Results) -> Section:
    """Tiers picked anew every few days, wherever this was done since the search."""
    largest = results.ensembles.sizes[0]
    blocks: list[Block] = []
    for i, found in enumerate(results.walk_forwards):
        title = f"{tier_name(largest)} on {found.window}, picked anew every {found.every} days"
        blocks += [walk_figure(f"walk-{i}", title, found, largest), _untitled(walk_forward_table(found))]
    if not blocks:
        blocks = [missing("The tiers were picked once. To pick them again as time goes by:", _again("walk-forward"))]
    return Section("walk", "Tiers picked anew", "", blocks)


def strategies_section(results: Results) -> Section:
    """All strategies, past against future."""
    lead = "Does a good past go with a good future, over all strategies rather than the chosen ones?"
    blocks: list[Block] = [
        scatter_figure(results),
        decile_figure(deciles(results)),
        belief_details.decile_table(results),
        stages.search_table(results),
    ]
    return Section("strategies", "All strategies", lead, blocks)


def diversity_section(results: Results) -> Section:
    """How unlike the strategies of the tiers are, and the networks of the classifiers."""
    lead = "Many strategies that do the same are one bet. Do the members differ in what they do, and in what they read?"
    ambiguity = ambiguity_table(results)
    blocks: list[Block] = [
        bets_figure(results),
        _untitled(diversity_table(results)),
        map_block(results),
        correlation_block(results),
        weights_figure(results),
        lived_on_table(results),
        ambiguity_block(results),
        *([ambiguity] if ambiguity else []),
    ]
    return Section("diversity", "Diversity", lead, blocks)


def null_section(results: Results) -> Section:
    """The null mode, if it was run."""
    found = results.null
    if found is None:
        blocks: list[Block] = [missing("The search was not repeated on shifted outputs. To do so:", _again("null"))]
    else:
        blocks = [_untitled(null_table(found)), null_grid(found)]
    return Section("null", "Against outputs that know nothing", "", blocks)


def hedges_section(results: Results) -> Section:
    """What strategies without labels do beside the tiers, if it was asked for."""
    return hedge_section(results.hedges, _again("hedges"))


def hedge_section(hedges: list[Hedges], command: str) -> Section:
    """Hedges on each window that they were traded in, or how to trade them."""
    lead = "Strategies that need no labels, beside the tiers: do both together lose less, for the same gain?"
    blocks: list[Block] = [table for found in hedges for table in hedge_tables(found)]
    return Section("hedges", "Hedges", lead, blocks or [missing("No hedges were traded. To do so:", command)])


def _again(command: str) -> str:
    return f"labelsearch {command} experiment.toml"


def seeds_section(results: Results) -> Section:
    """Spread over seeds: single networks on past, and repetitions with others, if there are any."""
    blocks: list[Block] = [*filter(None, (members_table(results), exit_table(results)))]
    if results.seeds.tables:
        blocks += [seeds_figure(results), seeds_table(results)]
        return Section("seeds", "Other random seeds", seeds_note(results), blocks)
    words = "Not repeated with other seeds, so a single figure may be chance. To do so:"
    blocks.append(missing(words, _again("seeds")))
    return Section("seeds", "Other random seeds", "", blocks)


def luck_section(results: Results) -> Section:
    """Figures behind the panel of belief."""
    lead = "The figures behind the answers above."
    made = (
        belief_details.sharpe_table(results),
        belief_details.overfitting_table(results),
        belief_details.attribution_table(results),
    )
    return Section("luck", "How much is luck", lead, made)


def costs_section(results: Results) -> Section:
    """What trading and holding cost, and where the gross gain went."""
    lead = "What is left of a gain depends on what trading costs: here at the costs of the experiment, and at others."
    blocks: list[Block] = [
        costs.terms_table(results),
        costs.cost_curve_table(results),
        Folded("Where the gross gain went, by year", costs.paid_table(results)),
    ]
    return Section("costs", "Costs", lead, blocks)


def labels_section(results: Results) -> Section:
    """What labels mark on train."""
    lead = "Labels say with hindsight which bars were worth buying or selling. Classifiers learn to guess them."
    blocks: list[Block] = [label_choice(results), _untitled(stages.label_table(results)), stages.overlap_table(results)]
    return Section("labels", "Labels", lead, blocks)


def space_section(results: Results) -> Section:
    """The search over labels, where there was one."""
    found = results.space
    if found is None:
        command = f"labelsearch space {results.folder}/experiment.toml"
        return Section("space", "Label space", "", [missing("No labels were searched. To do so:", command)])
    lead = (
        "Labels are questions. Which ones can be answered, and pay, was searched on train alone: each label tried had "
        "a feature set and quick classifiers. " + " ".join(space.space_sentences(found))
    )
    blocks: list[Block] = [
        space_grid(found),
        space.chosen_table(found),
        *([own] if (own := space.own_table(found)) else []),
        Folded("The best of the labels tried", space.trials_table(found)),
        Folded("Features of each chosen label beside those of the others", space.chosen_features_table(found)),
    ]
    return Section("space", "Label space", lead, blocks)


def features_section(results: Results) -> Section:
    """Feature sets and how far they hold classes apart."""
    lead = "For each label, the parameters of the indicators under which bars of different classes look most unlike."
    parameters = features.parameter_table(results)
    blocks: list[Block] = [
        histogram_grid(results),
        _untitled(features.feature_table(results)),
        *([held_out] if (held_out := features.held_out_table(results)) else []),
        Folded("The chosen parameters of every indicator", parameters),
    ]
    return Section("features", "Feature sets", lead, blocks)


def classifiers_section(results: Results) -> Section:
    """How good the classifiers are."""
    lead = "One network for each label gives each bar a probability to be one to buy and one to sell."
    found, moves = results.classifiers, magnitude_table(results)
    blocks: list[Block] = [auc_figure(results)] if found.of_classes else []
    blocks.append(_untitled(stages.classifier_table(results)))
    if moves:
        lead += " Where moves are the target, it predicts the move itself."
        blocks += [moves_figure(results), moves]
    blocks.append(classifier_choice(results))
    return Section("classifiers", "Classifiers", lead, blocks)


def explained_section(results: Results) -> Section:
    """What ``labelsearch explain`` found for the classifiers as they are now."""
    blocks: list[Block] = []
    for i, (name, found) in enumerate(results.explanations.items()):
        blocks += [
            Words(f"Label {name}:"),
            swarm_grid(f"swarm-{i}", found),
            ablation_figure(f"ablation-{i}", found.figures),
            Folded("All features", feature_effects_table(found.figures)),
            Folded("All families", family_effects_table(found.figures)),
        ]
    command = f"labelsearch explain {results.name} --label {results.labels.names[0]}"
    if not blocks:
        blocks = [missing("No classifier was explained bar by bar. To do so:", command)]
    return Section("explained", "What classifiers learned", "", blocks)


def cost_section(results: Results) -> Section:
    """Time and memory."""
    return Section("cost", "Cost", "", [_untitled(stages.cost_table(results))])


def provenance_section(results: Results) -> Section:
    """What the run was made from."""
    bars = results.outputs.bars
    rows = [
        ("run", results.name),
        ("seed", str(results.experiment.seed)),
        ("settings, SHA-256", results.experiment.digest),
        ("bars", f"{bars.bars:,} from {bars.first} to {bars.last}"),
        ("missing bars", ", ".join(f"{window} {n:,}" for window, n in bars.missing.items())),
        ("bars present", ", ".join(f"{window} {100 * share:.2f} %" for window, share in bars.coverage.items())),
        ("bars, SHA-256", bars.sha256),
        ("looks at this future", ", ".join(_looks(results))),
        *((f"counted in {name}", _counts(event["counts"])) for name, event in results.done.items() if event["counts"]),
        ("python", platform.python_version()),
        *((f"package {name}", version(name)) for name in PACKAGES),
    ]
    settings = (results.folder / "experiment.toml").read_text()
    table = Table("", ("what", "value"), tuple(rows), n_text=1, prose=True)
    lead = "The same settings, bars and versions give the same run again."
    blocks: list[Block] = [table, Folded("The whole experiment file", settings)]
    return Section("provenance", "What it was made from", lead, blocks)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{value:,} {name.replace('_', ' ')}" for name, value in counts.items())
