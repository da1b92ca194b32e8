"""Class probabilities, or predicted moves, of multilayer perceptrons, every row summed in one fixed order.

A row has the same bits alone as among a million others, unlike with the matrix library of a processor, so strategies
trade live as they did in the search. Rows lie side by side in lanes, so that the sums run over contiguous memory that
LLVM can vectorise. Needs neither torch nor its start-up time.
"""

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from labelsearch.classifiers.kinds import N_CLASSES, N_PREDICTED, PERCEPTRONS, weight_files
from labelsearch.compiled import threaded
from labelsearch.labels.base import BUY, LARGEST_MOVE, SELL

LANES = 32  # rows side by side
ALONE = 4  # up to this many rows, each is computed by itself
KNOWN_ENDS = [[n] for n in N_PREDICTED.values()]  # outputs of the last layer

Layers = Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]]  # weights (outputs, inputs) and biases (outputs,)


class Perceptron(NamedTuple):
    """One or more networks of equal shape, rectified between their layers, and their mean.

    That of probabilities at a temperature where there are three outputs, that of predicted moves where there is one.

    Attributes
    ----------
    flat : (n,) array of float32
        Weights (outputs, inputs) and biases (outputs,) of each layer of each network, one after another.
    turned : (n,) array of float32
        The same with weights (inputs, outputs), for rows computed one by one.
    sizes : (layers + 1,) array of int64
        Inputs of the first layer, and outputs of each.
    n_networks : int
    temperature : float
    """

    flat: NDArray[np.float32]
    turned: NDArray[np.float32]
    sizes: NDArray[np.int64]
    n_networks: int = 1
    temperature: float = 1.0

    @classmethod
    def of_layers(cls, networks: Sequence[Layers], temperature: float = 1.0) -> "Perceptron":
        """From the layers of each network.

        Raises
        ------
        ValueError
            If the shapes do not match, or the last layer has neither three outputs nor one.
        """
        shapes = {tuple((weight.shape, bias.shape) for weight, bias in layers) for layers in networks}
        if len(shapes) != 1:
            raise ValueError("networks of one classifier must have one shape")
        (shape,) = shapes
        sizes = [weight[-1] for weight, _ in shape[:1]] + [weight[0] for weight, _ in shape]
        if shape != tuple(((b, a), (b,)) for a, b in itertools.pairwise(sizes)) or sizes[-1:] not in KNOWN_ENDS:
            raise ValueError(f"layers of shapes {shape} are not those of a classifier")
        pairs = [pair for layers in networks for pair in layers]
        flat = np.concatenate([part.ravel() for weight, bias in pairs for part in (weight, bias)])
        turned = np.concatenate([part.ravel() for weight, bias in pairs for part in (weight.T, bias)])
        shape_of = np.array(sizes, dtype=np.int64)
        return cls(flat.astype(np.float32), turned.astype(np.float32), shape_of, len(networks), float(temperature))

    @property
    def n_features(self) -> int:
        """F, the features of a row."""
        return int(self.sizes[0])

    def predict(self, matrix: NDArray[np.float32], rows: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """Class probabilities (N, 3), or moves (N, 1), as float32 at some rows of the features (T, F); else at all.

        Raises
        ------
        ValueError
            If the number of features is not F.
        """
        self._check(matrix)
        index = np.arange(len(matrix)) if rows is None else np.asarray(rows, dtype=np.int64)
        out = np.empty((len(index), int(self.sizes[-1])), dtype=np.float32)
        features = np.ascontiguousarray(matrix, dtype=np.float32)
        if len(index) <= ALONE:
            alone_nb(features, index, self.turned, *self[2:], out)
        else:
            threaded(forward_nb)(features, index, self.flat, *self[2:], out)
        return out

    def no_sums(self, n_rows: int) -> NDArray[np.float64]:
        """Sums over networks of what is predicted, (N, 3), before any is asked."""
        return np.zeros((n_rows, N_CLASSES))

    def add(
        self, matrix: NDArray[np.float32], rows: NDArray[np.int64], network: int, sums: NDArray[np.float64]
    ) -> None:
        """Add what one network, counted from 0, predicts at some rows (N,) of the features to their sums (N, 3)."""
        self._check(matrix)
        size = len(self.flat) // self.n_networks
        features, flat = (
            np.ascontiguousarray(matrix, dtype=np.float32),
            self.flat[network * size : network * size + size],
        )
        threaded(add_rows_nb)(features, np.asarray(rows, dtype=np.int64), flat, self.sizes, sums)

    def mean(self, sums: NDArray[np.float64], n_networks: int) -> NDArray[np.float32]:
        """Class probabilities (N, 3), or moves (N, 1), as float32 from the sums over the first so many networks.

        Those of all networks have the bits of `predict`.
        """
        out = np.empty((len(sums), int(self.sizes[-1])), dtype=np.float32)
        mean_rows_nb(sums, n_networks, self.temperature, out)
        return out

    def _check(self, matrix: NDArray[np.float32]) -> None:
        if matrix.ndim != 2 or matrix.shape[1] != self.n_features:
            raise ValueError(f"features of shape {matrix.shape} do not fit a classifier of {self.n_features} features")


def strategy_outputs(predicted: NDArray[np.float32]) -> NDArray[np.float32]:
    """What strategies see: buy and sell (N, 2) of probabilities (N, 3), f/3 in [-1, 1] of moves f (N, 1).

    In the order of `labelsearch.labels.base.HEADS`.
    """
    if predicted.shape[1] == N_CLASSES:
        return predicted[:, (BUY, SELL)]
    return np.clip(predicted / np.float32(LARGEST_MOVE), np.float32(-1.0), np.float32(1.0))


def load_perceptron(folder: Path) -> Perceptron:
    """The classifier that `labelsearch.classifiers.files.save_network` wrote into a folder.

    Raises
    ------
    ValueError
        If it is neither a multilayer perceptron nor linear, or its weights are not finite float32 of matching shapes.
    """
    description = json.loads((folder / "network.json").read_text())
    if description["kind"] not in PERCEPTRONS:
        raise ValueError(f"{folder}: a network of kind {description['kind']}, none of {', '.join(PERCEPTRONS)}")
    networks = []
    for path in weight_files(description.get("n_networks", 1)):
        tensors = load_weights(folder / path)
        numbers = sorted({int(name.split(".")[0]) for name in tensors if name[0].isdecimal()})
        if set(tensors) != {f"{k}.{part}" for k in numbers for part in ("weight", "bias")}:
            raise ValueError(f"{path} does not hold a weight and a bias for each layer")
        networks.append([(tensors[f"{k}.weight"], tensors[f"{k}.bias"]) for k in numbers])
    perceptron = Perceptron.of_layers(networks, description.get("temperature", 1.0))
    if perceptron.n_features != description["n_features"]:
        raise ValueError(f"weights of {perceptron.n_features} features, but n_features is {description['n_features']}")
    if perceptron.sizes[-1] != N_PREDICTED[description.get("head", "classes")]:
        raise ValueError(f"weights of {perceptron.sizes[-1]} outputs are not those of the head of the network")
    hidden, options = perceptron.sizes[1:-1].tolist(), description["options"]
    depth, width = (options.get(name) for name in ("depth", "width"))
    if depth not in (None, len(hidden)) or any(width not in (None, units) for units in hidden):
        raise ValueError(f"weights of layers of {hidden} units are not those of the options of the network")
    return perceptron


def load_weights(path: Path) -> dict[str, NDArray[np.float32]]:
    """Tensors by name; ValueError unless they are finite float32."""
    from safetensors.numpy import load_file

    tensors = load_file(path)
    for name, tensor in tensors.items():
        if tensor.dtype != np.float32 or not np.isfinite(tensor).all():
            raise ValueError(f"{path.name}: {name} is not finite float32")
    return tensors


@njit(cache=True, nogil=True, error_model="numpy")
def layer_nb(x, flat, at, n_in, n_out, rectify, y):
    """One layer on a block of rows.

    Parameters
    ----------
    x : (n_in * LANES,) array of float32
    flat, at : (n,) array of float32, int
        The layer's weights (n_out, n_in) and biases begin at ``at``.
    rectify : bool
        Whether negative values become 0; NaN stays.
    y : (n_out * LANES,) array of float32
        Output.
    """
    row = np.empty(LANES, dtype=np.float32)
    whole = n_in - n_in % 4
    zero = np.float32(0.0)
    for j in range(n_out):
        bias = flat[at + n_out * n_in + j]
        for lane in range(LANES):
            row[lane] = bias
        w = at + j * n_in
        for i in range(0, whole, 4):  # four at a time saves loads and stores; the order of the sum is kept
            w0, w1, w2, w3 = flat[w + i], flat[w + i + 1], flat[w + i + 2], flat[w + i + 3]
            b = i * LANES
            for lane in range(LANES):
                row[lane] = (
                    row[lane]
                    + w0 * x[b + lane]
                    + w1 * x[b + LANES + lane]
                    + w2 * x[b + 2 * LANES + lane]
                    + w3 * x[b + 3 * LANES + lane]
                )
        for i in range(whole, n_in):
            w0 = flat[w + i]
            for lane in range(LANES):
                row[lane] = row[lane] + w0 * x[i * LANES + lane]
        for lane in range(LANES):
            value = row[lane]
            y[j * LANES + lane] = zero if rectify and value < zero else value


@njit(cache=True, nogil=True, error_model="numpy")
def add_softmax_nb(x0, x1, x2, total):
    """Add the probabilities of three logits to ``total`` (3,)."""
    x0, x1, x2 = np.float64(x0), np.float64(x1), np.float64(x2)
    top = max(x0, x1, x2)
    e0, e1, e2 = np.exp(x0 - top), np.exp(x1 - top), np.exp(x2 - top)
    whole = e0 + e1 + e2
    total[0] += e0 / whole
    total[1] += e1 / whole
    total[2] += e2 / whole


@njit(cache=True, nogil=True, error_model="numpy")
def add_nb(outputs, at, step, n_outputs, total):
    """Add the probabilities of three outputs, which lie ``step`` apart from ``at`` on, or one output as it is."""
    if n_outputs == 1:
        total[0] += np.float64(outputs[at])
    else:
        add_softmax_nb(outputs[at], outputs[at + step], outputs[at + 2 * step], total)


@njit(cache=True, nogil=True, error_model="numpy")
def mean_nb(total, n_networks, temperature, out):
    """Mean probabilities (3,) at a temperature, or the mean move (1,), from their sum over the networks."""
    if out.size == 1:
        out[0] = total[0] / n_networks
        return
    p0, p1, p2 = total[0] / n_networks, total[1] / n_networks, total[2] / n_networks
    if temperature != 1.0:
        power = 1.0 / temperature
        p0, p1, p2 = p0**power, p1**power, p2**power
        whole = p0 + p1 + p2
        p0, p1, p2 = p0 / whole, p1 / whole, p2 / whole
    out[0], out[1], out[2] = p0, p1, p2


@njit(cache=True, nogil=True, error_model="numpy")
def block_nb(matrix, rows, flat, sizes, n_networks, temperature, out):
    """Probabilities (n, 3), or moves (n, 1), of at most LANES rows."""
    total = np.zeros((LANES, N_CLASSES))
    add_block_nb(matrix, rows, flat, sizes, n_networks, total)
    for lane in range(rows.size):
        mean_nb(total[lane], n_networks, temperature, out[lane])


@njit(cache=True, nogil=True, error_model="numpy")
def add_block_nb(matrix, rows, flat, sizes, n_networks, total):
    """Add what networks predict at n rows, at most LANES, to ``total`` (n, 3); unused lanes repeat the last row."""
    n = rows.size
    widest = sizes.max()
    first = np.empty(sizes[0] * LANES, dtype=np.float32)
    a, b = np.empty(widest * LANES, dtype=np.float32), np.empty(widest * LANES, dtype=np.float32)
    for lane in range(LANES):
        row = rows[min(lane, n - 1)]
        for f in range(sizes[0]):
            first[f * LANES + lane] = matrix[row, f]
    at = 0
    for _ in range(n_networks):
        source = first
        for k in range(sizes.size - 1):
            n_in, n_out = sizes[k], sizes[k + 1]
            layer_nb(source, flat, at, n_in, n_out, k < sizes.size - 2, a)
            at += n_out * (n_in + 1)
            source = a
            a, b = b, a
        for lane in range(n):
            add_nb(source, lane, LANES, sizes[-1], total[lane])


@njit(cache=True, nogil=True, error_model="numpy")
def alone_nb(matrix, rows, turned, sizes, n_networks, temperature, out):
    """As `forward_nb`, with the same bits, for few rows: outputs lie side by side instead of rows."""
    a, b = np.empty(sizes.max(), dtype=np.float32), np.empty(sizes.max(), dtype=np.float32)
    zero = np.float32(0.0)
    total = np.empty(N_CLASSES)
    for r in range(rows.size):
        total[:] = 0.0
        at = 0
        for _ in range(n_networks):
            a[: sizes[0]] = matrix[rows[r]]
            for k in range(sizes.size - 1):
                n_in, n_out = sizes[k], sizes[k + 1]
                for j in range(n_out):
                    b[j] = turned[at + n_in * n_out + j]
                whole = n_in - n_in % 4
                for i in range(0, whole, 4):  # four at a time, as in `layer_nb`
                    x0, x1, x2, x3 = a[i], a[i + 1], a[i + 2], a[i + 3]
                    w0 = turned[at + i * n_out : at + (i + 1) * n_out]
                    w1 = turned[at + (i + 1) * n_out : at + (i + 2) * n_out]
                    w2 = turned[at + (i + 2) * n_out : at + (i + 3) * n_out]
                    w3 = turned[at + (i + 3) * n_out : at + (i + 4) * n_out]
                    for j in range(n_out):
                        b[j] = b[j] + w0[j] * x0 + w1[j] * x1 + w2[j] * x2 + w3[j] * x3
                for i in range(whole, n_in):
                    for j in range(n_out):
                        b[j] = b[j] + turned[at + i * n_out + j] * a[i]
                if k < sizes.size - 2:
                    for j in range(n_out):
                        b[j] = zero if b[j] < zero else b[j]
                at += n_out * (n_in + 1)
                a, b = b, a
            add_nb(a, 0, 1, sizes[-1], total)
        mean_nb(total, n_networks, temperature, out[r])


@njit(cache=True, nogil=True, error_model="numpy", parallel=True)
def forward_nb(matrix, rows, flat, sizes, n_networks, temperature, out):
    """Probabilities (N, 3), or moves (N, 1), at some rows of the features (T, F), blocks side by side in threads."""
    for block in prange((rows.size + LANES - 1) // LANES):
        start = block * LANES
        stop = min(start + LANES, rows.size)
        block_nb(matrix, rows[start:stop], flat, sizes, n_networks, temperature, out[start:stop])


@njit(cache=True, nogil=True, error_model="numpy", parallel=True)
def add_rows_nb(matrix, rows, flat, sizes, sums):
    """Add what one network predicts at some rows of the features (T, F) to ``sums`` (N, 3), as `forward_nb`."""
    for block in prange((rows.size + LANES - 1) // LANES):
        start = block * LANES
        stop = min(start + LANES, rows.size)
        add_block_nb(matrix, rows[start:stop], flat, sizes, 1, sums[start:stop])


@njit(cache=True, nogil=True, error_model="numpy")
def mean_rows_nb(sums, n_networks, temperature, out):
    """Means (N, 3) or (N, 1) of all rows, from sums (N, 3) over the networks."""
    for row in range(len(sums)):
        mean_nb(sums[row], n_networks, temperature, out[row])
