"""Check the files of a bundle against its manifest and their schemas, before anything else is done with them."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from labelsearch.errors import InputError
from labelsearch.live.schema import FORMAT_VERSION, check
from labelsearch.live.strict_json import Json, parse
from labelsearch.market.times import interval_name
from labelsearch.results.codec import from_plain

T = TypeVar("T")

MANIFEST, FEATURE_SET, NETWORK = "manifest.json", "feature_sets/<label>.json", "classifiers/<label>/network.json"
BOOK, BOOK_STRATEGIES = "book.json", "book_strategies.json"
OF_MARKET, OF_BOOK = ("market.json", "strategies.json", "past.json"), (BOOK, BOOK_STRATEGIES, "past.json")
REQUIRED = ("labels.json", "schema.json", "experiment.toml")


class BundleError(InputError):
    """A bundle that cannot be used; the message is one line."""


@dataclass(frozen=True)
class Manifest:
    """``manifest.json``; see `labelsearch.live.schema.MANIFEST`."""

    format: int
    labelsearch: str
    run: str
    tier: int
    stages: dict[str, str]
    sha256: dict[str, str]


@dataclass(frozen=True)
class LabelEntry:
    """One label in ``labels.json``, as far as a bundle is read."""

    name: str


@dataclass(frozen=True)
class _Symbol:
    symbol: str


@dataclass(frozen=True)
class _Book:
    """``book.json``, as far as it says where files lie."""

    intervals_ms: tuple[int, ...]
    shared_classifiers: bool
    markets: tuple[_Symbol, ...]


def is_book(folder: Path) -> bool:
    """Whether a bundle holds a book of many markets."""
    return (folder / BOOK).is_file()


def interval_places(intervals_ms: Sequence[int]) -> tuple[str, ...]:
    """Where the markets of a book lie, by interval: below these, the first of the book itself."""
    return ("", *(f"intervals/{interval_name(length)}/" for length in intervals_ms[1:]))


def market_place(place: str, symbol: str) -> str:
    """Where a market of a book lies, on bars of the interval of that place."""
    return f"{place}markets/{symbol}/"


def verify_bundle(folder: Path) -> Manifest:
    """Check a bundle against its manifest, and its JSON files against their schemas.

    Parameters
    ----------
    folder : Path
        Written by `labelsearch.delivery.export.export_bundle`.

    Raises
    ------
    BundleError
        If the manifest cannot be read or its format is unknown, or if a file or folder is missing, changed, not in the
        manifest, a symbolic link, or does not follow its schema. The message names the file.
    """
    manifest = _read_manifest(folder)
    listed = manifest.sha256
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            raise BundleError(f"{folder}: {name!r} is a symbolic link")
        if not path.is_dir() and name != MANIFEST and name not in listed:
            raise BundleError(f"{folder}: {name!r} is not in the manifest")
    for name, digest in sorted(listed.items()):
        path = folder / name
        if not path.is_file():
            raise BundleError(f"{folder}: {name} is missing")
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                raise BundleError(f"{folder}: {name} has changed since the export")
    own = OF_BOOK if BOOK in listed else OF_MARKET
    for name in (*own, *REQUIRED):
        if name not in listed:
            raise BundleError(f"{folder}: {name} is missing")
    for name in own:
        _checked(folder, name)
    for label in read(folder, "labels.json", tuple[LabelEntry, ...]):
        for kind, place in _places(folder) if BOOK in listed else ((FEATURE_SET, ""), (NETWORK, "")):
            _checked(folder, kind, label.name, place)
    return manifest


def _places(folder: Path) -> Iterator[tuple[str, str]]:
    """Files that each label has in the bundle of a book, by kind and place."""
    book = read(folder, BOOK, _Book)
    for place in interval_places(book.intervals_ms):
        own = [market_place(place, market.symbol) for market in book.markets]
        yield from ((FEATURE_SET, each) for each in own)
        yield from ((NETWORK, each) for each in ([place] if book.shared_classifiers else own))


def read(folder: Path, kind: str, shape: type[T], label: str = "", place: str = "") -> T:
    """Read a JSON file of a bundle, by its key in `labelsearch.live.schema.FILES`, as a dataclass or tuple of them.

    A file of one market, or one interval, of a book lies below a place.

    Raises
    ------
    BundleError
        If the file is missing, is not JSON or does not follow its schema.
    """
    return from_plain(shape, _checked(folder, kind, label, place))


def _read_manifest(folder: Path) -> Manifest:
    if not (folder / MANIFEST).is_file():
        raise BundleError(f"{folder} is not a bundle: {MANIFEST} is missing")
    data = _json(folder, MANIFEST)
    found = data.get("format") if isinstance(data, dict) else None
    if found != FORMAT_VERSION:
        raise BundleError(f"{folder}: unknown bundle format {found!r}; this version reads format {FORMAT_VERSION}")
    return read(folder, MANIFEST, Manifest)


def _checked(folder: Path, kind: str, label: str = "", place: str = "") -> Json:
    name = place + kind.replace("<label>", label)
    data = _json(folder, name)
    try:
        check(data, kind, f"{folder}: {name}")
    except ValueError as error:
        raise BundleError(str(error)) from None
    return data


def _json(folder: Path, name: str) -> Json:
    try:
        return parse((folder / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BundleError(f"{folder}: {name} is missing") from None
    except ValueError as error:
        raise BundleError(f"{folder}: {name} is not valid JSON: {error}") from None
