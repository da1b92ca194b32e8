"""Result of the classifiers stage."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from labelsearch.classifiers.figures import Calibration, Evaluation, MoveEvaluation, Study, Trial
from labelsearch.classifiers.kinds import Options
from labelsearch.engine.files import Files, read_files, write_files
from labelsearch.results.codec import json_bytes, parse, reading

FIGURES = "figures.json"


@dataclass(frozen=True)
class ShapMeans:
    """Mean absolute Shapley values of the features, by class."""

    explainer: str
    features: tuple[str, ...]
    buy: tuple[float, ...]
    neutral: tuple[float, ...]
    sell: tuple[float, ...]


@dataclass(frozen=True)
class MoveShapMeans:
    """Mean absolute Shapley values of the features, of the predicted move."""

    explainer: str
    features: tuple[str, ...]
    move: tuple[float, ...]


@dataclass(frozen=True)
class TrainedFigures:
    """How the network of one label was found."""

    label: str
    network: str
    n_fit: int  # bars fitted on
    n_action: int  # buy and sell bars among them
    validation_loss: float
    losses: tuple[float, ...]  # on validation, by epoch of the best trial
    study: Study | None  # none, and no trials, where hyper-parameters are those of another split
    trials: tuple[Trial, ...]
    n_networks: int  # whose predictions are averaged
    calibration: Calibration | None
    block_bars: int  # of the resampling behind intervals


@dataclass(frozen=True)
class ClassifierFigures(TrainedFigures):
    """How the classifier of one label was found, and how good it is."""

    validation: Evaluation
    past: Evaluation
    shap: ShapMeans

    def on(self, window: str) -> Evaluation:
        """Figures on ``validation`` or ``past``."""
        return {"validation": self.validation, "past": self.past}[window]

    @property
    def learned_nothing(self) -> bool:
        """Whether no interval of the AUC on validation, of buy or of sell, lies above 0.5.

        A class that validation does not hold shows nothing either. False for figures without intervals.
        """
        sides = (self.validation.buy, self.validation.sell)
        if not self.validation.has_intervals:
            return False
        return all(side.auc_interval is None or side.auc_interval[0] <= 0.5 for side in sides)


@dataclass(frozen=True)
class MagnitudeFigures(TrainedFigures):
    """How the network that predicts the moves of one label was found, and how good it is; it has no calibration."""

    validation: MoveEvaluation
    past: MoveEvaluation
    shap: MoveShapMeans

    def on(self, window: str) -> MoveEvaluation:
        """Figures on ``validation`` or ``past``."""
        return {"validation": self.validation, "past": self.past}[window]

    @property
    def learned_nothing(self) -> bool:
        """Whether the interval of the rank correlation on validation does not lie above 0; False without intervals."""
        ranks = self.validation.rank_correlation.figure.interval
        return self.validation.has_intervals and (ranks is None or ranks[0] <= 0.0)


LabelFigures = ClassifierFigures | MagnitudeFigures


def figures_of(content: bytes) -> LabelFigures:
    """Figures of a label from their JSON."""
    found: LabelFigures = parse(LabelFigures, content)  # type: ignore[arg-type]
    return found


@dataclass(frozen=True)
class Classifiers:
    """The classifier of every label: figures, and the files of its networks (safetensors and JSON).

    Attributes
    ----------
    figures : tuple of ClassifierFigures or MagnitudeFigures
        In the order of the labels.
    networks : mapping of str to Files
        By label.
    """

    figures: tuple[LabelFigures, ...]
    networks: Mapping[str, Files] = field(repr=False)

    def of(self, label: str) -> LabelFigures:
        """Figures of a label by name; KeyError without them."""
        return {entry.label: entry for entry in self.figures}[label]

    @property
    def of_classes(self) -> tuple[ClassifierFigures, ...]:
        """Figures of the labels whose networks predict classes."""
        return tuple(entry for entry in self.figures if isinstance(entry, ClassifierFigures))

    @property
    def of_magnitudes(self) -> tuple[MagnitudeFigures, ...]:
        """Figures of the labels whose networks predict moves."""
        return tuple(entry for entry in self.figures if isinstance(entry, MagnitudeFigures))

    @property
    def trial_counts(self) -> dict[str, int]:
        """Networks that were trained."""
        return {"network_trials": sum(max(len(entry.trials), 1) + entry.n_networks - 1 for entry in self.figures)}

    @property
    def hyperparameters(self) -> dict[str, Options]:
        """Those of the best trial of each label, by name of the label."""
        best = {entry.label: min(entry.trials, key=lambda trial: trial.best) for entry in self.figures}
        return {name: trial.parameters for name, trial in best.items()}

    def save(self, folder: Path) -> None:
        """Write a folder for each label: ``figures.json``, ``network.json`` and weights."""
        (folder / "labels.json").write_bytes(json_bytes([entry.label for entry in self.figures]))
        for entry in self.figures:
            write_files({**self.networks[entry.label], FIGURES: json_bytes(entry)}, folder / entry.label)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Inverse of `save`."""
        with reading(folder):
            names: tuple[str, ...] = parse(tuple[str, ...], (folder / "labels.json").read_bytes())
            files = {name: dict(read_files(folder / name)) for name in names}
            figures = tuple(figures_of(files[name].pop(FIGURES)) for name in names)
            return cls(figures, files)
