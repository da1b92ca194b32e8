"""Probability of backtest overfitting by combinatorially symmetric cross-validation (CSCV).

Bailey, Borwein, Lopez de Prado & Zhu 2015: cut the days into blocks; for every way to call half of the blocks
in sample, take the strategy that is best there and look up its rank in the other half.

A statistic of any union of blocks follows from sums over blocks, so a split costs a few additions a strategy.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numba import njit, prange

from labelsearch.compiled import threaded
from strategies.search.score import PaperScore, Record, Score, paper_score
from strategies.trade.equity_grid import EquityGrid

SHARPE, MEAN, SCORE = 0, 1, 2
STATISTICS = {"sharpe": SHARPE, "mean": MEAN, "score": SCORE}
MOST_BLOCKS = 16
CHUNK = 64  # pairs of splits that one thread takes at once


class BlockSums(NamedTuple):
    """Sums over each of B blocks for S strategies.

    Sharpe: returns and their squares. Mean: returns. Score: log returns, fills, shares of equity held.
    """

    sums: np.ndarray  # (M, B, S)
    length: np.ndarray  # (B,) terms of each sum
    statistic: int
    score: Score | None = None
    months: float = 1.0  # of one term, for the score


class Overfitting(NamedTuple):
    """What the splits say; C splits, complementary ones side by side."""

    pbo: float  # share of splits whose winner is in the lower half outside
    logit: np.ndarray  # (C,) of the winner's relative rank outside, high is good
    inside: np.ndarray  # (C,) the winner's statistic in sample
    outside: np.ndarray  # (C,) and outside
    slope: float  # of outside on inside
    loss: float  # share of winners with a statistic below 0 outside
    n_blocks: int


def n_blocks_for(n_days: int, most: int = MOST_BLOCKS) -> int:
    """Largest even number of blocks up to ``most`` with two days or more a block; 0 if the window is too short."""
    return min(most, n_days // 2) // 2 * 2


def block_edges(n_days: int, n_blocks: int) -> np.ndarray:
    """Days (B + 1,) that cut a window into blocks whose lengths differ by one day at most."""
    return np.arange(n_blocks + 1) * n_days // n_blocks


def _over_blocks(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Sums (B, S) of values (S, D) between the edges."""
    return np.ascontiguousarray(np.add.reduceat(values, edges[:-1], axis=1).T)


def return_sums(returns: np.ndarray, statistic: str = "sharpe", n_blocks: int | None = None) -> BlockSums:
    """Sums for ``sharpe`` or ``mean`` from returns (S, D).

    Raises
    ------
    ValueError
        If the statistic is unknown, or the window too short for the blocks.
    """
    if statistic not in ("sharpe", "mean"):
        raise ValueError(f"statistic {statistic!r} is unknown, choose sharpe or mean")
    edges = _checked_edges(returns.shape[1], n_blocks)
    parts = [returns, returns**2] if statistic == "sharpe" else [returns]
    sums = np.stack([_over_blocks(part, edges) for part in parts])
    return BlockSums(sums, np.diff(edges).astype(np.float64), STATISTICS[statistic])


def score_sums(
    grid: EquityGrid, edges: np.ndarray, months: float, score: Score, n_blocks: int | None = None
) -> BlockSums:
    """Sums for a score.

    Parameters
    ----------
    grid : EquityGrid
        (S, D + 1) at the edges of days.
    edges : (D + 1,) array
        Rows of the edges, the first 0.
    months : float
        Length of the window in calendar months.
    score : Score
        How strategies are judged.
    n_blocks : int, optional
        As many as fit by default.
    """
    cuts = _checked_edges(len(edges) - 1, n_blocks)
    growth = np.log(np.maximum(grid.equity, 1e-300))
    fields = (growth, grid.fills, grid.position_sum)
    sums = np.stack([np.ascontiguousarray(np.diff(x[:, cuts], axis=1).T) for x in fields])
    return BlockSums(sums, np.diff(np.asarray(edges)[cuts]).astype(np.float64), SCORE, score, months / edges[-1])


def joined(parts: Sequence[BlockSums]) -> BlockSums:
    """Sums of all strategies from those of some of them, on the same blocks."""
    return parts[0]._replace(sums=np.concatenate([part.sums for part in parts], axis=2))


def _checked_edges(n_days: int, n_blocks: int | None) -> np.ndarray:
    n_blocks = n_blocks_for(n_days) if n_blocks is None else n_blocks
    if n_blocks < 2 or n_blocks % 2 or n_days < 2 * n_blocks:
        raise ValueError(f"{n_days} days do not make an even number of blocks of two days or more")
    return block_edges(n_days, n_blocks)


