"""Copies of the tiny run, so that studies of one test are not seen by another."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from labelsearch.results.run import Results


@pytest.fixture(scope="session")
def copy_of(tiny_run) -> Callable[[Path], Results]:
    """Copies the tiny run, without any study, into a folder of runs."""

    def copy(runs: Path) -> Results:
        ignored = shutil.ignore_patterns("studies", "seeds", ".units", "report")
        shutil.copytree(tiny_run.folder, runs / tiny_run.folder.name, ignore=ignored)
        shutil.copy(tiny_run.folder.parent / "looks.jsonl", runs)
        return Results(runs / tiny_run.folder.name, tiny_run.store)

    return copy


@pytest.fixture(scope="module")
def run(copy_of, tmp_path_factory) -> Results:
    """A copy for the tests of a file."""
    return copy_of(tmp_path_factory.mktemp("runs"))
