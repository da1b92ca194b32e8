"""How members are trained on blocks of time, and hyper-parameters compared on folds."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from feature_space.feature_set import FeatureSet
from feature_space.normalise import Normalisation
from labelsearch.classifiers.networks import Ensemble
from labelsearch.labels.base import LabelValues
from labelsearch.labels.kinds import Magnitude, Threshold
from labelsearch.settings.schema import ExperimentError
from labelsearch.settings.sections import Network
from labelsearch.stages.seeds import Seeds
from labelsearch.stages.training import FEWEST_BLOCKS, bag_rows, epochs_of, fold_rows, make_problem, train

LABEL = Threshold(0.01, 5)
SMALL = Network(n_seeds=3, n_trials=2, max_epochs=2, batch_size=128, n_neutral=200)


def problem(n=1000, boundary=800, seed=0, label=LABEL, classes=None):
    rng = np.random.default_rng(seed)
    value = rng.uniform(-1, 1, n)
    classes = np.where(value < -0.5, 0, np.where(value > 0.5, 2, 1)).astype(np.int8) if classes is None else classes
    last_used = np.minimum(np.arange(n) + 5, n)
    values = LabelValues(value, classes, last_used)
    matrix = np.column_stack([value + rng.normal(0, 0.3, n), rng.normal(0, 1, n)]).astype(np.float32)
    nothing = FeatureSet((), Normalisation("train", 2, 1.0))
    return make_problem(label, values, np.ones(n, dtype=bool), boundary, nothing, matrix)


def trained(settings, seed=1, problems=None):
    problems = problems or [problem()]
    seeds = Seeds(seed)
    network, _ = train(problems, settings, seeds, np.random.default_rng(seeds("samples", LABEL.name)))
    return network


def weights(network):
    return [parameter.detach().numpy().tobytes() for parameter in network.network.parameters()]


@pytest.mark.parametrize("n_members", [2, 5, 8])
def test_each_member_lacks_another_block_of_time(n_members):
    its = problem()
    bags = bag_rows([its], n_members, np.random.default_rng(0))
    n_blocks = max(n_members, FEWEST_BLOCKS)
    absent = [np.setdiff1d(its.fit, rows) for (rows,) in bags]
    assert len({rows[0] for rows in absent}) == n_members
    for rows in absent:
        assert (np.diff(rows) == 1).all()  # contiguous
        assert abs(rows.size - 800 / n_blocks) <= 6
    assert np.unique(np.concatenate(absent)).size == sum(rows.size for rows in absent)


def test_blocks_are_of_the_same_time_in_all_markets():
    """One market begins 300 bars later: what is left out ends equally far before the last part of train."""
    first, later = problem(), problem(700, 500, seed=1)
    for rows, others in bag_rows([first, later], 5, np.random.default_rng(3)):
        absent, other = np.setdiff1d(first.fit, rows), np.setdiff1d(later.fit, others)
        assert np.setdiff1d(other - 500, absent - 800).size == 0
        assert np.setdiff1d(absent[absent - 800 >= -500] - 800, other - 500).size == 0


def test_a_market_without_actions_elsewhere_keeps_all_rows():
    classes = np.ones(1000, dtype=np.int8)
    classes[330:360], classes[900:] = 0, 2
    its = problem(classes=classes)
    kept = [rows for (rows,) in bag_rows([its], 5, np.random.default_rng(0))]
    assert sum(rows.size == its.fit.size for rows in kept) == 1
    assert all((classes[rows] != 1).any() for rows in kept)
    moves = problem(classes=classes, label=Magnitude(5, head="magnitude"))
    assert all(rows.size < moves.fit.size for (rows,) in bag_rows([moves], 5, np.random.default_rng(0)))


def test_members_of_blocks_differ_from_those_of_all_and_repeat():
    plain, blocks = trained(SMALL), trained(replace(SMALL, bag="blocks"))
    assert isinstance(blocks.network, Ensemble)
    assert blocks.trials == plain.trials  # hyper-parameters are those of all of train
    own = weights(blocks)
    assert len(set(own)) == len(own)
    assert not set(own) & set(weights(plain))
    torch.manual_seed(99)  # what other units of a worker have drawn
    np.random.seed(99)  # noqa: NPY002
    torch.rand(7)
    assert weights(trained(replace(SMALL, bag="blocks"))) == own
    assert weights(trained(replace(SMALL, bag="blocks"), seed=2)) != own


def test_folds_change_trials_alone_and_are_their_mean():
    settings = replace(SMALL, n_seeds=1, n_trials=1)
    one, three = trained(settings), trained(replace(settings, folds=3))
    assert one.options == three.options  # a single trial is the best
    assert weights(one) == weights(three)
    assert one.trials[0].losses != three.trials[0].losses
    assert "mean of 3 folds" in three.study.objective
    assert "validation part" in one.study.objective
    assert weights(trained(replace(settings, folds=3))) == weights(three)


def test_the_loss_of_a_trial_is_the_mean_over_folds():
    from labelsearch.classifiers.fitting import Fit
    from labelsearch.classifiers.training import Fold, train_network
    from tests.classifiers.test_training import SETTINGS, make_problem

    folds = [Fold(make_problem(200, k, planted=True), make_problem(100, k + 9, planted=True)) for k in range(3)]
    found = train_network(*folds[0], replace(SETTINGS, n_trials=1), folds=folds[1:])
    parameters = dict(found.trials[0].parameters)
    optimiser = {name: parameters.pop(name) for name in ("learning_rate", "weight_decay")}
    fits = [Fit(*fold, SETTINGS, parameters, optimiser, SETTINGS.seed * 1000) for fold in folds]
    for fit in fits:
        fit.advance(SETTINGS.max_epochs)
    np.testing.assert_allclose(found.trials[0].losses, np.mean([fit.losses for fit in fits], axis=0), rtol=1e-12)
    assert found.losses == tuple(fits[0].losses)


def test_a_fold_that_a_market_lacks_is_left_out():
    """The classes of one market are neutral in the middle of train, so that a fold there has no action to judge by."""
    its = problem()
    classes = its.values.classes.copy()
    ((_, judged),) = fold_rows(its, 2)[1:]
    classes[judged] = 1
    one, two = (trained(replace(SMALL, folds=k, n_trials=1), problems=[problem(classes=classes)]) for k in (1, 2))
    assert one.trials == two.trials


def test_epochs_count_folds():
    assert epochs_of(replace(SMALL, folds=3)) == (2 * 3 + 3) * 2
    assert epochs_of(replace(SMALL, folds=3), is_searched=False) == 3 * 2


def test_one_network_is_not_bagged():
    with pytest.raises(ExperimentError, match="bag = 'blocks' needs n_seeds of 2 or more"):
        Network(n_seeds=1, bag="blocks")
    with pytest.raises(ExperimentError, match="bag = 'rows' is unknown; known are none, blocks"):
        Network(bag="rows")
