"""A scan of features: against SciPy, on train alone, calibrated without an edge, and with one that is found."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from feature_space.feature_set import Feature
from labelsearch.market.bars import Bars
from labelsearch.market.store import Store
from labelsearch.results.scan import ALL
from labelsearch.settings.bars import bars_of
from labelsearch.settings.experiment import Experiment
from labelsearch.settings.schema import ExperimentError
from labelsearch.stages.features import inputs_of
from labelsearch.studies.scan import Asked, scan
from strategies.luck.rank_scan import adjusted

LABELS = [
    {"kind": "threshold", "theta": 0.01, "horizon": 1},
    {"kind": "threshold", "theta": 0.02, "horizon": 12},
    {"kind": "extrema", "up": 2.0, "down": 0.2},
]
FEW = {"indicators": ["momentum_short", "price_to_sma_medium", "volatility_ratio", "trade_activity"]}


def experiment(seed: int = 3, *, n: int = 2, edge: float = 0.0, days: str = "2018-05-10", **more) -> Experiment:
    plain = {
        "data": {
            "source": "synthetic", "symbols": [f"M{m}" for m in range(n)], "interval": "1h", "edge": edge,
            "market_seed": seed,
        },
        "windows": {
            "train": ["2018-01-01", days], "past": ["2018-08-01", "2018-08-10"], "future": ["2018-08-20", "2018-08-30"],
        },
        "feature_space": FEW,
        "label": LABELS,
    }  # fmt: skip
    return Experiment.from_dict({**plain, **more})


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return scan(experiment(), tmp_path_factory.mktemp("store"), Asked(horizons=(1, 12)))


def test_a_correlation_is_spearmans_but_for_what_a_short_sample_bends(found, tmp_path):
    loaded = experiment()
    bars = bars_of(loaded.data.of("M1"), tmp_path, *loaded.windows.train).on_grid()
    label = loaded.label_kinds()[2].values(bars.close, 1.0)
    settled = np.flatnonzero(label.settled[: len(bars) - 12])
    for name, parameters, target in (("momentum_short", (3,), "return_12"), ("price_to_sma_medium", (30,), "return_1")):
        feature = Feature(name, parameters)
        horizon = int(target.partition("_")[2])
        rows = settled[settled >= feature.warm_up]
        later = np.log(bars.close[rows + horizon] / bars.close[rows])
        expected = spearmanr(feature.raw(inputs_of(bars))[rows], later).statistic
        (row,) = (r for r in found.rows if (r.market, r.feature, r.target) == ("M1", feature.title, target))
        assert row.rho == pytest.approx(expected, abs=0.02)
        assert row.low < row.rho < row.high


def test_what_is_tested(found):
    assert [target.name for target in found.targets] == [
        *(label.name for label in experiment().label_kinds()), "return_1", "return_12",
    ]  # fmt: skip
    assert [target.ahead for target in found.targets] == [True, True, False, True, True]
    assert found.markets == ("M0", "M1")
    assert {row.market for row in found.rows} == {ALL, "M0", "M1"}
    assert len(found.rows) + found.skipped == 3 * found.n_features * len(found.targets)
    assert not found.short
    for pooled in (True, False):
        for ahead in (True, False):
            rows = found.family(pooled=pooled, ahead=ahead)
            again = adjusted(np.array([row.p for row in rows]))
            np.testing.assert_allclose([row.adjusted for row in rows], again, rtol=1e-12)
            assert [row.p for row in rows] == sorted(row.p for row in rows)
    # labels of turning points hold the past: no edge is needed to find them
    assert found.discoveries(found.family(pooled=True, ahead=False))


def test_nothing_after_train_is_read(tmp_path):
    """Whatever comes after train, and whether a market lives on, changes no bit."""
    data = {"symbols": ["M0", "M1"], "interval": "1h"}
    whole, cut, loaded = tmp_path / "whole", tmp_path / "cut", experiment()
    for name in ("M0", "M1"):
        bars = bars_of(loaded.data.of(name), tmp_path, "2018-01-01", "2018-08-30")
        Store(whole).add(bars)
        Store(cut).add(bars.between(None, int(np.datetime64("2018-05-11", "ms").astype(np.int64))))
    alone = experiment(data=data)
    assert scan(alone, whole, Asked(horizons=(5,))) == scan(alone, cut, Asked(horizons=(5,)))


def test_markets_that_cannot_be_scanned_are_named(tmp_path):
    loaded = experiment()
    bars = bars_of(loaded.data.of("M0"), tmp_path, "2018-01-01", "2018-08-30")
    Store(tmp_path).add(bars)
    late = bars.between(int(np.datetime64("2018-03-01", "ms").astype(np.int64)))
    columns = {name: getattr(late, name) for name in ("open", "high", "low", "close", "volume")}
    Store(tmp_path).add(Bars("LATE", late.interval_ms, late.open_time, **columns))
    alone = experiment(data={"symbols": ["M0", "LATE", "NONE"], "interval": "1h"})
    found = scan(alone, tmp_path, Asked())
    assert found.markets == ("M0",)
    assert found.absent["LATE"] == "lacks bars of train"
    assert "NONE" in found.absent["NONE"]
    assert {row.market for row in found.rows} == {"M0"}
    for wrong, asked, words in (
        (
            experiment(data={"symbols": ["LATE", "NONE"], "interval": "1h"}),
            Asked(),
            "no market to scan: LATE lacks bars",
        ),
        (alone, Asked(split=2), "no split 2"),
        (experiment(days="2018-01-20", feature_space={"indicators": ["rsi_long"]}), Asked(), "fewer than 5 blocks"),
        (experiment(days="2018-01-20"), Asked(horizons=(6000,)), "returns look 6,000 ahead"),
    ):
        with pytest.raises(ExperimentError, match=words):
            scan(wrong, tmp_path, asked)


def test_features_with_a_warm_up_longer_than_train_are_named(tmp_path):
    space = {"indicators": ["momentum_short", "rsi_long"]}
    found = scan(experiment(days="2018-02-20", feature_space=space), tmp_path, Asked())
    assert "rsi_long(120)" in found.short
    assert not set(found.short) & {row.feature for row in found.rows}
    assert {row.feature for row in found.rows} >= {"momentum_short(1)", "momentum_short(10)"}


def false_discoveries(seeds, tmp_path) -> list[int]:
    """Discoveries against later moves in markets whose returns cannot be foretold, scan by scan."""
    counts = []
    for seed in seeds:
        found = scan(experiment(1000 + 2 * seed), tmp_path, Asked(horizons=(1, 6, 24)))
        counts.append(sum(len(found.discoveries(found.family(pooled=p, ahead=True))) for p in (True, False)))
    return counts


def test_without_an_edge_hardly_anything_is_found(tmp_path):
    assert sum(n > 0 for n in false_discoveries(range(6), tmp_path)) <= 1


@pytest.mark.slow
def test_share_of_scans_with_a_false_discovery(tmp_path):
    """Two families at .1 each: at most a fifth of scans, by chance up to a fourth."""
    assert np.mean([n > 0 for n in false_discoveries(range(80), tmp_path)]) <= 0.25


def test_a_planted_edge_is_found(tmp_path):
    found = scan(experiment(edge=0.15, n=3), tmp_path, Asked(horizons=(1, 6)))
    rows = found.discoveries(found.family(pooled=True, ahead=True))
    assert {"momentum_short", "price_to_sma_medium"} <= {row.feature.partition("(")[0] for row in rows}
    assert all(row.rho > 0 for row in rows if row.feature.startswith("momentum_short"))  # the drift goes on
