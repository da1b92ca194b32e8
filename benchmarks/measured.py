"""A command of labelsearch run as users run it, with its time and memory."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

import psutil


class Measured(NamedTuple):
    """Of one command: what it printed as JSON, its seconds, and its peaks of memory in MiB.

    ``peak`` is the proportional share of all its processes together, in which a page that two of them share counts
    once; ``largest`` is that of the largest process. ``samples`` are times and MiB of all.
    """

    printed: dict
    start: float
    stop: float
    peak: float
    largest: float
    samples: list[tuple[float, float]]

    @property
    def seconds(self) -> float:
        """Whole time."""
        return self.stop - self.start

    def peak_between(self, start: float, stop: float) -> float:
        """Of a stretch of time, MiB."""
        return max((mib for when, mib in self.samples if start <= when <= stop), default=0.0)


def measured(folder: Path, *arguments: object) -> Measured:
    """Run ``labelsearch ARGUMENTS --json`` in a folder."""
    command = [sys.executable, "-m", "labelsearch.commands", *map(str, arguments), "--json"]
    samples: list[tuple[float, float]] = []
    largest = 0.0
    over = threading.Event()

    def sample(process: psutil.Process) -> None:
        nonlocal largest
        while not over.wait(1.0):  # asking takes tens of milliseconds for a process of gigabytes
            sizes = []
            try:
                for member in [process, *process.children(recursive=True)]:
                    text = Path(f"/proc/{member.pid}/smaps_rollup").read_text()
                    sizes.append(next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")))
            except (psutil.Error, OSError, StopIteration):
                continue  # one has ended meanwhile
            samples.append((time.time(), sum(sizes) / 1024))
            largest = max(largest, max(sizes) / 1024)

    start = time.time()
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        thread = threading.Thread(target=sample, args=(psutil.Process(process.pid),), daemon=True)
        thread.start()
        printed, _ = process.communicate()
    stop = time.time()
    over.set()
    thread.join()
    if process.returncode:
        raise SystemExit(f"{' '.join(command[1:])} ended with exit code {process.returncode}")
    return Measured(json.loads(printed), start, stop, max((m for _, m in samples), default=0.0), largest, samples)
