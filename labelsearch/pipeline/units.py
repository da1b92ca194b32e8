"""Units of work: pure, seeded, each writing a folder of its own.

A unit is a module-level function of a picklable task and a folder. Its folder is renamed into place when it is
done, so a killed run keeps every finished unit, and the result does not depend on who ran it or in which order.
"""

import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from pathlib import Path
from typing import Any, TypeVar

Task = TypeVar("Task")
POLL_SECONDS = 0.5  # between looks at the steps of units at work


def write_atomically(folder: Path, write: Callable[[Path], None]) -> None:
    """Fill a folder beside ``folder`` and rename it into place."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    write(draft)
    if folder.exists():
        old = folder.with_name(f".{folder.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
        draft.rename(folder)
        shutil.rmtree(old)
    else:
        draft.rename(folder)


class _Teller:
    """Steps of the unit at work in this process, passed on as they are done."""

    def __init__(self) -> None:
        self.left = 0
        self.add: Callable[[int], None] = lambda steps: None


_TELLER = _Teller()


def tell(steps: int) -> None:
    """Say that the unit at work has done some more of its steps; for unit functions to call."""
    steps = min(steps, _TELLER.left)
    _TELLER.left -= steps
    _TELLER.add(steps)


def _start_worker(count: Any) -> None:
    import numba

    def add(steps: int) -> None:
        with count.get_lock():
            count.value += steps

    numba.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ctrl-C ends a worker without a traceback
    _TELLER.add = add


def _run(function: Callable[[Task, Path], None], task: Task, folder: Path, steps: int) -> None:
    _TELLER.left = steps
    write_atomically(folder, lambda draft: function(task, draft))
    tell(_TELLER.left)


def run_units(
    function: Callable[[Task, Path], None],
    tasks: Mapping[str, Task],
    root: Path,
    *,
    workers: int = 1,
    steps: Mapping[str, int] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Run every unit whose folder ``root/name`` is not there yet.

    Parameters
    ----------
    function : callable
        ``function(task, folder)`` writes its result into ``folder``; importable by name.
    tasks : mapping of str to task
        Picklable tasks by unit name.
    workers : int
        Processes; 1 runs in this one.
    steps : mapping of str to int, optional
        Steps of each unit, of which it may `tell`; by default each is one.
    progress : callable
        Called with steps done and steps in all.
    """
    sizes = steps or dict.fromkeys(tasks, 1)
    missing = {name: task for name, task in tasks.items() if not (root / name).is_dir()}
    total = sum(sizes.values())
    done = total - sum(sizes[name] for name in missing)
    progress(done, total)
    if workers == 1 or len(missing) <= 1:

        def add(steps: int) -> None:
            nonlocal done
            done += steps
            if steps:
                progress(done, total)

        before, _TELLER.add = _TELLER.add, add
        try:
            for name, task in missing.items():
                _run(function, task, root / name, sizes[name])
        finally:
            _TELLER.add = before
        return
    context = multiprocessing.get_context("spawn")
    count = context.Value("q", 0)
    others = set(multiprocessing.active_children())
    with ProcessPoolExecutor(min(workers, len(missing)), context, _start_worker, (count,)) as pool:
        waiting = {pool.submit(_run, function, task, root / name, sizes[name]) for name, task in missing.items()}
        try:
            while waiting:
                finished, waiting = wait(waiting, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
                for future in finished:
                    future.result()
                progress(done + count.value, total)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in set(multiprocessing.active_children()) - others:
                worker.terminate()  # what it was at is done anew next time
            raise
