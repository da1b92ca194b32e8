"""Time and memory of the paper preset by stage: a run with its null and report, on a generated market of its windows.

A generated market has no future that anybody could look at twice.
"""

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path

from measured import measured

from labelsearch.engine.ledger import Ledger
from labelsearch.settings.presets import preset


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
        found = measured(folder, "run", "experiment.toml", "--workers", args.workers)
        events = Ledger(folder / "runs" / found.printed["run"] / "ledger.jsonl").stages()
    print(f"{args.preset}, {args.workers} workers")
    print("| stage | seconds | processor seconds | peak MiB |")
    print("| --- | ---: | ---: | ---: |")
    for event in events:
        peak = found.peak_between(event["time"] - event["seconds"], event["time"] + 1)
        print(f"| {event['stage']} | {event['seconds']:.1f} | {event['processor_seconds']:.1f} | {peak:,.0f} |")
    rest = found.seconds - sum(event["seconds"] for event in events)
    print(f"| start, data, report | {rest:.1f} | | |")
    print(f"| all | {found.seconds:.1f} | | {found.peak:,.0f} |")
    print(json.dumps({
        "benchmark": "paper", "ours": round(found.seconds, 1), "peer": None, "ratio": None, "unit": "seconds",
        "preset": args.preset, "workers": args.workers, "peak_mib": round(found.peak),
        "largest_process_mib": round(found.largest),
        "stages": {event["stage"]: round(event["seconds"], 1) for event in events},
        "processor_seconds": {event["stage"]: round(event["processor_seconds"], 1) for event in events},
    }))  # fmt: skip


if __name__ == "__main__":
    main()
