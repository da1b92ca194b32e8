"""Fixtures shared by all tests."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import pytest

measured = True  # whether the tracer stays on around the current test


@contextmanager
def untraced() -> Iterator[None]:
    """Coverage is not measured within."""
    tracer = sys.gettrace()
    sys.settrace(None)
    try:
        yield
    finally:
        sys.settrace(tracer)


# Processes of tests share the processors: threads of matrix libraries, spinning while they wait for each other, would
# take most of them. Read when these libraries are loaded.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"
    with untraced():  # which takes half the time
        for library in ("matplotlib.figure", "optuna", "pytorch_lightning", "shap", "vectorbt"):
            import_module(library)

# Long computations through libraries, which the tracer slows by 70 %; other tests reach the same lines in less time, or
# a fixture of the session does, as the tiny run, which is always measured.
UNMEASURED = (
    "tests/classifiers/test_early_exit.py",
    "tests/classifiers/test_explain.py::test_where_the_check_fails_the_exact_explainer_takes_over",
    "tests/classifiers/test_moves.py",
    "tests/classifiers/test_networks.py",
    "tests/classifiers/test_onnx.py::test_another_program_reads_the_same[mlp-True]",
    "tests/classifiers/test_proof.py",
    "tests/classifiers/test_training.py",
    "tests/commands/test_cli.py::test_json_of_files",
    "tests/feature_space/test_across.py",
    "tests/feature_space/test_confirmation.py",
    "tests/feature_space/test_contract.py",
    "tests/feature_space/test_formulas.py",
    "tests/feature_space/test_kernels.py",
    "tests/feature_space/test_normalise.py",
    "tests/feature_space/test_relative.py",
    "tests/feature_space/test_selection.py",
    "tests/feature_space/test_separation.py",
    "tests/feature_space/test_streaming.py",
    "tests/feature_space/test_talib.py",
    "tests/labels/test_contract.py",
    "tests/labels/test_describe.py",
    "tests/labels/test_extrema.py",
    "tests/labels/test_magnitude.py",
    "tests/labels/test_real_data.py",
    "tests/labels/test_relative.py",
    "tests/labels/test_spans.py",
    "tests/labels/test_threshold.py",
    "tests/labels/test_trend_scanning.py",
    "tests/labels/test_triple_barrier.py",
    "tests/live/test_book.py::test_a_replay_of_the_future_is_the_run",
    "tests/live/test_book.py::test_an_outage_of_all_markets_is_rows_without_bars",
    "tests/live/test_book.py::test_many_rows_at_once_have_the_bits_of_row_by_row",
    "tests/live/test_book.py::test_odd_histories_at_once_have_the_bits_of_row_by_row",
    "tests/live/test_bundle.py::test_any_change_of_a_bundle_is_read_or_refused_in_one_line",
    "tests/live/test_costs.py::test_a_restart_goes_on_with_the_same_bits",
    "tests/live/test_engine.py",
    "tests/live/test_real_data.py",
    "tests/market/test_real_data.py",
    "tests/panels/test_book.py::test_hedges_stand_beside_the_tiers_of_the_past_of_the_first_split",
    "tests/panels/test_book.py::test_other_kinds_of_book",
    "tests/panels/test_relative.py::test_bar_by_bar_the_features_of_all_markets_have_the_same_bits",
    "tests/panels/test_relative.py::test_label_features_and_outputs_see_what_is_planted",
    "tests/panels/test_relative.py::test_relative_features_of_markets_that_share_nothing",
    "tests/panels/test_run.py::test_a_cell_is_a_run_that_makes_the_same_bits_alone",
    "tests/panels/test_run.py::test_a_longer_panel_takes_over_the_cells_of_a_shorter_one",
    "tests/panels/test_run.py::test_a_spent_budget_ends_between_units_and_the_same_command_goes_on",
    "tests/panels/test_run.py::test_hyperparameters_of_the_first_split_serve_all[pool1]",
    "tests/panels/test_run.py::test_what_is_not_refitted_is_kept_from_the_first_split[classifiers",
    "tests/panels/test_run.py::test_what_is_pooled_is_the_same_in_all_markets[pool0",
    "tests/panels/test_run.py::test_what_is_pooled_is_the_same_in_all_markets[pool1",
    "tests/stages/test_classifiers.py",
    "tests/stages/test_ensembles.py",
    "tests/stages/test_keys.py",
    "tests/stages/test_run.py",
    "tests/strategies/luck/",
    "tests/strategies/search/test_diverse.py::test_climbs_find_more_than_chance_and_end_unlike",
    "tests/strategies/search/test_islands.py",
    "tests/strategies/tiers/controls/test_control.py::test_few_and_flat_outputs",
    "tests/strategies/tiers/test_arima_garch.py",
    "tests/strategies/tiers/test_null.py",
    "tests/strategies/trade/test_capital.py",
    "tests/strategies/trade/test_costs.py",
    "tests/strategies/trade/test_simulate.py",
    "tests/studies/test_explanation.py::test_ensembles_with_windows",
    "tests/test_docs.py",
    "tests/test_ray.py::test_a_killed_worker_changes_no_byte",
)

# Files of few long tests come first, so that no process is left with one of them when the others are done. The first
# two need different kernels: one process compiles those of a run, and others, those of clusters too, find them there.
FIRST = (
    "tests/test_packaging.py",
    "tests/live/test_bundle.py",
    "tests/test_ray.py",
    "tests/panels/",
    "tests/live/",
    "tests/stages/",
    "tests/commands/",
    "tests/settings/",
    "tests/strategies/",
    "tests/studies/",
    "tests/engine/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: [not item.nodeid.startswith(start) for start in FIRST])
    for item in items:
        if item.nodeid.startswith(UNMEASURED):
            item.add_marker("no_cover")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item):
    """What a test needs for itself or its file is measured only where the test is."""
    global measured
    measured = item.get_closest_marker("no_cover") is None
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef):
    with nullcontext() if measured or fixturedef.scope == "session" else untraced():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Only imports of what is measured are traced, not those of tests and what pytest does with them."""
    if "PYTEST_XDIST_WORKER" in os.environ and sys.gettrace() is not None:
        for package in ("feature_space", "labelsearch", "strategies"):
            for module in walk_packages(import_module(package).__path__, f"{package}."):
                if not module.name.endswith("__main__"):
                    import_module(module.name)
    with untraced():
        return (yield)


