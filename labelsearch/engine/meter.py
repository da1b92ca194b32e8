"""Wall time, processor time and peak memory of a stage, worker processes included."""

import dataclasses
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


@dataclasses.dataclass(frozen=True)
class _Used:
    """Processor seconds so far: of the process, of children that it has waited for, and of each that lives.

    Those are kept by id and time of creation: an id is given again once its process has ended.
    """

    own: float
    waited_for: float
    living: dict[tuple[int, float], float]

    @classmethod
    def now(cls, process: psutil.Process) -> "_Used":
        times = process.cpu_times()
        living = {}
        for child in process.children(recursive=True):
            try:
                spent = child.cpu_times()
                living[child.pid, child.create_time()] = spent.user + spent.system
            except psutil.Error:
                continue  # it ended between listing and asking
        waited_for = getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
        return cls(times.user + times.system, waited_for, living)

    def since(self, start: "_Used") -> float:
        """Never below zero: a child that was let go counts no more, and does not take back what it had used before."""
        gone = sum(seconds for child, seconds in start.living.items() if child not in self.living)
        ended = max(0.0, self.waited_for - start.waited_for - gone)
        living = sum(seconds - start.living.get(child, 0.0) for child, seconds in self.living.items())
        return self.own - start.own + ended + living


class Meter:
    """Context manager; afterwards ``seconds``, ``processor_seconds`` and ``peak_mb`` (sampled every tenth of a second).

    Processes of other machines do not count.
    """

    def __enter__(self) -> "Meter":
        self._process = psutil.Process()
        self._used = _Used.now(self._process)
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
        self.processor_seconds = _Used.now(self._process).since(self._used)
        self._stop.set()
        self._thread.join()
        self.peak_mb = max(self._peak, resident_bytes(self._process)) / 2**20
