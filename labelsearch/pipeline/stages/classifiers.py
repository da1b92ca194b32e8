"""Stage: train one classifier per label. Each label is a unit of its own."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from feature_space.feature_set import FeatureSet, titles
from labelsearch.labels.kinds import CLASS_NAMES
from labelsearch.labels.windows import purged_split
from labelsearch.pipeline.context import Context
from labelsearch.pipeline.stages import features as feature_stage
from labelsearch.pipeline.stages import labels as label_stage
from labelsearch.pipeline.units import run_units

N_BACKGROUND, N_EXPLAINED = 50, 100  # bars behind the Shapley values


def train_unit(task: tuple[Context, int], folder: Path) -> None:
    """Train, evaluate and explain the classifier of one label; writes weights and figures."""
    from labelsearch.classifiers.dataset import make_samples
    from labelsearch.classifiers.evaluation import evaluate
    from labelsearch.classifiers.explain import shap_values
    from labelsearch.classifiers.files import save_network
    from labelsearch.classifiers.loss_scaling import balance
    from labelsearch.classifiers.training import TrainingSettings, predict, train_network

    context, index = task
    label = context.experiment.label_kinds()[index]
    settings = context.experiment.network
    values = label_stage.load(context, label.name)
    train, past, future = (context.rows(w) for w in ("train", "past", "future"))
    fit, validation = purged_split(
        values.last_used, context.usable[: values.value.size], context.boundary, train.stop
    )
    feature_set = FeatureSet.from_dict(feature_stage.load(context, label.name)["feature_set"])
    # rows of past are needed for the evaluation; none of future is touched
    head = type(context.inputs)(*(column[: future.start] for column in context.inputs))
    matrix = feature_set.matrix(head)
    rng = np.random.default_rng(context.seed("samples", label.name))
    a = balance(values.value[fit], values.classes[fit])
    trained = train_network(
        make_samples(matrix, values, fit, settings.n_neutral, rng, a),
        make_samples(matrix, values, validation, settings.n_neutral, rng, a),
        TrainingSettings(
            network=settings.kind,
            n_trials=settings.n_trials,
            max_epochs=settings.max_epochs,
            batch_size=settings.batch_size,
            seed=context.seed("network", label.name),
            device=settings.device,
        ),
    )
    seen = label_stage.label_until(context, label, future.start)
    past_rows = np.flatnonzero(seen.settled[past] & ~context.bars.filled[past]) + past.start
    shap, explainer = shap_values(
        trained.network,
        matrix[rng.choice(fit, min(N_BACKGROUND, fit.size), replace=False)],
        matrix[rng.choice(validation, min(N_EXPLAINED, validation.size), replace=False)],
    )
    importance = np.abs(shap).mean(axis=0)
    figures = {
        "label": label.name,
        "n_fit": fit.size,
        "n_action": int((values.classes[fit] != 1).sum()),
        "validation_loss": trained.validation_loss,
        "losses": trained.losses,
        "trials": trained.trials,
        "validation": evaluate(predict(trained.network, matrix[validation]), values.classes[validation]),
        "past": evaluate(predict(trained.network, matrix[past_rows]), seen.classes[past_rows]),
        "shap": {
            "explainer": explainer,
            "features": titles(feature_set.features),
            **{name: importance[:, c].tolist() for c, name in enumerate(CLASS_NAMES)},
        },
    }
    save_network(trained.network, trained.kind, trained.options, matrix.shape[1], folder)
    (folder / "figures.json").write_text(json.dumps(figures, indent=1))


def run(context: Context, folder: Path) -> dict[str, Any]:
    """One folder per label: ``weights.safetensors``, ``network.json``, ``figures.json``."""
    names = [label.name for label in context.experiment.label_kinds()]
    tasks = {name: (context.bare(), index) for index, name in enumerate(names)}
    units = context.units("classifiers")
    run_units(train_unit, tasks, units, workers=context.workers, progress=context.stage_progress("classifiers"))
    trials = 0
    for name in names:
        shutil.copytree(units / name, folder / name)
        trials += len(json.loads((folder / name / "figures.json").read_text())["trials"])
    return {"network_trials": trials}


def figures(context: Context, name: str) -> dict[str, Any]:
    """Evaluation, trials and Shapley values that this stage wrote about a label."""
    return json.loads((context.stage("classifiers") / name / "figures.json").read_text())
