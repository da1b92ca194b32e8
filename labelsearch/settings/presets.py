"""Ready experiments."""

from labelsearch.settings.experiment import Experiment
from labelsearch.settings.schema import Plain

# Balcerak & Schmelzer (2020) literally: features scaled locally, one network per label, 20,000 strategies.
PAPER: Plain = {
    "name": "paper",
    "feature_space": {"normalisation": "local", "window": 1440},
    "network": {"n_seeds": 1},
}

# A generated market of 120 days, small budgets: the whole main job in about two minutes.
QUICK: Plain = {
    "name": "quick",
    "data": {"source": "synthetic", "symbol": "SYNTH", "edge": 0.1},
    "windows": {
        "train": ("2018-01-01", "2018-03-10"),
        "past": ("2018-03-12", "2018-04-05"),
        "future": ("2018-04-07", "2018-05-01"),
    },
    "separation": {"n_pairs": 20_000, "n_restarts": 2},
    "network": {"n_neutral": 20_000, "n_trials": 3, "max_epochs": 6, "batch_size": 2048, "n_seeds": 1},
    "search": {"n_strategies": 2000, "island_size": 400},
    "null": {"repeats": 9, "n_strategies": 400},
    "label": [
        {"kind": "threshold", "theta": 0.003, "horizon": 5},
        {"kind": "threshold", "theta": 0.006, "horizon": 60},
        {"kind": "threshold", "theta": 0.002, "horizon": 2},
        {"kind": "threshold", "theta": 0.005, "horizon": 5},
        {"kind": "threshold", "theta": 0.012, "horizon": 60},
        {"kind": "extrema", "up": 1.0, "down": 0.1},
        {"kind": "extrema", "up": 2.0, "down": 0.2},
        {"kind": "extrema", "up": 4.0, "down": 0.4},
    ],
}

# Four generated markets in two splits, each cell as small as can be: what all show together, and one market cannot.
PANEL: Plain = {
    "name": "panel",
    "data": {
        "source": "synthetic",
        "symbols": ["SYNTH-A", "SYNTH-B", "SYNTH-C", "SYNTH-D"],
        "interval": "5m",
        "edge": 0.1,
        "market_seed": 11,
    },
    "windows": {
        "train": ("2018-01-01", "2018-02-19"),
        "past": ("2018-02-21", "2018-03-12"),
        "future": ("2018-03-14", "2018-04-02"),
    },
    "roll": {"step": "20d", "splits": 2},
    "separation": {"n_pairs": 10_000, "n_values": 4, "n_restarts": 1, "n_shifts": 19},
    "network": {"n_neutral": 10_000, "n_trials": 2, "max_epochs": 4, "batch_size": 1024, "n_seeds": 1},
    "search": {"n_strategies": 500, "island_size": 250},
    "null": {"repeats": 0},
    "label": [
        {"kind": "threshold", "theta": 0.002, "horizon": "30m"},
        {"kind": "threshold", "theta": 0.004, "horizon": "2h"},
    ],
}

PRESETS = {"paper": PAPER, "quick": QUICK, "panel": PANEL}


def preset(name: str) -> Experiment:
    """Experiment of a named preset."""
    return Experiment.from_dict(PRESETS[name], f"preset {name}")
