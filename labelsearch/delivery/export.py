"""Export the winners of a run: JSON and safetensors with a manifest of checksums, nothing that executes."""

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

from labelsearch import __version__
from labelsearch.classifiers.kinds import Options
from labelsearch.engine.files import write_atomically, write_files
from labelsearch.engine.run import RunError
from labelsearch.live.bundle import Thresholds
from labelsearch.live.schema import FORMAT_VERSION, whole_schema
from labelsearch.live.verify import MANIFEST, verify_bundle
from labelsearch.market.calendars import ALWAYS
from labelsearch.results.codec import json_bytes, parse
from labelsearch.results.run import Results
from labelsearch.settings.own import file_sha256

PAST_FIGURES = (
    "score", "monthly_return_pct", "trades_per_month", "mean_position_pct", "max_drawdown_share", "fills",
)  # fmt: skip


def _write_json(path: Path, data: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(json_bytes(data))


def _strategies(results: Results, size: int | None) -> dict[str, object]:
    """The members of a tier, best first, and of the smaller ones among them, with what a trader needs to follow."""
    found, experiment = results.ensembles, results.experiment
    settings = experiment.search
    size = size or found.sizes[0]
    if size not in found.members:
        raise RunError(f"the run has no tier of {size}; it has {', '.join(map(str, found.sizes))}")
    members = found.members[size]
    place = {index: k for k, index in enumerate(members)}
    tiers = {}
    for n, index in sorted(found.members.items(), reverse=True):
        if set(index) <= set(place):
            capital = found.capital_at_start[n]
            tiers[str(n)] = {"members": [place[i] for i in index], "shares": capital.shares, "rate": capital.rate}
    # a cell of a panel may have taken its classifiers, and so have no labels of its own
    outputs = results.experiment.output_names
    weights = results.strategies.parameters[: len(outputs)]
    frame = results.strategies.frame.iloc[list(members)]
    terms, half_spread = experiment.costs.terms, experiment.rules().half_spread
    if terms.spread == "estimated":  # once, on train
        terms, half_spread = terms._replace(spread="fixed"), float(results.costs.past.half_spread[0])
    return {
        "signal_map": settings.signal_map,
        "side": settings.side,
        "fee_share": experiment.rules().fee_share,
        "half_spread": half_spread,
        "costs": terms._asdict(),
        "outputs": outputs,
        "capital": found.capital,
        "tiers": tiers,
        "strategies": [
            {
                "strategy": int(str(index)),
                "weights": dict(zip(outputs, (float(row[n]) for n in weights), strict=True)),
                "thresholds": {f.name: float(row[f.name]) for f in dataclasses.fields(Thresholds)},
                "past": {n: float(row[n]) for n in PAST_FIGURES},
            }
            for index, row in frame.iterrows()
        ],
    }


def _market(results: Results, warm_ups: list[int]) -> dict[str, object]:
    experiment, bars = results.experiment, results.bars
    return {
        "symbol": bars.symbol,
        "interval_ms": bars.interval_ms,
        **({} if bars.calendar == ALWAYS else {"calendar": bars.calendar}),
        "quote_volume": bars.quote_volume is not None,
        "trades": bars.trades is not None,
        "warm_up": max(*warm_ups, _costs_warm_up(results)),
        "windows": {name: list(getattr(experiment.windows, name)) for name in experiment.windows.named},
        "own_files": [{"file": Path(path).name, "sha256": file_sha256(path)} for path in experiment.own],
    }


def _costs_warm_up(results: Results) -> int:
    """Bars before the costs of a bar are known as they are in the run."""
    terms, bars = results.experiment.costs.terms, results.bars
    # days before the first whole one are out of the median and of the deviation by then
    return (terms.impact_days + 2) * bars.bars_a_day if terms.impact else 0


def _past(results: Results) -> dict[str, object]:
    rows = [row for row in results.ensembles.rows if row.window == "past"]
    return {
        "window": list(results.experiment.windows.past),
        "tiers": {row.name: row.figures for row in rows},
    }


def _label(results: Results, name: str, given: dict[str, Any], folder: Path, onnx: bool) -> dict[str, object]:
    """Write features and classifier of a label; its entry in ``labels.json``."""
    feature_set = results.features.of(name).feature_set
    _write_json(folder / "feature_sets" / f"{name}.json", feature_set.to_dict())
    files = results.classifiers.networks[name]
    target = folder / "classifiers" / name
    write_files(files, target)
    network = parse(_Network, files["network.json"])
    if onnx:
        from labelsearch.classifiers.files import network_from_files
        from labelsearch.classifiers.onnx_file import write_onnx

        try:
            write_onnx(network_from_files(files), network.n_features, target / "classifier.onnx", network.head)
        except ValueError as error:
            raise RunError(str(error)) from None
    return {
        "name": name,
        "kind": given["kind"],
        "network": network.kind,
        "warm_up": feature_set.warm_up + int(network.options.get("window", 1)) - 1,
    }


@dataclasses.dataclass(frozen=True)
class _Network:
    """What is read of ``network.json``."""

    kind: str
    n_features: int
    options: Options
    head: str = "classes"


def _check(results: Results, out: Path) -> None:
    """Raise `RunError` if there is something in the way of a bundle; own files are active then."""
    if out.exists():
        raise RunError(f"{out} exists already")
    results.experiment.activate()
    if results.experiment.compares_markets:
        raise RunError("labels or features compare the markets of a panel, and a bundle follows one market alone")


def export_bundle(results: Results, tier: int | None, out: Path, *, onnx: bool = False) -> Path:
    """Write the bundle of one tier, and of the smaller ones it holds, into the new folder ``out``.

    ``market.json``, ``labels.json``, ``strategies.json``, ``past.json``, ``feature_sets/<label>.json``,
    ``classifiers/<label>/`` (safetensors and JSON), ``experiment.toml``, ``schema.json`` with what each JSON file may
    hold, and ``manifest.json`` with the SHA-256 of every other file. The user's own indicators are named by checksum;
    their code stays where it is.

    Parameters
    ----------
    results : Results
        Of a run with all stages done.
    tier : int or None
        Size of the tier; None for the largest.
    out : Path
    onnx : bool
        Also write each classifier as ``classifiers/<label>/classifier.onnx``.

    Raises
    ------
    RunError
        If the run has no such tier or compares markets, or ``out`` exists already.
    """
    _check(results, out)
    strategies = _strategies(results, tier)

    def write(folder: Path) -> None:
        names = zip(results.experiment.label_kinds(), results.experiment.label, strict=True)
        labels = [
            {
                **_label(results, label.name, given, folder, onnx),
                "options": dataclasses.asdict(label),  # type: ignore[call-overload]
                "lookahead": label.lookahead,
            }
            for label, given in names
        ]
        _write_json(folder / "labels.json", labels)
        _write_json(folder / "strategies.json", strategies)
        _write_json(folder / "market.json", _market(results, [int(str(label["warm_up"])) for label in labels]))
        _write_json(folder / "past.json", _past(results))
        _write_json(folder / "schema.json", whole_schema())
        (folder / "experiment.toml").write_text(results.experiment.to_toml())
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        manifest = {
            "format": FORMAT_VERSION,
            "labelsearch": __version__,
            "run": results.name,
            "tier": len(strategies["strategies"]),  # type: ignore[arg-type]
            "stages": {name: event["key"] for name, event in results.done.items()},
            "sha256": {
                path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
            },
        }
        _write_json(folder / MANIFEST, manifest)
        verify_bundle(folder)

    write_atomically(out, write)
    return out
