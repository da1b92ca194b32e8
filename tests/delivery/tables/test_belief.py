"""Tables of belief, held against the files of a run."""

import json
import shutil

import numpy as np

from labelsearch.delivery.tables import belief, belief_details
from labelsearch.engine.files import digest_files
from labelsearch.results.run import Results


def test_deciles_cover_every_strategy_in_order_of_score(tiny_run):
    table = belief_details.decile_table(tiny_run)
    score = tiny_run.strategies.score
    future = tiny_run.ensembles.future["monthly_return_pct"].to_numpy()
    order = np.argsort(-score, kind="stable")
    assert len(table.rows) == 10
    for row, members in zip(table.rows, np.split(order, 10), strict=True):
        expected = (score[members].min(), score[members].max(), future[members].mean())
        assert row[1:4] == tuple(f"{x:+.2f}" for x in expected)


def rewritten(tiny_run, tmp_path, change):
    """The run with other figures of belief."""
    shutil.copytree(tiny_run.folder, tmp_path / "runs" / "changed")
    results = Results(tmp_path / "runs" / "changed", tiny_run.store)
    path = results.folder / "belief" / "belief.json"
    found = json.loads(path.read_text())
    change(found)
    path.write_text(json.dumps(found))
    event = {**results.done["belief"], "content": digest_files(path.parent)}
    results.ledger.append("stage", **event)
    return results


def cells(table):
    return {row[0]: row[1:] for row in table.rows}


def test_figures_come_with_words_that_fit_them(tiny_run, tmp_path):
    def change(found):
        found["rank"]["all"] = {"rho": 0.31, "low": 0.1, "high": 0.5, "n": 300}
        found["rank"]["positive"] = {"rho": -0.2, "low": -0.4, "high": -0.1, "n": 100}
        found["rank"]["partial"] = 0.02
        found["superior"]["past"] = {"lower": 0.01, "consistent": 0.02, "upper": 0.03, "n_strategies": 300, "block": 7}
        found["superior"]["future"] = {"lower": 0.4, "consistent": 0.5, "upper": 0.6, "n_strategies": 20, "block": 7}
        for tier in found["tiers"]:
            tier["without_best_fortnight_pct"], tier["best_fortnight"] = -3.0, "2018-02-01"
            tier["alpha_t"] = -2.5

    rows = cells(belief.belief_table(rewritten(tiny_run, tmp_path, change)))
    assert rows["Past score ranks future return"][0] == "+0.310 [+0.10 +0.50]"
    assert "did better" in rows["Past score ranks future return"][1]
    assert "Luck alone" in rows["Past score ranks future return"][1]
    assert "did worse" in rows["- among positive scores"][1]
    assert "less than half" in rows["- given position and trades"][1]
    assert rows["Best of all beats buy and hold, past p"][0] == "0.020 [0.010 0.030]"
    assert "by more than their number explains" in rows["Best of all beats buy and hold, past p"][1]
    assert "need not be better" in rows["Best of tier, future p"][1]
    assert rows["Alpha on future, t"] == ("-2.5", "Less than the market's share.")
    assert "2018-02-01" in rows["- without its best fortnight, %"][1]
    assert rows["Looks at this future"][0] in ("?", "1 of 1")


def test_figures_that_are_missing_say_so(tiny_run, tmp_path):
    def change(found):
        found["overfitting"] = None
        found["rank"]["positive"] = found["rank"]["partial"] = None
        for tier in found["sharpe"]["tiers"].values():
            tier["moments"]["n"] = 1
        for tier in found["tiers"]:
            for name in ("alpha_pct_a_year", "alpha_t", "beta", "beta_t", "weight_correlation", "return_correlation"):
                tier[name] = None

    results = rewritten(tiny_run, tmp_path, change)
    rows = cells(belief.belief_table(results))
    assert rows["Probability of overfitting"] == ("-", "The window is too short.")
    assert rows["Deflated Sharpe on past"] == ("-", "The window is too short.")
    assert rows["- among positive scores"][0] == "-"
    assert "Alpha on future, t" not in rows
    assert belief_details.overfitting_table(results).note == "The window is too short."
    assert belief_details.attribution_table(results).rows[0][6:] == ("-",) * 6
    assert belief_details.sharpe_table(results).rows == ()


def test_deflated_ratios_are_of_all_counted_tries(tiny_run):
    expected = tiny_run.belief.sharpe.deflated(300)
    table = belief_details.sharpe_table(tiny_run)
    for row in table.rows:
        tier = expected[int(row[0].removeprefix("Top-"))]
        assert row[-3:] == tuple(f"{x:.3f}" for x in (tier.all, tier.different, tier.luck))
    assert "300 tries" in table.note


def test_prose_is_aligned_left(tiny_run):
    assert belief.belief_table(tiny_run).to_markdown().splitlines()[1] == "| --- | --- | --- |"
