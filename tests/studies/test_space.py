"""The study of the label space, and the command for it, on a generated market."""

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from labelsearch.commands import main
from labelsearch.results.space import Space
from labelsearch.settings.experiment import Experiment
from labelsearch.settings.schema import ExperimentError
from labelsearch.stages.plan import open_run
from labelsearch.studies.space import STAGE

SETTINGS = {
    "name": "labels",
    "seed": 2,
    "data": {"source": "synthetic", "symbol": "SYNTH", "edge": 0.2, "interval": "15m", "market_seed": 5},
    "windows": {
        "train": ["2018-01-01", "2018-04-20"],
        "past": ["2018-04-24", "2018-05-20"],
        "future": ["2018-05-24", "2018-06-20"],
    },
    "feature_space": {"indicators": ["momentum_short", "price_to_sma_medium", "volatility_ratio"]},
    "label_space": {
        "n_candidates": 16, "rows": 700, "epochs": 4, "n_values": 3, "most_features": 3, "choose": 3, "finalists": 5,
        "folds": 2, "nulls": 2,
    },
    "label_range": [
        {"kind": "magnitude", "horizon": ["30m", "6h"], "edge": [0.6, 1.5]},
        {"kind": "threshold", "theta_deviations": [0.7, 2.0], "horizon": [2, 24], "scale": ["fixed", "volatility"]},
    ],
    "label": [{"kind": "threshold", "theta": 0.003, "horizon": "1h"}, {"kind": "extrema", "up": 0.3, "down": 0.03}],
}  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("space")
    (folder / "e.toml").write_text(Experiment.from_dict(SETTINGS).to_toml())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        result = CliRunner().invoke(main, ["space", "e.toml", "--write", "chosen.toml", "--json", "--workers", "1"])
        assert result.exit_code == 0, result.output
        yield folder, json.loads(result.stdout)


@pytest.fixture(scope="module")
def found(home) -> Space:
    folder, document = home
    return Space.load(folder / document["folder"])


def test_every_candidate_is_recorded(found, home):
    _, document = home
    assert len(found.trials) == len(document["trials"]) == 16
    assert [its.number for its in found.trials] == list(range(16))
    for its in found.trials:
        assert (its.figures is None) == (its.rungs == 0)
        assert its.reason or its.rungs == found.n_rungs
    assert found.trial_counts["labels_tried"] == 16 * 3
    assert found.trial_counts["quick_classifiers"] == sum(2 * its.rungs for its in found.trials)


def test_labels_are_of_the_ranges_that_were_named(found):
    for its in found.trials:
        assert its.kind in ("magnitude", "threshold")
        assert 2 <= its.options["horizon"] <= 24


def test_the_chosen_ones_have_figures_of_validation(found):
    assert len(found.chosen) == 3
    assert len({its.label for its in found.chosen}) == 3
    for its in found.chosen:
        assert its.later.skill.low <= its.later.skill.value <= its.later.skill.high
        assert len(its.gains) == 1
    assert [its.label for its in found.own] == ["threshold_0.3_4", "extrema_0.3_0.03"]
    assert 1.0 <= found.dimension <= 6.0
    assert 1.0 <= found.dimension_own <= 4.0


def test_the_planted_edge_beats_its_null(found):
    assert found.best_t > 3.0
    assert len(found.null_best) == 2
    assert found.p_value == 1 / 3


def test_the_written_experiment_has_the_chosen_labels_with_their_evidence(found, home):
    folder, _ = home
    written = Experiment.load(folder / "chosen.toml")
    assert [label.name for label in written.label_kinds()] == [its.label for its in found.chosen]
    assert replace(written, label=Experiment.load(folder / "e.toml").label) == Experiment.load(folder / "e.toml")
    text = (folder / "chosen.toml").read_text()
    assert text.count("# on validation: skill ") == 3


def test_it_is_found_again_and_threads_change_nothing(home, found):
    folder, document = home
    with open_run(Experiment.load(folder / "e.toml"), folder / "runs", folder / "store") as run:
        again = run.do(STAGE)
    assert again.folder.name == (folder / document["folder"]).name
    from labelsearch.engine.executors.choice import Workers

    other = folder / "other"
    with open_run(Experiment.load(folder / "e.toml"), other, folder / "store", workers=Workers(3)) as run:
        assert run.do(STAGE).value == found


def test_the_experiment_with_the_chosen_labels_knows_the_search(home, found):
    """Its report shows the search, though that was made under the labels before."""
    from labelsearch.results.run import Results

    folder, _ = home
    chosen = Experiment.load(folder / "chosen.toml")
    run = folder / "runs" / chosen.run_id
    run.mkdir()
    chosen.save(run)
    assert Results(run, folder / "store").space == found
    changed = replace(chosen, seed=7)
    other = folder / "runs" / changed.run_id
    other.mkdir()
    changed.save(other)
    assert Results(other, folder / "store").space is None


def test_text_and_picture(home):
    folder, document = home
    result = CliRunner().invoke(main, ["space", "e.toml", "--top", "3"])
    assert result.exit_code == 0, result.output
    for words in (
        "Labels tried",
        "Chosen labels",
        "The experiment's own labels",
        "best t-value of worth before costs",
        "[[label]]",
    ):
        assert words in result.stdout
    assert (folder / document["picture"]).read_bytes()[:4] == b"\x89PNG"


def test_the_page_has_maps_and_the_front(found):
    from labelsearch.delivery.page.space_figures import space_grid
    from labelsearch.delivery.space_points import front, points_of

    points = points_of(found)
    assert sum(its.is_chosen for its in points) == 3
    best = front([its for its in points if its.t is not None])
    assert [its.skill for its in best] == sorted(its.skill for its in best)
    assert [its.t for its in best] == sorted((its.t for its in best), reverse=True)
    figures = space_grid(found).figures
    assert [figure.name for figure in figures] == [
        "space-theta", "space-share-worth", "space-share-auc", "space-front",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--write", "e.toml"], "e.toml is there already"),
        (["--market", "OTHER"], "the experiment has SYNTH alone"),
    ],
)
def test_bad_input_is_one_line(home, arguments, words):
    result = CliRunner().invoke(main, ["space", "e.toml", *arguments])
    assert result.exit_code == 2
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_settings_that_cannot_be_are_refused():
    for section, words in (
        ({"choose": 9, "finalists": 8}, "finalists"),
        ({"sampler": "grid"}, "sampler"),
        ({"objective": "luck"}, "objective"),
    ):
        with pytest.raises(ExperimentError, match=words):
            Experiment.from_dict({**SETTINGS, "label_space": section})
    for table, words in (
        ({"kind": "relative", "share": [0.1, 0.4]}, "compares markets"),
        ({"kind": "threshold", "theta": [0.01, 0.1]}, "needs horizon"),
        ({"kind": "nothing"}, "unknown label kind"),
    ):
        with pytest.raises(ExperimentError, match=words):
            Experiment.from_dict({**SETTINGS, "label_range": [table]})


def test_too_short_a_train_is_refused(tmp_path):
    windows = {**SETTINGS["windows"], "train": ["2018-04-01", "2018-04-12"]}
    experiment = Experiment.from_dict({**SETTINGS, "windows": windows})
    with (
        pytest.raises(ExperimentError, match="needs 500"),
        open_run(experiment, tmp_path / "runs", tmp_path / "store") as run,
    ):
        run.do(STAGE)
