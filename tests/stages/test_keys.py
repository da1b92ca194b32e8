"""Keys cannot forget: whatever is changed in an experiment, a run beside others ends as one by itself does."""

import copy
import shutil
from pathlib import Path

import pytest

from labelsearch.results.run import STAGE_NAMES
from labelsearch.settings.experiment import SECTIONS, Experiment
from tests.running import run_experiment

# as little as goes through all stages: every change below is run twice
SMALL = {
    "name": "small",
    "seed": 3,
    "data": {"source": "synthetic", "symbol": "SYNTH", "edge": 0.15, "market_seed": 5},
    "windows": {
        "train": ["2018-01-01", "2018-01-08"],
        "past": ["2018-01-10", "2018-01-13"],
        "future": ["2018-01-15", "2018-01-18"],
    },
    "feature_space": {"indicators": ["bollinger", "momentum_short", "rsi_short"]},
    "separation": {"n_pairs": 800, "n_values": 2, "n_restarts": 1, "n_shifts": 9},
    "network": {"n_neutral": 800, "n_trials": 1, "max_epochs": 2, "batch_size": 512, "n_seeds": 1},
    "search": {"n_strategies": 40, "island_size": 20},
    "costs": {
        "venue": "okx-perp",
        "funding": "base",
        "impact": 0.5,
        "capital": 1e4,
        "impact_days": 5,
        "borrow": 1e-3,
        "maker_share": 0.5,
    },
    "tiers": {"sizes": [8, 3]},
    "null": {"repeats": 0},
    "label": [
        {"kind": "threshold", "theta": 0.001, "horizon": 5},
        {"kind": "magnitude", "horizon": 5, "span": 60, "head": "magnitude"},
    ],
}
# another value of every key
CHANGES = {
    "seed": 4,
    "data.symbol": "OTHER",
    "data.edge": 0.1,
    "data.market_seed": 6,
    "windows.train": ["2018-01-02", "2018-01-08"],
    "windows.past": ["2018-01-10", "2018-01-12"],
    "windows.future": ["2018-01-16", "2018-01-18"],
    "windows.validation_share": 0.3,
    "tiers.most_alike": 0.4,
    "labels.price": "vwap",
    "feature_space.indicators": ["bollinger", "momentum_short"],
    "feature_space.normalisation": "local",
    "feature_space.window": 720,
    "feature_space.gain": 2.0,
    "feature_space.parts": 2,
    "separation.n_pairs": 700,
    "separation.n_values": 3,
    "separation.n_restarts": 2,
    "separation.n_shifts": 17,  # no p-value of 18 is one of 10
    "separation.exact": True,
    "separation.criterion": "contrast",
    "network.kind": "tcn",
    "network.window": 16,
    "network.loss": "ensloss",
    "network.magnitude_loss": "huber",
    "network.sign_penalty": 1.0,
    "network.n_seeds": 2,
    "network.bag": "blocks",
    "network.folds": 2,
    "network.early_exit": 0.9,
    "network.calibration": "temperature",
    "network.n_neutral": 700,
    "network.n_trials": 2,
    "network.search_rows": 300,
    "network.max_epochs": 1,
    "network.batch_size": 256,
    "network.device": "auto",
    "search.n_strategies": 41,
    "search.island_size": 16,
    "search.sampler": "random",
    "search.random_share": 0.5,
    "search.budget": "prefix",
    "search.signal_map": "clip",
    "search.side": "both",
    "search.signed": True,
    "costs.venue": "kraken-perp",
    "costs.maker": 0.001,
    "costs.taker": 0.001,
    "costs.maker_share": 0.4,
    "costs.half_spread": 0.001,
    "costs.spread": "estimated",
    "costs.impact": 1.0,
    "costs.capital": 2e4,
    "costs.impact_days": 6,
    "costs.funding": "none",
    "costs.funding_rate": 0.0002,
    "costs.borrow": 0.002,
    "search.weight": [-0.5, 1.0],
    "search.theta_buy": [0.6, 1.0],
    "search.theta_sell": [0.0, 0.4],
    "search.delta": [0.05, 0.3],
    "score.rate": "volatility",
    "score.target_trades": 60.0,
    "score.target_position_pct": 40.0,
    "score.position_weight": 1.0,
    "tiers.sizes": [6, 3],
    "tiers.ranking": "return",
    "tiers.capital": "inverse_volatility",
    "tiers.controls": ["greedy", "ridge"],
    "label": [{"kind": "threshold", "theta": 0.0015, "horizon": 10}],
}
# keys that change no stage: names, files of the user's own (their contents count), the null study, one kind of score;
# those that a generated market does not have; halves, which need more days (tests/stages/test_unlike.py); and those of
# panels: which cells there are, and what compares them
ELSEWHERE = {
    "name", "own", "null.repeats", "null.n_strategies", "data.source", "data.interval", "data.intervals",
    "data.calendar", "score.kind", "search.past",
    "data.symbols", "data.market_start", "roll.step", "roll.splits", "roll.last", "roll.train", "roll.refit",
    "roll.hyperparameters", "pool.classifiers", "pool.strategies", "feature_space.relative",
    "separation.kind_weights", "separation.n_bars", "separation.n_features", "separation.subset",
    *(
        f"{section}.{name}" for section in ("universe", "book", "label_space")
        for name in SECTIONS[section].__dataclass_fields__
    ),
}  # fmt: skip
QUICK = ("windows.future", "windows.train", "score.rate")


