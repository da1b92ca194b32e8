"""A finished run as pandas objects, to carry on with in a notebook."""

from functools import cached_property
from typing import TYPE_CHECKING

import pandas as pd

from labelsearch.classifiers.figures import MOVE_FIGURES, MoveEvaluation
from labelsearch.errors import InputError
from labelsearch.labels.base import CLASS_NAMES
from labelsearch.results.outputs import WINDOWS
from labelsearch.results.run import Results
from labelsearch.settings.experiment import Experiment
from strategies.trade.simulate import simulate_paths

if TYPE_CHECKING:
    from vectorbt import Portfolio


class Run:
    """What a finished run holds; everything is read when it is asked for.

    Parameters
    ----------
    results : Results
        Of a run with all stages done.
    """

    def __init__(self, results: Results) -> None:
        self._results = results

    def __repr__(self) -> str:
        return f"Run({self._results.name!r})"

    @property
    def experiment(self) -> Experiment:
        """The settings."""
        return self._results.experiment

    @property
    def label_names(self) -> list[str]:
        """Names of the labels, in the order of the outputs."""
        return list(self._results.labels.names)

    @cached_property
    def bars(self) -> pd.DataFrame:
        """Bars of the three windows on the grid; ``filled`` marks those that were missing."""
        b = self._results.bars
        names = ("open", "high", "low", "close", "volume", "quote_volume", "trades", "spread", "vwap", "filled")
        known = {name: getattr(b, name) for name in names}
        return pd.DataFrame({name: column for name, column in known.items() if column is not None}, index=b.index)

    def label(self, name: str) -> pd.DataFrame:
        """Value in [-1, 1], class (0 buy, 1 neutral, 2 sell) and last row used, of every bar before past.

        Parameters
        ----------
        name : str

        Returns
        -------
        DataFrame

        Raises
        ------
        InputError
            If the run has no such label.
        """
        self._check(name, self.label_names, "label")
        values = self._results.labels.values[name]
        return pd.DataFrame(values._asdict(), index=self.bars.index[: len(values.value)])

    @cached_property
    def feature_sets(self) -> pd.DataFrame:
        """Parameters and scale of every feature; index label and indicator."""
        rows = [
            {"label": entry.label, "indicator": f.name, "parameters": f.parameters, "scale": f.scale}
            for entry in self._results.features.chosen
            for f in entry.feature_set.features
        ]
        return pd.DataFrame(rows).set_index(["label", "indicator"])

    @cached_property
    def classifiers(self) -> pd.DataFrame:
        """Validation loss, and figures on validation and past, a row per label.

        AUC, precision and recall of each class; of labels whose moves are predicted the mean absolute error, R2, rank
        correlation and sign accuracy, and how much better they are than predicting the mean of train.
        """
        rows = {}
        for entry in self._results.classifiers.figures:
            row: dict[str, float | None] = {"validation_loss": entry.validation_loss, "n_action": entry.n_action}
            for window in ("validation", "past"):
                found = entry.on(window)
                if isinstance(found, MoveEvaluation):
                    for figure in MOVE_FIGURES:
                        against = getattr(found, figure)
                        row[f"{window}_{figure}"] = against.figure.value
                        row[f"{window}_{figure}_gain"] = against.gain.value
                    continue
                for side in CLASS_NAMES:
                    for figure in ("auc", "precision", "recall"):
                        row[f"{window}_{side}_{figure}"] = getattr(found.side(side), figure)
            rows[entry.label] = row
        return pd.DataFrame.from_dict(rows, orient="index")

    def outputs(self, window: str) -> pd.DataFrame:
        """Outputs on the traded bars of a window: columns label and side, which is buy, sell or magnitude.

        Parameters
        ----------
        window : {"past", "future"}

        Returns
        -------
        DataFrame

        Raises
        ------
        InputError
            If there is no such window.
        """
        self._check(window, WINDOWS, "window")
        seen = self._results.outputs.window(window)
        pairs = [tuple(name.rsplit(":", 1)) for name in self._results.outputs.columns]
        columns = pd.MultiIndex.from_tuples(pairs, names=["label", "side"])
        return pd.DataFrame(seen.outputs, index=_times(seen.open_time), columns=columns)

    @cached_property
    def strategies(self) -> pd.DataFrame:
        """Every strategy, pruned ones too: parameters, past figures, and future figures with ``future_`` before."""
        return pd.concat([self._results.strategies.frame, self._results.ensembles.future.add_prefix("future_")], axis=1)

    @cached_property
    def tiers(self) -> pd.DataFrame:
        """Figures of every tier, baseline and control; index tier and window."""
        rows = [row.flat() for row in self._results.ensembles.rows]
        return pd.DataFrame(rows).drop(columns="size").set_index(["tier", "window"])

    def members(self, tier: int) -> list[int]:
        """Rows of `strategies` in a tier, best first.

        Parameters
        ----------
        tier : int
            Its size.

        Returns
        -------
        list of int

        Raises
        ------
        InputError
            If there is no such tier.
        """
        found = self._results.ensembles.members
        self._check(str(tier), list(map(str, found)), "tier")
        return list(found[tier])

    def curves(self, window: str) -> pd.DataFrame:
        """Equity and position of every tier, baseline and control at each traded bar of a window.

        Parameters
        ----------
        window : {"past", "future"}

        Returns
        -------
        DataFrame

        Raises
        ------
        InputError
            If there is no such window.
        """
        self._check(window, WINDOWS, "window")
        return self._results.ensembles.curves[window].frame()

    def portfolio(self, tier: int, window: str) -> "Portfolio":
        """Trade the members of a tier in a window in vectorbt; some 17 MB a column.

        Each starts with a power of two near the first price in cash, about one unit: vectorbt takes less than 1e-12
        units for nothing. vectorbt pays neither funding nor borrowing: where the run does, each starts with four times
        as much or more, trades the units that it traded in the run, and its value is before what they cost.

        Statistics by year count years of bars, as vectorbt does: where bars are missing they are shorter than the
        calendar's.

        Parameters
        ----------
        tier : int
            Its size.
        window : {"past", "future"}

        Returns
        -------
        vectorbt.Portfolio
            A column for each member.

        Raises
        ------
        InputError
            If there is no such tier or window, or a member that was short is ruined in the window: vectorbt would let
            it come back.
        """
        from strategies.trade.backtest import portfolio  # loads vectorbt

        self._check(window, WINDOWS, "window")
        members, strategies = self.members(tier), self._results.strategies
        seen, rules = self._results.traded(window), self.experiment.rules()
        paths = simulate_paths(strategies.params[members], seen, rules, flows=True)
        for member, equity in zip(members, paths.state.equity, strict=True):
            if equity <= 0:
                raise InputError(f"strategy {member} of the tier is ruined in {window}, which vectorbt cannot hold")
        labels = {"index": _times(seen.open_time), "columns": pd.Index(members, name="strategy")}
        return portfolio(
            paths.orders, seen, rules, flows=paths.flows, **labels, interval_ms=self.experiment.data.interval_ms
        )

    @staticmethod
    def _check(name: str, known: tuple[str, ...] | list[str], what: str) -> None:
        if name not in known:
            raise InputError(f"no {what} {name!r}; there are {', '.join(known)}")


def _times(milliseconds: object) -> pd.DatetimeIndex:
    return pd.to_datetime(milliseconds, unit="ms", utc=True)
