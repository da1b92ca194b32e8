"""Freed memory goes back to the system."""

import sys
import threading

import numpy as np
import psutil
import pytest

from labelsearch.engine import memory
from labelsearch.engine.memory import WORTH_MB, give_back

BLOCK = 2**20  # below what the allocator returns by itself


class Cycle:
    """What only the collector can free."""

    def __init__(self, megabytes: int) -> None:
        self.itself = self
        self.arrays = [np.ones(BLOCK // 8) for _ in range(megabytes)]


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc keeps what threads have freed")
def test_what_threads_and_cycles_held_is_given_back(monkeypatch):
    held = psutil.Process().memory_info().rss
    monkeypatch.setattr(memory, "_held", held)
    assert not give_back()  # nothing has grown
    thread = threading.Thread(target=Cycle, args=(2 * WORTH_MB,))
    thread.start()
    thread.join()
    before = psutil.Process().memory_info().rss
    assert before > held + WORTH_MB * 2**20
    assert give_back()
    assert psutil.Process().memory_info().rss < before - WORTH_MB * 2**20
    assert not give_back()
