"""The controls of a run: fitted on past alone, traded beside the tiers, and compared with them."""

import dataclasses
import shutil

import numpy as np
import pytest

from labelsearch.delivery.tables import controls as tables
from labelsearch.delivery.tables import stages
from labelsearch.engine.executors.local import LocalExecutor
from labelsearch.engine.stage import Work
from labelsearch.results.controls import AgainstControls, Controls, TierAgainst
from labelsearch.results.outputs import WINDOWS
from labelsearch.results.run import Results
from labelsearch.settings.experiment import Experiment
from labelsearch.settings.schema import ExperimentError
from labelsearch.stages import controls
from labelsearch.stages.ensembles import against_controls
from strategies.tiers.controls.control import CONTROLS, control_account
from tests.running import run_experiment

TITLES = tuple(control.title for control in CONTROLS.values())


class Held:
    """A result that is not stored."""

    def __init__(self, value):
        self.value = value


def inputs_of(run, **other):
    experiment = run.experiment
    given = {
        "space": experiment.search.space(experiment.output_names),
        "rules": experiment.rules(),
        "score": experiment.make_score(),
        "outputs": Held(run.outputs),
        "costs": Held(run.costs),
        "search": Held(run.strategies),
        "controls_asked": tuple(CONTROLS.values()),
        "stacking_bars": 5,
    }
    return controls.ControlInputs(**{**given, **other})


def test_all_are_rows_and_curves_beside_tiers_and_baselines(tiny_run):
    found = tiny_run.ensembles
    assert found.controls == TITLES
    assert tiny_run.controls.horizon_bars == 5  # the labels look 5 and 60 bars ahead
    for window in WINDOWS:
        names = [row.name for row in found.rows if row.window == window]
        assert names == ["Top-20", "Top-5", *found.baselines, *TITLES] == list(found.curves[window].names)
        for control in tiny_run.controls.fitted:
            row, traded = found.row(window, None, control.title), tiny_run.traded(window)
            account = control_account(
                control.fit, traded, tiny_run.experiment.rules(), tiny_run.outputs.columns, tiny_run.strategies.params
            )
            np.testing.assert_array_equal(found.curves[window].frame()[f"{control.title} equity"], account.equity)
            assert row.figures.total_return_pct == pytest.approx(100 * (account.equity[-1] - 1))
            assert row.size is None
    assert min(found.row("past", None, name).figures.fees_pct for name in TITLES) > 0


def test_the_score_is_that_of_the_run(tiny_run):
    for control in tiny_run.controls.fitted:
        figures = tiny_run.ensembles.row("past", None, control.title).figures
        missing = max(0.0, 30 - figures.trades_per_month) + 0.5 * max(0.0, 20 - figures.mean_position_pct)
        assert control.score == pytest.approx(figures.monthly_return_pct - missing, abs=1e-6)
    best = max(tiny_run.controls.fitted, key=lambda control: control.score)
    assert tiny_run.ensembles.against.best == best.title == tiny_run.controls.best.title
    assert tiny_run.done["controls"]["counts"] == {"control_trials": 6 * 512}


def test_no_fit_sees_the_future(tiny_run, tmp_path):
    """Other outputs and prices on future change no coefficient; the fits are those of the run, in the same bits."""
    future = tiny_run.outputs.future
    other = future._replace(
        outputs=1.0 - future.outputs, open=future.open[::-1].copy(), close=future.close[::-1].copy()
    )
    changed = inputs_of(tiny_run, outputs=Held(dataclasses.replace(tiny_run.outputs, future=other)))
    assert controls.run(changed, Work(LocalExecutor(), tmp_path)) == tiny_run.controls
    past = tiny_run.outputs.past
    flipped = dataclasses.replace(tiny_run.outputs, past=past._replace(outputs=past.outputs[::-1].copy()))
    assert (
        controls.run(inputs_of(tiny_run, outputs=Held(flipped)), Work(LocalExecutor(), tmp_path)) != tiny_run.controls
    )


def test_only_what_is_asked_for(tiny_run, tmp_path):
    work = Work(LocalExecutor(), tmp_path)
    asked = inputs_of(tiny_run, controls_asked=(CONTROLS["greedy"], CONTROLS["lasso"]))
    found = controls.run(asked, work)
    known = {control.name: control for control in tiny_run.controls.fitted}
    assert found.fitted == (known["greedy"], known["lasso"])
    assert controls.run(inputs_of(tiny_run, controls_asked=()), work).best is None
    with pytest.raises(ExperimentError, match=r"\[tiers\]: controls = 'luck' is unknown; known are ridge"):
        Experiment.from_dict({"tiers": {"controls": ["luck"]}})
    with pytest.raises(ExperimentError, match="controls: the same one twice"):
        Experiment.from_dict({"tiers": {"controls": ["ridge", "ridge"]}})


