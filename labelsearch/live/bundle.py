"""A bundle: the winners of a run as files, checked before use. Reads JSON and numbers, and executes nothing of it."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from feature_space.feature_set import FeatureSet
from feature_space.own import file_sha256, load_indicators
from labelsearch.classifiers.classifier import Classifier, load_classifier
from labelsearch.live.schema import FORMAT_VERSION, check

MANIFEST = "manifest.json"


class BundleError(ValueError):
    """A bundle that cannot be used, as one line."""


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
    labels : tuple of str
        Names, in the order of the outputs.
    feature_sets, classifiers : tuple
        One of each label.
    params : float64 (S, K + 3)
        Strategies, best first.
    strategies : int64 (S,)
        Their rows in the run.
    rules : dict
        fee, slippage, short and signal_map, as `strategies.simulate.simulate` takes them.
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
    labels: tuple[str, ...]
    feature_sets: tuple[FeatureSet, ...]
    classifiers: tuple[Classifier, ...]
    params: NDArray[np.float64]
    strategies: NDArray[np.int64]
    rules: dict[str, Any]
    capital: str
    tiers: dict[int, Tier]

    @property
    def window(self) -> int:
        """Bars that the classifier with the longest window sees at once."""
        return max(classifier.window for classifier in self.classifiers)


def verify_bundle(folder: Path) -> dict[str, Any]:
    """Hold a bundle against its manifest and its JSON files against their schema.

    Parameters
    ----------
    folder : Path
        From `labelsearch.delivery.export.export_bundle`.

    Returns
    -------
    dict
        The manifest: ``format``, ``labelsearch`` version, ``run``, ``tier``, ``stages`` and ``sha256`` by file.

    Raises
    ------
    BundleError
        If there is no readable manifest, its format is unknown, or a file is missing, changed, not in the manifest,
        outside the folder, or not what its schema says; the file is named.
    """
    manifest = _read_manifest(folder)
    listed = manifest["sha256"]
    for name in listed:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise BundleError(f"{folder}: the manifest names {name}, which lies outside the bundle")
    present = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir()} - {MANIFEST}
    for name in sorted(present - set(listed)):
        raise BundleError(f"{folder}: {name} is not in the manifest")
    for name, digest in sorted(listed.items()):
        path = folder / name
        if path.is_symlink() or not path.is_file():
            raise BundleError(f"{folder}: {name} is missing")
        if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise BundleError(f"{folder}: {name} has changed since it was exported")
    for name in ("market.json", "strategies.json", "past.json"):
        _read(folder, name)
    for label in _read(folder, "labels.json"):
        _read(folder, f"feature_sets/{label['name']}.json", "feature_sets/<label>.json")
        _read(folder, f"classifiers/{label['name']}/network.json", "classifiers/<label>/network.json")
    return manifest


def load_bundle(folder: Path, own: Sequence[Path] = ()) -> Bundle:
    """Read a bundle after `verify_bundle`.

    Parameters
    ----------
    folder : Path
    own : sequence of Path
        The user's own indicators that the bundle needs: code is run only from files named here, and only if they are
        those that the run was made with.

    Raises
    ------
    BundleError
        As `verify_bundle`; own indicators that are needed and not given, or given and other; parts that do not fit.
    """
    verify_bundle(folder)
    market, labels, book = (_read(folder, name) for name in ("market.json", "labels.json", "strategies.json"))
    _load_own(folder, market["own_indicators"], own)
    names = tuple(label["name"] for label in labels)
    if book["outputs"] != [f"{name}:{side}" for name in names for side in ("buy", "sell")]:
        raise BundleError(f"{folder}: outputs of strategies.json are not those of labels.json")
    from safetensors import SafetensorError

    try:
        sets = tuple(FeatureSet.from_dict(_read(folder, f"feature_sets/{name}.json", None)) for name in names)
        classifiers = tuple(load_classifier(folder / "classifiers" / name) for name in names)
    except (ValueError, KeyError, OSError, RuntimeError, SafetensorError) as error:
        raise BundleError(f"{folder}: {error}") from None
    n_strategies = len(book["strategies"])
    tiers = {int(n): _tier(folder, n, tier, n_strategies) for n, tier in book["tiers"].items()}
    try:
        params = [
            [*(s["weights"][name] for name in book["outputs"]), *(s["thresholds"][n] for n in THRESHOLDS)]
            for s in book["strategies"]
        ]
    except KeyError as error:
        raise BundleError(f"{folder}: strategies.json: a strategy has no weight of {error}") from None
    return Bundle(
        digest=hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest(),
        symbol=market["symbol"],
        interval_ms=market["interval_ms"],
        quote_volume=market["quote_volume"],
        trades=market["trades"],
        warm_up=market["warm_up"],
        labels=names,
        feature_sets=sets,
        classifiers=classifiers,
        params=np.array(params, dtype=np.float64),
        strategies=np.array([s["strategy"] for s in book["strategies"]], dtype=np.int64),
        rules={
            "fee": book["fee"],
            "slippage": book["slippage"],
            "short": book["side"] == "both",
            "signal_map": book["signal_map"],
        },
        capital=book["capital"],
        tiers=dict(sorted(tiers.items(), reverse=True)),
    )


THRESHOLDS = ("theta_buy", "theta_sell", "delta")


def _tier(folder: Path, name: str, tier: dict[str, Any], n_strategies: int) -> Tier:
    members = np.array(tier["members"], dtype=np.int64)
    shares = np.array(tier["shares"], dtype=np.float64)
    if len(shares) != len(members) or members.max() >= n_strategies or len(members) != int(name):
        raise BundleError(f"{folder}: strategies.json: tier {name} does not fit the strategies")
    return Tier(members, shares, float(tier["rate"]))


def _load_own(folder: Path, needed: list[dict[str, str]], own: Sequence[Path]) -> None:
    given = {}
    for path in own:
        try:
            given[file_sha256(path)] = path
        except OSError as error:
            raise BundleError(f"{path}: cannot be read: {error.strerror}") from None
    for one in needed:
        if one["sha256"] not in given:
            raise BundleError(f"{folder}: needs your own indicators as in the run's {one['file']}: give that file")
    for one in needed:
        try:
            load_indicators(given[one["sha256"]])
        except ValueError as error:
            raise BundleError(str(error)) from None


def _read_manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest = _json(folder, MANIFEST)
    except FileNotFoundError:
        raise BundleError(f"{folder} holds no bundle: {MANIFEST} is missing") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT_VERSION:
        found = manifest.get("format") if isinstance(manifest, dict) else None
        raise BundleError(f"{folder}: format {found!r} of the bundle is unknown; this version reads {FORMAT_VERSION}")
    _check(folder, manifest, MANIFEST, MANIFEST)
    return manifest


def _read(folder: Path, name: str, kind: str | None = "") -> Any:
    """A JSON file, held against the schema of its kind: its own name by default, None for no check."""
    try:
        data = _json(folder, name)
    except FileNotFoundError:
        raise BundleError(f"{folder}: {name} is missing") from None
    if kind is not None:
        _check(folder, data, kind or name, name)
    return data


def _check(folder: Path, data: Any, kind: str, name: str) -> None:
    try:
        check(data, kind, f"{folder}: {name}")
    except ValueError as error:
        raise BundleError(str(error)) from None


def _json(folder: Path, name: str) -> Any:
    try:
        return json.loads((folder / name).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BundleError(f"{folder}: {name} is not JSON: {error}") from None
