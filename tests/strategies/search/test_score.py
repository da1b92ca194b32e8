from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pytest

from strategies.search.linear import StrategySpace
from strategies.search.problem import SearchProblem, evaluate_population
from strategies.search.score import SCORES, PaperScore, Record, Score, make_score, monthly_return_pct, prove_score
from strategies.trade.rules import TradingRules


def pieces(growth, fills, held, months, score=None):
    """Figures and pieces of the paper's score."""
    record = Record(np.array(growth), np.array(fills), np.array(held), months)
    return record, (score or PaperScore()).pieces(record)


def test_by_hand():
    """Four months: 1.4641 is 10% a month; 100 fills are 25 a month, 5 missing; 15% held is 5 points short."""
    record, got = pieces([1.4641], [100], [0.15], 4.0)
    assert record.monthly_return_pct[0] == pytest.approx(10.0)
    assert got["trade_penalty_pct"][0] == pytest.approx(5.0)
    assert got["position_penalty_pct"][0] == pytest.approx(2.5)
    assert got["score"][0] == pytest.approx(2.5)
    assert (record.trades_per_month[0], record.mean_position_pct[0]) == (25.0, 15.0)


def test_nothing_is_earned_by_exceeding_the_targets():
    _, got = pieces([1.0, 1.0], [30, 3000], [0.2, 1.0], 1.0)
    np.testing.assert_allclose(got["score"], 0.0, atol=1e-12)


def test_options_and_pace_are_used():
    score = make_score("paper", target_trades=5.0, target_position_pct=50.0, position_weight=2.0).paced(2.0)
    assert score == PaperScore(10.0, 50.0, 2.0)
    assert pieces([1.0], [4], [0.4], 1.0, score)[1]["score"][0] == pytest.approx(-6.0 - 20.0)


def test_ruin_and_nan():
    assert monthly_return_pct(np.array([0.0]), 4.0)[0] == -100.0
    assert np.isnan(pieces([np.nan], [1], [0.1], 1.0)[1]["score"][0])


def test_unknown_kinds_and_options_are_named_with_the_known_ones():
    with pytest.raises(ValueError, match="unknown score 'best'; known are paper"):
        make_score("best")
    with pytest.raises(ValueError, match="no option 'trades', choose from target_trades, target_position_pct, posi"):
        make_score("paper", trades=3.0)


@dataclass(frozen=True)
class Calm(Score):
    """Monthly return less a cost of what is held."""

    kind: ClassVar[str] = "calm"
    cost: float = field(default=0.1, metadata={"help": "percent for each point of mean position"})

    def pieces(self, record):
        paid = self.cost * record.mean_position_pct
        return {"score": record.monthly_return_pct - paid, "holding_cost_pct": paid}


def test_an_own_score_is_proved_and_used(market, make, registries):
    SCORES.register(Calm)
    SCORES.register(Calm)  # the same again is no clash
    score = make_score("calm", cost=0.3)
    assert score.paced(3.0) is score
    assert score.origin == ""
    got = evaluate_population(SearchProblem(market, StrategySpace(16), TradingRules(), score), make[1](1, 9))
    np.testing.assert_array_equal(got["holding_cost_pct"], 0.3 * got["mean_position_pct"])
    np.testing.assert_array_equal(got["score"], got["monthly_return_pct"] - got["holding_cost_pct"])
    assert "trade_penalty_pct" not in got


def made(pieces, kind="bad", frozen=True):
    """A score of some pieces."""
    return dataclass(frozen=frozen)(type("Bad", (Score,), {"kind": kind, "pieces": pieces}))


def spoil(self, record):
    record.growth[:] = 1.0
    return {"score": record.growth}


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (made(Calm().pieces, frozen=False), "frozen dataclass"),
        (made(lambda self, r: {"score": r.growth}, kind=3), "with a name"),
        (made(lambda self, r: {"score": r.growth}, kind="paper"), "'paper': the name is taken"),
        (made(lambda self, r: {"score": r.growth}, kind="my score"), "letters, digits and underscores"),
        (made(lambda self, r: {"value": r.growth}), "must give a piece 'score'"),
        (made(lambda self, r: {"score": r.growth, "fills": r.growth}), "none of value, fees, traded, fills"),
        (made(lambda self, r: {"score": r.fills}), "one float64 for each strategy"),
        (made(lambda self, r: {"score": np.log(r.growth)}), "score gives -inf for strategy 0"),
        (made(lambda self, r: {"score": r.growth, "rate": 1 / r.mean_position}), "rate gives inf for strategy 0"),
        (made(lambda self, r: {"score": np.cumsum(r.growth)}), "depends on the order"),
        (made(lambda self, r: {"score": r.growth + np.random.default_rng().random(40)}), "other values"),
        (made(lambda self, r: {"score": r.sharpe}), "AttributeError: 'Record' object has no attribute 'sharpe'"),
        (made(spoil), "changes its input"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_a_bad_score_is_refused_in_one_line(kind, message):
    before = dict(SCORES)
    with pytest.raises(ValueError, match=message) as error:
        [step(kind) for step in (prove_score, SCORES.register)]
    assert "\n" not in str(error.value)
    assert before == SCORES


@pytest.mark.parametrize("kind", SCORES)
def test_the_scores_pass_their_own_proof(kind):
    prove_score(SCORES[kind])
    assert all(
        f.metadata["help"] for f in SCORES[kind].__dataclass_fields__.values() if f.name not in ("kind", "origin")
    )
