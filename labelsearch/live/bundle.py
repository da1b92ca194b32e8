"""A bundle: the winners of a run as files, checked before use. Reads JSON and numbers, and executes nothing of it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from feature_space.feature_set import FeatureSet
from labelsearch.classifiers.classifier import Predictor, load_predictor
from labelsearch.live.verify import MANIFEST, BundleError, read, verify_bundle
from labelsearch.market.rules import BarError
from labelsearch.market.times import DAY_MS, parse_time
from labelsearch.settings.own import OwnFileError, activate, file_sha256
from strategies.trade.capital import CAPITAL_RULES
from strategies.trade.rules import TradingRules

THRESHOLDS = ("theta_buy", "theta_sell", "delta")


class Tier(NamedTuple):
    """Some of a bundle's strategies, best first, and how capital is shared out among them."""

    members: NDArray[np.int64]  # (n,) positions among the strategies
    shares: NDArray[np.float64]  # (n,) of the capital at the start
    rate: float  # of the universal rule


@dataclass(frozen=True)
class Bundle:
    """What is followed: S strategies over K outputs of the classifiers of K/2 labels.

    Attributes
    ----------
    digest : str
        SHA-256 of the manifest, and so of everything.
    symbol : str
    interval_ms : int
    quote_volume, trades : bool
        Columns of the bars that features read.
    warm_up : int
        Bars before the first decision.
    chosen_until : int
        End of past, ms since the epoch: what is traded before it was chosen with these very bars.
    labels : tuple of str
        Names, in the order of the outputs.
    feature_sets, classifiers : tuple
        One of each label.
    params : float64 (S, K + 3)
        Strategies, best first.
    strategies : int64 (S,)
        Their rows in the run.
    rules : dict
        fee, slippage, short and signal_map, as `strategies.trade.simulate.simulate` takes them.
    capital : str
        Rule by which tiers share out capital.
    tiers : dict of int to Tier
        By size, the largest first.
    """

    digest: str
    symbol: str
    interval_ms: int
    quote_volume: bool
    trades: bool
    warm_up: int
    chosen_until: int
    labels: tuple[str, ...]
    feature_sets: tuple[FeatureSet, ...]
    classifiers: tuple[Predictor, ...]
    params: NDArray[np.float64]
    strategies: NDArray[np.int64]
    rules: TradingRules
    learns: bool
    capital: str
    tiers: dict[int, Tier]


def load_bundle(folder: Path, own: Sequence[Path] = ()) -> Bundle:
    """Read a bundle after `labelsearch.live.verify.verify_bundle`.

    Parameters
    ----------
    folder : Path
    own : sequence of Path
        The user's own files that the bundle needs: code is executed only from files named here, and only if they are
        those that the run was made with.

    Raises
    ------
    BundleError
        As `verify_bundle`; own files that are needed and missing or different; parts that do not fit.
    """
    manifest = verify_bundle(folder)
    market, labels, book = (read(folder, name) for name in ("market.json", "labels.json", "strategies.json"))
    if DAY_MS % market["interval_ms"]:
        raise BundleError(f"{folder}: market.json: interval_ms: {market['interval_ms']} does not divide a day")
    _load_own(folder, market["own_files"], own)
    names = tuple(label["name"] for label in labels)
    if len(set(names)) < len(names):
        raise BundleError(f"{folder}: labels.json: a label is there twice")
    if book["outputs"] != [f"{name}:{side}" for name in names for side in ("buy", "sell")]:
        raise BundleError(f"{folder}: outputs of strategies.json are not those of labels.json")
    sets, classifiers = zip(*(_label(folder, name) for name in names), strict=True)
    if len({s.normalisation for s in sets}) > 1:
        raise BundleError(f"{folder}: feature_sets: normalisations differ")
    needed = max(s.warm_up + c.window - 1 for s, c in zip(sets, classifiers, strict=True))
    if market["warm_up"] < needed:
        told = f"warm_up: {market['warm_up']} is less than the features need, {needed}"
        raise BundleError(f"{folder}: market.json: {told}")
    tiers = {int(n): _tier(folder, n, tier, len(book["strategies"])) for n, tier in book["tiers"].items()}
    if not max(tiers) == len(book["strategies"]) == manifest["tier"]:
        raise BundleError(f"{folder}: strategies.json: the largest tier is not all strategies, or not the manifest's")
    return Bundle(
        digest=hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest(),
        symbol=market["symbol"],
        interval_ms=market["interval_ms"],
        quote_volume=market["quote_volume"],
        trades=market["trades"],
        warm_up=market["warm_up"],
        chosen_until=_day_after(folder, market["windows"]),
        labels=names,
        feature_sets=sets,
        classifiers=classifiers,
        params=np.array([_strategy(folder, one, book["outputs"]) for one in book["strategies"]], dtype=np.float64),
        strategies=np.array([s["strategy"] for s in book["strategies"]], dtype=np.int64),
        rules=TradingRules.of(
            fee_share=book["fee_share"],
            slippage_share=book["slippage_share"],
            short=book["side"] == "both",
            signal_map=book["signal_map"],
        ),
        learns=book["capital"] in CAPITAL_RULES and CAPITAL_RULES[book["capital"]].learns,
        capital=book["capital"],
        tiers=dict(sorted(tiers.items(), reverse=True)),
    )


