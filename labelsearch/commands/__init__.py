"""The command line: parse, call, print. Heavy imports stay inside the commands, so that ``--help`` is quick."""

import click


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="labelsearch")
def main() -> None:
    """Search labels, features, classifiers and strategies over one-minute bars."""
