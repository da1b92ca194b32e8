"""A user's own kinds of network are proved before they are used."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from labelsearch.classifiers.classifier import load_predictor
from labelsearch.classifiers.dataset import Samples, Windows
from labelsearch.classifiers.files import save_network
from labelsearch.classifiers.fitting import TrainingSettings
from labelsearch.classifiers.kinds import NETWORKS, Choice, NetworkKind, Step, Whole
from labelsearch.classifiers.prediction import predict
from labelsearch.classifiers.proof import prove_network
from labelsearch.classifiers.training import train_network


class Mean(nn.Module):
    """Two layers on the mean over the window."""

    def __init__(self, n_features: int, window: int, width: int, squash: str = "tanh") -> None:
        super().__init__()
        self.window = window
        self.layers = nn.Sequential(
            nn.Linear(n_features, width), nn.Tanh() if squash == "tanh" else nn.ReLU(), nn.Linear(width, 3)
        )

    def forward(self, x):
        return self.layers(x.mean(dim=1))


def rows(n_features: int, width: int = 8, extra: tuple[nn.Module, ...] = ()) -> nn.Module:
    return nn.Sequential(nn.Linear(n_features, width), *extra, nn.Tanh(), nn.Linear(width, 3))


MEAN = NetworkKind("mean", "mean", Mean, True, (Whole("width", 4, 8), Choice("squash", ("tanh", "relu"))), "file")
ROWS = NetworkKind("rows", "rows", rows, False, (Choice("width", (4, 8)),))


@pytest.mark.parametrize("name", NETWORKS)
def test_the_proof_accepts_ours(name):
    prove_network(NETWORKS[name])
    assert NETWORKS[name].name == name
    assert NETWORKS[name].origin == ""


@pytest.mark.parametrize("row", [MEAN, ROWS], ids=lambda row: row.name)
def test_an_own_network_is_trained_saved_and_loaded_like_any_other(row, registries, tmp_path):
    prove_network(row)
    NETWORKS.register(row)
    x = np.random.default_rng(0).uniform(-1, 1, (900, 2)).astype(np.float32)
    classes = torch.from_numpy(np.where(x[:, 0] < -0.3, 0, np.where(x[:, 0] > 0.3, 2, 1)).astype(np.int64))
    index, weights = torch.arange(900), torch.ones(900)
    features = Windows(torch.from_numpy(x), index, 2) if row.windowed else torch.from_numpy(x)
    parts = [Samples(features[s], classes[s], weights[s]) for s in (slice(0, 700), slice(700, 900))]
    settings = TrainingSettings(
        network=row.name, n_trials=2, search_rows=9999, max_epochs=8, batch_size=16, seed=1, device="cpu", window=2,
        loss="cross_entropy", n_seeds=2,
    )  # fmt: skip
    trained = train_network(*parts, settings)
    assert trained.validation_loss < 0.95 * np.log(3)
    save_network(trained.network, row.name, trained.options, 2, tmp_path)
    predictor = load_predictor(tmp_path)
    assert predictor.window == (2 if row.windowed else 1)
    got = predictor.predict(x, np.arange(900), 0)
    assert got.tobytes() == predict(trained.network, x).tobytes()


def test_a_saved_network_needs_its_kind(registries, tmp_path):
    save_network(Mean(3, 2, 4), "mean", {"window": 2, "width": 4}, 3, tmp_path)
    with pytest.raises(ValueError, match="unknown network 'mean'; known are mlp, linear, lstm"):
        load_predictor(tmp_path)
    NETWORKS.register(MEAN)
    assert load_predictor(tmp_path).window == 2
    save_network(Mean(3, 2, 5), "mean", {"window": 2, "width": 4}, 3, tmp_path)
    with pytest.raises(ValueError, match=r"weights\.safetensors: weights are not those of the network"):
        load_predictor(tmp_path)


def test_a_name_belongs_to_one_network(registries):
    NETWORKS.register(NETWORKS["mlp"])
    with pytest.raises(ValueError, match="'mlp': the name is taken"):
        NETWORKS.register(replace(MEAN, name="mlp"))
    for _ in range(2):
        NETWORKS.register(MEAN)
    for other in (replace(MEAN, build=rows), replace(MEAN, origin="other")):
        with pytest.raises(ValueError, match="'mean': the name is taken"):
            NETWORKS.register(other)
    assert NETWORKS.find("mean") is MEAN
    with pytest.raises(ValueError, match="'my mean': the name must be letters"):
        NETWORKS.register(replace(MEAN, name="my mean"))


class Unseeded(Mean):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        generator = torch.Generator()
        generator.seed()
        nn.init.normal_(self.layers[0].weight, generator=generator)


class Noisy(Mean):
    def forward(self, x):
        return super().forward(x + 0.1 * torch.randn(x.shape))


class Centred(Mean):
    """Subtracts the mean of the batch."""

    def forward(self, x):
        return super().forward(x - x.mean(dim=0))


class Hidden(Mean):
    """Holds a random tensor that is no part of its state."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.mask = torch.randn(1)

    def forward(self, x):
        return super().forward(x * self.mask)


