"""What feature sets are chosen on: rows of train, their classes under a label, and the pairs and bars drawn of them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from feature_space.discriminant import DrawnRows, draw_rows
from feature_space.indicators import Indicator, Inputs
from feature_space.normalise import Normalisation
from feature_space.separation import Pairs, sample_pairs
from labelsearch.labels.base import LabelValues
from labelsearch.labels.spans import purged_split
from labelsearch.settings.sections import Separation
from labelsearch.stages.seeds import Seeds


class TrainPart(NamedTuple):
    """What feature sets are chosen on: the T grid rows of train."""

    inputs: Inputs  # (T,) each
    usable: NDArray[np.bool_]  # (T,)
    boundary: int  # first validation row
    candidates: tuple[Indicator, ...]
    normalisation: Normalisation
    settings: Separation
    seeds: Seeds
    ranked: NDArray[np.bool_] | None = None  # (T,) whether the market is ranked among others, where they are
    first_bar: int = 0  # number of the first row, by which rows of several markets are of the same time


class LabelledRows(NamedTuple):
    """Rows and classes of one label in train, and the pairs that its choice is made on."""

    classes: NDArray[np.int8]  # (T,)
    fit: NDArray[np.int64]
    validation: NDArray[np.int64]
    cross: Pairs
    same: Pairs
    contrast: tuple[Pairs, Pairs] | None  # class-balanced cross and same pairs, where the criterion needs them
    drawn: DrawnRows | None  # bars that the discriminant is made of, where it is the criterion

    def pairs(self) -> list[Pairs]:
        """All kinds of pairs."""
        return [self.cross, self.same, *(self.contrast or ())]

    def bars(self) -> list[NDArray[np.int64]]:
        """All bars in use, some of them several times."""
        sides = [side for pairs in self.pairs() for side in (pairs.left, pairs.right)]
        return [*sides, self.drawn.rows] if self.drawn else sides


def starved(train: TrainPart, name: str, values: LabelValues) -> str:
    """Why a market cannot serve the choice for a label; empty if it can."""
    if not train.usable[: train.boundary].any():
        return (
            f"the fitted part of train has {train.boundary:,} bars, and the indicators need more before their first "
            "value: lengthen train, or name indicators with shorter intervals"
        )
    split = purged_split(values.last_used, train.usable, train.boundary, train.usable.size)
    for part, rows in zip(("fitted", "validation"), split, strict=True):
        present = np.bincount(values.classes[rows], minlength=3)
        if (present < 2).any():
            return (
                f"label {name} marks {present[0]} buy, {present[1]} neutral and {present[2]} sell bars in the {part} "
                "part of train, which is too few: remove the label or lengthen the window"
            )
    return ""


def labelled_rows(
    train: TrainPart, values: LabelValues, n_pairs: int, n_bars: int, rng: np.random.Generator
) -> LabelledRows:
    """Rows of a label in one market, and what is drawn of the fitted ones."""
    fit, validation = purged_split(values.last_used, train.usable, train.boundary, train.usable.size)

    def draw(*, cross: bool, balanced: bool) -> Pairs:
        return sample_pairs(values.classes, fit, n_pairs, rng, cross=cross, balanced=balanced)

    uniform = (draw(cross=True, balanced=False), draw(cross=False, balanced=False))
    contrast = None
    if train.settings.criterion == "contrast":
        contrast = (draw(cross=True, balanced=True), draw(cross=False, balanced=True))
    drawn = None
    if train.settings.criterion == "discriminant":
        drawn = draw_rows(values.classes, fit, values.last_used, n_bars, rng)
    return LabelledRows(values.classes, fit, validation, *uniform, contrast, drawn)
