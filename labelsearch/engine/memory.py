"""Memory that was freed, given back to the system.

The allocator keeps what threads have freed for those threads, and cycles of objects wait for the collector: after the
choice of features a process held three times what was in use.
"""

import ctypes
import gc
import sys
import threading

import psutil

WORTH_MB = 256  # of growth; looking through all objects takes a tenth of a second

_held = 0  # bytes after the last time
_lock = threading.Lock()


def give_back() -> bool:
    """Collect, and return free pages, if this process has grown by `WORTH_MB` since it last did; whether it has."""
    global _held
    process = psutil.Process()
    with _lock:
        grown = process.memory_info().rss - _held
        if grown < WORTH_MB * 2**20:
            return False
        gc.collect()
        if sys.platform == "linux":
            trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's; others have none
            if trim is not None:
                trim(0)
        _held = process.memory_info().rss
        return True
