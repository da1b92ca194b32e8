"""Training rows: all action bars, and a sample of the neutral ones with importance weights."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from labelsearch.classifiers.loss_scaling import balance, loss_factors
from labelsearch.labels.base import NEUTRAL, LabelValues, moves_of


class Windows:
    """Features of the last L bars at some rows of one matrix, gathered only on demand.

    Parameters
    ----------
    matrix : (T, F) array of float32
        Shared, never copied.
    rows : (N,) array of int64
        Last row of each window.
    window : int
        L. Rows before the first of the matrix count as copies of it.
    """

    def __init__(self, matrix: Tensor, rows: Tensor, window: int) -> None:
        self.matrix = matrix
        self.rows = rows
        self.window = window

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Tensor | slice) -> "Windows":
        """Windows of some of the rows, not gathered."""
        return Windows(self.matrix, self.rows[index], self.window)

    @property
    def shape(self) -> tuple[int, int, int]:
        """N, L, F."""
        return len(self), self.window, self.matrix.shape[1]

    def gather(self) -> Tensor:
        """The windows, (N, L, F) tensor of float32, oldest bar first."""
        index = self.rows[:, None] + torch.arange(1 - self.window, 1)
        return self.matrix.index_select(0, index.clamp_(min=0).flatten()).view(self.shape)


class Samples(NamedTuple):
    """Rows of one label, ready for a network. N samples, F features."""

    features: Any  # (N, F) tensor of float32, or `Windows`
    target: Tensor  # (N,) tensor of int64, classes; of float32, moves y
    weights: Tensor  # (N,) tensor of float32: loss factor times importance, mean 1 over the rows sampled from


def sample_rows(
    classes: NDArray[np.int8], rows: NDArray[np.int64], n_neutral: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Keep every action row, draw at most ``n_neutral`` neutral ones without replacement.

    Returns
    -------
    kept : (M,) array of int64
        Sorted row numbers.
    importance : (M,) array of float64
        1 for action rows, (all neutral rows)/(neutral rows kept) for neutral ones: weighted sums over the kept rows
        are unbiased estimates of sums over all rows.
    """
    neutral = rows[classes[rows] == NEUTRAL]
    action = rows[classes[rows] != NEUTRAL]
    drawn = neutral
    if neutral.size > n_neutral:
        drawn = rng.choice(neutral, n_neutral, replace=False)
    kept = np.concatenate([action, drawn])
    importance = np.ones(kept.size)
    importance[action.size :] = neutral.size / max(drawn.size, 1)
    order = np.argsort(kept)
    return kept[order], importance[order]


def make_samples(
    matrix: NDArray[np.float32],
    label: LabelValues,
    rows: NDArray[np.int64],
    n_neutral: int,
    rng: np.random.Generator,
    a: float | None = None,
    window: int = 1,
    head: str = "classes",
) -> Samples:
    """Samples of one label from the feature matrix (T, F) and the allowed rows; ``a`` as in `loss_factors`.

    With a ``window`` above 1 the features are `Windows` on the same rows. Windows of validation rows may reach back
    into the fitted rows: they contain features, never labels. Moves have no loss factors: the loss knows their size.
    """
    if head == "magnitude":
        factors = np.ones(rows.size)
    else:
        a = balance(label.value[rows], label.classes[rows]) if a is None else a
        factors = loss_factors(label.value[rows], label.classes[rows], a)
    kept, importance = sample_rows(label.classes, rows, n_neutral, rng)
    weights = factors[np.searchsorted(rows, kept)] * importance
    features: Tensor | Windows = (
        torch.from_numpy(matrix[kept])
        if window == 1
        else Windows(torch.from_numpy(matrix), torch.from_numpy(kept), window)
    )
    target = moves_of(label.value[kept]).astype(np.float32)
    return Samples(
        features,
        torch.from_numpy(target if head == "magnitude" else label.classes[kept].astype(np.int64)),
        torch.from_numpy((weights / rows.size * kept.size).astype(np.float32)),
    )


def thinned(samples: Samples, n: int, rng: np.random.Generator) -> Samples:
    """About ``n`` of the samples: action rows fill up to half of them, neutral ones the rest; moves are of one kind.

    Rows of either kind weigh more by what was left out of it, so that weighted means stay unbiased. All samples are
    returned if there are no more than ``n``.
    """
    classes = samples.target.numpy()
    if classes.size <= n:
        return samples
    is_neutral = classes == NEUTRAL if not samples.target.is_floating_point() else np.ones(classes.size, dtype=np.bool_)
    action, neutral = np.flatnonzero(~is_neutral), np.flatnonzero(is_neutral)
    n_action = min(action.size, max(n // 2, n - neutral.size))
    parts = [(action, n_action), (neutral, min(neutral.size, n - n_action))]
    kept = np.concatenate([rng.choice(rows, size, replace=False) for rows, size in parts])
    importance = np.concatenate([np.full(size, rows.size / max(size, 1)) for rows, size in parts])
    order = np.argsort(kept)
    index = torch.from_numpy(kept[order])
    scale = torch.from_numpy((importance[order] * kept.size / classes.size).astype(np.float32))
    return Samples(samples.features[index], samples.target[index], samples.weights[index] * scale)


def joined_samples(parts: Sequence[Samples]) -> Samples:
    """Samples of several markets as one; each market has the same sum of weights, and their mean stays 1."""
    if len(parts) == 1:
        return parts[0]
    total = sum(len(part.target) for part in parts)
    weights = [part.weights * (total / len(parts) / float(part.weights.sum())) for part in parts]
    return Samples(
        _joined_features([part.features for part in parts]),
        torch.cat([part.target for part in parts]),
        torch.cat(weights),
    )


def _joined_features(parts: Sequence[Any]) -> Any:
    if not isinstance(parts[0], Windows):
        return torch.cat(list(parts))
    # copies of a market's first row before it, as windows would see without the markets before
    padded = [torch.cat([part.matrix[:1].repeat(part.window - 1, 1), part.matrix]) for part in parts]
    ends = np.cumsum([0] + [len(matrix) for matrix in padded])
    rows = [part.rows + int(n) + part.window - 1 for part, n in zip(parts, ends, strict=False)]
    return Windows(torch.cat(padded), torch.cat(rows), parts[0].window)


class Batches:
    """Iterate over whole batches by slicing a shuffled copy: three times faster than collating single rows."""

    def __init__(self, samples: Samples, batch_size: int, seed: int | None) -> None:
        self.samples = samples
        self.batch_size = batch_size
        self.generator = None if seed is None else torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return -(-len(self.samples.target) // self.batch_size)

    def __iter__(self) -> Iterator[Samples]:
        samples = self.samples
        if self.generator is not None:
            order = torch.randperm(len(samples.target), generator=self.generator)
            samples = Samples(*(column[order] for column in samples))
        for start in range(0, len(samples.target), self.batch_size):
            features, target, weights = (column[start : start + self.batch_size] for column in samples)
            yield Samples(features.gather() if isinstance(features, Windows) else features, target, weights)
