"""Time and memory of the paper preset by stage: a run with its null and report, on a generated market of its windows.

A generated market has no future that anybody could look at twice. Memory is the proportional share of all processes
together, in which a page that two of them share counts once; the ledger's counts it in each.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil

from labelsearch.engine.ledger import Ledger
from labelsearch.settings.presets import preset


class Memory:
    """Peak of a process and its children, sampled every second."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = psutil.Process(process.pid)
        self.samples: list[tuple[float, float]] = []  # time, MiB
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._sample, daemon=True)
        self.thread.start()

    def _sample(self) -> None:
        while not self.over.wait(1.0):
            total = 0
            try:
                for member in [self.process, *self.process.children(recursive=True)]:
                    text = Path(f"/proc/{member.pid}/smaps_rollup").read_text()
                    total += next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
            except (psutil.Error, OSError, StopIteration):
                continue
            self.samples.append((time.time(), total / 1024))

    def peak(self, start: float, stop: float) -> float:
        """Of a stretch of time, MiB."""
        return max((mib for when, mib in self.samples if start <= when <= stop), default=0.0)


def main() -> None:
    """Run the preset and print a row for each stage; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--preset", default="paper")
    args = parser.parse_args()
    experiment = preset(args.preset)
    # the generated market is calmer than bitcoin in 2018, so its labels have lower thresholds
    data = replace(experiment.data, source="synthetic", symbol="SYNTH", edge=0.05)
    experiment = replace(experiment, data=data, label=preset("quick").label)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "experiment.toml").write_text(experiment.to_toml())
        command = [sys.executable, "-m", "labelsearch.commands", "run", "experiment.toml", "--json"]
        command += ["--workers", str(args.workers)]
        start = time.time()
        with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
            memory = Memory(process)
            process.communicate()
            memory.over.set()
        stop = time.time()
        if process.returncode:
            raise SystemExit(f"the run ended with exit code {process.returncode}")
        (run,) = (path for path in (folder / "runs").iterdir() if path.is_dir())
        events = Ledger(run / "ledger.jsonl").stages()
    print(f"{args.preset}, {args.workers} workers")
    print("| stage | seconds | peak MiB |")
    print("| --- | ---: | ---: |")
    rows = {event["stage"]: (event["seconds"], memory.peak(event["time"] - event["seconds"], event["time"] + 1))
            for event in events}  # fmt: skip
    for stage, (seconds, peak) in rows.items():
        print(f"| {stage} | {seconds:.1f} | {peak:,.0f} |")
    rest = stop - start - sum(seconds for seconds, _ in rows.values())
    print(f"| start, data, report | {rest:.1f} | |")
    peak = memory.peak(start, stop)
    print(f"| all | {stop - start:.1f} | {peak:,.0f} |")
    print(json.dumps({
        "benchmark": "paper", "ours": round(stop - start, 1), "peer": None, "ratio": None, "unit": "seconds",
        "preset": args.preset, "workers": args.workers, "peak_mib": round(peak),
        "stages": {stage: round(seconds, 1) for stage, (seconds, _) in rows.items()},
    }))  # fmt: skip


if __name__ == "__main__":
    main()
