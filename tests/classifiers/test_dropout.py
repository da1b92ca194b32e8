"""Dropout with masks of 16 random bits a value."""

import numpy as np
import pytest
import torch
from torch import nn

from labelsearch.classifiers.dropout import Dropout


def dropped(p: float, seed: int = 0, size: tuple[int, ...] = (400, 501)) -> torch.Tensor:
    torch.manual_seed(seed)
    return Dropout(p)(torch.ones(size))


@pytest.mark.parametrize("p", [0.1, 0.3, 0.5])
def test_the_share_that_is_dropped_and_the_scale_of_the_rest(p):
    found = dropped(p)
    assert set(found.unique().tolist()) == {0.0, float(np.float32(1 / (1 - p)))}
    share = float((found == 0).double().mean())
    assert abs(share - p) < 4 * np.sqrt(p * (1 - p) / found.numel())


def test_masks_are_independent_over_values_and_passes():
    torch.manual_seed(0)
    layer = Dropout(0.5)
    first, second = ((layer(torch.ones(300, 300)) > 0).double() for _ in range(2))
    assert abs(float(torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1])) < 0.015
    assert abs(float(torch.corrcoef(torch.stack([first[:, :-1].flatten(), first[:, 1:].flatten()]))[0, 1])) < 0.015


def test_the_seed_of_torch_decides():
    assert torch.equal(dropped(0.3, 1), dropped(0.3, 1))
    assert not torch.equal(dropped(0.3, 1), dropped(0.3, 2))


def test_the_gradient_passes_where_the_value_did():
    x = torch.ones(100, 7, requires_grad=True)
    y = Dropout(0.4)(x)
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())


def test_nothing_is_dropped_outside_of_training():
    x = torch.randn(5, 3)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0)(x) is x
    assert isinstance(Dropout(0.5), nn.Dropout)  # by which explainers and exports know it
