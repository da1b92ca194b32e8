"""Names of figures in JSON: a percentage, a share, a count or a duration says so."""

import json
import re

import pytest
from click.testing import CliRunner

from labelsearch.commands import main
from labelsearch.delivery.report import write_report
from strategies.tiers.metrics import Metrics

UNITS = re.compile(
    r"n|n_.*|.*_(pct|share|bars|days|mb|per_month|pct_a_year|mass|interval|bp|loss|score|correlation|trials|scored)|"
    r"seconds|epochs|losses|.*p_value|.*score|seed|seeds"
)
PLAIN = {  # ratios, statistics, settings and names, which have no unit
    "sharpe", "sortino", "calmar", "beta", "annual", "probabilistic", "alpha_t", "beta_t", "rho", "low", "high",
    "partial", "positive", "all", "slope", "pbo", "kurtosis", "skewness", "variance", "different", "luck", "power",
    "power_random", "auc", "precision", "recall", "reliability", "confusion", "value", "best", "quantile", "decile",
    "number", "of", "size", "tier", "scale", "parameters", "depth", "width", "dropout", "learning_rate", "weight_decay",
    "lower", "upper", "consistent", "strategy_trials_pruned", "batch_size", "year", "ambiguity", "effective_bets",
}  # fmt: skip
KEYED = {
    "train",
    "past",
    "future",
    "days",
    "members",
    "shares",
    "p_value",
    "adjusted",
    "statistic",
    "logit",
    "shap",
    "at_costs_pct",
    "return_pct",
    "stack",
    "choice",
}  # hold coefficients and settings of a fitted control, a figure by class, tier, ..


def unnamed(data: object, parent: str = "") -> set[str]:
    """Keys of numbers that tell no unit and are not known to have none."""
    if isinstance(data, list):
        return set().union(*(unnamed(item, parent) for item in data))
    if not isinstance(data, dict):
        return set()
    found: set[str] = set()
    for key, value in data.items():
        numbers = value if isinstance(value, list) else [value]
        is_number = any(isinstance(x, (int, float)) and not isinstance(x, bool) for x in numbers)
        if is_number and not UNITS.fullmatch(key) and key not in PLAIN and parent not in KEYED:
            found.add(f"{parent}.{key}")
        found |= unnamed(value, key)
    return found


def shares_in(data: object) -> list[float]:
    """Values of all keys that end in ``_share``."""
    if isinstance(data, list):
        return [x for item in data for x in shares_in(item)]
    if not isinstance(data, dict):
        return []
    own = [x for key, x in data.items() if key.endswith("_share") and x is not None]
    return own + [x for value in data.values() for x in shares_in(value)]


def test_figures_of_a_run(tiny_run):
    folders = ("--runs", str(tiny_run.folder.parent), "--store", str(tiny_run.store))
    result = CliRunner().invoke(main, ["runs", "show", "tiny", *folders, "--json"])
    shown = json.loads(result.stdout)
    assert unnamed(shown) == set()
    shares = shares_in(shown)
    assert shares
    assert all(0 <= share <= 1 for share in shares)


def test_figures_of_the_report(tiny_run):
    report = write_report(tiny_run)
    tiers = json.loads((report / "tiers.json").read_text())
    assert unnamed(tiers) == set()
    assert set(tiers["table"][0]) == {"tier", "size", "window", "effective_bets", *Metrics._fields}
    assert unnamed(json.loads((report / "belief.json").read_text())) == set()
    market = next(row for row in tiers["table"] if row["tier"] == "buy and hold")
    curve = tiny_run.ensembles.curves["past"]
    equity = curve.equity[-1, curve.names.index("buy and hold")]
    assert market["total_return_pct"] == pytest.approx(100 * (equity - 1))  # percent, not a share
