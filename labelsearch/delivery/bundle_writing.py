"""Files that the bundle of one market and that of a book have alike."""

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from labelsearch import __version__
from labelsearch.classifiers.kinds import Options
from labelsearch.engine.files import Files, write_atomically, write_files
from labelsearch.engine.run import RunError
from labelsearch.live.schema import FORMAT_VERSION, whole_schema
from labelsearch.live.verify import MANIFEST, verify_bundle
from labelsearch.market.trading_costs import CostTerms
from labelsearch.results.codec import json_bytes, parse
from labelsearch.settings.experiment import Experiment
from labelsearch.settings.own import file_sha256
from labelsearch.settings.sections import Windows


@dataclasses.dataclass(frozen=True)
class WrittenNetwork:
    """What is read of ``network.json``."""

    kind: str
    n_features: int
    options: Options
    head: str = "classes"

    @property
    def window(self) -> int:
        """Bars of its input window."""
        return int(self.options.get("window", 1))


def write_json(path: Path, data: object) -> None:
    """Write plain data."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(json_bytes(data))


def write_classifier(files: Files, target: Path, *, onnx: bool) -> WrittenNetwork:
    """Write the classifier of a label into a folder; `RunError` if it cannot be written as ONNX."""
    write_files(files, target)
    network = parse(WrittenNetwork, files["network.json"])
    if onnx:
        from labelsearch.classifiers.files import network_from_files
        from labelsearch.classifiers.onnx_file import write_onnx

        try:
            write_onnx(network_from_files(files), network.n_features, target / "classifier.onnx", network.head)
        except ValueError as error:
            raise RunError(str(error)) from None
    return network


def check_out(experiment: Experiment, out: Path) -> None:
    """Raise `RunError` if a bundle cannot be written there; own files are active then."""
    if out.exists():
        raise RunError(f"{out} exists already")
    experiment.activate()


def label_entries(experiment: Experiment, networks: Sequence[str], warm_ups: Sequence[int]) -> list[dict[str, object]]:
    """``labels.json``, from kinds of networks and the bars that features need, by label."""
    return [
        {
            "name": label.name,
            "kind": given["kind"],
            "network": network,
            "warm_up": warm_up,
            "options": dataclasses.asdict(label),  # type: ignore[call-overload]
            "lookahead": label.lookahead,
        }
        for label, given, network, warm_up in zip(
            experiment.label_kinds(), experiment.label, networks, warm_ups, strict=True
        )
    ]


def own_files(experiment: Experiment) -> list[dict[str, str]]:
    """The user's own files by checksum."""
    return [{"file": Path(path).name, "sha256": file_sha256(path)} for path in experiment.own]


def days_of_windows(windows: Windows) -> dict[str, list[str]]:
    """First and last day of each window."""
    return {name: list(getattr(windows, name)) for name in windows.named}


def costs_warm_up(terms: CostTerms, bars_a_day: int) -> int:
    """Bars before the costs of a bar are known as they are in the run."""
    # days before the first whole one are out of the median and of the deviation by then
    return (terms.impact_days + 2) * bars_a_day if terms.impact else 0


def write_bundle(
    out: Path,
    experiment: Experiment,
    run: str,
    tier: int,
    stages: Mapping[str, str],
    write: Callable[[Path], None],
) -> Path:
    """Write a bundle as a whole or not at all, and verify it.

    Parameters
    ----------
    out : Path
    experiment : Experiment
    run : str
    tier : int
        Size of the largest tier.
    stages : mapping of str to str
        Keys by name.
    write : callable
        Writes what only this kind of bundle has into a folder.
    """

    def whole(folder: Path) -> None:
        write(folder)
        write_json(folder / "schema.json", whole_schema())
        (folder / "experiment.toml").write_text(experiment.to_toml())
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        manifest = {
            "format": FORMAT_VERSION,
            "labelsearch": __version__,
            "run": run,
            "tier": tier,
            "stages": stages,
            "sha256": {
                path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
            },
        }
        write_json(folder / MANIFEST, manifest)
        verify_bundle(folder)

    write_atomically(out, whole)
    return out
