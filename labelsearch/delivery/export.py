"""Export the winners of a run: JSON and safetensors with a manifest of checksums, nothing that executes."""

import dataclasses
from pathlib import Path

from labelsearch.delivery.bundle_writing import (
    check_out,
    costs_warm_up,
    days_of_windows,
    label_entries,
    own_files,
    write_bundle,
    write_classifier,
    write_json,
)
from labelsearch.engine.run import RunError
from labelsearch.live.bundle_files import Thresholds
from labelsearch.market.calendars import ALWAYS
from labelsearch.results.run import Results

PAST_FIGURES = (
    "score", "monthly_return_pct", "trades_per_month", "mean_position_pct", "max_drawdown_share", "fills",
)  # fmt: skip


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
        "warm_up": max(*warm_ups, costs_warm_up(experiment.costs.terms, bars.bars_a_day)),
        "windows": days_of_windows(experiment.windows),
        "own_files": own_files(experiment),
    }


def _past(results: Results) -> dict[str, object]:
    found = results.ensembles  # controls are no part of a bundle
    rows = [row for row in found.rows if row.window == "past" and row.name not in found.controls]
    return {
        "window": list(results.experiment.windows.past),
        "tiers": {row.name: row.figures for row in rows},
    }


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
    experiment = results.experiment
    check_out(experiment, out)
    if experiment.compares_markets:
        raise RunError("labels or features compare the markets of a panel, and this bundle follows one market alone")
    strategies = _strategies(results, tier)

    def write(folder: Path) -> None:
        networks, warm_ups = [], []
        for label in experiment.label_kinds():
            feature_set = results.features.of(label.name).feature_set
            write_json(folder / "feature_sets" / f"{label.name}.json", feature_set.to_dict())
            target = folder / "classifiers" / label.name
            network = write_classifier(results.classifiers.networks[label.name], target, onnx=onnx)
            networks.append(network.kind)
            warm_ups.append(feature_set.warm_up + network.window - 1)
        write_json(folder / "labels.json", label_entries(experiment, networks, warm_ups))
        write_json(folder / "strategies.json", strategies)
        write_json(folder / "market.json", _market(results, warm_ups))
        write_json(folder / "past.json", _past(results))

    n_strategies = len(strategies["strategies"])  # type: ignore[arg-type]
    keys = {name: event["key"] for name, event in results.done.items()}
    return write_bundle(out, experiment, results.name, n_strategies, keys, write)
