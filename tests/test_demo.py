"""The demo, as a user runs it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


def demo(folder: Path, *options: str) -> tuple[str, dict, dict]:
    """What is printed, the tiers of the one market, and the verdict on the four."""
    command = [sys.executable, "-m", "labelsearch.commands", "demo", *options]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    (report,) = folder.glob("runs/demo-*/report/tiers.json")
    (panel,) = folder.glob("runs/demo-panel-*/panel/panel.json")
    return result.stdout, json.loads(report.read_text()), json.loads(panel.read_text())


@pytest.mark.slow
def test_demo_ends_in_the_tier_table_and_finds_the_planted_edge(tmp_path):
    printed, found, panel = demo(tmp_path)
    for words in ("Top-20", "Top-10", "Top-5", "buy and hold", "ridge", "Sharpe", "max DD %", "report.md"):
        assert words in printed
    assert f"{found['unlike']['found']} unlike strategies of positive score exist" in printed
    tiers = [n for n in (100, 20, 10, 5) if n <= found["unlike"]["found"]]
    assert len(tiers) >= 2
    assert len(found["table"]) == 2 * (len(tiers) + 3 + 7)  # with baselines and controls
    assert found["verdict"] != "no edge shown"  # profit of one market over three weeks may lack proof
    future = {row["tier"]: row for row in found["table"] if row["window"] == "future"}
    assert all(future[f"Top-{n}"]["total_return_pct"] > 0 for n in tiers)
    assert found["ranks"]["all"] > 0.2
    assert panel["verdict"] == "edge"
    assert len(panel["cells"]) == 8
    assert min(panel["timing"]["adjusted"].values()) < 0.01


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["1", "2", "3", "4"])
def test_demo_claims_no_edge_where_none_was_planted(tmp_path, seed):
    _, found, panel = demo(tmp_path, "--edge", "0", "--seed", seed)
    assert found["verdict"] == panel["verdict"] == "no edge shown"