@pytest.fixture(scope="session", autouse=True)
def untraced_libraries():
    """The tracer slows a compiler and the drawing of pictures by 60 % and finds no line of ours in them."""
    from matplotlib.figure import Figure
    from numba.core.dispatcher import Dispatcher

    with pytest.MonkeyPatch.context() as patch:
        for owner, name in ((Dispatcher, "compile"), (Figure, "savefig")):
            patch.setattr(owner, name, untraced()(getattr(owner, name)))
        yield


# two markets in two splits, small enough to run in seconds
TINY_PANEL = {
    "name": "panel",
    "seed": 3,
    "data": {"source": "synthetic", "symbols": ["ALPHA", "BETA"], "interval": "15m", "edge": 0.2, "market_seed": 5},
    "windows": {
        "train": ["2018-01-01", "2018-02-05"],
        "past": ["2018-02-07", "2018-02-16"],
        "future": ["2018-02-18", "2018-02-24"],
    },
    "roll": {"step": "7d", "splits": 2},
    "feature_space": {"indicators": ["price_to_sma_short", "macd"]},
    "separation": {"n_pairs": 800, "n_values": 2, "n_restarts": 1, "n_shifts": 9},
    "network": {"n_neutral": 2000, "n_trials": 1, "max_epochs": 2, "batch_size": 512, "n_seeds": 1},
    "search": {"n_strategies": 120, "island_size": 60},
    "tiers": {"sizes": [20, 5], "most_alike": 1.0, "controls": []},
    "null": {"repeats": 2, "n_strategies": 40},
    "label": [
        {"kind": "threshold", "theta": 0.003, "horizon": "1h"},
        {"kind": "extrema", "up": 0.3, "down": 0.03},
    ],
}


