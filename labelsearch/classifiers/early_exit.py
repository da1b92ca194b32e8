"""Early exit: the networks of ensembles are asked one after the other, until what is decided at a bar is settled.

A linear strategy orders only where its signal is above one threshold or below another; between them it holds, and what
its signal is does not matter. So once the mean of the networks asked so far is far enough within that span, for every
strategy, the others need not be asked. How far is enough is either a bound that always holds, or one that was measured
on other bars. Bars at which any strategy may order are asked of all networks, because the size of an order goes with
the signal: their outputs are those of the whole ensemble, bit by bit.

A third rule lets bars exit on either side of the thresholds: what is wanted is as settled there, but the size of an
order then comes from the networks asked so far.

That members of an ensemble are left out where the mean so far is sure enough goes back to Inoue (2019), "Adaptive
ensemble prediction for deep neural networks based on confidence level"; the rule by thresholds is ours.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from labelsearch.classifiers.inference import Perceptron, strategy_outputs

AT_ONCE = 16_384  # bars whose signals are held together
Floats = NDArray[np.float64]


class Thresholds(NamedTuple):
    """S linear strategies: where the sum w.o of each decides nothing.

    Attributes
    ----------
    weights : (S, K) array
    low, high : (S,) array
        A strategy orders nothing where low <= w.o <= high.
    """

    weights: Floats
    low: Floats
    high: Floats

    @classmethod
    def of(cls, params: Floats, signal_map: str) -> "Thresholds":
        """From parameters (S, K + 3), weights first, then theta_buy, theta_sell and delta, and the map of the signal.

        Examples
        --------
        >>> found = Thresholds.of(np.array([[1.0, 0.8, 0.3, 0.1]]), "half")
        >>> found.low.round(3).item(), found.high.round(3).item()
        (-0.2, 0.3)
        """
        weights, (buy, sell) = params[:, :-3], params[:, -3:-1].T
        if signal_map == "logistic":
            with np.errstate(divide="ignore", invalid="ignore"):
                low, high = (np.log(np.clip(x, 0.0, 1.0)) - np.log1p(-np.clip(x, 0.0, 1.0)) for x in (sell, buy))
        else:
            shift = 0.5 if signal_map == "half" else 0.0
            low, high = sell - shift, buy - shift
        # the signal ends at 0 and 1: a threshold there is never passed, one beyond it always is
        low, high = np.where(sell <= 0.0, -np.inf, low), np.where(buy >= 1.0, np.inf, high)
        return cls(weights, np.where(sell > 1.0, np.inf, low), np.where(buy < 0.0, -np.inf, high))

    def sums(self, outputs: NDArray[np.floating]) -> Floats:
        """w.o (N, S) of outputs (N, K)."""
        return np.asarray(outputs, dtype=np.float64) @ self.weights.T

    def zones(self, outputs: NDArray[np.floating]) -> NDArray[np.int8]:
        """What strategies want at outputs (N, K), (N, S): 1 to buy, -1 to sell, 0 neither, and for NaN."""
        sums = self.sums(outputs)
        return (sums > self.high).astype(np.int8) - (sums < self.low).astype(np.int8)


@dataclass(frozen=True)
class ExitRule:
    """When bars exit: after m networks, w.o of all of them is within [w.o + below, w.o + above] of the mean so far.

    Attributes
    ----------
    thresholds : Thresholds
    below, above : (M - 1, S) array
        By number of networks asked, from 1. Above a bound that always holds they depend on w.o too: the mean so far
        counts only ``share`` of itself, (M - 1,).
    sides : bool
        Whether bars exit as well where every strategy that may order surely wants to buy, or surely to sell.
    """

    thresholds: Thresholds
    below: Floats
    above: Floats
    share: Floats
    sides: bool = False

    @classmethod
    def bounded(cls, thresholds: Thresholds, kinds: Sequence[int], n_networks: int) -> "ExitRule":
        """The rule that cannot err: outputs of a label are two probabilities, or one number in [-1, 1].

        Parameters
        ----------
        thresholds : Thresholds
        kinds : sequence of int
            Outputs of each label in order, 2 or 1. At temperature 1: at another, no mean bounds those of all.
        n_networks : int
            M.
        """
        lows, highs, at = [], [], 0
        for n in kinds:
            weights = thresholds.weights[:, at : at + n]
            ends = np.column_stack([weights, np.zeros(len(weights)) if n == 2 else -weights[:, 0]])
            lows.append(ends.min(axis=1))
            highs.append(ends.max(axis=1))
            at += n
        left = 1.0 - np.arange(1, n_networks) / n_networks
        # sums are rounded: a hair keeps what is bounded on the safe side
        hair = 1e-5 * (1.0 + np.abs(thresholds.weights).sum(axis=1))
        below = left[:, None] * np.sum(lows, axis=0) - hair
        return cls(thresholds, below, left[:, None] * np.sum(highs, axis=0) + hair, 1.0 - left)

    @classmethod
    def measured(
        cls, thresholds: Thresholds, members: NDArray[np.float32], sureness: float, *, sides: bool = False
    ) -> "ExitRule":
        """The rule fitted on bars with the outputs (M, N, K) of every network.

        The mean so far may be as far from that of all as it was in ``sureness`` of these bars, for each strategy by
        itself: 1 asks for the largest distance seen.

        Raises
        ------
        ValueError
            If there are fewer than two networks or no bars, or ``sureness`` is not in (0, 1].
        """
        n_networks, n_bars, _ = members.shape
        if n_networks < 2 or not n_bars or not 0.0 < sureness <= 1.0:
            raise ValueError("an exit is fitted on two networks or more, one bar or more, and a sureness in (0, 1]")
        sums = [thresholds.sums(member) for member in members]
        whole = np.sum(sums, axis=0) / n_networks
        so_far = np.cumsum(sums[:-1], axis=0) / np.arange(1, n_networks)[:, None, None]
        distance = np.quantile(np.abs(so_far - whole), sureness, axis=1)
        return cls(thresholds, -distance, distance, np.ones(n_networks - 1), sides)

    def exits(self, n_asked: int, outputs: Floats) -> NDArray[np.bool_]:
        """Bars (N,) at which what is wanted is settled, from the mean outputs (N, K) of the networks asked."""
        low, high = self.thresholds.low, self.thresholds.high
        sums = self.share[n_asked - 1] * self.thresholds.sums(outputs)
        least, most = sums + self.below[n_asked - 1], sums + self.above[n_asked - 1]
        settled = (least >= low) & (most <= high)
        if self.sides:
            settled |= ((least > high) & (least >= low)) | ((most < low) & (most <= high))
        return np.asarray(settled.all(axis=1))


class Asked(NamedTuple):
    """Outputs (N, K) as float32, of all networks or of those asked, the number of these (N,), and that of all."""

    outputs: NDArray[np.float32]
    n_asked: NDArray[np.int64]
    n_networks: int

    @property
    def exit_share(self) -> float:
        """Share of the bars at which some network was not asked; 0 of no bars."""
        return float((self.n_asked < self.n_networks).mean()) if self.n_asked.size else 0.0


def ask_in_turn(
    n_networks: int, n_bars: int, ask: Callable[[int, NDArray[np.int64]], NDArray[np.float32]], rule: ExitRule
) -> Asked:
    """Ask networks one after the other, each at the bars that have not exited.

    Parameters
    ----------
    n_networks, n_bars : int
    ask : callable
        ``ask(m, bars)``: mean outputs (n, K) of the first ``m`` networks at some bars. It is asked for m = 1, 2, ...
        and for fewer bars every time.
    rule : ExitRule
    """
    bars = np.arange(n_bars)
    found = ask(1, bars)
    outputs, asked = np.array(found, dtype=np.float32), np.ones(n_bars, dtype=np.int64)
    for m in range(1, n_networks):
        starts = range(0, len(bars), AT_ONCE)
        exits = [rule.exits(m, outputs[bars[first : first + AT_ONCE]].astype(np.float64)) for first in starts]
        bars = bars[~np.concatenate(exits)] if exits else bars
        if not bars.size:
            break
        outputs[bars] = ask(m + 1, bars)
        asked[bars] = m + 1
    return Asked(outputs, asked, n_networks)


def mean_of(members: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean outputs (N, K) of all networks, from those of each (M, N, K)."""
    return np.asarray(np.sum(members, axis=0, dtype=np.float64) / len(members), dtype=np.float32)


