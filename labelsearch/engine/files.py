"""Files in memory and folders that appear whole or not at all."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from labelsearch.durable import sync_folder

Files = Mapping[str, bytes]  # by name
SEAL = ".sha256"


def write_atomically(folder: Path, write: Callable[[Path], None], *, durable: bool = True) -> None:
    """Fill a folder beside ``folder`` and rename it into place; what killed processes left there is removed.

    Parameters
    ----------
    folder : Path
    write : callable
        Given an empty folder.
    durable : bool
        Whether the files survive a power failure once this has returned; without, they may be found damaged.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft, old = (folder.with_name(f".{folder.name}.{end}") for end in (os.getpid(), "old"))
    for path in folder.parent.iterdir():
        if path.name.rpartition(".")[0] == f".{folder.name}" and _is_left_over(path):
            shutil.rmtree(path, ignore_errors=True)
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        write(draft)
        if durable:
            _sync(draft)
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            folder.rename(old)
        draft.rename(folder)
        if durable:
            sync_folder(folder.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def remove_left_overs(folder: Path) -> None:
    """Remove what `write_atomically` left in a folder and those in it, in processes that were killed."""
    for path in list(folder.rglob(".*.*")):
        if path.is_dir() and (path.suffix == ".old" or _is_left_over(path)):
            shutil.rmtree(path, ignore_errors=True)


def _is_left_over(draft: Path) -> bool:
    """Whether the process whose number ends the name has ended."""
    process = draft.name.rpartition(".")[2]
    return process.isdecimal() and not psutil.pid_exists(int(process))


def _sync(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        else:
            sync_folder(path)
    sync_folder(folder)


def files_written_by(write: Callable[[Path], None]) -> Files:
    """What a function writes into the folder that it is given."""
    with tempfile.TemporaryDirectory() as name:
        write(Path(name))
        return read_files(Path(name))


def read_files(folder: Path) -> Files:
    """All files of a folder, without those of folders in it."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def write_files(files: Files, folder: Path) -> None:
    """Write files into a folder, which is made if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def seal(files: Files) -> Files:
    """The files and one more, which tells whether any of them is damaged later."""
    return {**files, SEAL: _seal_of(files)}


def read_sealed(folder: Path) -> Files | None:
    """Inverse of `seal` for a folder; None if it is not there or not whole."""
    files = dict(read_files(folder)) if folder.is_dir() else {}
    return files if files.pop(SEAL, b"") == _seal_of(files) else None


def _seal_of(files: Files) -> bytes:
    content = {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)}
    return hashlib.sha256(json.dumps(content).encode()).hexdigest().encode()


def digest_files(folder: Path) -> str:
    """SHA-256 over names and contents of all files of a folder and of the folders in it."""
    total = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        total.update(str(path.relative_to(folder)).encode() + b"\0")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()
