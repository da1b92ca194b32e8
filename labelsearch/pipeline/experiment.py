"""An experiment: one TOML file in, one frozen and validated object out, and its hash."""

# ruff: noqa: RUF009 - the sections are frozen, so one may serve as the default of all

import dataclasses
import hashlib
import json
import re
import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from feature_space.own import file_sha256
from labelsearch.labels.kinds import KINDS, Label, make_label
from labelsearch.labels.windows import check_order
from labelsearch.pipeline.schema import ExperimentError, dump_section, dump_value, load_section, refuse_unknown
from labelsearch.pipeline.sections import (
    Data,
    FeatureSpace,
    Labels,
    Network,
    Null,
    Score,
    Search,
    Separation,
    Tiers,
    Windows,
)

# kind, options: five threshold labels of Balcerak & Schmelzer (2020); the extrema ones are our reconstruction
DEFAULT_LABELS: tuple[dict[str, Any], ...] = (
    {"kind": "threshold", "theta": 0.012, "horizon": 5},
    {"kind": "threshold", "theta": 0.012, "horizon": 60},
    {"kind": "threshold", "theta": 0.022, "horizon": 2},
    {"kind": "threshold", "theta": 0.03, "horizon": 5},
    {"kind": "threshold", "theta": 0.03, "horizon": 60},
    {"kind": "extrema", "up": 1.0, "down": 0.1},
    {"kind": "extrema", "up": 2.0, "down": 0.2},
    {"kind": "extrema", "up": 4.0, "down": 0.4},
)
SECTIONS = {
    "data": Data,
    "windows": Windows,
    "labels": Labels,
    "feature_space": FeatureSpace,
    "separation": Separation,
    "network": Network,
    "search": Search,
    "score": Score,
    "tiers": Tiers,
    "null": Null,
}


def _make_label(data: Any, where: str) -> Label:
    if not isinstance(data, dict) or "kind" not in data:
        raise ExperimentError(f"{where}: expected a table with a kind")
    try:
        return make_label(data["kind"], **{k: v for k, v in data.items() if k != "kind"})
    except ValueError as error:
        raise ExperimentError(f"{where}: {error}") from error


@dataclass(frozen=True)
class Experiment:
    """Everything a run depends on besides the bars themselves."""

    name: str = "experiment"
    seed: int = 1
    data: Data = Data()
    windows: Windows = Windows()
    labels: Labels = Labels()
    feature_space: FeatureSpace = FeatureSpace()
    separation: Separation = Separation()
    network: Network = Network()
    search: Search = Search()
    score: Score = Score()
    tiers: Tiers = Tiers()
    null: Null = Null()
    label: tuple[dict[str, Any], ...] = DEFAULT_LABELS

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", self.name):
            raise ExperimentError(f"name {self.name!r} may hold letters, digits, dots, dashes and underscores only")
        if max(self.tiers.sizes) > self.search.n_strategies:
            raise ExperimentError("[tiers]: the largest tier has more strategies than [search] searches")
        if self.null.repeats and max(self.tiers.sizes) > self.null.n_strategies:
            raise ExperimentError("[null]: n_strategies is smaller than the largest tier")
        labels = self.label_kinds()
        names = [label.name for label in labels]
        if not names or len(set(names)) != len(names):
            raise ExperimentError("[[label]]: at least one label is needed, and no two alike")
        longest = max((label.lookahead or 0) for label in labels)
        try:
            check_order(self.windows.named, longest * self.data.interval_ms)
        except ValueError as error:
            raise ExperimentError(f"[windows]: {error}") from error

    def label_kinds(self) -> tuple[Label, ...]:
        """The labels, in order; strategies have a buy and a sell weight for each."""
        return tuple(_make_label(data, f"[[label]] {i + 1}") for i, data in enumerate(self.label))

    def section(self, *names: str) -> dict[str, Any]:
        """Named sections as plain data, for hashing the inputs of a stage."""
        whole = self._content()
        return {name: whole[name] for name in names}

    def _content(self) -> dict[str, Any]:
        """All settings; files by name and content, so that it does not matter where they lie."""
        whole = self.to_dict()
        space = whole["feature_space"]
        space["own"] = [[Path(path).name, file_sha256(path)] for path in space["own"]]
        return whole

    def to_dict(self) -> dict[str, Any]:
        """All settings as plain data."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    @property
    def digest(self) -> str:
        """SHA-256 of all settings."""
        return hashlib.sha256(json.dumps(self._content(), sort_keys=True).encode()).hexdigest()

    @property
    def run_id(self) -> str:
        """Name of the run folder."""
        return f"{self.name}-{self.digest[:8]}"

    @classmethod
    def from_dict(cls, data: dict[str, Any], where: str = "experiment") -> "Experiment":
        """Build and validate from TOML data.

        Raises
        ------
        ExperimentError
            One line that names the file, the section and the key.
        """
        refuse_unknown(data, ["name", "seed", *SECTIONS, "label"], where)
        values: dict[str, Any] = {
            name: load_section(kind, data[name], f"{where}: [{name}]")
            for name, kind in SECTIONS.items()
            if name in data
        }
        for key, kind in (("name", str), ("seed", int)):
            if key in data:
                if not isinstance(data[key], kind) or isinstance(data[key], bool):
                    raise ExperimentError(f"{where}: {key} must be {'text' if kind is str else 'a whole number'}")
                values[key] = data[key]
        if "label" in data:
            if not isinstance(data["label"], (list, tuple)):
                raise ExperimentError(f"{where}: write labels as [[label]] tables")
            values["label"] = tuple(data["label"])
        try:
            return cls(**values)
        except ExperimentError as error:
            raise ExperimentError(f"{where}: {error}") from error

    @classmethod
    def load(cls, path: str | Path) -> "Experiment":
        """Read an experiment file; raises `ExperimentError` as one line."""
        try:
            data = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ExperimentError(f"{path}: no such file") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ExperimentError(f"{path}: not TOML: {error}") from None
        space = data.get("feature_space")
        if isinstance(space, dict) and isinstance(space.get("own"), list):
            folder = Path(path).resolve().parent
            space["own"] = [str(folder / own) if isinstance(own, str) else own for own in space["own"]]
        return cls.from_dict(data, str(path))

    def save(self, folder: Path) -> "Experiment":
        """Write ``experiment.toml`` and the user's own files into a folder; returns the experiment that lies there."""
        for own in map(Path, self.feature_space.own):
            if own.parent != folder.resolve():
                shutil.copyfile(own, folder / own.name)
        (folder / "experiment.toml").write_text(self.to_toml())
        return Experiment.load(folder / "experiment.toml")

    def to_toml(self) -> str:
        """The experiment as a commented TOML file, for a folder that holds the user's own files too."""
        parts = [
            "# An experiment of labelsearch. Every key is optional; the values here are those in force.",
            f"name = {dump_value(self.name)}\nseed = {self.seed}",
        ]
        for name, kind in SECTIONS.items():
            own = {"own": [Path(path).name for path in self.feature_space.own]} if name == "feature_space" else {}
            parts.append(f"# {kind.__doc__}\n[{name}]\n{dump_section(getattr(self, name), own)}")
        kinds = (f"#   {kind}: {', '.join(f.name for f in dataclasses.fields(made))}" for kind, made in KINDS.items())
        parts.append("# Kinds of label and their options:\n" + "\n".join(kinds))
        for label in self.label:
            lines = (f"{key} = {dump_value(value)}" for key, value in label.items())
            parts.append("[[label]]\n" + "\n".join(lines))
        return "\n\n".join(parts) + "\n"
