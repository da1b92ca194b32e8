"""A place for compiled kernels where neither the package nor the user has one."""

import os
from pathlib import Path


def ensure_cache() -> None:
    """Give Numba a temporary folder if it can write neither beside the package nor in the user's cache.

    Without one it refuses every kernel that is to be kept, and with it the import of the package. Worker processes
    inherit the folder; it goes when this process ends.
    """
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    beside = Path(__file__).parents[1] / "feature_space" / "__pycache__"
    if os.environ.get("NUMBA_CACHE_DIR") or _writable(beside) or _writable(home / "numba"):
        return
    import atexit
    import logging
    import shutil
    import tempfile

    folder = tempfile.mkdtemp(prefix="labelsearch-")
    os.environ["NUMBA_CACHE_DIR"] = folder
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    logging.getLogger(__name__).warning("compiled kernels are not kept: set NUMBA_CACHE_DIR to a folder for them")


def _writable(folder: Path) -> bool:
    probe = folder / f".{os.getpid()}.probe"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError:
        return False
    return True
