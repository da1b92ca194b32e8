"""What a live session needs to go on after any kill: a snapshot now and then, and the bars since.

A bar is written down before it is acted on. Lines are checksummed, so a torn last line is told from a whole one.
"""

import fcntl
import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from labelsearch.live.feed import Bar
from labelsearch.live.verify import BundleError

SNAPSHOT, BARS = "snapshot.npz", "bars.jsonl"


class Journal:
    """A folder of one live session.

    Parameters
    ----------
    folder : Path
        Made if it is not there.

    Raises
    ------
    BundleError
        If another process keeps its session there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = (folder / ".lock").open("w")  # held until the process ends or `close`
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise BundleError(f"{folder}: another session is kept there") from None
        self._file: BinaryIO | None = None

    def snapshot(self) -> dict[str, NDArray[Any]] | None:
        """The last snapshot, None if there is none; `BundleError` if it is damaged."""
        path = self.folder / SNAPSHOT
        try:
            with np.load(path, allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
        except FileNotFoundError:
            return None
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, AttributeError) as error:
            raise BundleError(f"{path}: damaged: {error}") from None

    def bars(self) -> list[Bar]:
        """Bars written down, oldest first; those before the snapshot may be among them."""
        try:
            lines = (self.folder / BARS).read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            return []
        found = []
        for line in lines:
            check, _, text = line.partition(b" ")
            if not line.endswith(b"\n") or check != b"%08x" % zlib.crc32(text[:-1]):
                break
            found.append(Bar(*json.loads(text)))
        return found

    def append(self, bar: Bar) -> None:
        """Write a bar down. It outlives the process; a loss of power may take those since the last snapshot."""
        if self._file is None:
            self._file = (self.folder / BARS).open("ab")
        text = json.dumps(bar).encode()
        self._file.write(b"%08x %s\n" % (zlib.crc32(text), text))
        self._file.flush()

    def save(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Put a snapshot in the place of the last one, and start a new list of bars."""
        draft = self.folder / f".{SNAPSHOT}.draft"
        with draft.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.folder / SNAPSHOT)
        self._close_list()
        self._file = (self.folder / BARS).open("wb")

    def close(self) -> None:
        """End the session; the folder is free for another."""
        self._close_list()
        self._lock.close()

    def _close_list(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