def _label(folder: Path, name: str) -> tuple[FeatureSet, Predictor]:
    """Features and classifier of a label, which must be of as many features."""
    from safetensors import SafetensorError

    network = read(folder, f"classifiers/{name}/network.json", "classifiers/<label>/network.json")
    try:
        features = FeatureSet.from_dict(read(folder, f"feature_sets/{name}.json", "feature_sets/<label>.json"))
        features.check()
        if len(features.features) != network["n_features"]:
            raise ValueError(f"{len(features.features)} features, but its network takes {network['n_features']}")
        return features, load_predictor(folder / "classifiers" / name)
    except BundleError:
        raise
    except (ValueError, KeyError, OSError, RuntimeError, SafetensorError) as error:
        raise BundleError(f"{folder}: label {name}: " + " ".join(str(error).split())) from None


def _day_after(folder: Path, windows: dict[str, list[str]]) -> int:
    """End of past, ms since the epoch."""
    try:
        return parse_time(windows["past"][1]) + DAY_MS
    except (KeyError, BarError):
        raise BundleError(f"{folder}: market.json: windows: no last day of past") from None


def _strategy(folder: Path, one: dict[str, Any], outputs: list[str]) -> list[float]:
    if set(one["weights"]) != set(outputs):
        raise BundleError(f"{folder}: strategies.json: strategy {one['strategy']} has not one weight for each output")
    return [*(one["weights"][name] for name in outputs), *(one["thresholds"][name] for name in THRESHOLDS)]


def _tier(folder: Path, name: str, tier: dict[str, Any], n_strategies: int) -> Tier:
    members, shares = tier["members"], tier["shares"]
    fits = len(members) == len(set(members)) == len(shares) == int(name) and max(members) < n_strategies
    if not fits:
        raise BundleError(f"{folder}: strategies.json: tier {name} does not fit the strategies")
    if abs(sum(shares) - 1.0) > 1e-9:
        raise BundleError(f"{folder}: strategies.json: tier {name}: shares do not sum to 1")
    return Tier(np.array(members, dtype=np.int64), np.array(shares, dtype=np.float64), float(tier["rate"]))


def _load_own(folder: Path, needed: list[dict[str, str]], own: Sequence[Path]) -> None:
    """Execute the user's own files that the bundle needs, and no others."""
    try:
        given = {file_sha256(path): path for path in own}
        for entry in needed:
            if entry["sha256"] not in given:
                raise BundleError(f"{folder}: needs your own file {entry['file']} as in the run: name it with --own")
        activate([given[entry["sha256"]] for entry in needed])
    except OwnFileError as error:
        raise BundleError(str(error)) from None
