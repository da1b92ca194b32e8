"""Label-and-feature-space search for market-state classifier ensembles.

`open_run` opens a finished run as pandas objects; the other functions are the stages of a run, one each; the classes
are their settings, what they return, and the types of their attributes. All are loaded when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from labelsearch.compiled import ensure_cache
from labelsearch.errors import InputError, LabelsearchError

__version__ = "0.2.0"

ensure_cache()  # before any module with kernels is imported

_HOMES = {
    "feature_space.feature_set": ("Feature", "FeatureSet"),
    "feature_space.normalise": ("Normalisation",),
    "labelsearch.classifiers.figures": (
        "Against", "Calibration", "ClassScores", "Estimate", "Evaluation", "MoveEvaluation", "Trial",
    ),
    "labelsearch.labels.base": ("Label", "LabelValues"),
    "labelsearch.labels.kinds": ("make_label",),
    "labelsearch.labels.spans": ("Span",),
    "labelsearch.notebook.frames": (
        "ChosenSet", "Classifier", "choose_features", "compute_features", "label_bars", "predict", "train_classifier",
    ),
    "labelsearch.notebook.opening": ("open_run",),
    "labelsearch.notebook.panel_run": ("PanelRun",),
    "labelsearch.notebook.run": ("Run",),
    "labelsearch.notebook.tiers": ("Judged", "form_tiers", "judge_tiers", "search_strategies"),
    "labelsearch.settings.book": ("Book", "Universe"),
    "labelsearch.settings.experiment": ("Experiment",),
    "labelsearch.label_space.ranges": ("LabelRange", "OptionChoices", "OptionInterval"),
    "labelsearch.settings.label_space": ("LabelSpaceSettings",),
    "labelsearch.settings.roll": ("Pool", "Roll"),
    "labelsearch.settings.sections": (
        "Data", "FeatureSpace", "Labels", "Network", "Null", "Search", "Separation", "Windows",
    ),
    "labelsearch.settings.tiers": ("Tiers",),
    "labelsearch.market.cross_section": ("UniverseTerms",),
    "labelsearch.market.trading_costs": ("CostTerms",),
    "labelsearch.settings.trading_costs": ("Costs",),
    "strategies.trade.venues": ("Venue",),
    "strategies.book.problem": ("BookScore",),
    "strategies.search.score": ("PaperScore", "Record", "Score", "make_score"),
    "strategies.tiers.selection": ("TierRule",),
}  # fmt: skip

__all__ = ["InputError", "LabelsearchError", "__version__", *(name for names in _HOMES.values() for name in names)]

if TYPE_CHECKING:
    from feature_space.feature_set import Feature as Feature
    from feature_space.feature_set import FeatureSet as FeatureSet
    from feature_space.normalise import Normalisation as Normalisation
    from labelsearch.classifiers.figures import Against as Against
    from labelsearch.classifiers.figures import Calibration as Calibration
    from labelsearch.classifiers.figures import ClassScores as ClassScores
    from labelsearch.classifiers.figures import Estimate as Estimate
    from labelsearch.classifiers.figures import Evaluation as Evaluation
    from labelsearch.classifiers.figures import MoveEvaluation as MoveEvaluation
    from labelsearch.classifiers.figures import Trial as Trial
    from labelsearch.label_space.ranges import LabelRange as LabelRange
    from labelsearch.label_space.ranges import OptionChoices as OptionChoices
    from labelsearch.label_space.ranges import OptionInterval as OptionInterval
    from labelsearch.labels.base import Label as Label
    from labelsearch.labels.base import LabelValues as LabelValues
    from labelsearch.labels.kinds import make_label as make_label
    from labelsearch.labels.spans import Span as Span
    from labelsearch.market.cross_section import UniverseTerms as UniverseTerms
    from labelsearch.market.trading_costs import CostTerms as CostTerms
    from labelsearch.notebook.frames import ChosenSet as ChosenSet
    from labelsearch.notebook.frames import Classifier as Classifier
    from labelsearch.notebook.frames import choose_features as choose_features
    from labelsearch.notebook.frames import compute_features as compute_features
    from labelsearch.notebook.frames import label_bars as label_bars
    from labelsearch.notebook.frames import predict as predict
    from labelsearch.notebook.frames import train_classifier as train_classifier
    from labelsearch.notebook.opening import open_run as open_run
    from labelsearch.notebook.panel_run import PanelRun as PanelRun
    from labelsearch.notebook.run import Run as Run
    from labelsearch.notebook.tiers import Judged as Judged
    from labelsearch.notebook.tiers import form_tiers as form_tiers
    from labelsearch.notebook.tiers import judge_tiers as judge_tiers
    from labelsearch.notebook.tiers import search_strategies as search_strategies
    from labelsearch.settings.book import Book as Book
    from labelsearch.settings.book import Universe as Universe
    from labelsearch.settings.experiment import Experiment as Experiment
    from labelsearch.settings.label_space import LabelSpaceSettings as LabelSpaceSettings
    from labelsearch.settings.roll import Pool as Pool
    from labelsearch.settings.roll import Roll as Roll
    from labelsearch.settings.sections import Data as Data
    from labelsearch.settings.sections import FeatureSpace as FeatureSpace
    from labelsearch.settings.sections import Labels as Labels
    from labelsearch.settings.sections import Network as Network
    from labelsearch.settings.sections import Null as Null
    from labelsearch.settings.sections import Search as Search
    from labelsearch.settings.sections import Separation as Separation
    from labelsearch.settings.sections import Windows as Windows
    from labelsearch.settings.tiers import Tiers as Tiers
    from labelsearch.settings.trading_costs import Costs as Costs
    from strategies.book.problem import BookScore as BookScore
    from strategies.search.score import PaperScore as PaperScore
    from strategies.search.score import Record as Record
    from strategies.search.score import Score as Score
    from strategies.search.score import make_score as make_score
    from strategies.tiers.selection import TierRule as TierRule
    from strategies.trade.venues import Venue as Venue
else:  # a type checker knows the names above alone

    def __getattr__(name: str) -> object:
        for module, names in _HOMES.items():
            if name in names:
                return getattr(import_module(module), name)
        raise AttributeError(f"module 'labelsearch' has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted(__all__)
