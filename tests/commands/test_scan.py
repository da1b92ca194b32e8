"""The command scan: what it prints, the file it writes, and how it refuses."""

import csv
import json

import pytest
from click.testing import CliRunner

from labelsearch.commands import main
from tests.studies.test_scan import experiment


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "coins.toml").write_text(experiment(feature_space={"indicators": ["momentum_short"]}).to_toml())
    return tmp_path


def invoke(*arguments: object):
    return CliRunner().invoke(main, ["scan", "coins.toml", *map(str, arguments)])


def test_it_prints_the_surest_and_writes_all(home):
    result = invoke("--later", "1,6h", "--top", 2, "--out", "found/scan.csv")
    assert result.exit_code == 0, result.output
    for words in ("Scan", "earlier and later moves", "All markets together, later moves", "momentum_short(1)"):
        assert words in result.stdout
    with (home / "found" / "scan.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["target"] for row in rows} >= {"return_1", "return_6"}
    document = json.loads(invoke("--later", "1,6h", "--top", 2, "--json").stdout)
    assert len(document["pooled"]) == 2
    assert sum(family["tests"] for family in document["scan"]["families"]) == len(rows)
    best = min(rows, key=lambda row: float(row["p"]))
    assert float(best["p"]) == min(document[key][0]["p"] for key in document if key != "scan")


def test_bad_input_is_one_line_with_code_2(home):
    (home / "taken.csv").touch()
    for arguments, words in (
        (["--out", "taken.csv"], "taken.csv exists already"),
        (["--later", "0"], "--later must be 1 to 1,000,000 bars, not 0"),
        (["--later", "90s"], "--later"),
        (["--later", "soon"], "--later"),
        (["--split", 7], "no split 7"),
    ):
        result = invoke(*arguments)
        assert result.exit_code == 2, result.output
        assert result.stdout == ""
        assert words in result.stderr
        assert len(result.stderr.splitlines()) == 1
    assert sorted(path.name for path in home.iterdir()) == ["coins.toml", "taken.csv"]