class Flat(Mean):
    def forward(self, x):
        return super().forward(x)[:, :2]


class Infinite(Mean):
    def forward(self, x):
        return super().forward(x) / (0.0 if not self.training else 1.0)


class Frozen(Mean):
    def forward(self, x):
        return super().forward(x).detach().requires_grad_()


class Forgets(Mean):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        del self.window


def batch_norm(n_features: int, width: int = 8) -> nn.Module:
    return rows(n_features, width, (nn.BatchNorm1d(width),))


def batch_norm_in_train_mode(n_features: int, width: int = 8) -> nn.Module:
    return rows(n_features, width, (nn.BatchNorm1d(width, track_running_stats=False),))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (replace(MEAN, build=Unseeded), r"\(window=6, width=4, squash='tanh'\) is not seeded: layers.0.weight"),
        (replace(MEAN, build=Noisy), "other logits for the same rows"),
        (replace(MEAN, build=Centred), "when other rows are in the batch"),
        (replace(MEAN, build=Hidden), "after its weights were saved and loaded"),
        (replace(MEAN, build=Flat), r"must map features \(24, 6, 5\) to float32 logits \(24, 3\)"),
        (replace(MEAN, build=Infinite), "logits that are not finite"),
        (replace(MEAN, build=Frozen), "cannot be trained"),
        (replace(MEAN, build=Forgets), "must keep the bars of its window in an attribute window"),
        (replace(MEAN, build=lambda n_features, window, width, squash: 3), "does not build a torch.nn.Module"),
        (replace(MEAN, build=lambda n_features, window: 3), "raises TypeError: got an unexpected keyword"),
        (replace(MEAN, ranges=()), "raises TypeError: missing a required argument: 'width'"),
        (replace(MEAN, windowed=False), "raises TypeError: missing a required argument: 'window'"),
        (replace(MEAN, ranges=(*MEAN.ranges, Whole("width", 1, 2))), "different names"),
        (replace(MEAN, ranges=(*MEAN.ranges, Whole("window", 1, 2))), "other than n_features, window"),
        (replace(MEAN, ranges=(Choice("width", ()),)), "empty or ill-formed range"),
        (replace(MEAN, ranges=(Whole("width", 8, 4),)), "empty or ill-formed range"),
        (replace(MEAN, ranges=(Step("width", 0.0, 1.0, 0.0),)), "empty or ill-formed range"),
        (replace(MEAN, ranges=(("width", 1, 2),)), "is not a Choice, Whole or Step"),
        (replace(MEAN, build="nothing_of_this_name:build"), "raises ModuleNotFoundError"),
        (replace(ROWS, build=batch_norm_in_train_mode), "when other rows are in the batch"),
        (replace(ROWS, build=batch_norm), "num_batches_tracked, which is not finite float32"),
        (replace(ROWS, build=lambda n_features, width: rows(n_features, width).double()), "not finite float32"),
    ],
)
def test_an_ill_formed_network_is_refused(row, message):
    with pytest.raises(ValueError, match=f"^network {row.name}.*{message}") as error:
        prove_network(row)
    assert "\n" not in str(error.value)


def test_what_is_no_row_is_refused():
    with pytest.raises(ValueError, match="dict is not a labelsearch"):
        prove_network({})


def test_a_proof_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    prove_network(MEAN)
    assert torch.equal(torch.rand(3), wanted)


def test_names_and_figures_load_no_torch():
    code = (
        "import sys, labelsearch.classifiers.kinds, labelsearch.classifiers.figures; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
