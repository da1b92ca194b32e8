"""What was fetched before: a small file beside the downloads, so that no second call asks for the same again."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from uuid import uuid4

from labelsearch.market.rules import BarError


@dataclass
class FetchRecord:
    """Read by `load`, changed in place, written by `save`.

    Attributes
    ----------
    source : str
        Where the bars come from: ``archive BTCUSDT`` or ``kraken BTC/USDT``.
    files : dict
        For each archive file that is in the store, by its period: ``{"sha256": .., "bars": ..}``.
    absent : dict of str to int
        Periods that were not published, and when that was asked, ms since the epoch.
    asked : list of [start_ms, stop_ms)
        Stretches that an exchange was asked for, in time order, apart from each other.
    """

    source: str
    files: dict[str, dict[str, str | int]] = field(default_factory=dict)
    absent: dict[str, int] = field(default_factory=dict)
    asked: list[list[int]] = field(default_factory=list)

    @classmethod
    def load(cls, folder: Path, source: str) -> "FetchRecord":
        """Read the record of a folder; one that is missing or damaged is empty, which costs requests only.

        Raises
        ------
        BarError
            The bars of that name come from another source.
        """
        path = folder / "record.json"
        try:
            record = cls(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError):
            return cls(source)
        if record.source != source:
            interval, name = folder.name, folder.parent.name
            rule = f"the stored {interval} bars of {name} come from {record.source}, not from {source}"
            raise BarError(f"{rule}: store these under another name")
        return record

    def save(self, folder: Path) -> None:
        """Write the record whole, in place of the old one."""
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f".record.{uuid4().hex}.part"
        part.write_text(json.dumps(asdict(self), indent=1, sort_keys=True))
        part.replace(folder / "record.json")

    def add_asked(self, start_ms: int, stop_ms: int) -> None:
        """Join a stretch to `asked`."""
        joined: list[list[int]] = []
        for start, stop in sorted([*self.asked, [start_ms, stop_ms]]):
            if joined and start <= joined[-1][1]:
                joined[-1][1] = max(stop, joined[-1][1])
            else:
                joined.append([start, stop])
        self.asked = joined

    def not_asked(self, start_ms: int, stop_ms: int) -> list[tuple[int, int]]:
        """The parts of [start_ms, stop_ms) that are not in `asked`."""
        parts, position = [], start_ms
        for start, stop in [*self.asked, [stop_ms, stop_ms]]:
            if position < min(start, stop_ms):
                parts.append((position, min(start, stop_ms)))
            position = max(position, stop)
        return parts
