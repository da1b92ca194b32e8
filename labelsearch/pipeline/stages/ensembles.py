"""Stage: tiers of the best strategies by past score, judged on past and on future."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labelsearch.pipeline import belief
from labelsearch.pipeline.context import Context
from labelsearch.pipeline.stages import outputs as output_stage
from labelsearch.pipeline.stages import search as search_stage
from strategies.budget import evaluate_population
from strategies.ensemble import Curve, buy_and_hold, combine, tiers
from strategies.metrics import measure
from strategies.selection_bias import placebo_shift, rank_correlation, verdict

MARKET = "buy and hold"


def judge_window(
    context: Context, window: str, params: NDArray[np.float64], sizes: tuple[int, ...], folder: Path
) -> tuple[list[dict[str, Any]], float]:
    """Table rows of all tiers and of the market in one window; writes their curves. Params are best first."""
    from strategies.backtest import backtest  # loads vectorbt

    asked = search_stage.problem(context, window)
    tested = backtest(
        params,
        asked.outputs,
        asked.open,
        asked.close,
        fee=asked.fee,
        slippage=asked.slippage,
        short=asked.short,
        signal_map=asked.space.signal_map,
    )
    curves = {f"Top-{n}": combine(tested.equity[:, :n], tested.position[:, :n]) for n in sizes}
    fills = {f"Top-{n}": float(tested.fills[:n].mean()) for n in sizes}
    curves[MARKET], fills[MARKET] = buy_and_hold(asked.open, asked.close, belief.market_fee(asked)), 1.0
    open_time = output_stage.load(context, window).open_time
    rows = []
    for name, curve in curves.items():
        figures = measure(curve.equity, curve.position, open_time, months=asked.months, fills=fills[name])
        rows.append({"tier": name, "window": window, **figures._asdict()})
    _write_curves(curves, open_time, folder / f"curves_{window}.parquet")
    return rows, tested.difference


def _write_curves(curves: dict[str, Curve], open_time: NDArray[np.int64], path: Path) -> None:
    columns = {"open_time": open_time.astype("datetime64[ms]")}
    for name, curve in curves.items():
        columns[f"{name} equity"], columns[f"{name} position"] = curve.equity, curve.position
    pd.DataFrame(columns).to_parquet(path, compression="zstd")


def run(context: Context, folder: Path) -> dict[str, Any]:
    """Write the tiers and how far to believe them.

    Files: ``tiers.json``, ``belief.json``, ``future.parquet`` (every strategy's future figures), and the curves of
    both windows.
    """
    settings = context.experiment.tiers
    sizes = tuple(sorted(settings.sizes, reverse=True))
    population = search_stage.load(context)
    past = search_stage.problem(context, "past")
    params = population[list(past.space.names)].to_numpy()
    score = population["score"].to_numpy()
    members = tiers(search_stage.ranking(context, population), sizes)
    best = params[members[sizes[0]]]
    rows, _ = judge_window(context, "past", best, sizes, folder)
    context.progress("ensembles", 1, 5)

    future = search_stage.problem(context, "future")
    later = evaluate_population(future, params)
    pd.DataFrame(later).to_parquet(folder / "future.parquet", compression="zstd")
    context.progress("ensembles", 2, 5)
    more, _ = judge_window(context, "future", best, sizes, folder)
    context.progress("ensembles", 3, 5)
    placebo = placebo_shift(
        best,
        future.outputs,
        future.open,
        future.close,
        fee=future.fee,
        slippage=future.slippage,
        short=future.short,
        signal_map=future.space.signal_map,
        sizes=sizes,
        n_shifts=settings.n_shifts,
        seed=context.seed("placebo"),
    )
    context.progress("ensembles", 4, 5)
    positive = score > 0
    result = {
        "members": {str(n): index.tolist() for n, index in members.items()},
        "table": rows + more,
        "n_strategies": len(population),
        "rank_correlation": {
            "all": rank_correlation(score, later["monthly_return"])._asdict(),
            "positive": (
                rank_correlation(score[positive], later["monthly_return"][positive])._asdict()
                if positive.sum() > 2
                else None
            ),
            "n_positive": int(positive.sum()),
        },
        "placebo": {"n_shifts": settings.n_shifts, "p_value": {str(n): p for n, p in placebo.p_value.items()}},
        "verdict": verdict(placebo.p_value),
    }
    (folder / "tiers.json").write_text(json.dumps(result, indent=1))
    times = {window: output_stage.load(context, window).open_time for window in ("past", "future")}
    believed = belief.judge(context, population, members, {"past": past, "future": future}, times)
    (folder / "belief.json").write_text(json.dumps(believed, indent=1))
    context.progress("ensembles", 5, 5)
    return {}


def load_future(context: Context) -> pd.DataFrame:
    """Future figures of every strategy, in the order of the search."""
    return pd.read_parquet(context.stage("ensembles") / "future.parquet")


def load(context: Context) -> dict[str, Any]:
    """What this stage found."""
    return json.loads((context.stage("ensembles") / "tiers.json").read_text())
