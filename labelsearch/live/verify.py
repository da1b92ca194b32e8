"""The files of a bundle, held against its manifest and their schema before anything else is done with them."""

import hashlib
from pathlib import Path
from typing import Any

from labelsearch.errors import InputError
from labelsearch.live import strict_json
from labelsearch.live.schema import FORMAT_VERSION, check

MANIFEST = "manifest.json"


class BundleError(InputError):
    """A bundle that cannot be used, as one line."""


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
        If there is no readable manifest, its format is unknown, or a file or folder is missing, changed, not in the
        manifest, a link, or not what its schema says; it is named.
    """
    manifest = _read_manifest(folder)
    listed = manifest["sha256"]
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            raise BundleError(f"{folder}: {name!r} is a link")
        if not path.is_dir() and name != MANIFEST and name not in listed:
            raise BundleError(f"{folder}: {name!r} is not in the manifest")
    for name, digest in sorted(listed.items()):
        path = folder / name
        if not path.is_file():
            raise BundleError(f"{folder}: {name} is missing")
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                raise BundleError(f"{folder}: {name} has changed since it was exported")
    for name in ("market.json", "strategies.json", "past.json", "schema.json", "experiment.toml"):
        if name not in listed:
            raise BundleError(f"{folder}: {name} is missing")
    for name in ("market.json", "strategies.json", "past.json"):
        read(folder, name)
    for label in read(folder, "labels.json"):
        read(folder, f"feature_sets/{label['name']}.json", "feature_sets/<label>.json")
        read(folder, f"classifiers/{label['name']}/network.json", "classifiers/<label>/network.json")
    return manifest


def read(folder: Path, name: str, kind: str | None = None) -> Any:
    """A JSON file, held against the schema of its kind, by default its own name; `BundleError` names it."""
    data = _json(folder, name)
    _check(folder, data, kind or name, name)
    return data


def _read_manifest(folder: Path) -> dict[str, Any]:
    if not (folder / MANIFEST).is_file():
        raise BundleError(f"{folder} holds no bundle: {MANIFEST} is missing")
    manifest = _json(folder, MANIFEST)
    found = manifest.get("format") if isinstance(manifest, dict) else None
    if found != FORMAT_VERSION:
        raise BundleError(f"{folder}: format {found!r} of the bundle is unknown; this version reads {FORMAT_VERSION}")
    _check(folder, manifest, MANIFEST, MANIFEST)
    return manifest


def _json(folder: Path, name: str) -> Any:
    try:
        return strict_json.parse((folder / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BundleError(f"{folder}: {name} is missing") from None
    except ValueError as error:
        raise BundleError(f"{folder}: {name} is not JSON: {error}") from None


def _check(folder: Path, data: Any, kind: str, name: str) -> None:
    try:
        check(data, kind, f"{folder}: {name}")
    except ValueError as error:
        raise BundleError(str(error)) from None
