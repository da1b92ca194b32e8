"""What early exit would leave out on past, and whether decisions stay: the three rules on tiers of real markets.

    python benchmarks/studies/exits.py --store store --symbols BTCUSDT ETHUSDT --networks 5

A run up to the search for each market, with the settings of ``steady.py``; its best strategies by score are traded on
the later half of past. Nothing is evaluated on future. Rows are means over the markets.
"""

import argparse
import json
import logging
import tempfile
from pathlib import Path

import numpy as np
from steady import experiment_of

from labelsearch.engine.executors.choice import Workers
from labelsearch.results.belief import TierExit
from labelsearch.stages.members import MemberOutputs, judge_members
from labelsearch.stages.plan import STAGES, open_run
from strategies.search.problem import SearchProblem

SIZES = (100, 20, 5, 1)
FIGURES = ("exit_share", "mean_asked", "equal_decisions", "equal_orders", "return_gap_pct")


def exits_of(symbol: str, sureness: tuple[float, ...], arguments: argparse.Namespace) -> list[tuple[float, TierExit]]:
    """What the rules do to the tiers of one market."""
    experiment = experiment_of(symbol, (arguments.networks, "none", 1), arguments)
    with (
        tempfile.TemporaryDirectory() as folder,
        open_run(experiment, Path(folder), arguments.store, workers=Workers(1)) as run,
    ):
        strategies = run.do(STAGES["search"]).value
        outputs, costs = (run.do(STAGES[name]).value for name in ("outputs", "costs"))
        best = np.argsort(-strategies.frame["score"].to_numpy(), kind="stable")
        window = outputs.past.at(costs.past)
        space, rules = experiment.search.space(experiment.output_names), experiment.rules()
        past = SearchProblem(window, space, rules, experiment.make_score())
        ensemble = MemberOutputs(np.array(outputs.members), outputs.columns, (2,) * len(outputs.labels))
        found = []
        for sure in sureness:
            tiers = {n: best[:n] for n in SIZES}
            judged = judge_members(ensemble, past, strategies.params, tiers, sure)
            found += [(sure, entry) for entry in judged.exits]
    return found


def main() -> None:
    """Print a Markdown row for each tier, rule and sureness; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, default=Path("store"))
    parser.add_argument("--symbols", nargs="+", default=["BTCUSDT", "ETHUSDT"])
    parser.add_argument("--networks", type=int, default=5)
    parser.add_argument("--strategies", type=int, default=2000)
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    found = [exits_of(symbol, (1.0, 0.99), arguments) for symbol in arguments.symbols]
    print("| tier | rule | sureness | " + " | ".join(FIGURES) + " |\n| ---: | --- | ---: |" + " ---: |" * len(FIGURES))
    rows = []
    for entries in zip(*found, strict=True):
        sure, first = entries[0]
        row = {name: float(np.mean([getattr(entry, name) for _, entry in entries])) for name in FIGURES}
        print(f"| {first.tier} | {first.rule} | {sure:g} | " + " | ".join(f"{x:.5f}" for x in row.values()) + " |")
        rows.append({"tier": first.tier, "rule": first.rule, "sureness": sure, **row})
    best = min((row for row in rows if row["equal_orders"] == 1.0), key=lambda row: row["mean_asked"])
    result = {
        "benchmark": "exits", "ours": best["mean_asked"], "peer": arguments.networks,
        "ratio": arguments.networks / best["mean_asked"], "unit": "networks asked at a bar, all orders equal",
        "peer_name": "all networks", "markets": arguments.symbols, "rows": rows,
    }  # fmt: skip
    print(json.dumps(result))


if __name__ == "__main__":
    main()