def test_the_horizon_is_the_lower_median_of_labels(tiny_run):
    for bars, wanted in {(2, 5, 60): 5, (2, 5): 2, (7,): 7}.items():
        labels = [{"kind": "threshold", "theta": 0.01, "horizon": n} for n in bars]
        labels.append({"kind": "extrema", "up": 1.0, "down": 0.1})
        assert controls.stacking_horizon(Experiment.from_dict({"label": labels}).label_kinds()) == wanted
    extrema = Experiment.from_dict({"label": [{"kind": "extrema", "up": 1.0, "down": 0.1}]})
    assert controls.stacking_horizon(extrema.label_kinds()) == 60


def test_a_run_without_controls_says_nothing_of_them(tiny_run, tmp_path):
    settings = tiny_run.experiment.to_dict()
    other = Experiment.from_dict({**settings, "tiers": {**settings["tiers"], "controls": []}})
    shutil.copytree(tiny_run.folder, tmp_path / other.run_id)
    results = Results(run_experiment(other, tmp_path, tiny_run.store), tiny_run.store)
    assert results.ensembles.controls == ()
    assert tables.against_table(results) is tables.control_table(results) is None
    assert tables.against_sentence(results) == ""
    own = [row for row in tiny_run.ensembles.rows if row.name not in TITLES]
    assert list(results.ensembles.rows) == own
    assert "control" not in stages.tier_table(results).note


def with_against(run, *rows: TierAgainst):
    """The run with other differences to its best control."""

    class Changed:
        controls = run.controls
        ensembles = dataclasses.replace(run.ensembles, against=AgainstControls(TITLES, "ridge", rows))

    return Changed()


def test_sentences_say_plainly_who_is_better(tiny_run):
    none = with_against(tiny_run, TierAgainst(20, -1.0, -2.0, -0.1), TierAgainst(5, 0.5, -1.0, 2.0))
    said = tables.against_sentence(none)
    assert said == (
        "No tier did better than ridge, the control with the best score on past: at best Top-5, by +0.5 bp a day "
        "[-1.0 +2.0] on future."
    )
    words = [row[-1] for row in tables.against_table(none).rows]
    assert words == ["worse", "no difference shown"]
    one = with_against(tiny_run, TierAgainst(20, 1.5, 0.2, 3.0), TierAgainst(5, 4.5, -1.0, 9.0))
    assert tables.against_sentence(one) == (
        "Top-20 did better than ridge, the control with the best score on past: Top-20, by +1.5 bp a day [+0.2 +3.0] "
        "on future."
    )
    assert "cannot be told" in tables.against_sentence(with_against(tiny_run, TierAgainst(5, 1.0, None, None)))
    assert "cannot be told" in stages.tier_table(tiny_run).note  # a week is too short
    no_best = dataclasses.replace(tiny_run.ensembles, against=AgainstControls((), None, ()))
    assert tables.against_sentence(type("Run", (), {"ensembles": no_best, "controls": tiny_run.controls})) == (
        "No control could be fitted."
    )


def test_differences_are_those_of_the_curves(tiny_run):
    found = tiny_run.ensembles.against
    curves, window = tiny_run.ensembles.curves["future"].frame(), tiny_run.outputs.future
    daily = curves.iloc[window.day_edges[1:] - 1].pct_change()
    first = curves.iloc[window.day_edges[1] - 1] - 1.0
    for row in found.tiers:
        both = [f"Top-{row.size} equity", f"{found.best} equity"]
        difference = daily[both].fillna(first[both]).diff(axis=1).iloc[:, 1]
        assert row.mean_bp == pytest.approx(-1e4 * difference.mean())
        assert row.low_bp is None


def test_how_each_was_fitted_is_shown(tiny_run):
    table = tables.control_table(tiny_run)
    assert [row[0] for row in table.rows] == list(TITLES)
    assert "over 5 bars" in table.note
    assert all("thresholds" in row[-1] for row in table.rows[:-1])
    assert table.rows[-1][-1].startswith("shares of ")
    left_out = dataclasses.replace(
        tiny_run.controls.fitted[0], fit=type(tiny_run.controls.fitted[0].fit)(reason="no output varies"), score=None
    )
    lonely = Controls(5, ("a:buy",), (left_out,))
    row = tables.control_table(type("Run", (), {"controls": lonely})).rows[0]
    assert row == ("ridge", "-", "-", "-", "left out: no output varies")
    assert lonely.best is None
    assert lonely.trial_counts == {"control_trials": 0}
    accounts, window = {}, tiny_run.outputs.future
    assert against_controls(accounts, window, lonely, (20, 5)) == AgainstControls((), None, ())
