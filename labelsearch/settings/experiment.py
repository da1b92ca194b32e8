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

from labelsearch.classifiers.kinds import NETWORKS
from labelsearch.label_space.ranges import LabelRange
from labelsearch.labels.base import is_across, is_magnitude, output_names
from labelsearch.labels.kinds import KINDS, Label
from labelsearch.labels.spans import check_order
from labelsearch.settings.book import Book, Universe, check_book
from labelsearch.settings.entries import RATES, SCORE_COMMON, listed, make_entry, make_range, with_defaults
from labelsearch.settings.label_space import LabelSpaceSettings
from labelsearch.settings.own import activate, file_sha256
from labelsearch.settings.roll import Pool, Roll
from labelsearch.settings.schema import (
    ExperimentError,
    Plain,
    check_range,
    dump_line,
    dump_value,
    load_section,
    load_value,
    refuse_unknown,
)
from labelsearch.settings.sections import (
    LARGEST_SEED,
    Data,
    FeatureSpace,
    Labels,
    Network,
    Null,
    Search,
    Separation,
    Windows,
)
from labelsearch.settings.text import experiment_text
from labelsearch.settings.tiers import Tiers
from labelsearch.settings.trading_costs import Costs
from strategies.search.halves import LEAST_DAYS
from strategies.search.score import Score, make_score
from strategies.trade.rules import TradingRules
from strategies.trade.window import DAY_MS

# kind, options: five threshold labels of Balcerak & Schmelzer (2020); the extrema ones are our reconstruction
DEFAULT_LABELS: tuple[Plain, ...] = (
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
    "roll": Roll,
    "pool": Pool,
    "universe": Universe,
    "book": Book,
    "labels": Labels,
    "feature_space": FeatureSpace,
    "separation": Separation,
    "network": Network,
    "search": Search,
    "costs": Costs,
    "tiers": Tiers,
    "null": Null,
    "label_space": LabelSpaceSettings,
}


