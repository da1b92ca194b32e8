"""Export the winners of a run: JSON and safetensors with a manifest of checksums, nothing that executes."""

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from labelsearch import __version__
from labelsearch.delivery.table import plain
from labelsearch.live.bundle import THRESHOLDS
from labelsearch.live.schema import FORMAT_VERSION, whole_schema
from labelsearch.live.verify import MANIFEST, verify_bundle
from labelsearch.pipeline.context import Context
from labelsearch.pipeline.ledger import Ledger
from labelsearch.pipeline.run import RunError, done_events
from labelsearch.pipeline.stages import classifiers, ensembles, features, search
from labelsearch.pipeline.units import write_atomically

PAST_FIGURES = ("score", "monthly_return", "trades_per_month", "mean_position", "max_drawdown", "fills")


def _write_json(path: Path, data: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(plain(data), indent=1))


def _strategies(context: Context, tier: int | None) -> dict[str, Any]:
    """The members of a tier, best first, and of the smaller ones among them, with what a trader needs to follow."""
    members = {int(n): index for n, index in ensembles.load(context)["members"].items()}
    tier = tier or max(members)
    if tier not in members:
        raise RunError(f"the run has no tier of {tier}; it has {', '.join(map(str, members))}")
    place = {index: k for k, index in enumerate(members[tier])}
    tiers = {}
    for n, index in sorted(members.items(), reverse=True):
        if set(index) <= set(place):
            shares, rate = ensembles.capital_at_start(context, n)
            tiers[str(n)] = {"members": [place[i] for i in index], "shares": shares.tolist(), "rate": rate}
    space = search.strategy_space(context)
    asked = context.experiment.search
    outputs = [f"{label.name}:{side}" for label in context.experiment.label_kinds() for side in ("buy", "sell")]
    frame = search.load(context).iloc[members[tier]]
    return {
        "signal_map": space.signal_map,
        "side": asked.side,
        "fee": asked.fee,
        "slippage": asked.slippage / 10_000.0,
        "outputs": outputs,
        "capital": context.experiment.tiers.capital,
        "tiers": tiers,
        "strategies": [
            {
                "strategy": int(index),
                "weights": dict(zip(outputs, (float(row[n]) for n in space.names[: len(outputs)]), strict=True)),
                "thresholds": {n: float(row[n]) for n in THRESHOLDS},
                "past": {n: float(row[n]) for n in PAST_FIGURES},
            }
            for index, row in frame.iterrows()
        ],
    }


def _market(context: Context, warm_up: int) -> dict[str, Any]:
    experiment, bars = context.experiment, context.bars
    return {
        "symbol": bars.symbol,
        "interval_ms": bars.interval_ms,
        "quote_volume": bars.quote_volume is not None,
        "trades": bars.trades is not None,
        "warm_up": warm_up,
        "windows": {name: list(getattr(experiment.windows, name)) for name in experiment.windows.named},
        "own_indicators": [
            {"file": Path(path).name, "sha256": hashlib.sha256(Path(path).read_bytes()).hexdigest()}
            for path in experiment.feature_space.own
        ],
    }


def _past(context: Context) -> dict[str, Any]:
    rows = [dict(row) for row in ensembles.load(context)["table"] if row["window"] == "past"]
    return {
        "window": list(context.experiment.windows.past),
        "tiers": {row["tier"]: {n: x for n, x in row.items() if n not in ("tier", "window")} for row in rows},
    }


def export_bundle(context: Context, tier: int | None, out: Path, *, onnx: bool = False) -> Path:
    """Write the bundle of one tier, and of the smaller ones it holds, into the new folder ``out``.

    ``market.json``, ``labels.json``, ``strategies.json``, ``past.json``, ``feature_sets/<label>.json``,
    ``classifiers/<label>/`` (safetensors and JSON), ``experiment.toml``, ``schema.json`` with what each JSON file may
    hold, and ``manifest.json`` with the SHA-256 of every other file. The user's own indicators are named by checksum;
    their code stays where it is.

    Parameters
    ----------
    context : Context
        The run, all stages done.
    tier : int or None
        Size of the tier; None for the largest.
    out : Path
    onnx : bool
        Also write each classifier as ``classifiers/<label>/classifier.onnx``.

    Raises
    ------
    RunError
        If the run has no such tier, or ``out`` exists already.
    """
    if out.exists():
        raise RunError(f"{out} exists already")
    strategies = _strategies(context, tier)

    def write(folder: Path) -> None:
        labels = []
        for label, given in zip(context.experiment.label_kinds(), context.experiment.label, strict=True):
            feature_set = features.load(context, label.name)["feature_set"]
            _write_json(folder / "feature_sets" / f"{label.name}.json", feature_set)
            target = folder / "classifiers" / label.name
            target.mkdir(parents=True)
            source = context.stage("classifiers") / label.name
            for path in (source / "network.json", *sorted(source.glob("weights*.safetensors"))):
                shutil.copy2(path, target / path.name)
            network = json.loads((source / "network.json").read_text())
            if onnx:
                try:
                    classifiers.write_onnx_file(context, label.name, target / "classifier.onnx")
                except ValueError as error:
                    raise RunError(str(error)) from None
            labels.append(
                {
                    "name": label.name,
                    "kind": given["kind"],
                    "options": dataclasses.asdict(label),  # type: ignore[call-overload]
                    "lookahead": label.lookahead,
                    "network": network["kind"],
                    "warm_up": feature_set["warm_up"] + network["options"].get("window", 1) - 1,
                }
            )
        _write_json(folder / "labels.json", labels)
        _write_json(folder / "strategies.json", strategies)
        _write_json(folder / "market.json", _market(context, max(label["warm_up"] for label in labels)))
        _write_json(folder / "past.json", _past(context))
        _write_json(folder / "schema.json", whole_schema())
        (folder / "experiment.toml").write_text(context.experiment.to_toml())
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        manifest = {
            "format": FORMAT_VERSION,
            "labelsearch": __version__,
            "run": context.folder.name,
            "tier": len(strategies["strategies"]),
            "stages": {n: e["key"] for n, e in done_events(Ledger(context.folder / "ledger.jsonl")).items()},
            "sha256": {
                path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
            },
        }
        _write_json(folder / MANIFEST, manifest)
        verify_bundle(folder)

    write_atomically(out, write)
    return out