def ask_members(members: NDArray[np.float32], rule: ExitRule) -> Asked:
    """Early exit where the outputs (M, N, K) of every network are known: what would have been asked."""

    def ask(m: int, bars: NDArray[np.int64]) -> NDArray[np.float32]:
        return mean_of(members[:m, bars])

    return ask_in_turn(len(members), members.shape[1], ask, rule)


def ask_perceptrons(
    classifiers: Sequence[Perceptron], matrices: Sequence[NDArray[np.float32]], rows: NDArray[np.int64], rule: ExitRule
) -> Asked:
    """Outputs of several classifiers, a network of each in turn.

    Where all networks are asked, they have the bits of `Perceptron.predict`.

    Parameters
    ----------
    classifiers : sequence of Perceptron
        One for each label, of equally many networks.
    matrices : sequence of (T, F) array of float32
        Features of each.
    rows : (N,) array of int64
    rule : ExitRule

    Raises
    ------
    ValueError
        If the numbers of networks differ, or features do not fit.
    """
    counts = {classifier.n_networks for classifier in classifiers}
    if len(counts) != 1:
        raise ValueError("early exit needs classifiers of equally many networks")
    totals = [classifier.no_sums(len(rows)) for classifier in classifiers]

    def ask(m: int, bars: NDArray[np.int64]) -> NDArray[np.float32]:
        parts = []
        for classifier, matrix, total in zip(classifiers, matrices, totals, strict=True):
            sums = total[bars]
            classifier.add(matrix, rows[bars], m - 1, sums)
            total[bars] = sums
            parts.append(strategy_outputs(classifier.mean(sums, m)))
        return np.hstack(parts)

    return ask_in_turn(counts.pop(), len(rows), ask, rule)