@dataclass(frozen=True)
class Experiment:
    """Everything a run depends on besides the bars themselves.

    Attributes
    ----------
    own : tuple of str
        Python files of the user's own. They are executed by `activate` alone; until then, names that are not built in
        are taken on trust.
    score : dict
        ``kind``, ``rate``, and options of the kind.
    label_range : tuple of dict
        ``kind`` and ranges of the options of labels that `labelsearch space` tries; empty: those of the built-in kinds.
    label : tuple of dict
        ``kind`` and options of each label.
    """

    name: str = "experiment"
    seed: int = 1
    own: tuple[str, ...] = ()
    data: Data = Data()
    windows: Windows = Windows()
    roll: Roll = Roll()
    pool: Pool = Pool()
    universe: Universe = Universe()
    book: Book = Book()
    labels: Labels = Labels()
    feature_space: FeatureSpace = FeatureSpace()
    separation: Separation = Separation()
    network: Network = Network()
    search: Search = Search()
    costs: Costs = Costs()
    score: Plain = dataclasses.field(default_factory=dict)
    tiers: Tiers = Tiers()
    null: Null = Null()
    label_space: LabelSpaceSettings = LabelSpaceSettings()
    label_range: tuple[Plain, ...] = ()
    label: tuple[Plain, ...] = DEFAULT_LABELS

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", self.name):
            raise ExperimentError(
                f"name {self.name!r} may hold at most 100 letters, digits, dots, dashes and underscores"
            )
        check_range("seed", self.seed, 0, LARGEST_SEED)
        if len({Path(path).name for path in self.own}) != len(self.own):
            raise ExperimentError("own: two files have the same name")
        if max(self.tiers.sizes) > self.search.n_strategies:
            raise ExperimentError("[tiers]: the largest tier has more strategies than [search] searches")
        try:
            self.costs.check_side(self.search.side)
        except ExperimentError as error:
            raise ExperimentError(f"[costs]: {error}") from None
        if self.null.repeats and max(self.tiers.sizes) > self.null.n_strategies:
            raise ExperimentError("[null]: n_strategies is smaller than the largest tier")
        if len(self.data.symbols) == 1:  # as if it were the symbol
            object.__setattr__(self, "data", self.data.of(self.data.symbols[0]))
        try:
            splits = self.splits
        except ValueError as error:
            raise ExperimentError(f"[roll]: {error}") from error
        if self.pool != Pool() and not self.is_panel:
            raise ExperimentError("[pool]: there is one market alone")
        check_book(self.book, self.universe, self.data, self.costs, self.label)
        if self.search.past == "halves":
            self._check_halves(splits)
        if len(splits) == 1 and (self.roll.refit, self.roll.hyperparameters) != ("everything", "each"):
            raise ExperimentError(
                "[roll]: refit and hyperparameters say what later splits make anew, and there is one split alone"
            )
        object.__setattr__(self, "score", with_defaults(self.score))
        if self.score["rate"] not in RATES:
            raise ExperimentError(f"[score]: rate = {self.score['rate']!r} is unknown; known are {', '.join(RATES)}")
        if not self.own:
            self.check_names()

    def _check_halves(self, splits: tuple[Windows, ...]) -> None:
        if self.book.is_one:
            raise ExperimentError("[search]: past = halves is for markets alone; a book is searched on whole past")
        for number, windows in enumerate(splits, 1):
            span = windows.named["past"]
            days = (span.stop_ms - span.start_ms) // DAY_MS
            if days < 2 * LEAST_DAYS:
                where = f"past of split {number}" if len(splits) > 1 else "past"
                raise ExperimentError(f"[search]: past = halves needs {2 * LEAST_DAYS} days; {where} has {days}")

    def at_interval(self, interval: str) -> "Experiment":
        """The same experiment on bars of one interval."""
        return dataclasses.replace(self, data=dataclasses.replace(self.data, interval=interval, intervals=()))

    def check_markets(self) -> None:
        """Raise `ExperimentError` if labels or features compare markets, and there are no others or none pooled."""
        if self.compares_markets and len(self.data.markets) < 2:
            raise ExperimentError(
                "[[label]] and [feature_space]: what compares markets needs [data] symbols, and there is one market "
                "alone"
            )
        if self.feature_space.normalisation == "rank" and not self.pool.classifiers:
            raise ExperimentError("[feature_space]: normalisation = rank needs [pool] classifiers = true")

    def check_names(self) -> None:
        """Raise `ExperimentError` for any name that is neither built in nor active, or options that do not fit."""
        for section in ("feature_space", "network", "tiers"):
            try:
                getattr(self, section).check_names()
            except ValueError as error:
                raise ExperimentError(f"[{section}]: {error}") from error
        if self.is_panel:
            self.check_markets()
        self.make_score()
        self.label_ranges()
        labels = self.label_kinds()
        names = [label.name for label in labels]
        if not names or len(set(names)) != len(names):
            raise ExperimentError("[[label]]: at least one label is needed, and no two alike")
        if any(map(is_magnitude, labels)):
            try:
                NETWORKS.find(self.network.kind).check_magnitudes()
            except ValueError as error:
                raise ExperimentError(f"[network]: {error}") from error
        longest = max((label.lookahead or 0) for label in labels)
        try:
            for windows in self.splits:
                check_order(windows.named, longest * self.data.interval_ms)
        except ValueError as error:
            raise ExperimentError(f"[windows]: {error}") from error

    def activate(self) -> None:
        """Execute the user's own files, and check all names against what they define.

        Raises
        ------
        OwnFileError, ExperimentError
        """
        activate(self.own)
        self.check_names()

    @property
    def splits(self) -> tuple[Windows, ...]:
        """Windows of every split."""
        return self.roll.windows(self.windows)

    @property
    def is_panel(self) -> bool:
        """Whether there are several markets or splits."""
        return len(self.data.markets) > 1 or bool(self.roll.step)

    @property
    def compares_markets(self) -> bool:
        """Whether labels or features of a market depend on others beside it."""
        kinds = (KINDS.get(label.get("kind", "")) for label in self.label)
        return self.feature_space.needs_markets or any(kind is not None and is_across(kind) for kind in kinds)

    @property
    def needs_cross_section(self) -> bool:
        """Whether the markets of each split have to be put side by side."""
        return self.compares_markets or self.book.is_one

    def label_kinds(self) -> tuple[Label, ...]:
        """The labels, in order."""
        return tuple(make_entry(data, f"[[label]] {i + 1}", self.data) for i, data in enumerate(self.label))

    def label_ranges(self) -> tuple[LabelRange, ...]:
        """Labels that are searched; empty where none are named."""
        return tuple(make_range(data, f"[[label_range]] {i + 1}", self.data) for i, data in enumerate(self.label_range))

    @property
    def output_names(self) -> tuple[str, ...]:
        """Outputs that strategies weigh, in order; see `labelsearch.labels.base.output_names`."""
        return output_names(self.label_kinds())

    def rules(self) -> TradingRules:
        """Costs that are the same at all bars, side and signal map."""
        return self.costs.rules(self.search)

    def make_score(self) -> Score:
        """The score, not yet paced by volatility."""
        options = {name: value for name, value in self.score.items() if name not in SCORE_COMMON}
        try:
            return make_score(self.score["kind"], **options)
        except ValueError as error:
            raise ExperimentError(f"[score]: {error}") from error

    def to_dict(self) -> Plain:
        """All settings as plain data."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    @property
    def digest(self) -> str:
        """SHA-256 of all settings; files count by name and content, so that it does not matter where they lie."""
        content = {**self.to_dict(), "own": [[Path(path).name, file_sha256(path)] for path in self.own]}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @property
    def run_id(self) -> str:
        """Name of the run folder."""
        return f"{self.name}-{self.digest[:8]}"

    @classmethod
    def from_dict(cls, data: Plain, where: str = "experiment") -> "Experiment":
        """Build and validate from TOML data.

        Raises
        ------
        ExperimentError
            One line that names the file, the section and the key.
        """
        refuse_unknown(data, ["name", "seed", "own", *SECTIONS, "score", "label_range", "label"], where)
        values: Plain = {
            name: load_section(kind, data[name], f"{where}: [{name}]")
            for name, kind in SECTIONS.items()
            if name in data
        }
        plain = {"name": str, "seed": int, "own": tuple[str, ...], "score": dict, "label_range": tuple[dict, ...]}
        plain["label"] = tuple[dict, ...]
        for key, kind in plain.items():
            if key in data:
                title = {"score": "[score]", "label": "[[label]]", "label_range": "[[label_range]]"}.get(key, key)
                values[key] = load_value(kind, data[key], f"{where}: {title}")
        try:
            return cls(**values)
        except ExperimentError as error:
            raise ExperimentError(f"{where}: {error}") from error

    @classmethod
    def load(cls, path: str | Path) -> "Experiment":
        """Read an experiment file; raises `ExperimentError` as one line."""
        try:
            data = tomllib.loads(Path(path).read_text(encoding="utf-8-sig"))
        except FileNotFoundError:
            raise ExperimentError(f"{path}: no such file") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ExperimentError(f"{path}: not TOML: {error}") from None
        folder = Path(path).resolve().parent
        section = data.get("data")
        if isinstance(section, dict) and isinstance(section.get("symbols"), str):
            section["symbols"] = listed(folder / section["symbols"])
        if isinstance(data.get("own"), list):
            data["own"] = [str(folder / own) if isinstance(own, str) else own for own in data["own"]]
        return cls.from_dict(data, str(path))

    def save(self, folder: Path) -> "Experiment":
        """Write ``experiment.toml`` and the user's own files into a folder; returns the experiment that lies there."""
        for own in map(Path, self.own):
            if own.parent.resolve() != folder.resolve():
                shutil.copyfile(own, folder / own.name)
        (folder / "experiment.toml").write_text(self.to_toml())
        return Experiment.load(folder / "experiment.toml")

    def to_toml(self) -> str:
        """The experiment as a commented TOML file, for a folder that holds the user's own files too."""
        written = {name: getattr(self, name) for name in SECTIONS}
        head = f"name = {dump_value(self.name)}\nseed = {self.seed}\n"
        head += dump_line("own", [Path(path).name for path in self.own], "Python files of your own, beside this one")
        tables = {"label_range": self.label_range, "label": self.label}
        return experiment_text(head, written, self.score, tables)
