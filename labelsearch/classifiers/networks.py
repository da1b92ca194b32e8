"""The networks that the rows of `labelsearch.classifiers.kinds` build.

A network maps features to logits (N, 3) of buy, neutral and sell, or to one number (N, 1), the move that it predicts.
The input of ``mlp`` is one bar, (N, F); that of the others is the window of the last L bars, (N, L, F), oldest first,
and they keep L in their attribute ``window``. A window ends at the bar that is predicted, so no network can depend on a
later bar. Each activation is a module of its own, as DeepExplainer needs it.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from labelsearch.classifiers.dropout import Dropout
from labelsearch.classifiers.kinds import N_CLASSES, N_PREDICTED, NETWORKS


def mlp(
    n_features: int, width: int = 64, depth: int = 2, dropout: float = 0.0, n_outputs: int = N_CLASSES
) -> nn.Module:
    """Multilayer perceptron on the features of one bar."""
    layers: list[nn.Module] = []
    size = n_features
    for _ in range(depth):
        layers += [nn.Linear(size, width), nn.ReLU()]
        if dropout > 0.0:
            layers.append(Dropout(dropout))
        size = width
    layers.append(nn.Linear(size, n_outputs))
    return nn.Sequential(*layers)


def linear(n_features: int, dropout: float = 0.0, n_outputs: int = N_CLASSES) -> nn.Module:
    """Multinomial logistic, or linear, regression on the features of one bar; dropout shrinks its weights."""
    layer = nn.Linear(n_features, n_outputs)
    return nn.Sequential(Dropout(dropout), layer) if dropout > 0.0 else nn.Sequential(layer)


class Recurrent(nn.Module):
    """LSTM or GRU over the window, read from the last hidden state of each direction."""

    def __init__(
        self,
        cell: type[nn.LSTM] | type[nn.GRU],
        n_features: int,
        window: int,
        width: int,
        depth: int,
        dropout: float,
        directions: int = 1,
        n_outputs: int = N_CLASSES,
    ) -> None:
        super().__init__()
        self.window = window
        self.directions = directions
        self.cell = cell(
            n_features, width, depth, batch_first=True, bidirectional=directions == 2,
            dropout=dropout if depth > 1 else 0.0,
        )  # fmt: skip
        self.dropout = Dropout(dropout)
        self.head = nn.Linear(directions * width, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        state = self.cell(x)[1]
        hidden = state[0] if isinstance(state, tuple) else state  # an LSTM also returns its cell state
        return self.head(self.dropout(torch.cat(tuple(hidden[-self.directions :]), dim=1)))


def lstm(
    n_features: int, window: int, width: int = 32, depth: int = 1, dropout: float = 0.0, n_outputs: int = N_CLASSES
) -> nn.Module:
    """Long short-term memory, oldest bar first."""
    return Recurrent(nn.LSTM, n_features, window, width, depth, dropout, n_outputs=n_outputs)


def bilstm(
    n_features: int, window: int, width: int = 32, depth: int = 1, dropout: float = 0.0, n_outputs: int = N_CLASSES
) -> nn.Module:
    """Long short-term memory over the trailing window in both directions."""
    return Recurrent(nn.LSTM, n_features, window, width, depth, dropout, directions=2, n_outputs=n_outputs)


def gru(
    n_features: int, window: int, width: int = 32, depth: int = 1, dropout: float = 0.0, n_outputs: int = N_CLASSES
) -> nn.Module:
    """Gated recurrent unit, oldest bar first."""
    return Recurrent(nn.GRU, n_features, window, width, depth, dropout, n_outputs=n_outputs)


class CausalBlock(nn.Module):
    """Residual convolution over a bar and the bars one and two dilations before it; zeros before the window."""

    def __init__(self, width: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.pad = nn.ConstantPad1d((2 * dilation, 0), 0.0)
        self.convolution = nn.Conv1d(width, width, 3, dilation=dilation)
        self.activation = nn.ReLU()
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.dropout(self.activation(self.convolution(self.pad(x))))


def causal_blocks(window: int, width: int, dropout: float) -> nn.Sequential:
    """Blocks of dilations 1, 2, 4, ... until the last output depends on the whole window: on 1 + 2 (2^n - 1) bars."""
    n_blocks = max(1, math.ceil(math.log2((window - 1) / 2 + 1)))
    return nn.Sequential(*(CausalBlock(width, 2**i, dropout) for i in range(n_blocks)))


class Convolutional(nn.Module):
    """Temporal convolutional network, read at the last bar."""

    def __init__(self, n_features: int, window: int, width: int, dropout: float, n_outputs: int) -> None:
        super().__init__()
        self.window = window
        self.first = nn.Conv1d(n_features, width, 1)
        self.blocks = causal_blocks(window, width, dropout)
        self.head = nn.Linear(width, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(self.first(x.transpose(1, 2)))[:, :, -1])


def tcn(n_features: int, window: int, width: int = 32, dropout: float = 0.0, n_outputs: int = N_CLASSES) -> nn.Module:
    """Temporal convolutional network (Bai, Kolter & Koltun, 2018), without weight normalisation."""
    return Convolutional(n_features, window, width, dropout, n_outputs)


def positions(length: int, width: int) -> Tensor:
    """Sines and cosines of the distance to the last bar, (length, width) array of float32 (Vaswani et al., 2017)."""
    back = torch.arange(length - 1, -1, -1, dtype=torch.float32)[:, None]
    angle = back * torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
    return torch.stack((torch.sin(angle), torch.cos(angle)), dim=2).flatten(1)[:, :width]


class Encoder(nn.Module):
    """Transformer encoder over the window, read at its last bar."""

    positions: Tensor

    def __init__(
        self, n_features: int, window: int, width: int, depth: int, heads: int, dropout: float, n_outputs: int
    ) -> None:
        super().__init__()
        self.window = window
        self.first = nn.Linear(n_features, width)
        self.register_buffer("positions", positions(window, width), persistent=False)
        self.layers = nn.Sequential(
            *(
                nn.TransformerEncoderLayer(
                    width, heads, 2 * width, dropout, activation=nn.ReLU(), batch_first=True, norm_first=True
                )
                for _ in range(depth)
            )
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(self.layers(self.first(x) + self.positions)[:, -1]))


def transformer(
    n_features: int,
    window: int,
    width: int = 32,
    depth: int = 1,
    heads: int = 2,
    dropout: float = 0.0,
    n_outputs: int = N_CLASSES,
) -> nn.Module:
    """Transformer encoder with fixed positional encoding, normalised before attention."""
    return Encoder(n_features, window, width, depth, heads, dropout, n_outputs)


class SideBySide(nn.Module):
    """What a perceptron on the last bar, convolutions and an LSTM make of the same window, side by side."""

    def __init__(self, n_features: int, window: int, width: int, dropout: float, n_outputs: int) -> None:
        super().__init__()
        self.window = window
        self.last = nn.Sequential(nn.Linear(n_features, width), nn.ReLU())
        self.first = nn.Conv1d(n_features, width, 1)
        self.blocks = causal_blocks(window, width, dropout)
        self.cell = nn.LSTM(n_features, width, batch_first=True)
        self.dropout = Dropout(dropout)
        self.head = nn.Linear(3 * width, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        parts = (
            self.last(x[:, -1]),
            self.blocks(self.first(x.transpose(1, 2)))[:, :, -1],
            self.cell(x)[1][0][-1],
        )
        return self.head(self.dropout(torch.cat(parts, dim=1)))


def concat(
    n_features: int, window: int, width: int = 32, dropout: float = 0.0, n_outputs: int = N_CLASSES
) -> nn.Module:
    """Perceptron on the last bar, convolutions and an LSTM over the window, concatenated."""
    return SideBySide(n_features, window, width, dropout, n_outputs)


class Stacked(nn.Module):
    """Convolutions over the window, attention among its bars, and an LSTM, each on what the one before has made."""

    def __init__(self, n_features: int, window: int, width: int, heads: int, dropout: float, n_outputs: int) -> None:
        super().__init__()
        self.window = window
        self.first = nn.Conv1d(n_features, width, 1)
        self.blocks = causal_blocks(window, width, dropout)
        self.norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, dropout, batch_first=True)
        self.cell = nn.LSTM(width, width, batch_first=True)
        self.dropout = Dropout(dropout)
        self.head = nn.Linear(width, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        bars = self.blocks(self.first(x.transpose(1, 2))).transpose(1, 2)
        normed = self.norm(bars)
        attended = bars + self.attention(normed, normed, normed, need_weights=False)[0]
        return self.head(self.dropout(self.cell(attended)[1][0][-1]))


def stacked(
    n_features: int, window: int, width: int = 32, heads: int = 2, dropout: float = 0.0, n_outputs: int = N_CLASSES
) -> nn.Module:
    """Convolutions, then attention, then an LSTM over the window."""
    return Stacked(n_features, window, width, heads, dropout, n_outputs)


def build_network(name: str, n_features: int, head: str = "classes", **options: Any) -> nn.Module:
    """Network of a named kind for a head of `N_PREDICTED`; `ValueError` if the name is unknown."""
    kind = NETWORKS.find(name)
    if head == "classes":  # a builder of the user's own need not know of other heads
        return kind.builder()(n_features, **options)
    kind.check_magnitudes()
    return kind.builder()(n_features, **options, n_outputs=N_PREDICTED[head])


def window_of(network: nn.Module) -> int:
    """Bars of a network's input window; 1 for networks on rows (N, F)."""
    return getattr(network, "window", 1)


