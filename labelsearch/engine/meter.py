"""Wall time, processor time and peak memory of a stage, worker processes included."""

import threading
import time
from types import TracebackType

import psutil


def resident_bytes(process: psutil.Process | None = None) -> int:
    """Memory of a process, by default of this one, and its children; pages that they share count in each."""
    process = process or psutil.Process()
    total = 0
    for member in [process, *process.children(recursive=True)]:
        try:
            total += member.memory_info().rss
        except psutil.Error:
            continue  # it ended between listing and asking
    return total


def _processor_seconds(process: psutil.Process) -> float:
    """Of a process and its children: those that live, and those that it has waited for."""
    own = process.cpu_times()
    total = own.user + own.system + getattr(own, "children_user", 0.0) + getattr(own, "children_system", 0.0)
    for child in process.children(recursive=True):
        try:
            times = child.cpu_times()
        except psutil.Error:
            continue  # it ended between listing and asking
        total += times.user + times.system
    return total


class Meter:
    """Context manager; afterwards ``seconds``, ``processor_seconds`` and ``peak_mb`` (sampled every tenth of a second).

    Processes of other machines do not count.
    """

    def __enter__(self) -> "Meter":
        self._process = psutil.Process()
        self._processor = _processor_seconds(self._process)
        self._peak = resident_bytes(self._process)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._start = time.perf_counter()
        self._thread.start()
        return self

    def _sample(self) -> None:
        while not self._stop.wait(0.1):
            self._peak = max(self._peak, resident_bytes(self._process))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.seconds = time.perf_counter() - self._start
        self.processor_seconds = _processor_seconds(self._process) - self._processor
        self._stop.set()
        self._thread.join()
        self.peak_mb = max(self._peak, resident_bytes(self._process)) / 2**20
