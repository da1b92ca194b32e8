"""Storage of a live session, which makes it survive any kill: a snapshot now and then, and the bars since.

A bar is recorded before it is processed, as a line of `labelsearch.durable`.
"""

import json
import math
import os
import zipfile
import zlib
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from labelsearch.durable import checked_line, checked_texts, held
from labelsearch.live.verify import BundleError

SNAPSHOT, BARS = "snapshot.npz", "bars.jsonl"


def part_of(saved: Mapping[str, NDArray], prefix: str) -> dict[str, NDArray]:
    """The arrays of a snapshot whose names begin so, without it."""
    return {name.removeprefix(prefix): array for name, array in saved.items() if name.startswith(prefix)}


class Journal:
    """The folder of one live session.

    Parameters
    ----------
    folder : Path
        Created if it does not exist.

    Raises
    ------
    BundleError
        If another process uses the folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = ExitStack()  # held until the process ends or `close`
        busy = BundleError(f"{folder}: another session is using this folder")
        self._lock.enter_context(held(folder / ".lock", busy=busy))
        self._file: BinaryIO | None = None

    def snapshot(self) -> dict[str, NDArray] | None:
        """The last snapshot, None if there is none; `BundleError` if it is damaged."""
        path = self.folder / SNAPSHOT
        try:
            with np.load(path, allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
        except FileNotFoundError:
            return None
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, AttributeError) as error:
            raise BundleError(f"{path}: damaged: {error}") from None

    def records(self) -> list[list]:
        """What was recorded, oldest first; some of it may be older than the snapshot.

        Raises
        ------
        DamagedFileError
            If a recorded bar has changed. A torn last line does not count.
        """
        # NaN of a single object, which is equal to itself
        known = partial(json.loads, parse_constant={"NaN": math.nan, "Infinity": math.inf}.get)
        return [known(text) for text in checked_texts(self.folder / BARS)[0]]

    def append(self, bar: tuple) -> None:
        """Record a bar. It survives a kill of the process; a power failure may lose the bars since the snapshot."""
        if self._file is None:
            self._file = (self.folder / BARS).open("ab")
        self._file.write(checked_line(json.dumps(bar).encode()))
        self._file.flush()

    def save(self, arrays: Mapping[str, NDArray]) -> None:
        """Replace the snapshot, and start a new list of bars."""
        draft = self.folder / f".{SNAPSHOT}.draft"
        with draft.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.folder / SNAPSHOT)
        self._close_list()
        self._file = (self.folder / BARS).open("wb")

    def close(self) -> None:
        """End the session and release the folder."""
        self._close_list()
        self._lock.close()

    def _close_list(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
