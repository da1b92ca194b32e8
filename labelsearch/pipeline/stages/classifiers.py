"""Stage: train one classifier per label. Each label is a unit of its own."""

import dataclasses
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from feature_space.feature_set import Feature, FeatureSet, titles
from labelsearch.labels.kinds import CLASS_NAMES, Label, LabelValues
from labelsearch.labels.windows import purged_split
from labelsearch.pipeline.context import Context
from labelsearch.pipeline.sections import Network
from labelsearch.pipeline.stages import features as feature_stage
from labelsearch.pipeline.stages import labels as label_stage
from labelsearch.pipeline.units import run_units, tell

if TYPE_CHECKING:
    from labelsearch.classifiers.dataset import Samples
    from labelsearch.classifiers.training import Trained

N_BACKGROUND, N_EXPLAINED = 50, 100  # bars behind the Shapley values


class Problem(NamedTuple):
    """What a network of one label is trained on and judged by. Rows are grid rows."""

    label: Label
    values: LabelValues
    fit: NDArray[np.int64]
    validation: NDArray[np.int64]
    balance: float  # of the loss, on the fitted rows
    features: tuple[Feature, ...]
    matrix: NDArray[np.float32]  # all bars before future

    def block(self, day: int) -> int:
        """Rows of a block for resampling in time; ``day`` is the number of bars in one."""
        from labelsearch.classifiers.intervals import block_length

        overlap = float((self.values.last_used[self.validation] - self.validation + 1).mean())
        return block_length(overlap, day, int(self.validation[-1] - self.validation[0]) + 1)


def make_problem(
    label: Label, values: LabelValues, usable: NDArray[np.bool_], boundary: int, features: Sequence[Feature],
    matrix: NDArray[np.float32],
) -> Problem:  # fmt: skip
    """A label's problem on train, whose rows are those of ``usable`` (T,); ``boundary`` is its first validation row."""
    from labelsearch.classifiers.loss_scaling import balance

    fit, validation = purged_split(values.last_used, usable, boundary, usable.size)
    a = balance(values.value[fit], values.classes[fit])
    return Problem(label, values, fit, validation, a, tuple(features), matrix)


def load_problem(context: Context, index: int) -> Problem:
    """The label of a number with its purged rows and its features; none of future is touched."""
    label = context.experiment.label_kinds()[index]
    usable = context.usable[: context.rows("train").stop]
    feature_set = FeatureSet.from_dict(feature_stage.load(context, label.name)["feature_set"])
    head = type(context.inputs)(*(column[: context.rows("future").start] for column in context.inputs))
    values = label_stage.load(context, label.name)
    return make_problem(label, values, usable, context.boundary, feature_set.features, feature_set.matrix(head))


def train_on(
    context: Context, problem: Problem, network: str, rng: np.random.Generator
) -> tuple["Trained", dict[str, Any]]:
    """`train` by the experiment's settings."""
    return train(problem, dataclasses.replace(context.experiment.network, kind=network), context.seed, rng)


def train(
    problem: Problem, settings: Network, seed: Callable[..., int], rng: np.random.Generator
) -> tuple["Trained", dict[str, Any]]:
    """Search, train and calibrate a network; also what calibration did.

    Samples and seeds depend on the label alone, so that all kinds of network are given the same.

    Parameters
    ----------
    problem : Problem
    settings : Network
    seed : callable
        Seed of a unit by its names.
    rng : numpy.random.Generator
        Draws the neutral bars.
    """
    from labelsearch.classifiers.dataset import make_samples
    from labelsearch.classifiers.networks import NETWORKS
    from labelsearch.classifiers.training import TrainingSettings, train_network

    window = settings.window if NETWORKS[settings.kind].windowed else 1
    fitted, validation = (
        make_samples(problem.matrix, problem.values, rows, settings.n_neutral, rng, problem.balance, window)
        for rows in (problem.fit, problem.validation)
    )
    trained = train_network(
        fitted,
        validation,
        TrainingSettings(
            network=settings.kind,
            n_trials=settings.n_trials,
            max_epochs=settings.max_epochs,
            batch_size=settings.batch_size,
            seed=seed("network", problem.label.name),
            device=settings.device,
            window=settings.window,
            loss=settings.loss,
            n_seeds=settings.n_seeds,
        ),
        tell,
    )
    if settings.calibration == "none":
        return trained, {}
    return trained, _calibrate(problem, settings, seed("calibration", problem.label.name), trained, validation, window)


def epochs_of(context: Context) -> int:
    """Epochs that a network takes if no trial is pruned."""
    settings = context.experiment.network
    return (settings.n_trials + settings.n_seeds - 1) * settings.max_epochs


