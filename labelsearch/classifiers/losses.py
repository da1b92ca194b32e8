"""Losses to train with: weighted cross-entropy, a random calibrated loss per batch, and those of magnitudes."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from labelsearch.classifiers.kinds import LOSS_NAMES, MAGNITUDE_LOSS_NAMES

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
RowLosses = Callable[[Tensor, Tensor], Tensor]
SMALLEST = 1e-6  # every derivative is at most minus this, so that the loss is strictly decreasing


def cross_entropies(logits: Tensor, classes: Tensor) -> Tensor:
    """CE_t of each sample (N,)."""
    return nn.functional.cross_entropy(logits, classes, reduction="none")


def cross_entropy(logits: Tensor, classes: Tensor, weights: Tensor) -> Tensor:
    """Mean over samples of w_t CE_t."""
    return (cross_entropies(logits, classes) * weights).mean()


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


@dataclass(frozen=True)
class MagnitudeLoss:
    """Losses of predicted moves f (N, 1) against moves y: l(y, f) (1 + q 1[sign f != sign y] |y|).

    l is (y - f)^2 for ``squared``; for ``huber`` half of that up to a distance of 1, and the distance less 1/2 beyond
    (Huber, 1964). A move of 0 has no wrong sign, as |y| is 0 there.
    """

    kind: str
    sign_penalty: float = 0.0  # q

    def rows(self, outputs: Tensor, moves: Tensor) -> Tensor:
        """Loss (N,) of each sample."""
        predicted = outputs[:, 0]
        loss = MAGNITUDE_LOSSES[self.kind](predicted, moves, reduction="none")
        if self.sign_penalty:
            is_wrong = predicted.detach().sign() != moves.sign()
            loss = loss * (1.0 + self.sign_penalty * moves.abs() * is_wrong)
        return loss

    def mean(self, outputs: Tensor, moves: Tensor, weights: Tensor) -> Tensor:
        """Mean over samples of w_t L_t."""
        return (self.rows(outputs, moves) * weights).mean()

    @property
    def name(self) -> str:
        """In words."""
        kind = {"squared": "squared error", "huber": "Huber loss"}[self.kind]
        return f"{kind} with a penalty of {self.sign_penalty:g} for the wrong sign" if self.sign_penalty else kind


MAGNITUDE_LOSSES: dict[str, Callable[..., Tensor]] = dict(
    zip(MAGNITUDE_LOSS_NAMES, (nn.functional.mse_loss, nn.functional.huber_loss), strict=True)
)
