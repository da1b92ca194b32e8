"""Result of the classifiers stage."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from labelsearch.classifiers.figures import Calibration, Evaluation, Study, Trial
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
class ClassifierFigures:
    """How the classifier of one label was found, and how good it is."""

    label: str
    network: str
    n_fit: int  # bars fitted on
    n_action: int  # buy and sell bars among them
    validation_loss: float
    losses: tuple[float, ...]  # on validation, by epoch of the best trial
    study: Study | None  # none, and no trials, where hyper-parameters are those of another split
    trials: tuple[Trial, ...]
    n_networks: int  # whose probabilities are averaged
    calibration: Calibration | None
    block_bars: int  # of the resampling behind intervals
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
class Classifiers:
    """The classifier of every label: figures, and the files of its networks (safetensors and JSON).

    Attributes
    ----------
    figures : tuple of ClassifierFigures
        In the order of the labels.
    networks : mapping of str to Files
        By label.
    """

    figures: tuple[ClassifierFigures, ...]
    networks: Mapping[str, Files] = field(repr=False)

    def of(self, label: str) -> ClassifierFigures:
        """Figures of a label by name; KeyError without them."""
        return {entry.label: entry for entry in self.figures}[label]

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
            figures = tuple(parse(ClassifierFigures, files[name].pop(FIGURES)) for name in names)
            return cls(figures, files)
