"""Is an exported bundle whole and unchanged? Reads JSON and bytes, and executes nothing."""

import hashlib
import json
from pathlib import Path, PurePosixPath
from typing import Any

from labelsearch.delivery.export import FORMAT_VERSION
from labelsearch.pipeline.run import RunError

MANIFEST = "manifest.json"


def verify_bundle(folder: Path) -> dict[str, Any]:
    """Hold a bundle against its manifest.

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
    RunError
        If there is no readable manifest, its format is unknown, or a file is missing, changed, not in the manifest, or
        outside the folder; the file is named.
    """
    manifest = _read_manifest(folder)
    listed = manifest["sha256"]
    for name in listed:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise RunError(f"{folder}: the manifest names {name}, which lies outside the bundle")
    present = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir()} - {MANIFEST}
    for name in sorted(present - set(listed)):
        raise RunError(f"{folder}: {name} is not in the manifest")
    for name, digest in sorted(listed.items()):
        path = folder / name
        if path.is_symlink() or not path.is_file():
            raise RunError(f"{folder}: {name} is missing")
        if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise RunError(f"{folder}: {name} has changed since it was exported")
    return manifest


def _read_manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{folder} holds no bundle: {MANIFEST} is missing") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise RunError(f"{folder}: {MANIFEST} is not JSON: {error}") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT_VERSION:
        found = manifest.get("format") if isinstance(manifest, dict) else None
        raise RunError(f"{folder}: format {found!r} of the bundle is unknown; this version reads {FORMAT_VERSION}")
    digests = manifest.get("sha256")
    if not isinstance(digests, dict) or not all(isinstance(x, str) for pair in digests.items() for x in pair):
        raise RunError(f"{folder}: {MANIFEST} lists no checksums")
    return manifest
