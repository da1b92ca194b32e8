"""Epochs per second of our training against a bare loop over sliced batches, and against a PyTorch DataLoader.

The same samples, network, optimiser and batch size, one thread each. Ours is a whole Lightning fit: it also builds its
trainer. The bare loop is the shortest there is, with our dropout and with torch's. ``torch.compile`` takes longer to
compile a network of one size than a trial takes to train it, and is left out. Nobody validates. Repeats are
interleaved; medians are printed.
"""

import argparse
import json
import logging
import statistics
import time
import warnings
from collections.abc import Callable

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from labelsearch.classifiers.dataset import Batches, Samples
from labelsearch.classifiers.dropout import Dropout
from labelsearch.classifiers.fitting import Module, make_trainer
from labelsearch.classifiers.losses import cross_entropy
from labelsearch.classifiers.networks import build_network
from labelsearch.classifiers.threads import one_thread


def make_samples(n: int, n_features: int) -> Samples:
    """Uniform features, random classes and weights."""
    generator = torch.Generator().manual_seed(0)
    features = torch.rand((n, n_features), generator=generator) * 2 - 1
    return Samples(
        features, torch.randint(0, 3, (n,), generator=generator), torch.rand((n,), generator=generator) + 0.5
    )


def make_module(n_features: int, batches: Batches) -> Module:
    """The default network in its middle size."""
    torch.manual_seed(0)
    return Module(build_network("mlp", n_features, width=64, depth=2, dropout=0.2), batches, 1e-3, 1e-2, cross_entropy)


def loop(module: Module, batches: Callable[[], object], n_epochs: int) -> nn.Module:
    """The shortest training loop there is."""
    optimiser = module.configure_optimizers()
    network = module.network.train()
    for _ in range(n_epochs):
        for features, classes, weights in batches():  # type: ignore[attr-defined]
            optimiser.zero_grad()
            cross_entropy(network(features), classes, weights).backward()
            optimiser.step()
    return network


def main() -> None:
    """Time the three and print the ratios; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--features", type=int, default=28)
    parser.add_argument("--batch-size", type=int, default=4096)
    parser.add_argument("--epochs", type=int, default=9)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    samples = make_samples(args.samples, args.features)

    def sliced() -> Batches:
        return Batches(samples, args.batch_size, seed=0)

    def ours() -> nn.Module:
        module = make_module(args.features, sliced())
        make_trainer(args.epochs, "cpu", []).fit(module)
        return module.network

    def bare() -> nn.Module:
        batches = sliced()
        return loop(make_module(args.features, batches), lambda: batches, args.epochs)

    def bare_torch() -> nn.Module:
        batches = sliced()
        module = make_module(args.features, batches)
        for parent in list(module.modules()):
            for name, child in parent.named_children():
                if isinstance(child, Dropout):
                    setattr(parent, name, nn.Dropout(child.p))
        return loop(module, lambda: batches, args.epochs)

    def loader() -> nn.Module:
        torch.manual_seed(0)
        rows = DataLoader(TensorDataset(*samples), batch_size=args.batch_size, shuffle=True)
        return loop(make_module(args.features, sliced()), lambda: rows, args.epochs)

    runners = {"ours": ours, "bare": bare, "torch": bare_torch, "loader": loader}
    times: dict[str, list[float]] = {name: [] for name in runners}
    trained = {}
    with one_thread():
        for repeat in range(args.repeats + 1):  # the first warms up
            for name, run in runners.items():
                start = time.perf_counter()
                trained[name] = run()
                if repeat:
                    times[name].append(time.perf_counter() - start)
    rate = {name: args.epochs / statistics.median(values) for name, values in times.items()}
    flat = [nn.utils.parameters_to_vector(trained[name].parameters()) for name in ("ours", "bare")]
    print(f"{args.samples:,} samples, batches of {args.batch_size}, {args.epochs} epochs, Lightning {pl.__version__}")
    titles = {
        "ours": "labelsearch",
        "bare": "bare loop, our dropout",
        "torch": "bare loop, torch's",
        "loader": "DataLoader",
    }
    for name, title in titles.items():
        print(f"{title:<24}{rate[name]:8.2f} epochs/s")
    print(f"ours and the bare loop end with the same weights: {torch.equal(*flat)}")
    result = {
        "benchmark": "training",
        "ours": round(rate["ours"], 2),
        "peer": round(rate["bare"], 2),
        "ratio": round(rate["ours"] / rate["bare"], 3),
        "ratio_torch_dropout": round(rate["ours"] / rate["torch"], 2),
        "ratio_loader": round(rate["ours"] / rate["loader"], 2),
        "unit": "epochs per second",
        "peer_name": "bare loop over sliced batches of the same network",
        "samples": args.samples,
        "batch_size": args.batch_size,
        "epochs": args.epochs,
        "threads": 1,
        "same_weights_as_bare": torch.equal(*flat),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
