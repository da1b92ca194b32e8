"""A stage that another run has done from the same inputs is copied, not done again."""

import shutil
from functools import partial
from pathlib import Path

from labelsearch.engine.files import digest_files, write_atomically
from labelsearch.engine.ledger import Event, Ledger


def take_over(stage: str, key: str, folder: Path, root: Path, pattern: str) -> Event | None:
    """Copy a finished stage of another run.

    Parameters
    ----------
    stage, key : str
        Name of the stage, and the hash of everything that it depends on.
    folder : Path
        Of this run; its ledger is not touched.
    root, pattern : Path, str
        The folder below which other runs lie, and the pattern of their paths in it.

    Returns
    -------
    dict or None
        The other run's record of the stage, without its event name, and ``run``, which one it was; None where no run
        has the stage with this key, or only one whose files are no longer what its ledger says.
    """
    for path in sorted(root.glob(f"{pattern}/ledger.jsonl")):
        other = path.parent
        if other == folder:
            continue
        for event in Ledger(path).stages():
            source, target = other / stage, folder / stage
            if (event["stage"], event["key"], event["folder"]) != (stage, key, stage) or not source.is_dir():
                continue
            if digest_files(source) == event["content"]:
                write_atomically(target, partial(shutil.copytree, source, dirs_exist_ok=True))
                if digest_files(target) == event["content"]:
                    return {**{name: item for name, item in event.items() if name != "event"}, "run": other.name}
    return None
