"""Forecast of the next return by a small LSTM, trained once on train with one seed.

Trained in torch on stretches of train; followed in double precision, step by step from the same first step whatever
comes after, so that a forecast has the same bits on a longer series, and for any number of threads. Hyper-parameters
are fixed. The output layer starts at 0, which forecasts nothing, and the best epoch is that of the smallest squared
error on the last part of train, the one before training among them: a network that learns nothing forecasts nothing.
"""

import copy
from typing import NamedTuple

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor, nn

from labelsearch.classifiers.threads import one_thread
from strategies.tiers.wishes import Forecast, Steps

HIDDEN = 16
LENGTH, BURN_IN = 64, 16  # steps of a stretch, and those at its start whose errors do not count
BATCH, LEAST_STRETCHES = 8, 64  # stretches at once, and in an epoch
MOST_EPOCHS, PATIENCE = 40, 5
VALIDATION_SHARE = 0.2
LEAST_STEPS, MOST_STEPS = 250, 50_000  # of train; the last ones
LEARNING_RATE, WEIGHT_DECAY = 3e-3, 1e-3
MOST_DEVIATIONS, MOST_LOG_RATIO = 5.0, 3.0  # where inputs and targets are cut

Floats = NDArray[np.float64]


class Weights(NamedTuple):
    """Of the LSTM and its output, in double precision; gates in the order input, forget, cell, output."""

    inputs: Floats  # (4 H, 2)
    hidden: Floats  # (4 H, H)
    bias: Floats  # (4 H,)
    out: Floats  # (H,)
    out_bias: float


class _Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(2, HIDDEN, batch_first=True)
        self.out = nn.Linear(HIDDEN, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Forecasts (B, L) of stretches (B, L, 2)."""
        found: Tensor = self.out(self.lstm(x)[0])[..., 0]
        return found

    def weights(self) -> Weights:
        """What `follow` needs."""
        named = {name: x.detach().double().numpy() for name, x in self.named_parameters()}
        bias = named["lstm.bias_ih_l0"] + named["lstm.bias_hh_l0"]
        out, out_bias = named["out.weight"][0].copy(), named["out.bias"].item()
        return Weights(named["lstm.weight_ih_l0"], named["lstm.weight_hh_l0"], bias, out, out_bias)


@njit(cache=True, error_model="numpy")
def deviation_nb(returns, start, keep, out):
    """Root (n,) of the exponentially weighted mean of squared returns up to each step, from the variance ``start``."""
    mean = start
    for t in range(returns.size):
        mean = keep * mean + (1.0 - keep) * returns[t] * returns[t]
        out[t] = np.sqrt(mean)


@njit(cache=True, error_model="numpy")
def follow_nb(features, inputs, hidden, bias, out, out_bias, forecast):
    """Forecasts (n,) of an LSTM that reads features (n, F) one after another, from a state of zeros."""
    n_hidden = out.size
    state, cell, gates = np.zeros(n_hidden), np.zeros(n_hidden), np.empty(4 * n_hidden)
    for t in range(features.shape[0]):
        for j in range(4 * n_hidden):
            total = bias[j]
            for i in range(features.shape[1]):
                total += inputs[j, i] * features[t, i]
            for i in range(n_hidden):
                total += hidden[j, i] * state[i]
            gates[j] = total
        value = out_bias
        for i in range(n_hidden):
            enter = 1.0 / (1.0 + np.exp(-gates[i]))
            keep = 1.0 / (1.0 + np.exp(-gates[n_hidden + i]))
            leave = 1.0 / (1.0 + np.exp(-gates[3 * n_hidden + i]))
            cell[i] = keep * cell[i] + enter * np.tanh(gates[2 * n_hidden + i])
            state[i] = leave * np.tanh(cell[i])
            value += out[i] * state[i]
        forecast[t] = value


def follow(features: Floats, weights: Weights) -> Floats:
    """See `follow_nb`."""
    forecast = np.empty(len(features))
    follow_nb(np.ascontiguousarray(features), *weights, forecast)
    return forecast


def features_of(returns: Floats, usual: float, a_day: int) -> tuple[Floats, Floats]:
    """Features (n, 2), the return over its trailing deviation and the log of that over the usual one; deviations (n,).

    The deviation is exponentially weighted with the centre of mass of a day, 12 steps at least.
    """
    deviation = np.empty(len(returns))
    deviation_nb(np.ascontiguousarray(returns), usual**2, 1.0 - 1.0 / (1.0 + max(a_day, 12)), deviation)
    own = np.clip(returns / deviation, -MOST_DEVIATIONS, MOST_DEVIATIONS)
    return np.column_stack([own, np.clip(np.log(deviation / usual), -MOST_LOG_RATIO, MOST_LOG_RATIO)]), deviation


def train(features: Floats, target: Floats, seed: int) -> Weights:
    """Train on features (n, 2) and targets (n,), the last part of which validates.

    Same bits for any number of threads; the random state of torch stays as it is.
    """
    n_fit = int(len(target) * (1.0 - VALIDATION_SHARE))
    x, y = (torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32)) for values in (features, target))
    rng = np.random.default_rng(seed)
    with one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _Network()
        optimiser = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)

        def error() -> float:
            with torch.no_grad():
                found = network(x[None, n_fit:])[0]
                return float(((found - y[n_fit:])[BURN_IN:] ** 2).mean(dtype=torch.float64))

        best, state, since = error(), copy.deepcopy(network.state_dict()), 0
        for _ in range(MOST_EPOCHS):
            starts = rng.integers(0, n_fit - LENGTH + 1, size=max(n_fit // LENGTH, LEAST_STRETCHES))
            for first in range(0, len(starts), BATCH):
                rows = torch.from_numpy(starts[first : first + BATCH, None] + np.arange(LENGTH))
                optimiser.zero_grad()
                ((network(x[rows]) - y[rows])[:, BURN_IN:] ** 2).mean().backward()
                optimiser.step()
            found, since = error(), since + 1
            if found < best:
                best, state, since = found, copy.deepcopy(network.state_dict()), 0
            if since >= PATIENCE:
                break
        network.load_state_dict(state)
    return network.weights()


def lstm_forecast(steps: Steps, seed: int) -> Forecast:
    """Forecast at the end of each step from the last of train on; nothing below `LEAST_STEPS` of train.

    Trained on the last `MOST_STEPS` of train at most.
    """
    begin, n = max(steps.n_train - MOST_STEPS, 1), len(steps.close)  # the first return is none
    usual = steps.deviation
    if steps.n_train - begin < LEAST_STEPS or not usual > 0:
        return Forecast.nothing(n)
    features, deviation = features_of(steps.returns[begin:], usual, steps.a_day)
    own = steps.returns[begin + 1 : steps.n_train] / deviation[: steps.n_train - begin - 1]
    weights = train(features[: len(own)], np.clip(own, -MOST_DEVIATIONS, MOST_DEVIATIONS), seed)
    mean, spread = np.full(n, np.nan), np.full(n, np.nan)
    rows = slice(steps.n_train - 1, n)
    mean[rows] = (follow(features, weights) * deviation)[rows.start - begin :]
    spread[rows] = deviation[rows.start - begin :]
    return Forecast(mean, spread, 1, 0)
