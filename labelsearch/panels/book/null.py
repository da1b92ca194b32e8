"""The null of a book: search and tiers once more, on outputs that are shifted against the prices."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from labelsearch.engine.files import Files
from labelsearch.engine.stage import Work
from labelsearch.panels.book.account import BookVerdictInputs, Wanted
from labelsearch.panels.book.figures import alpha_of_wanted
from labelsearch.panels.book.split import wanted
from labelsearch.results.book import BookNull
from labelsearch.results.codec import npz_arrays, npz_bytes
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
    _, weights = wanted(best, past.window, future, past.rules, shared.sizes)
    bands = np.array([band_of(best[:size], past.space.n_outputs) for size in shared.sizes])
    return {FOUND: npz_bytes({"weights": weights, "bands": bands})}


def null_of(
    inputs: BookVerdictInputs,
    windows: Sequence[BookWindow],
    past: Sequence[BookProblem],
    real: Mapping[int, float],
    work: Work,
) -> BookNull | None:
    """Repeat search and tiers on shifted outputs; None without repetitions.

    ``past`` is that of each split, and ``real`` the t-values of alpha of the tiers.
    """
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
    shared = NullBooks(tuple(past), tuple(windows), settings, sizes)
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
        parts = [npz_arrays(done[f"{r:04d}-{k + 1}"][FOUND]) for k in range(len(windows))]
        for i, size in enumerate(sizes):
            wishes = [
                Wanted(its["weights"][i], (float(its["bands"][i, 0]), float(its["bands"][i, 1]))) for its in parts
            ]
            found[size].append(alpha_of_wanted(inputs, windows, wishes))
    return BookNull(
        repeats,
        inputs.null.n_strategies,
        {n: tuple(found[n]) for n in sizes},
        {n: p_value(real[n], np.array(found[n])) for n in sizes},
    )
