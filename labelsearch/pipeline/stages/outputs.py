"""Stage: the buy and sell probabilities of every classifier, bar by bar, on past and future."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from feature_space.feature_set import FeatureSet
from labelsearch.pipeline.context import Context
from labelsearch.pipeline.stages import features as feature_stage

BUY_AND_SELL = (0, 2)


class WindowOutputs(NamedTuple):
    """What strategies see of a window: T traded bars, K = 2 x labels outputs (buy, sell of each label)."""

    outputs: NDArray[np.float64]  # (T, K)
    open: NDArray[np.float64]  # (T,)
    close: NDArray[np.float64]  # (T,)
    open_time: NDArray[np.int64]  # (T,) milliseconds since the epoch


def run(context: Context, folder: Path) -> dict[str, Any]:
    """Write ``past.npz`` and ``future.npz``."""
    from labelsearch.classifiers.files import load_network
    from labelsearch.classifiers.prediction import predict

    labels = context.experiment.label_kinds()
    rows = {w: context.rows(w) for w in ("past", "future")}
    origin = int(context.bars.open_time[0]) // context.experiment.data.interval_ms  # as it is when followed live
    outputs = {w: np.empty((r.stop - r.start, 2 * len(labels)), dtype=np.float32) for w, r in rows.items()}
    context.progress("outputs", 0, len(labels))
    for index, label in enumerate(labels):
        feature_set = FeatureSet.from_dict(feature_stage.load(context, label.name)["feature_set"])
        network = load_network(context.stage("classifiers") / label.name)
        matrix = feature_set.matrix(context.inputs)
        for window, r in rows.items():
            # windows may reach back
            probabilities = predict(network, matrix, np.arange(r.start, r.stop), origin=origin)
            outputs[window][:, 2 * index : 2 * index + 2] = probabilities[:, BUY_AND_SELL]
        context.progress("outputs", index + 1, len(labels))
    for window, r in rows.items():
        traded = ~context.bars.filled[r]
        np.savez(
            folder / f"{window}.npz",
            outputs=outputs[window][traded],
            open=context.bars.open[r][traded],
            close=context.bars.close[r][traded],
            open_time=context.bars.open_time[r][traded],
        )
    return {}


def load(context: Context, window: str) -> WindowOutputs:
    """Outputs and prices of the traded bars of a window."""
    with np.load(context.stage("outputs") / f"{window}.npz") as file:
        return WindowOutputs(file["outputs"].astype(np.float64), file["open"], file["close"], file["open_time"])
