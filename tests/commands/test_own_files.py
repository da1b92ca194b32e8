"""A run with a user's own file: it can be shown without executing the file; export and live execute it when told to."""

import dataclasses
import json
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

import labelsearch
from feature_space.indicators import BY_NAME
from labelsearch.commands import main
from labelsearch.results.run import Results
from labelsearch.settings.own import activate, file_sha256
from tests.running import run_experiment

OWN = '''"""An indicator of a user; each execution leaves a line in a file."""
with open({marker!r}, "a") as file:
    file.write("executed\\n")
import numpy as np
from numba import njit
from feature_space.indicators import Indicator

@njit
def change_nb(close, n):
    out = np.zeros(close.size)
    for i in range(n, close.size):
        out[i] = close[i] / close[i - n] - 1.0
    return out

INDICATORS = [Indicator("own_change", "C/C[n] - 1", "own", {{"n": (2, 20)}}, ("close",), change_nb, lambda n: n)]
'''


@pytest.fixture(scope="module")
def marker(tmp_path_factory) -> Path:
    """File that exists once the user's file was executed."""
    return tmp_path_factory.mktemp("marker") / "executed"


@pytest.fixture(scope="module")
def own_run(tiny_experiment, tmp_path_factory, marker):
    """A small run with the indicator, whose file is not active any more."""
    root = tmp_path_factory.mktemp("own")
    path = root / "mine.py"
    path.write_text(OWN.format(marker=str(marker)))
    experiment = dataclasses.replace(
        tiny_experiment,
        name="own",
        own=(str(path),),
        label=tiny_experiment.label[:1],
        feature_space=dataclasses.replace(
            tiny_experiment.feature_space, indicators=("own_change", "price_to_sma_short")
        ),
        search=dataclasses.replace(tiny_experiment.search, n_strategies=60, island_size=60),
        tiers=dataclasses.replace(tiny_experiment.tiers, controls=()),
        null=dataclasses.replace(tiny_experiment.null, repeats=0),
    )
    folder = run_experiment(experiment, root / "runs", root / "store", workers=1)
    activate(())
    yield Results(folder, root / "store")
    activate(())


@pytest.fixture
def idle(own_run, marker, monkeypatch):
    """The run, with no trace of an execution."""
    activate(())
    marker.unlink(missing_ok=True)
    monkeypatch.setenv("LABELSEARCH_RUNS", str(own_run.folder.parent))
    monkeypatch.setenv("LABELSEARCH_STORE", str(own_run.store))
    yield own_run
    activate(())


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def test_it_opens_without_executing_the_file(idle, marker):
    run = labelsearch.open_run(idle.folder, idle.store)
    assert "own_change" in run.feature_sets.to_string()
    assert len(run.strategies) == 60
    assert not marker.exists()
    assert "own_change" not in BY_NAME


@pytest.mark.parametrize(
    "arguments", [("runs", "list"), ("runs", "show", "own"), ("report", "own"), ("compare", "own", "own")]
)
def test_it_is_shown_without_executing_the_file(idle, marker, tmp_path, arguments):
    more = ("--html", tmp_path / "both.html") if arguments[0] == "compare" else ()
    result = invoke(*arguments, *more)
    assert result.exit_code == 0, result.output
    assert not marker.exists()
    assert "own_change" not in BY_NAME
    if "show" in arguments:
        assert "own_change" in result.stdout
    if "report" in arguments:
        assert "own_change" in (idle.folder / "report" / "report.html").read_text()


def test_an_export_names_the_file_and_live_needs_it(idle, marker, tmp_path):
    bundle, own = tmp_path / "winners", idle.folder / "mine.py"
    result = invoke("export", "own", "--out", bundle)
    assert result.exit_code == 0, result.output
    assert f"executing your own file {own}" in result.stderr
    assert marker.exists()
    assert not list(bundle.rglob("*.py"))
    market = json.loads((bundle / "market.json").read_text())
    assert market["own_files"] == [{"file": "mine.py", "sha256": file_sha256(own)}]

    activate(())
    marker.unlink()
    past = idle.rows("past")
    frame = idle.bars.rows(None, past.start + 10).to_frame().drop(columns="filled")
    frame.reset_index().to_parquet(tmp_path / "bars.parquet")
    follow = ("live", bundle, "--source", f"replay:{tmp_path / 'bars.parquet'}", "--start", "2018-01-22")
    refused = invoke(*follow)
    assert refused.exit_code == 2
    assert "needs your own file mine.py" in refused.stderr
    assert not marker.exists()
    followed = invoke(*follow, "--own", own)
    assert followed.exit_code == 0, followed.output
    assert marker.exists()
    lines = [json.loads(line) for line in followed.stdout.splitlines()]
    assert pd.Timestamp(lines[0]["time"]) == idle.bars.index[past.start]
    seen = idle.outputs.past.outputs[:10]
    found = [
        [line["probabilities"][name][side] for name in idle.labels.names for side in ("buy", "sell")] for line in lines
    ]
    assert found == seen.tolist()