@pytest.fixture(scope="session")
def market_data() -> Path:
    """Folder of the real market data; the test is skipped where ``LABELSEARCH_DATA`` names none."""
    folder = os.environ.get("LABELSEARCH_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("real market data not found: set LABELSEARCH_DATA to its folder")
    return Path(folder)


@pytest.fixture
def registries():
    """What a test registers is forgotten after it."""
    from labelsearch.settings.own import extensions

    known = [(extension.registry, dict(extension.registry)) for extension in extensions()]
    yield
    for registry, rows in known:
        registry.clear()
        registry.update(rows)


@pytest.fixture(scope="session")
def tiny_experiment():
    """A whole experiment small enough to run in seconds: three labels, four weeks and a half, 300 strategies."""
    from labelsearch.settings.experiment import Experiment

    return Experiment.from_dict(
        {
            "name": "tiny",
            "seed": 3,
            "data": {"source": "synthetic", "symbol": "SYNTH", "edge": 0.15, "market_seed": 5},
            "windows": {
                "train": ["2018-01-01", "2018-01-20"],
                "past": ["2018-01-22", "2018-01-28"],
                "future": ["2018-01-30", "2018-02-05"],
            },
            "separation": {"n_pairs": 4000, "n_values": 4, "n_restarts": 1},
            "network": {"n_neutral": 5000, "n_trials": 2, "max_epochs": 3, "batch_size": 1024, "n_seeds": 1},
            "search": {"n_strategies": 300, "island_size": 240},
            "tiers": {"sizes": [20, 5], "most_alike": 1.0},
            "null": {"repeats": 2, "n_strategies": 40},
            "label": [
                {"kind": "threshold", "theta": 0.003, "horizon": 5},
                {"kind": "threshold", "theta": 0.006, "horizon": 60},
                {"kind": "extrema", "up": 1.0, "down": 0.1},
            ],
        }
    )


@pytest.fixture(scope="session")
def tiny_run(tiny_experiment, tmp_path_factory):
    """Results of the tiny experiment, run to the end once for all test processes; each has a copy of its own."""
    from labelsearch.results.run import Results
    from tests.running import run_experiment

    own, folder = _copied(tmp_path_factory, "tiny", partial(run_experiment, tiny_experiment, workers=1))
    return Results(own / "runs" / folder.name, own / "store")


@pytest.fixture(scope="session")
def mixed_run(tmp_path_factory):
    """Results of one market whose first label is a target of magnitude, between which and classes strategies mix."""
    from labelsearch.results.run import Results
    from labelsearch.settings.experiment import Experiment
    from tests.running import run_experiment

    data = {name: section for name, section in TINY_PANEL.items() if name not in ("roll", "data")}
    experiment = Experiment.from_dict(
        {
            **data,
            "name": "mixed",
            "data": {"source": "synthetic", "symbol": "ALPHA", "interval": "15m", "edge": 0.2, "market_seed": 5},
            "network": {**data["network"], "magnitude_loss": "huber", "sign_penalty": 0.5, "n_seeds": 2,
                        "bag": "blocks", "folds": 2, "calibration": "temperature"},
            "label": [
                {"kind": "magnitude", "horizon": "1h", "span": 200, "head": "magnitude"},
                {"kind": "threshold", "theta": 0.003, "horizon": "1h"},
            ],
        }
    )  # fmt: skip
    own, folder = _copied(tmp_path_factory, "mixed", partial(run_experiment, experiment, workers=1))
    return Results(own / "runs" / folder.name, own / "store")


@pytest.fixture(scope="session")
def tiny_panel(tmp_path_factory):
    """Results of the tiny panel, as those of `tiny_run`; matrix libraries had two threads."""
    from threadpoolctl import threadpool_limits

    from labelsearch.results.panel_run import PanelResults
    from labelsearch.settings.experiment import Experiment
    from tests.running import run_panel

    def run(runs: Path, store: Path) -> Path:
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(2)
        try:
            with threadpool_limits(2):
                return run_panel(Experiment.from_dict(TINY_PANEL), runs, store, workers=1)
        finally:
            torch.set_num_threads(before)

    own, folder = _copied(tmp_path_factory, "panel", run)
    return PanelResults(own / "runs" / folder.name, own / "store")


@pytest.fixture
def panel_folder(tiny_panel):
    """Folder of the tiny panel, run in one process."""
    return tiny_panel.folder


def _copied(tmp_path_factory, name: str, run: Callable[[Path, Path], Path]) -> tuple[Path, Path]:
    """A folder with a copy of the runs that were made once for all test processes, and the folder of the run."""
    from labelsearch.durable import held

    own = tmp_path_factory.mktemp(name)
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / f"shared-{name}"
    with held(shared / ".lock"):
        folder = run(shared / "runs", shared / "store")
        shutil.copytree(shared / "runs", own / "runs")
    return own, folder
