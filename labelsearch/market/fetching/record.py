"""A record of earlier fetches, stored beside the downloads, so that nothing is requested twice."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from uuid import uuid4

from labelsearch.market.rules import BarError
from labelsearch.market.store import FUNDING


@dataclass
class FetchRecord:
    """Read by `load`, changed in place, written by `save`."""

    source: str  # of the series: ``archive BTCUSDT`` or ``kraken BTC/USDT``
    # stored archive files by period: sha256 and number of rows
    files: dict[str, dict[str, str | int]] = field(default_factory=dict)
    absent: dict[str, int] = field(default_factory=dict)  # periods not published, with the time of the request, ms
    asked: list[list[int]] = field(
        default_factory=list
    )  # ranges [start_ms, stop_ms) requested from an exchange, sorted

    @classmethod
    def load(cls, folder: Path, source: str) -> "FetchRecord":
        """The record of a folder, empty if missing or damaged, which only costs requests.

        Raises
        ------
        BarError
            If the bars of that name come from another source.
        """
        path = folder / "record.json"
        try:
            record = cls(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError):
            return cls(source)
        if record.source != source:
            kind = "funding payments" if folder.name == FUNDING else f"{folder.name} bars"
            rule = f"the stored {kind} of {folder.parent.name} come from {record.source}, not from {source}"
            raise BarError(f"{rule}: store these under another name")
        return record

    def save(self, folder: Path) -> None:
        """Replace the record, by renaming a complete new file."""
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f".record.{uuid4().hex}.part"
        part.write_text(json.dumps(asdict(self), indent=1, sort_keys=True))
        part.replace(folder / "record.json")

    def add_asked(self, start_ms: int, stop_ms: int) -> None:
        """Add a range to ``asked``."""
        joined: list[list[int]] = []
        for start, stop in sorted([*self.asked, [start_ms, stop_ms]]):
            if joined and start <= joined[-1][1]:
                joined[-1][1] = max(stop, joined[-1][1])
            else:
                joined.append([start, stop])
        self.asked = joined

    def not_asked(self, start_ms: int, stop_ms: int) -> list[tuple[int, int]]:
        """The parts of [start_ms, stop_ms) that were not requested yet."""
        parts, position = [], start_ms
        for start, stop in [*self.asked, [stop_ms, stop_ms]]:
            if position < min(start, stop_ms):
                parts.append((position, min(start, stop_ms)))
            position = max(position, stop)
        return parts
