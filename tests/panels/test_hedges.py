"""Hedges of a panel: the stitched tiers, and hedges in all markets; those of a book are in ``test_book.py``."""

import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from labelsearch.commands import main
from labelsearch.delivery.report import write_panel_report
from labelsearch.engine.ledger import Ledger
from labelsearch.labels.spans import Span
from labelsearch.results.hedges import ALL
from labelsearch.results.panel_run import PanelResults


@pytest.fixture(scope="module")
def own(tiny_panel, tmp_path_factory) -> PanelResults:
    runs = tmp_path_factory.mktemp("hedged")
    shutil.copytree(tiny_panel.folder, runs / tiny_panel.folder.name)
    shutil.copy(tiny_panel.folder.parent / "looks.jsonl", runs)
    return PanelResults(runs / tiny_panel.folder.name, tiny_panel.store)


def command(results, *more):
    where = ["--runs", str(results.folder.parent), "--store", str(results.store), "--workers", "1"]
    return CliRunner().invoke(main, ["hedges", results.folder.name, *where, *more])


def looks(results):
    return list(Ledger(results.folder.parent / "looks.jsonl").events("look"))


def test_hedges_of_a_panel_stand_beside_its_stitched_tiers(own):
    before = len(looks(own))
    answer = command(own, "--window", "future", "--step", "1h", "--json")
    assert answer.exit_code == 0, answer.stderr
    results = PanelResults(own.folder, own.store)
    new = looks(own)[before:]  # once for each market, from its first future to the end of its last
    splits = results.panel.splits
    span = Span.of_days(splits[0].future[0], splits[1].future[1])
    assert [(e["start_ms"], e["stop_ms"]) for e in new] == [(span.start_ms, span.stop_ms)] * 2
    (found,) = results.hedges
    assert found.markets == ("ALPHA", "BETA")
    assert found.lead == ("2018-02-07", "2018-02-16")
    assert found.n_days == len(results.panel.equity)
    np.testing.assert_allclose(found.equity["Top-20"], results.panel.equity["Top-20"], rtol=1e-9)
    np.testing.assert_allclose(found.equity["basket"], results.panel.equity["basket"], rtol=1e-9)
    assert {row.market for row in found.rows} == {ALL, "ALPHA", "BETA"}
    assert len(found.rows) == 3 * 5 * 2
    assert all(row.adjusted is None and not row.is_hedge for row in found.within())
    assert {(fit.market, fit.split) for fit in found.fits} == {(m, s) for m in found.markets for s in (1, 2)}
    data = json.loads(answer.stdout)
    assert len(data["hedges_within"]) == 20
    assert all(fit.fills > 0 for fit in found.fits if fit.method == "momentum")


def test_they_are_in_the_report(own):
    assert command(own, "--window", "future", "--step", "1h").exit_code == 0
    folder = write_panel_report(PanelResults(own.folder, own.store))
    for file in ("report.html", "report.md"):
        text = (folder / file).read_text()
        assert "Hedges of the tiers" in text
        assert "Hedges in single markets" in text


def test_a_short_past_is_refused_in_one_line(own):
    answer = command(own)
    assert answer.exit_code == 2
    assert answer.stderr.strip().splitlines()[-1].startswith("Error: hedges need 10 days")
