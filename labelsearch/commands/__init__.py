"""The command line: parse, call, print. Heavy imports stay inside the commands to keep ``--help`` fast."""

import click

from labelsearch.commands.bundle import bundle
from labelsearch.commands.common import Commands
from labelsearch.commands.completion import completion
from labelsearch.commands.dashboard import dashboard
from labelsearch.commands.data import data
from labelsearch.commands.experiments import demo, init, run, stage_commands
from labelsearch.commands.explain import explain
from labelsearch.commands.hedges import hedges
from labelsearch.commands.live import live, signal
from labelsearch.commands.networks import compare_networks
from labelsearch.commands.null import null
from labelsearch.commands.plan import plan
from labelsearch.commands.results import compare, export, report, runs
from labelsearch.commands.scan import scan
from labelsearch.commands.seeds import seeds
from labelsearch.commands.space import space
from labelsearch.commands.universe import universe
from labelsearch.commands.walk_forward import walk_forward


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="labelsearch")
def main() -> None:
    """Search labels, features, classifiers and strategies over one-minute bars.

    \b
    Example:
      labelsearch demo
    """


for command in (
    demo, data, init, plan, universe, scan, space, run, *stage_commands, compare_networks, explain, seeds, walk_forward,
    null, hedges, runs, compare, report, export, bundle, signal, live, dashboard, completion,
):  # fmt: skip
    main.add_command(command)
