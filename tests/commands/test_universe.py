"""The command universe: what it prints, the files it writes, and how it refuses."""

import csv
import json

import pytest
from click.testing import CliRunner

from labelsearch.commands import main
from labelsearch.settings.entries import listed
from tests.results.test_universe import MARKETS, experiment
from tests.results.test_universe import store as store  # a fixture


@pytest.fixture
def home(store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "coins.toml").write_text(experiment().to_toml())
    return tmp_path


def invoke(*arguments: object):
    return CliRunner().invoke(main, ["universe", "coins.toml", "--store", ".", *map(str, arguments)])


def test_it_prints_and_writes_all_tables(home):
    result = invoke("--out", "found", "--count", 3)
    assert result.exit_code == 0, result.output
    for words in ("History", "LATE in 1 (its bars begin on 2020-03-01)", "beta-free", "2 of 10 dates have none", "33%"):
        assert words in result.stdout
    folder = home / "found"
    assert sorted(path.name for path in folder.iterdir()) == [
        "history.csv", "members.txt", "picks-beta-free.txt", "picks.csv", "picks.txt", "ranks.csv", "universe.csv",
        "universe.json",
    ]  # fmt: skip
    with (folder / "universe.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows[2]["joins"] == "BIG GONE TWIN"
    assert json.loads((folder / "universe.json").read_text())["size"] == 3
    assert listed(folder / "members.txt") == ["BIG", "GONE", "TWIN", "LATE"]
    # the list is one that an experiment can name
    (folder / "next.toml").write_text(
        (home / "coins.toml").read_text().replace(json.dumps(list(MARKETS)), '"picks.txt"')
    )
    again = CliRunner().invoke(main, ["universe", str(folder / "next.toml"), "--store", ".", "--json"])
    assert again.exit_code == 0, again.output
    document = json.loads(again.stdout)
    assert {row["market"] for row in document["history"]} == set(listed(folder / "picks.txt"))
    assert document["picks"]["picks"][0]["largest"] is None


def test_bad_input_is_one_line_with_code_2(home):
    (home / "taken").mkdir()
    for arguments, words in (
        (["--out", "taken"], "taken exists already"),
        (["--start", "NONE"], "none of the markets"),
        (["--split", 9], "no split 9"),
    ):
        result = invoke(*arguments)
        assert result.exit_code == 2
        assert result.stdout == ""
        assert words in result.stderr
        assert len(result.stderr.splitlines()) == 1
    assert not list(home.glob(".taken*"))
