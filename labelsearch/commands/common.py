"""Options, errors, tables and progress that commands share."""

import functools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from labelsearch.delivery.table import Table
    from labelsearch.pipeline.context import Progress

Command = Callable[..., Any]


def _folder_option(name: str, explanation: str) -> Command:
    return click.option(
        f"--{name}",
        envvar=f"LABELSEARCH_{name.upper()}",
        default=name,
        show_default=True,
        show_envvar=True,
        type=click.Path(path_type=Path, file_okay=False),
        help=explanation,
    )


store_option = _folder_option("store", "Folder of the stored bars.")
runs_option = _folder_option("runs", "Folder of the runs.")
workers_option = click.option(
    "--workers",
    default=os.cpu_count() or 1,
    show_default="number of processors",
    type=click.IntRange(min=1),
    help="Processes to work with; the results do not depend on it.",
)


def refuse(error: Exception) -> NoReturn:
    """Print one line and leave with exit code 2."""
    click.echo("Error: " + " ".join(str(error).split()), err=True)
    raise SystemExit(2)


def one_line_errors(command: Command) -> Command:
    """Bad input ends a command with one line and exit code 2, not with a traceback."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except (ValueError, OSError) as error:
            from labelsearch.market.rules import BarError
            from labelsearch.pipeline.run import RunError
            from labelsearch.pipeline.schema import ExperimentError

            if isinstance(error, (BarError, ExperimentError, RunError, OSError)):
                refuse(error)
            raise

    return wrapped


def show(table: "Table") -> None:
    """Print a table on standard output."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table as RichTable

    console = Console(width=None if sys.stdout.isatty() else 160)
    drawn = RichTable(title=table.title, title_justify="left")
    for i, column in enumerate(table.columns):
        text = i < table.n_text
        prose = table.prose and i == len(table.columns) - 1
        drawn.add_column(column, justify="left" if text or prose else "right", no_wrap=text)
    for row in table.rows:
        drawn.add_row(*map(escape, row))
    console.print(drawn)
    if table.note:
        console.print(table.note, highlight=False, markup=False)


def run_options(command: Command) -> Command:
    """Where bars and runs lie, how many processes, and one-line errors: for commands that work on a run."""
    for decorate in (one_line_errors, workers_option, runs_option, store_option):
        command = decorate(command)
    return command


@contextmanager
def progress_bars() -> Iterator["Progress"]:
    """A bar per stage on a terminal; a line per finished stage elsewhere. Both on standard error."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    bars = Progress(
        TextColumn("{task.description:<12}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    tasks: dict[str, Any] = {}

    def progress(stage: str, done: int, total: int) -> None:
        if total == 0:
            console.print(f"{stage}: done before", highlight=False)
            return
        if stage not in tasks:
            tasks[stage] = bars.add_task(stage, total=total)
        bars.update(tasks[stage], completed=done, total=total)
        if done == total and not console.is_terminal:
            console.print(f"{stage}: {total} done", highlight=False)

    with bars:
        yield progress
