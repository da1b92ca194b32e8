"""The sampler behind Optuna's interface: Optuna's own tests of any sampler, and what they leave out."""

import warnings

import numpy as np
import optuna
import pytest
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.testing.pytest_samplers import BasicSamplerTestCase, RelativeSamplerTestCase, SingleOnlySamplerTestCase

from strategies.search.samplers import AtRandom, RestartedCma

BOX = {"x": FloatDistribution(-1.0, 3.0), "y": FloatDistribution(0.0, 0.5), "z": FloatDistribution(2.0, 2.0)}


class TestContract(BasicSamplerTestCase, RelativeSamplerTestCase, SingleOnlySamplerTestCase):
    """Parameters of these tests that are not plain floats lie outside of the box, and are drawn at random."""

    @pytest.fixture
    def sampler(self, request):
        """With the box of the test's own distributions where they can be searched."""
        given = getattr(request.node, "callspec", None)
        box = {name[0]: d for name, d in given.params.items() if name.endswith("_distribution")} if given else {}
        plain = {n: d for n, d in box.items() if isinstance(d, FloatDistribution) and not d.log and d.step is None}
        return lambda: RestartedCma(plain or {"other": BOX["x"]}, seed=0, population=4, spread=0.25)


def study_of(seed=0, population=8):
    return optuna.create_study(sampler=RestartedCma(BOX, seed, population=population, spread=0.25))


def value(params):
    return (params["x"] - 1.0) ** 2 + params["y"]


@pytest.mark.parametrize(
    "other", [IntDistribution(0, 3), FloatDistribution(1e-3, 1.0, log=True), FloatDistribution(0.0, 1.0, step=0.1)]
)
def test_other_parameters_than_plain_floats_are_refused(other):
    with pytest.raises(ValueError, match="without log or step"):
        RestartedCma({**BOX, "other": other}, 0, 8, 0.3)


def test_a_trial_that_fails_before_it_asks_for_a_parameter_is_left_out():
    study = study_of()
    for _ in range(3):
        study.tell(study.ask(), state=optuna.trial.TrialState.FAIL)
    trial = study.ask(BOX)
    trial.report(-5.0, 1)
    study.tell(trial, state=optuna.trial.TrialState.FAIL)
    assert not study.sampler._told
    assert not study.sampler._waiting


def test_enqueued_trials_are_evaluated_and_not_counted_as_proposals():
    one, two = study_of(), study_of()
    two.enqueue_trial({"x": 0.5, "y": 0.1, "z": 2.0})
    queued = two.ask(BOX)
    assert queued.params == {"x": 0.5, "y": 0.1, "z": 2.0}
    two.tell(queued, value(queued.params))
    for _ in range(20):
        trials = [study.ask(BOX) for study in (one, two)]
        assert trials[0].params == trials[1].params
        for study, trial in zip((one, two), trials, strict=True):
            study.tell(trial, value(trial.params))


def test_a_fixed_parameter_counts_with_the_value_it_was_given():
    study = study_of()
    own = study.sampler
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.sampler = optuna.samplers.PartialFixedSampler({"x": 2.0}, own)
    for _ in range(5):
        trial = study.ask(BOX)
        assert trial.params["x"] == 2.0
        study.tell(trial, value(trial.params))
    assert set(own.distributions) == set(BOX)
    assert [point[0] for point, _ in own._told] == [0.75] * 5
    np.testing.assert_allclose([0.5 * point[1] for point, _ in own._told], [t.params["y"] for t in study.trials])


def test_reseeded_samplers_differ():
    one, two = RestartedCma(BOX, 0, 8, 0.25), RestartedCma(BOX, 0, 8, 0.25)
    np.testing.assert_array_equal(one._cma.ask(), two._cma.ask())
    two.reseed_rng()
    assert not np.array_equal(one._cma.ask(), two._cma.ask())


def proposals(sampler, box, *, whole: bool) -> list[dict[str, float]]:
    """Parameters of sixty trials, taken whole or suggested one by one; every third is pruned."""
    study = optuna.create_study(sampler=sampler)
    found = []
    for number in range(60):
        trial = study.ask() if whole else study.ask(box)
        found.append(dict(trial.relative_params if whole else trial.params))
        value = sum(x * x for x in found[-1].values())
        trial.report(value, 1)
        if number % 3:
            study.tell(trial, value)
        else:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    return found


def test_whole_proposals_are_those_of_single_suggestions():
    wide = {name: BOX[name] for name in ("x", "y")}  # Optuna draws nothing for a parameter of one value
    theirs = proposals(optuna.samplers.RandomSampler(seed=7), wide, whole=False)
    assert proposals(AtRandom(wide, 7), wide, whole=True) == theirs
    cma = [proposals(RestartedCma(BOX, 7, 8, 0.25), BOX, whole=whole) for whole in (True, False)]
    assert cma[0] == cma[1]
    assert cma[0] != proposals(RestartedCma(BOX, 8, 8, 0.25), BOX, whole=True)
