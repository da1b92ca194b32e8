"""Units in processes of this machine."""

import multiprocessing
import multiprocessing.connection
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from pathlib import Path
from typing import Any

from labelsearch.engine.executors.base import (
    IN_FLIGHT,
    POLL_SECONDS,
    TELLER,
    Unit,
    WorkError,
    cap_threads,
    execute,
    nothing,
)
from labelsearch.engine.executors.packing import spool, unspool
from labelsearch.engine.files import Files

IDLE_SECONDS = 20.0  # then worker processes, which hold their libraries, are ended; starting them takes five


class LocalExecutor:
    """Runs units in this process (one worker) or in spawned processes (more).

    The processes stay for the units of the next stage, but not while a stage without units takes long.

    Parameters
    ----------
    workers : int
    prepare : callable
        Picklable; called in each worker process before anything else is unpickled there.
    scratch : Path, optional
        Folder for what the units share while they are at work; by default that of the system. A kill of all
        processes leaves files there.
    """

    def __init__(self, workers: int = 1, prepare: Callable[[], None] = nothing, scratch: Path | None = None) -> None:
        self._workers, self.prepare, self.scratch = workers, prepare, scratch
        self._pool: _Pool | None = None
        self._idle: threading.Timer | None = None

    @property
    def workers(self) -> int:
        """Units that may be at work at once."""
        return self._workers

    @property
    def threads(self) -> int:
        """As many as workers: the units are at work when no stage is."""
        return self._workers

    def close(self) -> None:
        """End the worker processes; they are started again when they are needed."""
        self._stop_waiting()
        if self._pool is not None:
            self._pool.end()
            self._pool = None

    def _stop_waiting(self) -> None:
        """After this, nothing ends the processes from elsewhere."""
        if self._idle is not None:
            self._idle.cancel()
            self._idle.join()
            self._idle = None

    def _awake(self) -> "_Pool":
        self._stop_waiting()
        if self._pool is None or self._pool.ended:
            self._pool = _Pool(self.workers, self.prepare)
        return self._pool

    def _rest(self, pool: "_Pool") -> None:
        self._idle = threading.Timer(IDLE_SECONDS, pool.end)
        self._idle.daemon = True
        self._idle.start()

    def results(
        self,
        unit: Unit,
        tasks: Mapping[str, Any],
        shared: Any,
        steps: Mapping[str, int],
        progress: Callable[[int], None],
    ) -> Generator[tuple[str, Files], None, None]:
        """As `labelsearch.engine.executors.base.Executor` says."""
        if self.workers == 1 or len(tasks) <= 1:
            yield from _here(unit, tasks, shared, steps, progress)
            return
        pool = self._awake()
        queue, before = iter(tasks), pool.count.value
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            spool(shared, Path(folder))
            waiting: dict[Future[Files], str] = {}
            try:
                while True:
                    for name in islice(queue, IN_FLIGHT * self.workers - len(waiting)):
                        waiting[pool.submit(_run, name, unit, tasks[name], steps[name], Path(folder))] = name
                    if not waiting:
                        break
                    finished, _ = wait(waiting, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
                    # what is done is kept before an error is raised
                    for future in sorted(finished, key=lambda future: future.exception() is not None):
                        files = future.result()
                        yield waiting.pop(future), files
                    progress(pool.count.value - before)
            except BaseException as error:
                self._pool = None
                pool.kill()  # units at work are done again next time
                if isinstance(error, BrokenProcessPool):
                    at_work = ", ".join(islice(waiting.values(), self.workers))
                    raise WorkError(
                        f"a worker process ended while these were at work: {at_work}; perhaps memory ran out: fewer "
                        "workers need less"
                    ) from error
                raise
        self._rest(pool)


class _Pool:
    """Worker processes, and the steps that they have done."""

    def __init__(self, workers: int, prepare: Callable[[], None]) -> None:
        context = multiprocessing.get_context("spawn")
        self.count = context.Value("q", 0)
        self._others = set(multiprocessing.active_children())
        self._pool = ProcessPoolExecutor(workers, context, _start, (self.count, prepare))
        self.submit = self._pool.submit
        self.ended = False

    def end(self) -> None:
        """Wait for the workers to end."""
        self.ended = True
        self._pool.shutdown()

    def kill(self) -> None:
        """End the workers at once."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        for worker in set(multiprocessing.active_children()) - self._others:
            worker.terminate()


def _here(
    unit: Unit, tasks: Mapping[str, Any], shared: Any, steps: Mapping[str, int], progress: Callable[[int], None]
) -> Generator[tuple[str, Files], None, None]:
    done = 0

    def add(more: int) -> None:
        nonlocal done
        done += more
        if more:
            progress(done)

    # a unit may run units of its own
    before = TELLER.add, TELLER.left
    for name in tasks:
        TELLER.add = add
        try:
            files = execute(name, unit, tasks[name], shared, steps[name])
        finally:
            TELLER.add, TELLER.left = before
        yield name, files


_shared: tuple[Path, Any] = Path(), None  # of a worker process, and the folder that it came from
_fault: Exception | None = None  # of its preparation


def _start(count: Any, prepare: Callable[[], None]) -> None:
    global _fault

    def add(steps: int) -> None:
        with count.get_lock():
            count.value += steps

    threading.Thread(target=_end_with_parent, daemon=True).start()
    cap_threads()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ctrl-C ends a worker without a traceback
    TELLER.add = add
    try:
        prepare()
    except Exception as error:  # raised by the units, as the pool would print it and tell nobody why it ended
        _fault = error


def _end_with_parent() -> None:
    """A worker waits for tasks for ever if the process that sends them is killed alone."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)


def _run(name: str, unit: Unit, task: Any, steps: int, folder: Path) -> Files:
    global _shared
    if _fault is not None:
        raise _fault
    if _shared[0] != folder:
        _shared = Path(), None  # what was shared before may be large
        _shared = folder, unspool(folder)
    return execute(name, unit, task, _shared[1], steps)
