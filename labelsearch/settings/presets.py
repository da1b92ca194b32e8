"""Ready experiments."""

from labelsearch.settings.experiment import Experiment
from labelsearch.settings.schema import Plain

# Balcerak & Schmelzer (2020) literally: features scaled locally, one network per label, 20,000 strategies.
PAPER: Plain = {
    "name": "paper",
    "feature_space": {"normalisation": "local", "window": 1440},
    "network": {"n_seeds": 1, "folds": 1},
    "tiers": {"most_alike": 1.0},
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
    "network": {"n_neutral": 20_000, "n_trials": 3, "max_epochs": 6, "batch_size": 2048, "n_seeds": 2},
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
    "network": {"n_neutral": 10_000, "n_trials": 2, "max_epochs": 4, "batch_size": 1024, "n_seeds": 2},
    "search": {"n_strategies": 500, "island_size": 250},
    "tiers": {"controls": []},  # the account over all cells has none
    "null": {"repeats": 0},
    "label": [
        {"kind": "threshold", "theta": 0.002, "horizon": "30m"},
        {"kind": "threshold", "theta": 0.004, "horizon": "2h"},
    ],
}

# A neutral book of perpetual futures at four hours, which needs bars and funding of them in the store: what differs
# between markets is labelled, seen and ranked. Chosen on the years 2021 to 2023 of 29 perpetuals.
NEUTRAL: Plain = {
    "name": "neutral",
    "data": {
        "symbols": [
            "AAVEUSDT", "ADAUSDT", "ALGOUSDT", "APTUSDT", "ARBUSDT", "ATOMUSDT", "AVAXUSDT", "BCHUSDT", "BNBUSDT",
            "BTCUSDT", "DOGEUSDT", "DOTUSDT", "ETCUSDT", "ETHUSDT", "FILUSDT", "ICPUSDT", "INJUSDT", "LINKUSDT",
            "LTCUSDT", "NEARUSDT", "OPUSDT", "RUNEUSDT", "SEIUSDT", "SOLUSDT", "SUIUSDT", "TIAUSDT", "TRXUSDT",
            "UNIUSDT", "XRPUSDT",
        ],
        "interval": "4h",
    },
    "windows": {
        "train": ("2020-02-01", "2020-08-26"),
        "past": ("2020-09-01", "2020-12-26"),
        "future": ("2021-01-01", "2021-12-31"),
        "validation_share": 0.1,
    },
    "roll": {"step": "1y", "splits": 4, "train": "expanding"},
    "pool": {"classifiers": True},
    "universe": {"size": 20},
    "book": {"kind": "neutral"},
    "costs": {"venue": "binance-perp", "half_spread": 0.0001},
    "feature_space": {
        "normalisation": "rank",
        "parts": 3,
        "indicators": [
            "price_to_sma_short", "price_to_sma_medium", "price_to_sma_long", "momentum_short", "momentum_long",
            "stochastic_short", "stochastic_long", "bollinger", "cci", "aroon", "efficiency", "volatility_ratio",
            "semivariance", "volume_activity", "signed_volume", "money_flow", "chaikin", "beta_free_short",
            "beta_free_long", "basket_distance", "basket_beta", "basket_correlation", "residual_level",
            "volatility_level", "range_level", "value_level", "value_ratio", "skewness", "from_high", "funding_mean",
            "funding_change",
        ],
    },
    "network": {"kind": "linear", "n_trials": 4, "max_epochs": 12},
    "search": {
        "side": "both",
        "signed": True,
        "theta_buy": (0.4, 0.5),
        "theta_sell": (0.5, 0.6),
        "delta": (0.0, 0.02),
    },
    "null": {"repeats": 9, "n_strategies": 500},
    "label": [{"kind": "relative", "share": 0.3, "horizon": horizon} for horizon in ("12h", "24h", "48h", "96h")],
}  # fmt: skip

PRESETS = {"paper": PAPER, "quick": QUICK, "panel": PANEL, "neutral": NEUTRAL}


def preset(name: str) -> Experiment:
    """Experiment of a named preset."""
    return Experiment.from_dict(PRESETS[name], f"preset {name}")
