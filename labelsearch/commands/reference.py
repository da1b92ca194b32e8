"""The reference of the command line, from the commands themselves.

``python -m labelsearch.commands.reference > docs/CLI.md``
"""

from collections.abc import Iterator

import click

from labelsearch.commands import main

WIDTH = 100
HEAD = """# Commands

Written by `python -m labelsearch.commands.reference` from what `--help` says.

- **Output.** What a command found goes to standard output, and with `--json` it is one JSON document with unrounded
  figures. Bars of progress go to standard error, on a terminal only: a piped command writes nothing there unless it
  fails.
- **Exit codes.** 0: done. 1: failed for a reason that is not in the input; `LABELSEARCH_DEBUG=1` shows the traceback.
  2: bad input, told in one line. 130: interrupted; the same command goes on from there.
- **Folders.** `LABELSEARCH_RUNS` and `LABELSEARCH_STORE` stand for `--runs` and `--store`.
"""


def reference() -> str:
    """The page, as Markdown; the same on every machine."""
    context = click.Context(main, info_name="labelsearch", terminal_width=WIDTH, **main.context_settings)
    return "\n".join([HEAD, *_sections(context)])


def _sections(context: click.Context) -> Iterator[str]:
    """What ``--help`` prints of a command and of those below it."""
    yield f"## {context.command_path}\n\n```text\n{context.get_help()}\n```\n"
    if isinstance(context.command, click.Group):
        for name, command in context.command.commands.items():
            yield from _sections(click.Context(command, parent=context, info_name=name, terminal_width=WIDTH))


if __name__ == "__main__":
    click.echo(reference(), nl=False)
