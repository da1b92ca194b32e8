"""The null of a book: search and tiers once more, on outputs that are shifted against the prices."""

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from labelsearch.engine.files import Files
from labelsearch.engine.stage import Work
from labelsearch.panels.book.account import BookVerdictInputs, Traded, Wanted, days_of, trade_tier
from labelsearch.panels.book.figures import alpha_t
from labelsearch.panels.book.split import wanted
from labelsearch.results.book import BookNull
from strategies.book.problem import BookProblem, evaluate_books
from strategies.book.simulate import band_of
from strategies.book.window import BookWindow
from strategies.search.islands import SearchSettings, islands, merge, run_island
from strategies.tiers.ensemble import tiers as best_of
from strategies.tiers.null import draw_shifts, p_value

FOUND = "found.npz"


class NullTask(NamedTuple):
    """One repetition in one split."""

    split: int  # from 0
    past: int  # rows by which outputs are shifted
    future: int


class NullBooks(NamedTuple):
    """What all repetitions share, by split."""

    past: tuple[BookProblem, ...]
    future: tuple[BookWindow, ...]
    settings: tuple[SearchSettings, ...]
    sizes: tuple[int, ...]


def null_unit(task: NullTask, shared: NullBooks) -> Files:
    """Search on a shifted past; what the tiers then want on the shifted future."""
    problem = shared.past[task.split]
    past = replace(problem, window=problem.window.shifted(task.past))
    params = merge([run_island(island, past) for island in islands(shared.settings[task.split])]).params
    best = params[best_of(evaluate_books(past, params)["score"], shared.sizes)[max(shared.sizes)]]
    future = shared.future[task.split].shifted(task.future)
    _, weights, _ = wanted(best, past.window, future, past.rules, shared.sizes)
    bands = np.array([band_of(best[:size], past.space.n_outputs) for size in shared.sizes])
    file = io.BytesIO()
    np.savez(file, weights=weights, bands=bands)
    return {FOUND: file.getvalue()}


def null_of(
    inputs: BookVerdictInputs, windows: Sequence[BookWindow], tiers: Sequence[Traded], work: Work
) -> BookNull | None:
    """Repeat search and tiers on shifted outputs; None without repetitions."""
    repeats, sizes = inputs.null.repeats, inputs.sizes
    if not repeats:
        return None
    searched = [book.inputs for book in inputs.books]
    settings = tuple(
        replace(
            its.search_settings,
            n_strategies=inputs.null.n_strategies,
            island_size=min(its.search_settings.island_size, inputs.null.n_strategies),
            seed=inputs.seeds("book null search", k),
        )
        for k, its in enumerate(searched)
    )
    past = tuple(its.problem("past") for its in searched)
    shared = NullBooks(past, tuple(windows), settings, sizes)
    drawn = [
        [draw_shifts(n, repeats, inputs.seeds("book null", name, k)).tolist() for k, n in enumerate(lengths)]
        for name, lengths in (
            ("past", [len(p.window.close) for p in past]),
            ("future", [len(w.close) for w in windows]),
        )
    ]
    tasks = {
        f"{r:04d}-{k + 1}": NullTask(k, drawn[0][k][r], drawn[1][k][r])
        for r in range(repeats)
        for k in range(len(windows))
    }
    done = work.units(null_unit, tasks, shared)
    found: dict[int, list[float]] = {size: [] for size in sizes}
    for r in range(repeats):
        parts = []
        for k in range(len(windows)):
            with np.load(io.BytesIO(done[f"{r:04d}-{k + 1}"][FOUND]), allow_pickle=False) as file:
                parts.append((file["weights"], file["bands"]))
        for i, size in enumerate(sizes):
            wishes = [Wanted(weights[i], (float(bands[i, 0]), float(bands[i, 1]))) for weights, bands in parts]
            found[size].append(alpha_t(windows, days_of(windows, trade_tier(windows, inputs, wishes).accounts)))
    real = {n: alpha_t(windows, days_of(windows, tier.accounts)) for n, tier in zip(sizes, tiers, strict=True)}
    return BookNull(
        repeats,
        inputs.null.n_strategies,
        {n: tuple(found[n]) for n in sizes},
        {n: p_value(real[n], np.array(found[n])) for n in sizes},
    )
