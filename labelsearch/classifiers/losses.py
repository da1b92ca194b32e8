"""Losses to train with: weighted cross-entropy, and a random calibrated loss per batch."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from labelsearch.classifiers.kinds import LOSS_NAMES

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
SMALLEST = 1e-6  # every derivative is at most minus this, so that the loss is strictly decreasing


def cross_entropy(logits: Tensor, classes: Tensor, weights: Tensor) -> Tensor:
    """Mean over samples of w_t CE_t."""
    loss = nn.functional.cross_entropy(logits, classes, reduction="none")
    return (loss * weights).mean()


def random_derivatives(margins: Tensor) -> Tensor:
    """Derivatives phi'(z) of a random convex, calibrated loss at the margins z, both (N,).

    Standard normal draws go through the inverse Box-Cox transform with a random exponent in [0, 1), are clipped at 1,
    and are assigned by rank: the smallest margin gets the largest. So phi' is negative everywhere and does not
    decrease in z, as convexity and calibration require. Beyond a margin of 1 it is divided by the margin, so that the
    tail flattens.
    """
    exponent = float(torch.rand(()))
    draws = torch.randn(margins.shape)
    # the transform is exp in the limit of exponent 0
    sizes = (1.0 + exponent * draws).clamp(min=0.0) ** (1.0 / exponent) if exponent > 1e-3 else draws.exp()
    derivatives = torch.empty_like(margins)
    derivatives[margins.argsort()] = -sizes.clamp(max=1.0).sort(descending=True).values.to(margins.device)
    return derivatives / margins.clamp(min=1.0) - SMALLEST


def ensloss(logits: Tensor, classes: Tensor, weights: Tensor) -> Tensor:
    """A number whose gradient is that of a random calibrated loss: EnsLoss (Dai, 2025) on pairs of classes.

    The source treats two classes. Here every sample has two margins, the logit of its class less each of the other
    two; one random derivative function serves all margins of a batch. The number itself has no meaning.
    """
    margins = logits.gather(1, classes[:, None]) - logits
    others = torch.ones_like(logits, dtype=torch.bool).scatter_(1, classes[:, None], False)
    margins = margins[others]
    derivatives = random_derivatives(margins.detach())
    return (derivatives * margins).view(-1, 2).sum(dim=1).mul(weights).mean()


LOSSES: dict[str, Loss] = dict(zip(LOSS_NAMES, (cross_entropy, ensloss), strict=True))
