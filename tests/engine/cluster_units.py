"""Units for clusters, apart from their tests: each process of a cluster imports where its unit is from."""

import os
import signal
import time
from pathlib import Path

import numpy as np

from tests.engine.test_executors import draw


def die(task: tuple[int, str, int], shared: np.ndarray) -> dict[str, bytes]:
    """Killed as often as it is told, then the number."""
    number, marks, deaths = task
    died = len(list(Path(marks).glob(f"{number}-*")))
    if died < deaths:
        (Path(marks) / f"{number}-{died}").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return draw(number, shared)


def slow_draw(task: tuple[int, str], shared: np.ndarray) -> dict[str, bytes]:
    (Path(task[1]) / f"{os.getpid()}").touch()
    time.sleep(0.5)
    return draw(task[0], shared)


def threads(task: int, shared: None) -> dict[str, bytes]:
    import numba
    import threadpoolctl
    import torch

    found = [numba.get_num_threads(), torch.get_num_threads()]
    return {"n": bytes(found + [library["num_threads"] for library in threadpoolctl.threadpool_info()])}


def elsewhere() -> str:
    """Of the process: no two have the same."""
    return str(os.getpid())