class Ensemble(nn.Module):
    """Mean probability of several networks of one kind, at a temperature.

    Returns log(mean probability)/temperature as logits: the softmax at temperature 1 is the mean itself.
    """

    def __init__(self, members: list[nn.Module], temperature: float = 1.0) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.temperature = temperature
        self.window = window_of(members[0])

    def forward(self, x: Tensor) -> Tensor:
        logs = torch.stack([torch.log_softmax(member(x), 1) for member in self.members])
        return (torch.logsumexp(logs, 0) - math.log(len(self.members))) / self.temperature


class MeanOf(Ensemble):
    """Mean of the moves that several networks of one kind predict."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([member(x) for member in self.members]).mean(0)


def averaged(members: list[nn.Module], head: str = "classes", temperature: float = 1.0) -> Ensemble:
    """Several networks of one kind as one, in evaluation mode; a magnitude has no temperature."""
    return (MeanOf(members) if head == "magnitude" else Ensemble(members, temperature)).eval()


def members_of(network: nn.Module) -> list[Ensemble]:
    """Each member of an ensemble of several as a classifier by itself, at its temperature; none of a single network."""
    if not isinstance(network, Ensemble) or len(network.members) == 1:
        return []
    return [type(network)([member], network.temperature).eval() for member in network.members]
