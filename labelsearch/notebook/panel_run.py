"""A finished panel as pandas objects: what `labelsearch.open_run` gives for many markets or splits."""

from functools import cached_property

import pandas as pd

from labelsearch.errors import InputError
from labelsearch.notebook.run import Run
from labelsearch.results.book import Book
from labelsearch.results.ensembles import tier_name
from labelsearch.results.panel_run import PanelResults
from labelsearch.settings.experiment import Experiment


class PanelRun:
    """What a finished run of many markets or splits holds; everything is read when it is asked for.

    Parameters
    ----------
    results : PanelResults
        With a verdict.
    """

    def __init__(self, results: PanelResults) -> None:
        self._results = results

    def __repr__(self) -> str:
        return f"PanelRun({self._results.name!r})"

    @property
    def experiment(self) -> Experiment:
        """The settings."""
        return self._results.experiment

    @property
    def verdict(self) -> str:
        """Either ``edge``, ``timing, no profit shown`` or ``no edge shown``."""
        return self._results.panel.verdict

    @cached_property
    def tiers(self) -> pd.DataFrame:
        """Figures of the stitched account of every tier, and of the basket (``basket``); index tier.

        Intervals are two columns, ``_low`` and ``_high``; ``alpha_`` is against the basket, ``alpha_of_markets_``
        each market against itself, pooled. p-values with ``_adjusted`` are for the number of tiers.
        """
        panel, rows = self._results.panel, []
        for row in panel.tiers:
            flat: dict[str, object] = {"tier": row.name}
            for name, value in vars(row).items():
                if name in ("alpha", "alpha_of_markets"):
                    fields = ("pct_a_year", "t", "p_value")
                    flat |= {f"{name}_{field}": getattr(value, field, None) for field in fields}
                elif name in ("sharpe_interval", "alpha_interval_pct"):
                    stem = name.replace("_interval", "")
                    flat |= dict(zip((f"{stem}_low", f"{stem}_high"), value or (None, None), strict=True))
                elif name not in ("name", "size"):
                    flat[name] = value
            for name in ("statistic", "p_value", "adjusted"):
                flat[f"timing_{name}"] = None if row.size is None else getattr(panel.timing, name)[row.size]
            rows.append(flat)
        return pd.DataFrame(rows).set_index("tier").astype("float64")

    @cached_property
    def splits(self) -> pd.DataFrame:
        """First and last day of the windows, number of markets, and what every tier did; index split, from 1."""
        rows = []
        for row in self._results.panel.splits:
            days = {
                f"{window}_{end}": day
                for window in ("train", "past", "future")
                for end, day in zip(("first", "last"), getattr(row, window), strict=True)
            }
            figures = {**self._by_tier(row.return_pct, row.timing), "basket_pct": row.basket_pct}
            rows.append({"split": row.split, **days, "markets": row.markets, **figures})
        return pd.DataFrame(rows).set_index("split")

    @cached_property
    def markets(self) -> pd.DataFrame:
        """What every tier did in each market, chained over its splits; index market."""
        rows = [
            {
                "market": row.market,
                "splits": row.splits,
                **self._by_tier(row.return_pct, row.timing),
                "market_pct": row.market_pct,
            }
            for row in self._results.panel.markets
        ]
        return pd.DataFrame(rows).set_index("market")

    @cached_property
    def cells(self) -> pd.DataFrame:
        """What every tier did in each market of each split; index market and split."""
        rows = [
            {
                "market": row.market,
                "split": row.split,
                "first": row.first,
                "last": row.last,
                "delisted": row.delisted,
                **self._by_tier(row.return_pct, row.timing),
                "market_pct": row.market_pct,
                "rank": row.rank,
                "strategies": row.strategies,
            }
            for row in self._results.panel.cells
        ]
        return pd.DataFrame(rows).set_index(["market", "split"])

    @cached_property
    def absent(self) -> pd.DataFrame:
        """Why a split does without a market; index market and split."""
        rows = [row._asdict() for row in self._results.panel.absent]
        return pd.DataFrame(rows, columns=["market", "split", "reason"]).set_index(["market", "split"])

    @cached_property
    def equity(self) -> pd.DataFrame:
        """Stitched equity of every tier and of the basket at the end of each day, from 1, and the split; index day."""
        return self._results.panel.equity.set_index("day")

    def returns(self, name: str) -> pd.DataFrame:
        """Daily returns in each market, as shares of its capital.

        Parameters
        ----------
        name : str
            Of a tier, as ``Top-20``, or ``basket`` for those of the markets themselves.

        Returns
        -------
        DataFrame
            Days by markets, NaN where a market is absent.

        Raises
        ------
        InputError
            If there is no such tier.
        """
        names = [row.name for row in self._results.panel.tiers]
        if name not in names:
            raise InputError(f"no tier {name!r}; there are {', '.join(names)}")
        return self._results.panel.wide(name)

    @cached_property
    def book(self) -> pd.DataFrame:
        """What every tier of a book is watched by; index tier. `InputError` if the run is none."""
        rows = []
        for row in self._book.tiers:
            names = (name for name in vars(row) if name not in ("name", "size", "neutrality", "years"))
            figures = {name: getattr(row, name) for name in names}
            rows.append({"tier": row.name, **row.neutrality._asdict(), **figures})
        return pd.DataFrame(rows).set_index("tier")

    @cached_property
    def legs(self) -> pd.DataFrame:
        """Where the gain of every tier of a book came from by year, in percent; index tier and year."""
        rows = [{("tier" if k == "name" else k): v for k, v in vars(year).items()}
                for row in self._book.tiers for year in row.years]  # fmt: skip
        return pd.DataFrame(rows).set_index(["tier", "year"])

    @cached_property
    def strength(self) -> pd.DataFrame:
        """Rank correlation of what a book wished and what followed; index tier, interval (empty for all) and hours."""
        rows = [{("tier" if k == "name" else k): v for k, v in vars(row).items()} for row in self._book.strength]
        return pd.DataFrame(rows).set_index(["tier", "interval", "hours"])

    def weights(self, name: str) -> pd.DataFrame:
        """Shares of equity that a tier of a book wants at the close of each bar, before bands, below 0 if short.

        Parameters
        ----------
        name : str
            Of a tier, as ``Top-20``.

        Returns
        -------
        DataFrame
            When bars open, UTC, by markets, NaN where a split does without a market.

        Raises
        ------
        InputError
            If the run is no book, or has no such tier.
        """
        sizes = {row.name: row.size for row in self._book.tiers}
        if name not in sizes:
            raise InputError(f"no tier {name!r}; there are {', '.join(sizes)}")
        parts = []
        for number, windows in enumerate(self.experiment.splits, 1):
            split = self._results.book_split(number)
            times = split.markets.section.open_time
            times = times[windows.named["future"].rows(times)]
            index = pd.DatetimeIndex(times.astype("datetime64[ms]"), tz="UTC", name="open_time")
            wanted = split.tiers.weights[split.tiers.sizes.index(sizes[name])]
            parts.append(pd.DataFrame(wanted, index=index, columns=list(split.tiers.markets)))
        return pd.concat(parts)

    @property
    def _book(self) -> Book:
        book = self._results.panel.book
        if book is None:
            raise InputError(f"{self._results.name} is no book: its markets have accounts of their own")
        return book

    def cell(self, market: str, split: int) -> Run:
        """One market in one split, as a run of its own.

        Parameters
        ----------
        market : str
        split : int
            From 1.

        Returns
        -------
        Run

        Raises
        ------
        RunError
            If the split does not have the market.
        """
        return Run(self._results.cell(market, split))

    def _by_tier(self, return_pct: dict[int, float], timing: dict[int, float]) -> dict[str, float]:
        sizes = self._results.panel.sizes
        return {
            **{f"{tier_name(n)}_pct": return_pct[n] for n in sizes},
            **{f"{tier_name(n)}_timing": timing[n] for n in sizes},
        }
