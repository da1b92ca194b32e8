import numpy as np
import optuna
import pytest

from strategies.search.pruners import Hyperband

optuna.logging.set_verbosity(optuna.logging.ERROR)


def decisions(pruner, direction, levels, batch, seed):
    """What a pruner says of 120 trials that report at growing steps, ``batch`` of them side by side."""
    rng = np.random.default_rng(seed)
    study = optuna.create_study(pruner=pruner, direction=direction, study_name="fixed")
    said = []
    for _ in range(120 // batch):
        alive = [study.ask() for _ in range(batch)]
        quality = dict(zip((t.number for t in alive), rng.normal(size=batch), strict=True))
        for step in levels:
            values = {n: np.round(q + rng.normal(0, 2 / step), 1) for n, q in quality.items()}  # with ties
            left = []
            for trial in alive:
                bad = trial.number % 37 == 5 and step == levels[1]
                trial.report(np.nan if bad else values[trial.number], step)
                said.append((trial.number, step, trial.should_prune()))
                if not said[-1][2]:
                    left.append(trial)
                else:
                    study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            alive = left
        for trial in alive:
            study.tell(trial, quality[trial.number])
    return said


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
@pytest.mark.parametrize(
    ("low", "high", "eta", "levels"), [(3, 27, 3, (3, 9)), (1, 16, 2, (1, 3, 4, 9)), (2, 2, 4, (1, 2))]
)
@pytest.mark.parametrize("batch", [1, 8])
def test_decides_as_optuna_does(direction, low, high, eta, levels, batch):
    for seed in (0, 1):
        theirs = optuna.pruners.HyperbandPruner(min_resource=low, max_resource=high, reduction_factor=eta)
        wanted = decisions(theirs, direction, levels, batch, seed)
        assert decisions(Hyperband(low, high, eta), direction, levels, batch, seed) == wanted
        assert 0 < sum(pruned for *_, pruned in wanted) < len(wanted)


def test_a_trial_without_a_report_goes_on():
    study = optuna.create_study(pruner=Hyperband(1, 9, 3))
    assert not study.ask().should_prune()
