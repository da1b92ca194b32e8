"""Parts of bundles that are read alike for one market and for a book of many."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from feature_space.feature_set import FeatureSet
from labelsearch.classifiers.classifier import Predictor, load_predictor
from labelsearch.labels.base import HEADS
from labelsearch.live.verify import FEATURE_SET, NETWORK, BundleError, read
from labelsearch.market.calendars import find_calendar
from labelsearch.market.rules import BarError
from labelsearch.market.times import DAY_MS, parse_time
from labelsearch.market.trading_costs import CostTerms
from labelsearch.settings.own import OwnFileError, activate, file_sha256


@dataclass(frozen=True)
class OwnFile:
    """One of the user's own files that a bundle needs."""

    file: str
    sha256: str


@dataclass(frozen=True)
class Thresholds:
    """When a strategy trades, in the order of its parameters."""

    theta_buy: float
    theta_sell: float
    delta: float


class WeightedStrategy(Protocol):
    """A strategy as it is read."""

    @property
    def strategy(self) -> int:
        """Its row in the run."""

    @property
    def weights(self) -> dict[str, float]:
        """By output."""

    @property
    def thresholds(self) -> Thresholds:
        """When it trades."""


def columns_read(terms: CostTerms, *, quote_volume: bool, trades: bool) -> tuple[str, ...]:
    """Optional columns of bars that features or costs read."""
    read = {"quote_volume": quote_volume, "trades": trades, "spread": terms.spread == "quotes"}
    return tuple(name for name, is_read in read.items() if is_read)


def load_features(folder: Path, name: str, place: str = "") -> FeatureSet:
    """Feature set of a label; `BundleError` if it cannot be used."""
    try:
        features = read(folder, FEATURE_SET, FeatureSet, name, place)
        features.check()
    except BundleError:
        raise
    except (ValueError, KeyError) as error:
        raise _unusable(folder, name, error) from None
    return features


def load_classifier(folder: Path, name: str, n_features: int, place: str = "") -> Predictor:
    """Classifier of a label, which must take as many features; `BundleError` if it cannot be used."""
    from safetensors import SafetensorError

    wanted = read(folder, NETWORK, dict[str, object], name, place)["n_features"]
    try:
        if n_features != wanted:
            raise ValueError(f"{n_features} features, but its network takes {wanted}")
        return load_predictor(folder / place / "classifiers" / name)
    except (ValueError, KeyError, OSError, RuntimeError, SafetensorError) as error:
        raise _unusable(folder, name, error) from None


def _unusable(folder: Path, name: str, error: Exception) -> BundleError:
    return BundleError(f"{folder}: label {name}: " + " ".join(str(error).split()))


def check_outputs(folder: Path, file: str, outputs: Sequence[str], classifiers: Mapping[str, Predictor]) -> None:
    """Raise `BundleError` if the outputs of a file are not those of the labels, by name."""
    if tuple(outputs) != tuple(f"{name}:{output}" for name, one in classifiers.items() for output in HEADS[one.head]):
        raise BundleError(f"{folder}: outputs of {file} do not match labels.json")


def calendar_of(folder: Path, file: str, name: str) -> str:
    """A calendar that is known; `BundleError` for another."""
    try:
        return find_calendar(name).name
    except BarError as error:
        raise BundleError(f"{folder}: {file}: {error}") from None


def window_of(folder: Path, file: str, windows: Mapping[str, tuple[str, str]], name: str) -> tuple[int, int]:
    """Start and end of a window of the run, ms since the epoch; `BundleError` if it is missing."""
    try:
        first, last = windows[name]
        found = parse_time(first), parse_time(last) + DAY_MS
    except (KeyError, BarError):
        raise BundleError(f"{folder}: {file}: windows: the days of {name} are missing") from None
    if found[0] >= found[1]:
        raise BundleError(f"{folder}: {file}: windows: {name} ends before it begins")
    return found


def check_costs(folder: Path, file: str, terms: CostTerms) -> None:
    """Raise `BundleError` for costs that cannot be counted."""
    if terms.funding != "none" and not terms.funding_ms:
        raise BundleError(f"{folder}: {file}: costs: funding_ms: funding needs the time between two payments")


def parameters_of(folder: Path, file: str, one: WeightedStrategy, outputs: Sequence[str]) -> list[float]:
    """Weights and thresholds of a strategy, in the order of the outputs; `BundleError` if they do not match."""
    if set(one.weights) != set(outputs):
        raise BundleError(f"{folder}: {file}: strategy {one.strategy} needs exactly one weight per output")
    return [*(one.weights[name] for name in outputs), *vars(one.thresholds).values()]


def load_own(folder: Path, needed: Sequence[OwnFile], own: Sequence[Path]) -> None:
    """Execute the user's own files that the bundle needs, and no others."""
    try:
        given = {file_sha256(path): path for path in own}
        for entry in needed:
            if entry.sha256 not in given:
                raise BundleError(
                    f"{folder}: needs your own file {entry.file} with the checksum recorded by the run: pass it with "
                    "--own"
                )
        activate([given[entry.sha256] for entry in needed])
    except OwnFileError as error:
        raise BundleError(str(error)) from None
