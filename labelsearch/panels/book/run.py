"""Run the book of a panel: search and tiers of each split, from the outputs of its cells."""

from collections.abc import Sequence

from labelsearch.engine.run import Run
from labelsearch.engine.stage import Stored
from labelsearch.market.times import parse_interval
from labelsearch.panels.book import split
from labelsearch.panels.book.account import BookOfSplit
from labelsearch.panels.book.split import BookMarket, BookSearchInputs
from labelsearch.panels.cells import Place
from labelsearch.results.cross_section import MarketsOfSplit
from labelsearch.settings.cells import Cell
from labelsearch.settings.experiment import Experiment
from labelsearch.settings.schema import ExperimentError
from labelsearch.stages.seeds import Seeds
from strategies.book.rules import BookRules, BookSpace


def check_book(experiment: Experiment) -> None:
    """Raise `ExperimentError` for settings that a book does not have."""
    if experiment.pool.strategies:
        raise ExperimentError("[book]: a book searches its strategies for all markets anyway: leave [pool] strategies")
    if experiment.roll.refit in ("search", "tiers"):
        raise ExperimentError(
            f"[book]: refit = {experiment.roll.refit} is not for books: choose everything or classifiers"
        )


def rules_of(experiment: Experiment) -> BookRules:
    """Terms of a book."""
    book, rules = experiment.book, experiment.rules()
    return BookRules.of(
        book.kind,
        gross=book.gross,
        cap=book.cap,
        fee_share=rules.fee_share,
        signal_map=rules.signal_map,
        drift=book.drift,
    )


def search_inputs(
    experiment: Experiment, cells: Sequence[Cell], places: Sequence[Place], section: Stored[MarketsOfSplit]
) -> BookSearchInputs:
    """Inputs of the search of one split."""
    number, book = cells[0].split, experiment.book
    spans = experiment.splits[number - 1].named
    markets = tuple(
        BookMarket(
            cell.market,
            cell.experiment.data.market,
            tuple(place.recorded(cell, "outputs") for place in places),
            places[0].recorded(cell, "costs"),
            cell.delisted,
        )
        for cell in cells
    )
    intervals = experiment.data.intervals or (experiment.data.interval,)
    return BookSearchInputs(
        markets=markets,
        section=section,
        past=spans["past"],
        future=spans["future"],
        rules=rules_of(experiment),
        half_spread=experiment.rules().half_spread,
        intervals_ms=tuple(map(parse_interval, intervals)),
        space=BookSpace(
            experiment.search.space(experiment.output_names), book.band, book.doubt, book.span, len(intervals)
        ),
        score=book.score,
        search_settings=experiment.search.settings(Seeds(experiment.seed, (("split", number),))("search")),
    )


def run_split(
    experiment: Experiment, cells: Sequence[Cell], places: Sequence[Place], section: Stored[MarketsOfSplit], run: Run
) -> BookOfSplit:
    """Search and form the tiers of one split."""
    try:
        experiment.book.check_markets(len(cells))
    except ExperimentError as error:
        raise ExperimentError(f"[book]: split {cells[0].split}: {error}") from None
    inputs = search_inputs(experiment, cells, places, section)
    known = vars(inputs)
    found = run.do(split.SEARCH, **known)
    tiers = run.do(split.TIERS, **known, split=cells[0].split, sizes=experiment.tiers.descending, search=found)
    return BookOfSplit(inputs, found, tiers)
