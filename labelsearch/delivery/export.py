"""Export the winners of a run: JSON and safetensors with a manifest of checksums, nothing that executes."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from labelsearch import __version__
from labelsearch.pipeline.context import Context
from labelsearch.pipeline.ledger import Ledger
from labelsearch.pipeline.run import RunError, done_events
from labelsearch.pipeline.stages import ensembles, features, search
from labelsearch.pipeline.units import write_atomically

FORMAT_VERSION = 2  # 2: side, slippage and the rule of capital
PAST_FIGURES = ("score", "monthly_return", "trades_per_month", "mean_position", "max_drawdown", "fills")


def _write_json(path: Path, data: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data, indent=1))


def _strategies(context: Context, tier: int) -> dict[str, Any]:
    """The members of a tier, best first, with what a trader needs to follow them."""
    members = ensembles.load(context)["members"]
    if str(tier) not in members:
        raise RunError(f"the run has no tier of {tier}; it has {', '.join(members)}")
    space = search.strategy_space(context)
    outputs = [f"{label.name}:{side}" for label in context.experiment.label_kinds() for side in ("buy", "sell")]
    frame = search.load(context).iloc[members[str(tier)]]
    return {
        "signal_map": space.signal_map,
        "side": context.experiment.search.side,
        "fee": context.experiment.search.fee,
        "slippage": context.experiment.search.slippage / 10_000.0,
        "outputs": outputs,
        "capital": context.experiment.tiers.capital,
        "strategies": [
            {
                "strategy": int(index),
                "weights": dict(zip(outputs, (float(row[n]) for n in space.names[: len(outputs)]), strict=True)),
                "thresholds": {n: float(row[n]) for n in space.names[len(outputs) :]},
                "past": {n: float(row[n]) for n in PAST_FIGURES},
            }
            for index, row in frame.iterrows()
        ],
    }


def export_bundle(context: Context, tier: int, out: Path) -> Path:
    """Write the bundle of one tier into the new folder ``out``.

    ``strategies.json`` (weights by output name, thresholds, past figures), ``labels.json``,
    ``feature_sets/<label>.json``, ``classifiers/<label>/`` (safetensors and JSON), ``experiment.toml`` and
    ``manifest.json`` with the SHA-256 of every other file.

    Raises
    ------
    RunError
        If the run has no such tier, or ``out`` exists already.
    """
    if out.exists():
        raise RunError(f"{out} exists already")
    strategies = _strategies(context, tier)

    def write(folder: Path) -> None:
        _write_json(folder / "strategies.json", strategies)
        _write_json(folder / "labels.json", [dict(label) for label in context.experiment.label])
        context.experiment.save(folder)
        for label in context.experiment.label_kinds():
            feature_set = features.load(context, label.name)["feature_set"]
            _write_json(folder / "feature_sets" / f"{label.name}.json", feature_set)
            target = folder / "classifiers" / label.name
            target.mkdir(parents=True)
            source = context.stage("classifiers") / label.name
            for path in (source / "network.json", *sorted(source.glob("weights*.safetensors"))):
                shutil.copy2(path, target / path.name)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        manifest = {
            "format": FORMAT_VERSION,
            "labelsearch": __version__,
            "run": context.folder.name,
            "tier": tier,
            "stages": {n: e["key"] for n, e in done_events(Ledger(context.folder / "ledger.jsonl")).items()},
            "sha256": {
                str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
            },
        }
        _write_json(folder / "manifest.json", manifest)

    write_atomically(out, write)
    return out
