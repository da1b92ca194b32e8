"""An append-only record that survives a kill at any byte.

One line per event: the CRC-32 of the JSON text, a space, the JSON text. A line counts only if it is whole, so a torn
last line loses nothing that was committed; the next append cuts it off.
"""

import fcntl
import json
import os
import zlib
from pathlib import Path
from typing import Any

Event = dict[str, Any]
STAGE_FIELDS = {"stage", "key", "content", "folder", "needs", "counts", "units", "seconds", "peak_mb"}


def _parse(line: bytes) -> Event | None:
    """The event of a whole line, None for a torn or damaged one."""
    check, _, text = line.partition(b" ")
    if not line.endswith(b"\n") or check != b"%08x" % zlib.crc32(text[:-1]):
        return None
    event = json.loads(text)
    return event if isinstance(event, dict) else {}


class Ledger:
    """Events of one file, oldest first."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def events(self, kind: str | None = None) -> list[Event]:
        """All committed events, or those of one kind."""
        committed, _ = self._scan()
        return [event for event in committed if kind is None or event.get("event") == kind]

    def stages(self) -> list[Event]:
        """Records of finished stages; those of a version that recorded other things do not count."""
        return [event for event in self.events("stage") if event.keys() >= STAGE_FIELDS]

    def _scan(self) -> tuple[list[Event], int]:
        """Committed events, and the length in bytes of the part of the file that holds them."""
        if not self.path.exists():
            return [], 0
        events, length = [], 0
        for line in self.path.read_bytes().splitlines(keepends=True):
            event = _parse(line)
            if event is None:
                break
            events.append(event)
            length += len(line)
        return events, length

    def append(self, kind: str, **data: Any) -> None:
        """Commit one event: when this returns, it is on disk."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"event": kind, **data}, sort_keys=True).encode()
        with self.path.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            _, length = self._scan()
            if file.tell() > length:
                file.truncate(length)
            file.write(b"%08x %s\n" % (zlib.crc32(text), text))
            file.flush()
            os.fsync(file.fileno())
