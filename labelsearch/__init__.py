"""Label-and-feature-space search for market-state classifier ensembles.

`open_run` opens a finished run as pandas objects; the other functions are the stages of a run, one each, and the
classes are their settings. All are loaded when they are asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labelsearch.delivery.notebook import Run as Run
    from labelsearch.delivery.notebook import open_run as open_run
    from labelsearch.labels.kinds import make_label as make_label
    from labelsearch.pipeline.frames import choose_features as choose_features
    from labelsearch.pipeline.frames import compute_features as compute_features
    from labelsearch.pipeline.frames import form_tiers as form_tiers
    from labelsearch.pipeline.frames import judge_tiers as judge_tiers
    from labelsearch.pipeline.frames import label_bars as label_bars
    from labelsearch.pipeline.frames import predict as predict
    from labelsearch.pipeline.frames import search_strategies as search_strategies
    from labelsearch.pipeline.frames import train_classifier as train_classifier
    from labelsearch.pipeline.sections import FeatureSpace as FeatureSpace
    from labelsearch.pipeline.sections import Network as Network
    from labelsearch.pipeline.sections import Score as Score
    from labelsearch.pipeline.sections import Search as Search
    from labelsearch.pipeline.sections import Separation as Separation

__version__ = "0.1.0"

_HOMES = {
    "labelsearch.delivery.notebook": ("Run", "open_run"),
    "labelsearch.labels.kinds": ("make_label",),
    "labelsearch.pipeline.frames": (
        "label_bars", "choose_features", "compute_features", "train_classifier", "predict", "search_strategies",
        "form_tiers", "judge_tiers",
    ),
    "labelsearch.pipeline.sections": ("FeatureSpace", "Network", "Score", "Search", "Separation"),
}  # fmt: skip


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module 'labelsearch' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *(name for names in _HOMES.values() for name in names)])