def _calibrate(
    problem: Problem, settings: Network, seed: int, trained: "Trained", validation: "Samples", window: int
) -> dict[str, Any]:
    """Set the temperature from the first half of validation, purged of the second, which says whether it helped.

    It stays 1 where no row of the first half survives the purge.
    """
    from labelsearch.classifiers.calibration import fit_temperature
    from labelsearch.classifiers.dataset import make_samples
    from labelsearch.classifiers.networks import Ensemble
    from labelsearch.classifiers.training import weighted_loss

    rows = problem.validation
    middle = int(rows[rows.size // 2])
    rng = np.random.default_rng(seed)
    halves = rows[problem.values.last_used[rows] < middle], rows[rows >= middle]
    if not halves[0].size:
        return {"temperature": 1.0, "n_fitted": 0}
    early, late = (
        make_samples(problem.matrix, problem.values, part, settings.n_neutral, rng, problem.balance, window)
        for part in halves
    )
    before = weighted_loss(trained.network, late)
    temperature = fit_temperature(trained.network, early)
    members = trained.network.members if isinstance(trained.network, Ensemble) else [trained.network]
    trained.network = Ensemble(list(members), temperature).eval()
    trained.validation_loss = weighted_loss(trained.network, validation)
    return {
        "temperature": temperature,
        "n_fitted": len(early.classes),
        "later_loss_before": before,
        "later_loss_after": weighted_loss(trained.network, late),
    }


def train_unit(task: tuple[Context, int], folder: Path) -> None:
    """Train, evaluate and explain the classifier of one label; writes weights and figures."""
    from labelsearch.classifiers.evaluation import evaluate
    from labelsearch.classifiers.explain import mean_shap_values
    from labelsearch.classifiers.files import save_network
    from labelsearch.classifiers.prediction import predict

    context, index = task
    problem = load_problem(context, index)
    label, values, validation = problem.label, problem.values, problem.validation
    rng = np.random.default_rng(context.seed("samples", label.name))
    trained, calibration = train_on(context, problem, context.experiment.network.kind, rng)
    past, future = context.rows("past"), context.rows("future")
    seen = label_stage.label_until(context, label, future.start)
    past_rows = np.flatnonzero(seen.settled[past] & ~context.bars.filled[past]) + past.start
    block = problem.block(context.bars_per_day)
    evaluation = {
        name: evaluate(predict(trained.network, problem.matrix, rows), truth.classes[rows], blocks=(rows, block))
        for name, rows, truth in (("validation", validation, values), ("past", past_rows, seen))
    }
    shap, explainer = mean_shap_values(
        trained.network,
        problem.matrix,
        rng.choice(problem.fit, min(N_BACKGROUND, problem.fit.size), replace=False),
        rng.choice(validation, min(N_EXPLAINED, validation.size), replace=False),
    )
    figures = {
        "label": label.name,
        "network": trained.kind,
        "n_fit": problem.fit.size,
        "n_action": int((values.classes[problem.fit] != 1).sum()),
        "validation_loss": trained.validation_loss,
        "losses": trained.losses,
        "study": trained.study,
        "trials": trained.trials,
        "n_networks": context.experiment.network.n_seeds,
        "calibration": calibration,
        "block": block,
        **evaluation,
        "shap": {
            "explainer": explainer,
            "features": titles(problem.features),
            **{name: shap[:, c].tolist() for c, name in enumerate(CLASS_NAMES)},
        },
    }
    save_network(trained.network, trained.kind, trained.options, problem.matrix.shape[1], folder)
    (folder / "figures.json").write_text(json.dumps(figures, indent=1))


def run(context: Context, folder: Path) -> dict[str, Any]:
    """One folder per label: ``weights.safetensors`` (one per averaged network), ``network.json``, ``figures.json``."""
    names = [label.name for label in context.experiment.label_kinds()]
    tasks = {name: (context.bare(), index) for index, name in enumerate(names)}
    units = context.units("classifiers")
    run_units(
        train_unit,
        tasks,
        units,
        workers=context.workers,
        steps=dict.fromkeys(tasks, epochs_of(context)),
        progress=context.stage_progress("classifiers"),
    )
    trials = 0
    for name in names:
        shutil.copytree(units / name, folder / name)
        found = json.loads((folder / name / "figures.json").read_text())
        trials += len(found["trials"]) + found["n_networks"] - 1
    return {"network_trials": trials}


def figures(context: Context, name: str) -> dict[str, Any]:
    """Evaluation, trials and Shapley values that this stage wrote about a label."""
    return json.loads((context.stage("classifiers") / name / "figures.json").read_text())


def distributions(network: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """Optuna's distributions that the hyper-parameters of a trial were drawn from."""
    from labelsearch.classifiers.training import distributions

    return distributions(network, parameters)


def learned_nothing(figures: dict[str, Any]) -> bool:
    """Whether no interval of the AUC on validation, of buy or of sell, lies above 0.5.

    A class that validation does not hold shows nothing either. False for figures without intervals.
    """
    sides = [figures["validation"][side] for side in ("buy", "sell")]
    if not all("auc_interval" in side for side in sides):
        return False
    return all(side["auc_interval"] is None or side["auc_interval"][0] <= 0.5 for side in sides)


def write_onnx_file(context: Context, name: str, path: Path) -> None:
    """Write the classifier of a label as an ONNX file."""
    from labelsearch.classifiers.files import load_network
    from labelsearch.classifiers.onnx_file import write_onnx

    folder = context.stage("classifiers") / name
    write_onnx(load_network(folder), json.loads((folder / "network.json").read_text())["n_features"], path)
