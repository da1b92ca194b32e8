"""Bars a processor second of an ensemble that is asked network by network, against all its networks, and against one.

Perceptrons of the default size for each of several labels, whose networks differ a little, as those of several seeds
do, and a tier of linear strategies whose thresholds lie where those of searched ones do. The rule is fitted on other
bars than those that are timed. All run on the same kernel with the same threads; repeats are interleaved, and medians
are printed. What is decided, and the outputs at bars that are asked of all, are compared as well.
"""

import argparse
import json
import statistics
import time

import numpy as np
from numpy.typing import NDArray

from labelsearch.classifiers.early_exit import ExitRule, Thresholds, ask_perceptrons
from labelsearch.classifiers.inference import Perceptron, strategy_outputs

N_FEATURES, WIDTH = 28, 64


def make_classifier(rng: np.random.Generator, n_networks: int, noise: float) -> Perceptron:
    """Networks of two layers whose weights are those of one, and noise."""
    shapes = ((WIDTH, N_FEATURES), (WIDTH, WIDTH), (3, WIDTH))
    common = [(rng.normal(0, (2 / shape[1]) ** 0.5, shape), np.zeros(shape[0])) for shape in shapes]
    networks = []
    for _ in range(n_networks):
        layers = [
            (w * (1 + noise * rng.normal(0, 1, w.shape)), b + noise * rng.normal(0, 0.1, b.shape)) for w, b in common
        ]
        networks.append([(w.astype(np.float32), b.astype(np.float32)) for w, b in layers])
    return Perceptron.of_layers(networks)


def outputs_of(classifiers: list[Perceptron], matrix: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray:
    """Outputs of all networks."""
    return np.hstack([strategy_outputs(classifier.predict(matrix, rows)) for classifier in classifiers])


def main() -> None:
    """Time the three and print the ratios; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labels", type=int, default=8)
    parser.add_argument("--networks", type=int, default=5)
    parser.add_argument("--strategies", type=int, default=5)
    parser.add_argument("--bars", type=int, default=100_000)
    parser.add_argument("--noise", type=float, default=0.05, help="of a weight, as a share of it")
    parser.add_argument("--sureness", type=float, default=1.0)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    classifiers = [make_classifier(rng, args.networks, args.noise) for _ in range(args.labels)]
    single = [_member(classifier, 0) for classifier in classifiers]
    matrix = rng.normal(0, 0.5, (args.bars, N_FEATURES)).astype(np.float32)
    rows = np.arange(args.bars)
    early, late = rows[: args.bars // 2], rows[args.bars // 2 :]
    weights = rng.uniform(-1, 1, (args.strategies, 2 * args.labels))
    sums = outputs_of(classifiers, matrix, early).astype(np.float64) @ weights.T
    # a strategy wants to buy or to sell at the outer tenth of the bars
    thresholds = Thresholds(weights, *np.quantile(sums, (0.1, 0.9), axis=0))
    members = np.stack([outputs_of([_member(c, k) for c in classifiers], matrix, early) for k in range(args.networks)])
    rules = {
        "between": ExitRule.measured(thresholds, members, args.sureness),
        "either side": ExitRule.measured(thresholds, members, args.sureness, sides=True),
    }
    matrices = [matrix] * args.labels
    runners = {
        "all": lambda: outputs_of(classifiers, matrix, late),
        "one": lambda: outputs_of(single, matrix, late),
        **{name: lambda rule=rule: ask_perceptrons(classifiers, matrices, late, rule) for name, rule in rules.items()},
    }
    times: dict[str, list[float]] = {name: [] for name in runners}
    found = {}
    for repeat in range(args.repeats + 1):  # the first warms up
        for name, run in runners.items():
            start = time.process_time()
            found[name] = run()
            if repeat:
                times[name].append(time.process_time() - start)
    rate = {name: len(late) / statistics.median(values) for name, values in times.items()}
    whole = found["all"]
    equal, same_bits = {}, {}
    for name in rules:
        asked = found[name]
        equal[name] = float((thresholds.zones(asked.outputs) == thresholds.zones(whole)).mean())
        left = asked.n_asked == args.networks
        same_bits[name] = asked.outputs[left].tobytes() == whole[left].tobytes()
        print(
            f"{name:<12}{rate[name]:12,.0f} bars per processor second, {asked.exit_share:.3f} of the bars exit, "
            f"{asked.n_asked.mean():.2f} networks asked, equal decisions {equal[name]:.6f}"
        )
    for name in ("all", "one"):
        print(f"{name:<12}{rate[name]:12,.0f} bars per processor second")
    result = {
        "benchmark": "early_exit",
        "ours": round(rate["between"], 1),
        "peer": round(rate["all"], 1),
        "ratio": round(rate["between"] / rate["all"], 3),
        "ratio_either_side": round(rate["either side"] / rate["all"], 3),
        "ratio_of_one_network": round(rate["one"] / rate["all"], 3),
        "unit": "bars per processor second",
        "peer_name": "all networks of the same ensembles, by the same kernel",
        "exit_share": {name: round(found[name].exit_share, 4) for name in rules},
        "networks_asked": {name: round(float(found[name].n_asked.mean()), 3) for name in rules},
        "equal_decisions": equal,
        "same_bits_where_all_are_asked": same_bits,
        "labels": args.labels,
        "networks": args.networks,
        "strategies": args.strategies,
        "bars": len(late),
        "sureness": args.sureness,
        "noise": args.noise,
    }
    print(json.dumps(result))


def _member(classifier: Perceptron, k: int) -> Perceptron:
    """One network of a classifier by itself."""
    size = len(classifier.flat) // classifier.n_networks
    part = slice(k * size, k * size + size)
    return classifier._replace(flat=classifier.flat[part], turned=classifier.turned[part], n_networks=1)


if __name__ == "__main__":
    main()
