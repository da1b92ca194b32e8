"""A finished run as pandas objects, to carry on with in a notebook."""

from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from labelsearch.labels.kinds import CLASS_NAMES
from labelsearch.pipeline.context import Context
from labelsearch.pipeline.experiment import Experiment
from labelsearch.pipeline.ledger import Ledger
from labelsearch.pipeline.run import STAGE_NAMES, RunError, done_events, open_context
from labelsearch.pipeline.stages import classifiers, ensembles, features, labels, outputs, search

WINDOWS = ("past", "future")


class Run:
    """What a finished run holds; everything is read when it is asked for.

    Parameters
    ----------
    context : Context
        The run, all stages done.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    def __repr__(self) -> str:
        return f"Run({self._context.folder.name!r})"

    @property
    def experiment(self) -> Experiment:
        """The settings."""
        return self._context.experiment

    @property
    def label_names(self) -> list[str]:
        """Names of the labels, in the order of the outputs."""
        return [label.name for label in self.experiment.label_kinds()]

    @cached_property
    def bars(self) -> pd.DataFrame:
        """Bars of the three windows on the grid; ``filled`` marks those that were missing."""
        b = self._context.bars
        names = ("open", "high", "low", "close", "volume", "quote_volume", "trades", "vwap", "filled")
        known = {name: getattr(b, name) for name in names}
        return pd.DataFrame({name: column for name, column in known.items() if column is not None}, index=b.index)

    def label(self, name: str) -> pd.DataFrame:
        """Value in [-1, 1], class (0 buy, 1 neutral, 2 sell) and last row used, of every bar before past."""
        self._check(name, self.label_names, "label")
        values = labels.load(self._context, name)
        return pd.DataFrame(values._asdict(), index=self.bars.index[: len(values.value)])

    @cached_property
    def feature_sets(self) -> pd.DataFrame:
        """Parameters and scale of every feature; index label and indicator."""
        rows = [
            {"label": name, "indicator": f["name"], "parameters": tuple(f["parameters"]), "scale": f["scale"]}
            for name in self.label_names
            for f in features.load(self._context, name)["feature_set"]["features"]
        ]
        return pd.DataFrame(rows).set_index(["label", "indicator"])

    @cached_property
    def classifiers(self) -> pd.DataFrame:
        """Validation loss, and AUC, precision and recall of each class on validation and past, a row per label."""
        rows = {}
        for name in self.label_names:
            figures = classifiers.figures(self._context, name)
            row = {"validation_loss": figures["validation_loss"], "n_action": figures["n_action"]}
            for window in ("validation", "past"):
                for side in CLASS_NAMES:
                    for figure in ("auc", "precision", "recall"):
                        row[f"{window}_{side}_{figure}"] = figures[window][side][figure]
            rows[name] = row
        return pd.DataFrame.from_dict(rows, orient="index")

    def outputs(self, window: str) -> pd.DataFrame:
        """Buy and sell probabilities on the traded bars of ``past`` or ``future``; columns label and side."""
        self._check(window, WINDOWS, "window")
        seen = outputs.load(self._context, window)
        columns = pd.MultiIndex.from_product([self.label_names, ["buy", "sell"]], names=["label", "side"])
        return pd.DataFrame(seen.outputs, index=_times(seen.open_time), columns=columns)

    @cached_property
    def strategies(self) -> pd.DataFrame:
        """Every strategy, pruned ones too: parameters, past figures, and future figures with ``future_`` before."""
        future = ensembles.load_future(self._context).add_prefix("future_")
        return pd.concat([search.load(self._context), future], axis=1)

    @cached_property
    def tiers(self) -> pd.DataFrame:
        """Figures of every tier and baseline; index tier and window."""
        return pd.DataFrame(ensembles.load(self._context)["table"]).set_index(["tier", "window"])

    def members(self, tier: int) -> list[int]:
        """Rows of `strategies` in a tier, best first."""
        found = ensembles.load(self._context)["members"]
        self._check(str(tier), tuple(found), "tier")
        return found[str(tier)]

    def curves(self, window: str) -> pd.DataFrame:
        """Equity and position of every tier and baseline at each traded bar of a window."""
        self._check(window, WINDOWS, "window")
        frame = pd.read_parquet(self._context.stage("ensembles") / f"curves_{window}.parquet")
        return frame.set_index(pd.DatetimeIndex(frame.pop("open_time")).tz_localize("UTC"))

    def portfolio(self, tier: int, window: str) -> Any:
        """The members of a tier in a window as a vectorbt Portfolio, a column each; some 17 MB a column."""
        self._check(window, WINDOWS, "window")
        self.members(tier)
        return ensembles.member_portfolio(self._context, tier, window)

    @staticmethod
    def _check(name: str, known: tuple[str, ...] | list[str], what: str) -> None:
        if name not in known:
            raise ValueError(f"no {what} {name!r}; there are {', '.join(known)}")


def _times(milliseconds: Any) -> pd.DatetimeIndex:
    return pd.to_datetime(milliseconds, unit="ms", utc=True)


def open_run(path: str | Path, store: str | Path = "store") -> Run:
    """Open a finished run.

    Parameters
    ----------
    path : str or Path
        Folder of the run.
    store : str or Path
        Folder of imported bars; not read for generated markets.

    Raises
    ------
    RunError
        If there is no run in the folder, or a stage of it is not done.
    """
    context = open_context(Path(path), Path(store))
    done = done_events(Ledger(context.folder / "ledger.jsonl"))
    for stage in STAGE_NAMES:
        if stage not in done:
            raise RunError(f"{path}: stage {stage} is not done")
    return Run(context)
