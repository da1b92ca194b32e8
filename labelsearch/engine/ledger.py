"""An append-only record that survives a kill at any byte: one line of JSON per event, in `labelsearch.durable`."""

import json
import os
from pathlib import Path
from typing import Any

from labelsearch.durable import checked_line, checked_texts, held, sync_folder

Event = dict[str, Any]
STAGE_FIELDS = {"stage", "key", "content", "folder", "needs", "counts", "units", "seconds", "peak_mb"}


class Ledger:
    """Events of one file, oldest first.

    Every method raises `labelsearch.durable.DamagedFileError` if a committed line has changed, and leaves the
    file as it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def events(self, kind: str | None = None) -> list[Event]:
        """All committed events, or those of one kind."""
        events = (json.loads(text) for text in checked_texts(self.path)[0])
        return [event for event in events if isinstance(event, dict) and kind in (None, event.get("event"))]

    def stages(self) -> list[Event]:
        """Records of finished stages; those of a version that recorded other things do not count."""
        return [event for event in self.events("stage") if event.keys() >= STAGE_FIELDS]

    def append(self, kind: str, **data: Any) -> None:
        """Commit one event: when this returns, it is on disk."""
        text = json.dumps({"event": kind, **data}, sort_keys=True).encode()
        with held(self.path.with_name(f".{self.path.name}.lock")), self.path.open("ab") as file:
            _, length = checked_texts(self.path)
            if file.tell() > length:
                file.truncate(length)  # a torn line
            file.write(checked_line(text))
            file.flush()
            os.fsync(file.fileno())
            if not length:
                sync_folder(self.path.parent)
