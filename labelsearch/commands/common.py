"""What commands share: options, error handling, output and progress bars."""

import errno
import functools
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from labelsearch.delivery.tables.table import Table
    from labelsearch.engine.stage import Progress

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
_WORKER_OPTIONS = (
    click.option(
        "--workers",
        show_default="number of processors",
        type=click.IntRange(min=1),
        help="Units at work at once; results do not depend on it.",
    ),
    click.option(
        "--engine",
        default="local",
        show_default=True,
        type=click.Choice(["local", "ray"]),
        help="Processes of this machine, or a Ray cluster (extra `ray`); results do not depend on it.",
    ),
    click.option(
        "--address",
        default="auto",
        envvar="RAY_ADDRESS",
        show_default=True,
        show_envvar=True,
        help="Ray only: host:port of its head; auto: the cluster of this machine; local: started for this command.",
    ),
    click.option(
        "--max-hours",
        type=click.FloatRange(0, min_open=True),
        help="Begin no unit after so many hours, and end with exit code 3; the same command goes on.",
    ),
    click.option(
        "--max-memory",
        type=click.FloatRange(0, min_open=True),
        help="The same once the processes of this machine hold so many GiB.",
    ),
)
experiment_argument = click.argument("experiment", type=click.Path(path_type=Path, dir_okay=False))
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document with unrounded figures instead of text."
)
FAILED, BAD_INPUT, STOPPED, INTERRUPTED = 1, 2, 3, 130  # exit codes
MACHINE_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE)  # not caused by the input


class Commands(click.Group):
    """The commands. Unexpected errors end with one line and code 1, a spent budget with 3, an interrupt with 130."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; LABELSEARCH_DEBUG keeps the tracebacks of errors."""
        try:
            with _interrupted_by_sigterm():
                return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit, BrokenPipeError):
            raise
        except KeyboardInterrupt:
            click.echo("Interrupted. Finished work is kept: run the same command again to continue.", err=True)
            raise SystemExit(INTERRUPTED) from None
        except (Exception, SystemExit) as error:  # commands end by `click.exceptions.Exit`; a user's file may exit
            if os.environ.get("LABELSEARCH_DEBUG"):
                raise
            from labelsearch.engine.budget import BudgetError
            from labelsearch.engine.executors.base import WorkError

            if isinstance(error, BudgetError):
                click.echo(f"Stopped: {error}. Finished work is kept: the same command continues it.", err=True)
                raise SystemExit(STOPPED) from None
            text = " ".join(f"{type(error).__name__}: {error}".split())
            if isinstance(error, WorkError):
                text = f"{error}; finished work is kept: the same command continues it"
            click.echo(f"Error: {text} (LABELSEARCH_DEBUG=1 prints the traceback)", err=True)
            raise SystemExit(FAILED) from None


@contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    """SIGTERM ends what is at work as ctrl-C does; only the main thread may say so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)


def refuse(error: Exception) -> NoReturn:
    """Print one line and exit with code 2."""
    click.echo("Error: " + " ".join(str(error).split()), err=True)
    raise click.exceptions.Exit(BAD_INPUT)


def fail(text: str) -> NoReturn:
    """Print one line and exit with code 1: the input was valid, but something else failed."""
    click.echo("Error: " + " ".join(text.split()), err=True)
    raise click.exceptions.Exit(FAILED)


def one_line_errors(command: Command) -> Command:
    """Turn bad input into one line and exit code 2 instead of a traceback."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except (ValueError, OSError) as error:
            from labelsearch.errors import InputError

            if isinstance(error, BrokenPipeError) or getattr(error, "errno", None) in MACHINE_FAULTS:
                raise
            if isinstance(error, (InputError, OSError)):
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


def answer(
    as_json: bool,
    tables: Iterable["Table"] = (),
    *,
    run: str = "",
    lines: Iterable[str] = (),
    named: Mapping[str, object] | None = None,
) -> None:
    """Print the results of a command.

    Parameters
    ----------
    as_json : bool
        Print one JSON object: the run, the data of each table under its key, and the named values. Otherwise print
        the tables, the lines, and a line ``name: value`` for each named value.
    tables : iterable of Table
    run : str
        Name of the run, for JSON.
    lines : iterable of str
        Sentences printed as text only.
    named : mapping of str to object
        Paths and similar values.
    """
    named = named or {}
    if not as_json:
        for table in tables:
            show(table)
        for line in (*lines, *(f"{name}: {value}" for name, value in named.items())):
            click.echo(line)
        return
    import json

    from labelsearch.delivery.tables.table import document
    from labelsearch.results.codec import to_plain

    printed = {**({"run": run} if run else {}), **document(tables), **{n: to_plain(x) for n, x in named.items()}}
    click.echo(json.dumps(printed, indent=1, allow_nan=False))


def report_files(folder: Path) -> dict[str, Path]:
    """Paths of a written report, by name."""
    return {"report": folder / "report.md", "page": folder / "report.html"}


def worker_options(command: Command) -> Command:
    """Options that say where units are executed; the command is given them as one, ``workers``."""

    @functools.wraps(command)
    def wrapped(
        *args: Any,
        workers: int | None,
        engine: str,
        address: str,
        max_hours: float | None,
        max_memory: float | None,
        **options: Any,
    ) -> Any:
        from labelsearch.engine.budget import Budget
        from labelsearch.engine.executors.choice import Workers

        chosen = Workers(workers, engine, address, budget=Budget.of(max_hours, max_memory))
        return command(*args, workers=chosen, **options)

    for option in reversed(_WORKER_OPTIONS):
        wrapped = option(wrapped)
    return wrapped


def run_options(command: Command) -> Command:
    """Options of commands that compute: folders of bars and runs, worker processes, one-line errors."""
    for decorate in (one_line_errors, worker_options, runs_option, store_option):
        command = decorate(command)
    return command


@contextmanager
def progress_bars() -> Iterator["Progress"]:
    """Progress bars on stderr, one per stage, with rate and time left; only on a terminal."""
    from datetime import timedelta

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
    from rich.text import Text

    class Pace(ProgressColumn):
        """Units per second since the bar started, and the time left at this rate."""

        def render(self, task: Task) -> Text:
            seconds = task.finished_time or task.elapsed or 0.0
            done = task.completed - task.fields["before"]
            taken = timedelta(seconds=round(seconds))
            if not (done and seconds):
                return Text(f"{taken}")
            rate = done / seconds
            left = "" if task.finished else f", {timedelta(seconds=round((task.remaining or 0) / rate))} left"
            return Text(f"{taken}, {rate:.3g}/s{left}")

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda stage, done, total: None
        return
    bars = Progress(TextColumn("{task.description:<12}"), BarColumn(), MofNCompleteColumn(), Pace(), console=console)
    tasks: dict[str, Any] = {}

    def progress(stage: str, done: int, total: int) -> None:
        if total == 0:
            console.print(f"{stage}: already done", highlight=False)
            return
        if stage not in tasks:
            tasks[stage] = bars.add_task(stage, total=total, completed=done, before=done)
        bars.update(tasks[stage], completed=done, total=total)

    with bars:
        yield progress
