"""A stage that another run beside this one has done from the same inputs is taken over, not done again."""

import hashlib
import shutil
from functools import partial
from pathlib import Path

from labelsearch.pipeline.ledger import Event, Ledger
from labelsearch.pipeline.units import write_atomically


def digest_files(folder: Path) -> str:
    """SHA-256 over names and contents of all files of a folder."""
    total = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        total.update(str(path.relative_to(folder)).encode() + b"\0")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def take_over(stage: str, key: str, folder: Path) -> Event | None:
    """Copy a finished stage of a run beside this one.

    Parameters
    ----------
    stage : str
    key : str
        Hash of everything the stage depends on.
    folder : Path
        Of this run; its ledger is not touched.

    Returns
    -------
    dict or None
        The other run's record of the stage, without its event name, and ``run``, which one it was; None where no run
        has the stage with this key, or only one whose files are no longer what its ledger says.
    """
    for ledger in sorted(folder.parent.glob("*/ledger.jsonl")):
        other = ledger.parent
        if other == folder or not (other / stage).is_dir():
            continue
        for event in Ledger(ledger).events("stage"):
            if (event["stage"], event["key"]) == (stage, key) and digest_files(other / stage) == event["content"]:
                write_atomically(folder / stage, partial(shutil.copytree, other / stage, dirs_exist_ok=True))
                if digest_files(folder / stage) == event["content"]:
                    return {**{n: x for n, x in event.items() if n != "event"}, "run": other.name}
    return None
