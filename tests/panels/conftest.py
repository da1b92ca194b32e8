import pytest

from labelsearch.settings.experiment import Experiment

SMALL = {
    "name": "small",
    "seed": 3,
    "data": {"source": "synthetic", "symbols": ["AAA", "BBB"], "interval": "15m", "edge": 0.2, "market_seed": 5},
    "windows": {
        "train": ["2018-01-01", "2018-02-05"],
        "past": ["2018-02-07", "2018-02-16"],
        "future": ["2018-02-18", "2018-02-24"],
    },
    "roll": {"step": "7d", "splits": 2},
    "feature_space": {"indicators": ["price_to_sma_short", "macd"]},
    "separation": {"n_pairs": 800, "n_values": 2, "n_restarts": 1, "n_shifts": 9},
    "network": {"n_neutral": 2000, "n_trials": 1, "max_epochs": 2, "batch_size": 512, "n_seeds": 1},
    "search": {"n_strategies": 120, "island_size": 60},
    "tiers": {"sizes": [10, 4]},
    "null": {"repeats": 0},
    "label": [
        {"kind": "threshold", "theta": 0.003, "horizon": "1h"},
        {"kind": "extrema", "up": 0.3, "down": 0.03},
    ],
}


def small(**changes) -> Experiment:
    """The small panel with other keys in its sections."""
    data = {k: {**v} if isinstance(v, dict) else v for k, v in SMALL.items()}
    for name, value in changes.items():
        data[name] = {**data.get(name, {}), **value} if isinstance(value, dict) else value
    return Experiment.from_dict(data)


@pytest.fixture(scope="session")
def small_panel(tmp_path_factory):
    """Folder of runs with the small panel, run in this process."""
    from labelsearch.panels.run import open_panel

    runs = tmp_path_factory.mktemp("panel")
    with open_panel(small(), runs, runs / "store") as run:
        run.do()
    return run.folder
