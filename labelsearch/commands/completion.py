"""``labelsearch completion``, and the completion of other commands' arguments, which reads folders only."""

import os
import tomllib
from pathlib import Path

import click

SHELLS = ("bash", "zsh", "fish")


def _runs_folder(context: click.Context) -> Path:
    return Path(context.params.get("runs") or os.environ.get("LABELSEARCH_RUNS") or "runs")


def _run_folder(context: click.Context) -> Path | None:
    """Folder of the run on the command line, if its name is complete or an unambiguous prefix."""
    # while an option still lacks its value, click leaves the arguments before it unnamed
    name = str(context.params.get("run") or next(iter(context.args), ""))
    if (Path(name) / "ledger.jsonl").is_file():
        return Path(name)
    found = [folder for folder in _runs_folder(context).glob("*") if name and folder.name.startswith(name)]
    exact = [folder for folder in found if folder.name == name]
    return (exact or found)[0] if len(exact or found) == 1 else None


def complete_runs(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Names of the runs in the folder of runs."""
    found = sorted(path.parent.name for path in _runs_folder(context).glob("*/ledger.jsonl"))
    return [name for name in found if name.startswith(incomplete)]


def complete_labels(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Names of the labels for which the run on the command line has a classifier."""
    folder = _run_folder(context)
    found = sorted(path.parent.name for path in folder.glob("classifiers/*/figures.json")) if folder else []
    return [name for name in found if name.startswith(incomplete)]


def complete_tiers(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Sizes of the tiers of the run on the command line."""
    folder = _run_folder(context)
    if folder is None or not (folder / "experiment.toml").is_file():
        return []
    try:
        sizes = tomllib.loads((folder / "experiment.toml").read_text())["tiers"]["sizes"]
    except (tomllib.TOMLDecodeError, KeyError):
        return []
    return [str(size) for size in sizes if str(size).startswith(incomplete)]


run_argument = click.argument("run", shell_complete=complete_runs)


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print a completion script for SHELL: commands, options, runs, labels and tiers.

    \b
    Example:
      labelsearch completion bash > ~/.local/share/bash-completion/completions/labelsearch
      labelsearch completion zsh > ~/.zfunc/_labelsearch
      labelsearch completion fish > ~/.config/fish/completions/labelsearch.fish
    """
    from click.shell_completion import get_completion_class

    main = click.get_current_context().find_root().command
    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"no completion for {shell}")
    script = found(main, {}, "labelsearch", "_LABELSEARCH_COMPLETE")
    click.echo(script.source_template % script.source_vars())