def cross_validate(blocks: BlockSums) -> Overfitting:
    """Go through all splits of the blocks into halves.

    Parameters
    ----------
    blocks : BlockSums
        Of all strategies that were tried, not of a choice of them.

    Returns
    -------
    Overfitting
        Rank r of S strategies has the logit log(r / (S + 1 - r)); ties share their mean rank. Of equally good
        winners in sample the first is taken.
    """
    n_blocks = blocks.sums.shape[1]
    # block 0 is always on the first side, so that no split comes twice
    halves = list(combinations(range(1, n_blocks), n_blocks // 2 - 1))
    member = np.zeros((len(halves), n_blocks), dtype=np.bool_)
    member[:, 0] = True
    for row, half in zip(member, halves, strict=True):
        row[list(half)] = True
    found = np.empty((3, 2 * len(member)))
    score = blocks.score
    if score is None or type(score) is PaperScore:
        options = () if score is None else (score.target_trades, score.target_position_pct, score.position_weight)
        threaded(splits_nb)(
            blocks.sums, blocks.length, blocks.statistic, np.array([blocks.months, *options]), member, found
        )
    else:
        splits(blocks, score, member, found)
    rank, inside, outside = found
    n_strategies = blocks.sums.shape[2]
    logit = np.log(rank / (n_strategies + 1 - rank))
    centred = inside - inside.mean()
    spread = float(centred @ centred)
    slope = float(centred @ outside) / spread if spread > 0 else 0.0
    return Overfitting(float((logit <= 0).mean()), logit, inside, outside, slope, float((outside < 0).mean()), n_blocks)


@njit(cache=True, nogil=True, error_model="numpy")
def statistic_nb(sums: np.ndarray, length: float, statistic: int, rule: np.ndarray, out: np.ndarray) -> None:
    """Statistic of S strategies from sums (M, S) over ``length`` terms, into ``out`` (S,).

    ``rule`` holds the months of a term and the options of `strategies.search.score.PaperScore`.
    """
    if statistic == SHARPE:
        for s in range(out.size):
            mean = sums[0, s] / length
            square = sums[1, s] / length
            variance = square - mean * mean
            # returns that do not vary leave a rounding error, which must not become a ratio
            out[s] = mean / np.sqrt(variance * length / (length - 1.0)) if variance > 1e-12 * square else 0.0
    elif statistic == MEAN:
        for s in range(out.size):
            out[s] = sums[0, s] / length
    else:
        months = length * rule[0]
        for s in range(out.size):
            earned = 100.0 * (np.exp(sums[0, s] / months) - 1.0)
            position = 100.0 * sums[2, s] / length
            out[s] = paper_score(earned, sums[1, s] / months, position, rule[1], rule[2], rule[3])[0]


@njit(cache=True, nogil=True, error_model="numpy")
def judge_nb(inside: np.ndarray, outside: np.ndarray, found: np.ndarray, column: int) -> None:
    """Rank outside of the best inside, and its statistic in both, into a column of ``found`` (3, C)."""
    best = 0
    for s in range(1, inside.size):
        if inside[s] > inside[best]:
            best = s
    value = outside[best]
    below = 0
    same = 0
    for s in range(outside.size):
        below += outside[s] < value
        same += outside[s] == value
    found[0, column] = below + (same + 1) / 2
    found[1, column] = inside[best]
    found[2, column] = value


def splits(blocks: BlockSums, score: Score, member: np.ndarray, found: np.ndarray) -> None:
    """As `splits_nb`, by any score."""
    for row, inside in enumerate(member):
        values = []
        for chosen in (inside, ~inside):
            growth, fills, held = blocks.sums[:, chosen].sum(axis=1)
            length = float(blocks.length[chosen].sum())
            record = Record(np.exp(growth), fills, held / length, length * blocks.months)
            values.append(score.pieces(record)["score"])
        judge_nb(values[0], values[1], found, 2 * row)
        judge_nb(values[1], values[0], found, 2 * row + 1)


@njit(cache=True, nogil=True, error_model="numpy", parallel=True)
def splits_nb(
    sums: np.ndarray, lengths: np.ndarray, statistic: int, rule: np.ndarray, member: np.ndarray, found: np.ndarray
) -> None:
    """All splits (C / 2, B) and their complements, in chunks over threads, into ``found`` (3, C)."""
    n_sums, n_blocks, n_strategies = sums.shape
    for chunk in prange((len(member) + CHUNK - 1) // CHUNK):
        # both halves are summed up: total less one half would leave rounding errors where nothing was traded
        halves = np.empty((2, n_sums, n_strategies))
        values = np.empty((2, n_strategies))
        for split in range(chunk * CHUNK, min((chunk + 1) * CHUNK, len(member))):
            halves[:] = 0.0
            length = np.zeros(2)
            for b in range(n_blocks):
                side = 0 if member[split, b] else 1
                length[side] += lengths[b]
                for m in range(n_sums):
                    for s in range(n_strategies):
                        halves[side, m, s] += sums[m, b, s]
            for side in range(2):
                statistic_nb(halves[side], length[side], statistic, rule, values[side])
            judge_nb(values[0], values[1], found, 2 * split)
            judge_nb(values[1], values[0], found, 2 * split + 1)
