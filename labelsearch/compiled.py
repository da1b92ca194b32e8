"""What compiled kernels need of the machine: a place to be kept, and threads that work."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

_state = {"used": False, "lost": False}  # threads were started here; were started before this process was forked
_without_threads: dict[Any, Callable[..., Any]] = {}


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


def threaded(kernel: Any) -> Callable[..., Any]:
    """A parallel kernel to call; in a forked process a version without threads, of the same bits.

    Threads do not survive a fork: in the child of a process that has run a parallel kernel, another would wait for
    them for ever. The version without threads is compiled when it is first needed.
    """
    if not _state["lost"]:
        _state["used"] = True
        return kernel
    if kernel not in _without_threads:
        from numba import njit

        options = {name: value for name, value in kernel.targetoptions.items() if name in ("error_model", "nogil")}
        _without_threads[kernel] = njit(**options)(kernel.py_func)
    return _without_threads[kernel]


def _after_fork() -> None:
    _state["lost"] = _state["used"]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
