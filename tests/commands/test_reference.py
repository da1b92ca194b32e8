"""docs/CLI.md is what the commands say now."""

import os
import subprocess
import sys
from pathlib import Path

import click

from labelsearch.commands import main
from labelsearch.commands.reference import reference

PAGE = Path(__file__).parents[2] / "docs" / "CLI.md"


def test_the_page_is_up_to_date_and_the_same_on_every_machine(tmp_path):
    """In a process of its own: click remembers the help option of a command that a test has called by itself."""
    code = (
        "import os; os.cpu_count = lambda: 77\n"
        "from labelsearch.commands.reference import reference; print(reference(), end='')"
    )
    environment = {**os.environ, "COLUMNS": "44", "LABELSEARCH_RUNS": "elsewhere", "LANG": "C"}
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert PAGE.read_text() == found.stdout, "run: python -m labelsearch.commands.reference > docs/CLI.md"


def test_every_command_and_option_is_there():
    def names(command: click.Command, path: str):
        yield path, command
        if isinstance(command, click.Group):
            for name, below in command.commands.items():
                yield from names(below, f"{path} {name}")

    text = reference()
    for path, command in names(main, "labelsearch"):
        section = text.split(f"\n## {path}\n")[1].split("\n## ")[0]
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert max(parameter.opts, key=len) in section