def changed(key: str) -> Experiment:
    data = copy.deepcopy(SMALL)
    place, value = data, CHANGES[key]
    *sections, name = key.split(".")
    for section in sections:
        place = place.setdefault(section, {})
    place[name] = value
    if key in ("network.bag", "network.early_exit"):
        place["n_seeds"] = 2
    return Experiment.from_dict(data)


def contents(folder: Path) -> dict[str, bytes]:
    """All files of all stages."""
    paths = (path for name in STAGE_NAMES for path in (folder / name).rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def beside(tmp_path_factory) -> Path:
    """A folder of runs with the unchanged experiment in it."""
    root = tmp_path_factory.mktemp("beside")
    run_experiment(Experiment.from_dict(SMALL), root / "runs", root / "store", workers=1)
    return root


def test_every_key_has_another_value():
    keys = {f"{section}.{name}" for section, kind in SECTIONS.items() for name in kind.__dataclass_fields__}
    keys |= {f"score.{name}" for name in Experiment().score} | {"name", "seed", "own", "label"}
    assert set(CHANGES) == keys - ELSEWHERE
    assert len({changed(key).digest for key in CHANGES} | {Experiment.from_dict(SMALL).digest}) == len(CHANGES) + 1


def check(key: str, beside: Path, tmp_path: Path) -> None:
    """Run the changed experiment beside the other one and by itself, and compare all bytes."""
    experiment = changed(key)
    together = run_experiment(experiment, beside / "runs", beside / "store", workers=1)
    alone = run_experiment(experiment, tmp_path / "runs", tmp_path / "store", workers=1)
    first, second = contents(together), contents(alone)
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []
    original = contents(beside / "runs" / Experiment.from_dict(SMALL).run_id)
    assert first != original or key in ("network.window", "network.device", "feature_space.window", "data.symbol")
    shutil.rmtree(together)


@pytest.mark.parametrize("key", QUICK)
def test_a_change_beside_another_run_ends_as_alone(key, beside, tmp_path):
    check(key, beside, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("key", [key for key in CHANGES if key not in QUICK])
def test_any_change_beside_another_run_ends_as_alone(key, beside, tmp_path):
    check(key, beside, tmp_path)


def test_a_further_indicator_changes_the_keys_that_depend_on_it(beside, monkeypatch):
    """With ``indicators = []`` all that are known are candidates, so that a new one is an input."""
    from feature_space import indicators
    from labelsearch.engine.key import digest
    from labelsearch.stages.plan import RunValues

    experiment = Experiment.from_dict({**SMALL, "feature_space": {}})
    before = digest(RunValues(experiment, beside)["candidates"])
    extra = indicators.INDICATORS[0]
    monkeypatch.setitem(indicators.BY_NAME, "one_more", type(extra)(**{**vars(extra), "name": "one_more"}))
    assert digest(RunValues(experiment, beside)["candidates"]) != before
