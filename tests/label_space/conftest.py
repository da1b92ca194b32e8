"""A small market with a planted edge for the search over labels."""

import numpy as np
import pytest

from feature_space.feature_set import warm_up_of
from feature_space.indicators import BY_NAME
from feature_space.normalise import Normalisation
from labelsearch.label_space.market import SpaceMarket, shared_features
from labelsearch.labels.spans import DAY_MS
from labelsearch.market.resample import resample
from labelsearch.market.synthetic import synthetic_bars
from labelsearch.stages.features import inputs_of

NAMES = ("momentum_short", "momentum_long", "volatility_ratio", "price_to_sma_medium")


def space_market(seed: int, n_minutes: int = 150_000, edge: float = 0.2) -> SpaceMarket:
    """Quarters of an hour of a generated market."""
    bars = resample(synthetic_bars(n_minutes, seed, edge=edge), 900_000).on_grid()
    indicators = tuple(BY_NAME[name] for name in NAMES)
    normalisation = Normalisation("train", 1440, 1.0)
    first = warm_up_of(indicators, normalisation)
    features = shared_features(
        indicators, inputs_of(bars), normalisation, n_values=3, fit_stop=len(bars), first=first, threads=1
    )
    usable = ~bars.filled
    usable[:first] = False
    return SpaceMarket(features, bars.close, bars.open, bars.open_time // DAY_MS, usable, 96, 0.0005)


@pytest.fixture(scope="session")
def market() -> SpaceMarket:
    return space_market(5)


def seed(*names: object) -> int:
    return int(np.random.default_rng([len(str(name)) + ord(str(name)[-1]) for name in names]).integers(1, 2**31))
