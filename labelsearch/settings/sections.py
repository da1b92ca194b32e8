"""Sections of an experiment: every default and every range, written once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from feature_space.indicators import BY_NAME, Indicator
from feature_space.normalise import Normalisation
from labelsearch.classifiers.kinds import CALIBRATION_NAMES, LOSS_NAMES, MAGNITUDE_LOSS_NAMES, NETWORKS
from labelsearch.labels.spans import Span, check_order
from labelsearch.market.store import SYMBOL
from labelsearch.market.symbols import joined
from labelsearch.market.times import parse_interval
from labelsearch.settings.schema import ExperimentError, Ranged, option, refuse_unknown
from strategies.search.islands import SearchSettings
from strategies.search.linear import StrategySpace
from strategies.trade.rules import SIGNAL_MAPS

LARGEST_SEED = 2**63 - 1
MOST_STRATEGIES = 100_000_000
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2099, 12, 31)
SHORTEST_MS = 60_000  # of a bar
BAGS = ("none", "blocks")
CRITERIA = ("gaussian", "quantile", "contrast", "discriminant")


def one_of(name: str, value: str, known: Iterable[str]) -> None:
    """Raise `ExperimentError` for a name that is not known."""
    if value not in list(known):
        raise ExperimentError(f"{name} = {value!r} is unknown; known are {', '.join(known)}")


def check_day(name: str, day: str) -> None:
    """Raise `ExperimentError` for what is no day, or one that no market has."""
    try:
        known = FIRST_DAY <= date.fromisoformat(day) <= LAST_DAY
    except ValueError:
        raise ExperimentError(f"{name} must be a day as 2020-12-31, not {day!r}") from None
    if not known:
        raise ExperimentError(f"{name} must be in {FIRST_DAY} to {LAST_DAY}, not {day}")


@dataclass(frozen=True)
class Data(Ranged):
    """Where the bars come from."""

    source: str = option("store", "store: imported bars; synthetic: a generated market")
    symbol: str = option("BTCUSDT", "symbol in the store")
    symbols: tuple[str, ...] = option((), "several symbols, or a file with one on each line; empty: the one above")
    interval: str = option("1m", "length of a bar, 1m to 1d; made of the shortest stored bars if there are none")
    intervals: tuple[str, ...] = option((), "of a book: several lengths of bars, each with outputs of its own")
    calendar: str = option("24/7", "24/7, FX, or when an exchange is open by exchange-calendars, as XNYS")
    edge: float = option(0.0, "synthetic only: Sharpe ratio a minute of the planted drift, 0 plants none", 0, 1)
    market_seed: int = option(1, "synthetic only: seed of the generated market", 0, LARGEST_SEED)
    market_start: str = option("", "synthetic only: first day of the market; empty: that of train")

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("source", self.source, ("store", "synthetic"))
        try:
            too_short = parse_interval(self.interval) < SHORTEST_MS
        except ValueError as error:
            raise ExperimentError(f"interval: {error}") from error
        if too_short:
            raise ExperimentError(f"interval must be 1m or longer, not {self.interval}")
        self._check_intervals()
        if self.market_start:
            check_day("market_start", self.market_start)
        if self.edge == 1.0:
            raise ExperimentError("edge must be below 1")
        for symbol in self.markets:
            if not SYMBOL.fullmatch(symbol):
                raise ExperimentError(f"symbol {symbol!r} is not one that a store may hold")
        if len(set(self.symbols)) != len(self.symbols):
            raise ExperimentError("symbols: the same one twice")
        if self.source == "synthetic" and self.calendar != "24/7":
            raise ExperimentError("calendar must be 24/7: a generated market never closes")

    def _check_intervals(self) -> None:
        """Raise `ExperimentError` for intervals that a book cannot be decided on."""
        if not self.intervals:
            return
        try:
            lengths = [parse_interval(interval) for interval in self.intervals]
        except ValueError as error:
            raise ExperimentError(f"intervals: {error}") from error
        if self.intervals[0] != self.interval:
            raise ExperimentError(f"intervals must begin with {self.interval}, the interval on which is decided")
        if len(set(lengths)) < len(lengths) or min(lengths) < lengths[0]:
            raise ExperimentError("intervals must differ, and none may be shorter than the first, on which is decided")

    @property
    def interval_ms(self) -> int:
        """Length of a bar in milliseconds."""
        return parse_interval(self.interval)

    @property
    def markets(self) -> tuple[str, ...]:
        """Symbols of all markets."""
        return self.symbols or (self.symbol,)

    def of(self, symbol: str) -> "Data":
        """Where the bars of one market come from; each generated market has a seed of its own."""
        further = self.markets.index(symbol) if self.source == "synthetic" else 0
        seed = min(self.market_seed + further, LARGEST_SEED)
        return replace(self, symbol=symbol, symbols=(), intervals=(), market_seed=seed)

    @property
    def market(self) -> str:
        """What is traded, whatever the length of the bars and the spelling of the symbol."""
        if self.source == "synthetic":
            return f"synthetic {self.symbol} {self.market_seed} {self.edge:g}"
        return joined(self.symbol).upper()


@dataclass(frozen=True)
class Windows(Ranged):
    """Three windows of whole UTC days, first and last day included."""

    train: tuple[str, str] = option(("2018-01-01", "2019-12-31"), "labels, features and classifiers are fitted here")
    past: tuple[str, str] = option(("2020-01-04", "2020-05-05"), "strategies are searched and ranked here")
    future: tuple[str, str] = option(("2020-05-09", "2020-09-19"), "for the final table alone; every look is counted")
    validation_share: float = option(0.2, "last part of train that classifiers are validated on", 0.001, 0.999)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("train", "past", "future"):
            for day in getattr(self, name):
                check_day(name, day)
        check_order(self.named, 0)

    @property
    def named(self) -> dict[str, Span]:
        """The windows by name, in time order."""
        return {name: Span.of_days(*getattr(self, name)) for name in ("train", "past", "future")}


@dataclass(frozen=True)
class Labels:
    """What all labels share."""

    price: str = option("close", "price that labels read: close or vwap")

    def __post_init__(self) -> None:
        one_of("price", self.price, ("close", "vwap"))


@dataclass(frozen=True)
class FeatureSpace(Ranged):
    """Indicators and their normalisation."""

    indicators: tuple[str, ...] = option((), "names of indicators to use; empty: all, your own included")
    relative: bool = option(False, "with all indicators, also those that compare the markets of a panel")
    normalisation: str = option(
        "train", "train: fixed scale fitted before validation; local: trailing window; rank: among the markets"
    )
    parts: int = option(1, "settings of each indicator in a set, one of each so many parts of its intervals", 1, 10)
    window: int = option(1440, "bars of the trailing window of a local scale", 2, 1_000_000)
    gain: float = option(1.0, "factor on the scale before the arctangent", 1e-6, 1e6)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.relative and self.indicators:
            raise ExperimentError("relative adds to all indicators: name those wanted among indicators, or name none")
        self.normaliser()

    def check_names(self) -> None:
        """Raise `ExperimentError` for an indicator that is not known."""
        refuse_unknown(self.indicators, list(BY_NAME), "indicators")

    def normaliser(self) -> Normalisation:
        """How an indicator becomes a feature."""
        return Normalisation(self.normalisation, self.window, self.gain)

    def chosen(self) -> tuple[Indicator, ...]:
        """The indicators, in order; without names all that are known.

        Relative ones are only there where they are asked for, and those of the basket alone not where markets are
        ranked: all have the same. In several parts each comes several times, with a part of its intervals.
        """
        if self.indicators:
            found = [BY_NAME[name] for name in self.indicators]
        else:
            known = (its for its in BY_NAME.values() if self.relative or not its.needs_markets)
            found = [its for its in known if self.normalisation != "rank" or its.columns != ("basket",)]
        return tuple(part for indicator in found for part in indicator.in_parts(self.parts))

    @property
    def needs_markets(self) -> bool:
        """Whether features compare markets."""
        named = (BY_NAME[name] for name in self.indicators if name in BY_NAME)
        return self.relative or self.normalisation == "rank" or any(found.needs_markets for found in named)


@dataclass(frozen=True)
class Separation(Ranged):
    """Search for the feature set of each label."""

    n_pairs: int = option(100_000, "cross-class pairs of bars per label", 1, 100_000_000)
    n_values: int = option(8, "parameter settings per indicator", 1, 1000)
    n_restarts: int = option(3, "coordinate searches from random starts", 1, 10_000)
    n_shifts: int = option(199, "circular shifts of the label behind the p-value of each set", 1, 100_000)
    exact: bool = option(False, "also count all cross-class pairs of the chosen set: minutes on two years of minutes")
    criterion: str = option(
        "gaussian",
        "near zero by gaussian or 20% quantile; contrast: cross against same class; discriminant: error on other time",
    )
    n_features: int = option(
        0, "discriminant only: indicators in a set; 0: all, or with subset as many as help", 0, 1000
    )
    subset: bool = option(False, "discriminant only: leave out indicators that do not lower the error; for few bars")
    n_bars: int = option(13_000, "discriminant only: bars of each class per label", 10, 40_000)
    kind_weights: tuple[float, ...] = option(
        (1.0, 2.0, 2.0),
        "discriminant only: of buy-sell, buy-neutral and sell-neutral; the loss has 1, 2, 2",
        0,
        1e6,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("criterion", self.criterion, CRITERIA)
        if len(self.kind_weights) != 3 or not sum(self.kind_weights) > 0:
            raise ExperimentError("kind_weights must be three, one of them at least above 0")


@dataclass(frozen=True)
class Network(Ranged):
    """One classifier per label."""

    kind: str = option("mlp", f"one of {', '.join(NETWORKS)}, or your own")
    window: int = option(32, "bars of the trailing window that all kinds but mlp see", 2, 100_000)
    loss: str = option("cross_entropy", f"{' or '.join(LOSS_NAMES)}; ensloss: a random calibrated loss in each batch")
    magnitude_loss: str = option(
        "squared", f"{' or '.join(MAGNITUDE_LOSS_NAMES)}: loss of labels with head = magnitude, in place of loss"
    )
    sign_penalty: float = option(0.0, "q: that loss is times 1 + q |y| where the sign of the move y is missed", 0, 100)
    n_seeds: int = option(3, "networks of the best hyper-parameters whose predictions are averaged", 1, 1000)
    bag: str = option("none", "what each of them is trained on: none, all the same; blocks, all but a block of time")
    folds: int = option(1, "parts of train that hyper-parameters are compared on; 1: the last part alone", 1, 20)
    early_exit: float = option(0.0, "networks are asked until a decision is so sure; measured on past; 0: not", 0, 1)
    calibration: str = option("none", "none, or temperature: fitted on the first half of validation")
    n_neutral: int = option(100_000, "neutral bars sampled for training; all action bars are kept", 1, 100_000_000)
    n_trials: int = option(9, "Optuna trials per label", 1, 100_000)
    search_rows: int = option(50_000, "samples that a trial sees; the best one is then trained on all", 1, 100_000_000)
    max_epochs: int = option(9, "epochs of a full trial; Hyperband stops poor ones earlier", 1, 100_000)
    batch_size: int = option(4096, "samples per gradient step", 1, 10_000_000)
    device: str = option("cpu", "Lightning accelerator: cpu, gpu or auto")

    def check_names(self) -> None:
        """Raise `ExperimentError` for a kind that is not known."""
        one_of("kind", self.kind, NETWORKS)

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("loss", self.loss, LOSS_NAMES)
        one_of("magnitude_loss", self.magnitude_loss, MAGNITUDE_LOSS_NAMES)
        one_of("calibration", self.calibration, CALIBRATION_NAMES)
        one_of("bag", self.bag, BAGS)
        if self.bag != "none" and self.n_seeds == 1:
            raise ExperimentError(f"bag = {self.bag!r} needs n_seeds of 2 or more: one network must see all of train")
        one_of("device", self.device, ("cpu", "gpu", "auto"))


@dataclass(frozen=True)
class Search(Ranged):
    """Strategies and the search over their parameters."""

    n_strategies: int = option(
        SearchSettings.n_strategies, "strategies searched, pruned ones included", 1, MOST_STRATEGIES
    )
    island_size: int = option(
        SearchSettings.island_size,
        "trials of one independent Optuna study; 500 suits tpe, which slows as they grow",
        1,
        MOST_STRATEGIES,
    )
    sampler: str = option(
        SearchSettings.sampler,
        "cmaes with restarts; diverse: unlike strategies by quality-diversity; tpe, qmc or random",
    )
    past: str = option("whole", "whole; halves: searched on every other part of past, ranked on the rest")
    random_share: float = option(
        SearchSettings.random_share, "share of the strategies at random, to keep the full spectrum", 0, 1
    )
    budget: str = option(SearchSettings.budget, "Hyperband budget: blocks spread over the past window, or its prefix")
    signal_map: str = option("half", "half: clip(1/2 + w.o, 0, 1); clip: clip(w.o, 0, 1); logistic")
    side: str = option("long", "long; both: positions may be short, a signal of 1/2 wants none")
    weight: tuple[float, float] = option(StrategySpace.weight, "range of the weights", -1e6, 1e6)
    signed: bool = option(False, "weights of buy outputs are not below 0, those of sell outputs not above")
    theta_buy: tuple[float, float] = option(StrategySpace.theta_buy, "range of the buy threshold", -2, 2)
    theta_sell: tuple[float, float] = option(StrategySpace.theta_sell, "range of the sell threshold", -2, 2)
    delta: tuple[float, float] = option(StrategySpace.delta, "range of the smallest change of position", 0, 2)

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("side", self.side, ("long", "both"))
        one_of("past", self.past, ("whole", "halves"))
        for name in ("weight", "theta_buy", "theta_sell", "delta"):
            low, high = getattr(self, name)
            if not low < high:
                raise ExperimentError(f"{name} needs a lower end below its upper end")
        one_of("signal_map", self.signal_map, SIGNAL_MAPS)
        self.settings(0)

    def space(self, outputs: int | Sequence[str]) -> StrategySpace:
        """Parameters of a strategy: a weight for each output, by number or name, and three thresholds.

        Outputs that are numbered are pairs of buy and sell.
        """
        names = outputs if not isinstance(outputs, int) else [("buy", "sell")[k % 2] for k in range(outputs)]
        signs = tuple(-1 if name.endswith("sell") else 1 for name in names) if self.signed else ()
        return StrategySpace(len(names), self.weight, self.theta_buy, self.theta_sell, self.delta, signs)

    def settings(self, seed: int) -> SearchSettings:
        """Settings of the islands."""
        return SearchSettings(
            n_strategies=self.n_strategies,
            island_size=min(self.island_size, self.n_strategies),
            sampler=self.sampler,
            random_share=self.random_share,
            budget=self.budget,
            halved=self.past == "halves",
            seed=seed,
        )


@dataclass(frozen=True)
class Null(Ranged):
    """Search and tiers repeated on shifted outputs at the end of a run; `labelsearch null` repeats them more often."""

    repeats: int = option(19, "searches on shifted outputs; 0 for none", 0, 100_000)
    n_strategies: int = option(1000, "strategies of each", 1, MOST_STRATEGIES)
