"""Units of work: pure, seeded, each writing a folder of its own.

A unit is a module-level function of a picklable task and a folder. Its folder is renamed into place when it is
done, so a killed run keeps every finished unit, and the result does not depend on who ran it or in which order.
"""

import multiprocessing
import os
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from pathlib import Path
from typing import TypeVar

Task = TypeVar("Task")


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


def _one_thread() -> None:
    import numba

    numba.set_num_threads(1)


def _run(function: Callable[[Task, Path], None], task: Task, folder: Path) -> None:
    write_atomically(folder, lambda draft: function(task, draft))


def run_units(
    function: Callable[[Task, Path], None],
    tasks: Mapping[str, Task],
    root: Path,
    *,
    workers: int = 1,
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
    progress : callable
        Called with units done and units in all.
    """
    missing = {name: task for name, task in tasks.items() if not (root / name).is_dir()}
    done = len(tasks) - len(missing)
    progress(done, len(tasks))
    if workers == 1 or len(missing) <= 1:
        for name, task in missing.items():
            _run(function, task, root / name)
            done += 1
            progress(done, len(tasks))
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(missing)), context, initializer=_one_thread) as pool:
        waiting = {pool.submit(_run, function, task, root / name) for name, task in missing.items()}
        try:
            while waiting:
                finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in finished:
                    future.result()
                    done += 1
                    progress(done, len(tasks))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
