"""Losses: by hand, and what makes a random loss calibrated."""

import numpy as np
import pytest
import torch

from labelsearch.classifiers.calibration import fit_temperature
from labelsearch.classifiers.dataset import Samples
from labelsearch.classifiers.losses import cross_entropy, ensloss, random_derivatives


def test_weighted_cross_entropy_by_hand():
    logits = torch.log(torch.tensor([[0.5, 0.25, 0.25], [0.5, 0.25, 0.25]]))
    got = cross_entropy(logits, torch.tensor([0, 2]), torch.tensor([3.0, 1.0]))
    assert got.item() == pytest.approx((3 * np.log(2) + np.log(4)) / 2, rel=1e-6)


@pytest.mark.parametrize("seed", range(20))
def test_random_derivatives_are_negative_and_do_not_fall(seed):
    torch.manual_seed(seed)
    z = 3 * torch.randn(400)
    d = random_derivatives(z)
    assert (d < 0).all()
    assert (d >= -1.0 - 1e-5).all()
    assert (d[z.argsort()].diff() >= 0).all()  # convex
    assert d[z.argmin()] < d[z.argmax()]  # calibrated: it falls at zero, and is no line


def test_each_batch_has_another_loss_and_the_seed_decides():
    z = torch.linspace(-2, 2, 50)
    torch.manual_seed(0)
    one, two = random_derivatives(z), random_derivatives(z)
    torch.manual_seed(0)
    assert torch.equal(one, random_derivatives(z))
    assert not torch.equal(one, two)


def test_the_gradient_is_that_of_the_margins(monkeypatch):
    """With all derivatives at minus one: the true class gets -2 w, the others w each, over N."""
    monkeypatch.setattr("labelsearch.classifiers.losses.random_derivatives", lambda m: -torch.ones_like(m))
    logits = torch.randn(4, 3, requires_grad=True)
    classes, weights = torch.tensor([0, 1, 2, 0]), torch.tensor([1.0, 2.0, 3.0, 4.0])
    ensloss(logits, classes, weights).backward()
    wanted = torch.ones(4, 3).scatter_(1, classes[:, None], -2.0) * weights[:, None] / 4
    assert torch.allclose(logits.grad, wanted)


def test_the_temperature_is_found():
    torch.manual_seed(0)
    true = torch.randn(4000, 3) * 1.5
    classes = torch.distributions.Categorical(logits=true).sample()

    class Identity(torch.nn.Module):
        def forward(self, x):
            return x

    for factor in (0.4, 1.0, 3.0):
        got = fit_temperature(Identity(), Samples(true * factor, classes, torch.ones(4000)))
        assert got == pytest.approx(factor, rel=0.1)
    # a row of weight zero counts for nothing
    wrong = Samples(torch.cat([true, true]), torch.cat([classes, 2 - classes]), torch.ones(8000))
    weights = torch.cat([torch.ones(4000), torch.zeros(4000)])
    same = fit_temperature(Identity(), wrong._replace(weights=weights))
    assert same == pytest.approx(fit_temperature(Identity(), Samples(true, classes, torch.ones(4000))), rel=1e-6)
