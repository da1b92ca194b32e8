"""Networks side by side on one label, on the validation part of train alone.

Equal budgets, the same rows, the same neutral bars and the same seeds. Each network is a unit of work; its trials are
counted in the run's ledger.
"""

import hashlib
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from labelsearch.classifiers.names import NETWORK_NAMES
from labelsearch.pipeline.context import Context
from labelsearch.pipeline.ledger import Ledger
from labelsearch.pipeline.run import done_events
from labelsearch.pipeline.schema import ExperimentError
from labelsearch.pipeline.stages.classifiers import epochs_of, load_problem, train_on
from labelsearch.pipeline.units import run_units

VERSION = 1  # raised when the code gives other results for the same inputs
EVENT = "comparison"


def compare_unit(task: tuple[Context, int, str], folder: Path) -> None:
    """Train one kind of network on one label; writes its weights, its figures and what it says about validation."""
    from labelsearch.classifiers.files import save_network
    from labelsearch.classifiers.prediction import predict
    from labelsearch.classifiers.timing import microseconds_per_bar, parameter_count

    context, index, network = task
    problem = load_problem(context, index)
    start = time.perf_counter()
    rng = np.random.default_rng(context.seed("samples", problem.label.name))
    trained, calibration = train_on(context, problem, network, rng)
    seconds = time.perf_counter() - start
    figures = {
        "network": network,
        "options": trained.options,
        "search_loss": trained.validation_loss,
        "study": trained.study,
        "trials": trained.trials,
        "n_trials": len(trained.trials) + context.experiment.network.n_seeds - 1,
        "calibration": calibration,
        "n_parameters": parameter_count(trained.network),
        "training_seconds": seconds,
        "microseconds_per_bar": microseconds_per_bar(trained.network, problem.matrix),
    }
    save_network(trained.network, network, trained.options, problem.matrix.shape[1], folder)
    np.save(folder / "validation.npy", predict(trained.network, problem.matrix, problem.validation))
    (folder / "figures.json").write_text(json.dumps(figures, indent=1))


def _folder(context: Context, label: str) -> Path:
    """Where the networks of a label go: another folder for other inputs, so that finished units can be trusted."""
    done = done_events(Ledger(context.folder / "ledger.jsonl"))
    settings = {k: v for k, v in context.experiment.section("network")["network"].items() if k != "kind"}
    needs = [done[name]["content"] for name in ("labels", "features")]
    text = json.dumps([VERSION, label, context.experiment.seed, settings, needs], sort_keys=True)
    return context.folder / "comparisons" / f"{label}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _count(context: Context, folder: Path, networks: tuple[str, ...]) -> None:
    """Enter the trials of each network once, whichever call trained it."""
    ledger = Ledger(context.folder / "ledger.jsonl")
    counted = {(event["unit"], event["network"]) for event in ledger.events(EVENT)}
    for network in networks:
        if (folder.name, network) not in counted:
            trials = json.loads((folder / network / "figures.json").read_text())["n_trials"]
            ledger.append(EVENT, unit=folder.name, network=network, counts={"network_trials": trials})


def _check(context: Context, label: str, networks: tuple[str, ...]) -> int:
    """Number of the label; refuses unknown names."""
    names = [kind.name for kind in context.experiment.label_kinds()]
    if label not in names:
        raise ExperimentError(f"no label {label!r} in the experiment; it has {', '.join(names)}")
    for network in networks:
        if network not in NETWORK_NAMES:
            raise ExperimentError(f"unknown network {network!r}; known are {', '.join(NETWORK_NAMES)}")
    if not networks or len(set(networks)) != len(networks):
        raise ExperimentError("name at least one network, and none twice")
    return names.index(label)


def compare_networks(context: Context, label: str, networks: tuple[str, ...] = NETWORK_NAMES) -> dict[str, Any]:
    """Train the named networks on a label and judge each on the same validation rows.

    Parameters
    ----------
    context : Context
        A run whose labels and features are done.
    label : str
        Name of the label.
    networks : tuple of str
        The first is the one that the others are held against.

    Returns
    -------
    dict
        ``label``, ``n_validation``, ``block`` (bars of a block of the resampling) and ``networks``: a dict per network
        with ``scores`` (value and 95% interval), ``against_first`` (paired difference of the weighted loss, its
        interval and a verdict; None for the first), size and times. Also written as ``comparison.json``.

    Raises
    ------
    ExperimentError
        If a label or a network is unknown.
    """
    index = _check(context, label, networks)
    folder = _folder(context, label)
    tasks = {network: (context.bare(), index, network) for network in networks}
    run_units(
        compare_unit,
        tasks,
        folder,
        workers=context.workers,
        steps=dict.fromkeys(tasks, epochs_of(context)),
        progress=context.stage_progress("networks"),
    )
    _count(context, folder, networks)
    text = json.dumps(_judge(context, index, folder, networks), indent=1)
    (folder / "comparison.json").write_text(text)
    return json.loads(text)


def _judge(context: Context, index: int, folder: Path, networks: tuple[str, ...]) -> dict[str, Any]:
    from labelsearch.classifiers.intervals import paired_difference
    from labelsearch.classifiers.loss_scaling import loss_factors
    from labelsearch.classifiers.scores import row_losses, score

    problem = load_problem(context, index)
    rows = problem.validation
    classes = problem.values.classes[rows]
    weights = loss_factors(problem.values.value[rows], classes, problem.balance)
    block = problem.block(context.bars_per_day)
    entries: list[dict[str, Any]] = []
    reference = None
    for network in networks:
        probabilities = np.load(folder / network / "validation.npy", allow_pickle=False)
        losses = row_losses(probabilities, classes)
        figures = json.loads((folder / network / "figures.json").read_text())
        kept = ("network", "options", "n_trials", "n_parameters", "training_seconds", "microseconds_per_bar")
        entries.append(
            {
                **{name: figures[name] for name in kept},
                "scores": score(probabilities, classes, weights, rows, block),
                "against_first": (
                    None if reference is None else paired_difference(losses, reference, weights, rows, block)
                ),
            }
        )
        reference = losses if reference is None else reference
    return {"label": problem.label.name, "n_validation": int(rows.size), "block": block, "networks": entries}
