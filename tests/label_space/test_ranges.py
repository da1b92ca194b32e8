"""Ranges of label options and labels drawn from them."""

import numpy as np
import pytest

from labelsearch.label_space.ranges import (
    LabelRange,
    LabelSpace,
    OptionChoices,
    OptionInterval,
    default_ranges,
    parse_range,
)
from labelsearch.labels.base import LabelError
from labelsearch.labels.kinds import KINDS, build_label


def bars(name: str, text: str) -> int:
    return {"5m": 5, "1h": 60, "1d": 1440}[text]


def test_numbers_are_as_many_in_each_octave():
    whole = OptionInterval(2.0, 512.0, True)
    drawn = [whole.at(share) for share in np.linspace(0, 1, 4001)]
    assert (min(drawn), max(drawn)) == (2, 512)
    assert abs(np.mean(np.array(drawn) < 32) - 0.5) < 0.02
    assert OptionInterval(0.01, 0.1, False).at(0.5) == 0.0316
    assert OptionInterval(3.0, 3.0, True).at(0.7) == 3


def test_choices_are_as_likely():
    choices = OptionChoices(("a", "b", "c"))
    assert [choices.at(share) for share in (0.0, 0.34, 0.99, 1.0)] == ["a", "b", "c", "c"]


@pytest.mark.parametrize(
    ("kind", "name", "value", "expected"),
    [
        ("threshold", "theta", [0.01, 0.1], OptionInterval(0.01, 0.1, False)),
        ("threshold", "theta_deviations", [1, 3], OptionInterval(1.0, 3.0, False)),
        ("threshold", "horizon", ["5m", "1d"], OptionInterval(5.0, 1440.0, True)),
        ("threshold", "horizon", "1h", OptionChoices((60,))),
        ("threshold", "scale", ["fixed", "volatility"], OptionChoices(("fixed", "volatility"))),
        ("extrema", "up", 2, OptionChoices((2,))),
    ],
)
def test_ranges_are_read(kind, name, value, expected):
    assert parse_range(kind, name, value, bars) == expected


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("tehta", 1.0, "unknown option 'tehta'"),
        ("theta", [0.1, 0.01], "low <= high"),
        ("theta", [0.1, 0.2, 0.3], "number, or"),
        ("theta", True, "number, or"),
        ("scale", [1, 2], "text"),
    ],
)
def test_what_is_no_range_is_refused(name, value, words):
    with pytest.raises(LabelError, match=words):
        parse_range("threshold", name, value, bars)


def test_a_range_outside_of_the_kind_is_refused():
    with pytest.raises(LabelError, match="horizon >= 1"):
        LabelRange("threshold", {"theta": OptionChoices((0.01,)), "horizon": OptionChoices((0,))})
    with pytest.raises(LabelError, match="needs horizon"):
        LabelRange("threshold", {"theta": OptionChoices((0.01,))})
    with pytest.raises(LabelError, match="no horizon"):
        LabelRange("extrema", {"up_deviations": OptionInterval(1.0, 2.0, False), "down": OptionChoices((0.1,))})


def test_deviations_are_those_of_the_move_over_the_horizon():
    own = LabelRange("threshold", {"theta_deviations": OptionChoices((2.0,)), "horizon": OptionChoices((25,))})
    assert own.options([0.5, 0.5], 0.001) == {"horizon": 25, "theta": 0.01}


def test_every_point_is_a_label_and_kinds_are_as_likely():
    for day in (1, 24, 1440):
        space = LabelSpace(default_ranges(day), 0.002)
        drawn = [space.at(point) for point in space.sobol(256, 3)]
        assert len(drawn) == 256
        counts = {kind: sum(k == kind for k, _ in drawn) for kind, _ in drawn}
        assert set(counts.values()) == {64}
        for kind, options in drawn:
            assert build_label(KINDS.find(kind), options).kind == kind


def test_the_same_seed_gives_the_same_points():
    space = LabelSpace(default_ranges(24), 0.01)
    first, second, other = (np.array(list(space.sobol(50, seed))) for seed in (1, 1, 2))
    assert first.tobytes() == second.tobytes()
    assert first.tobytes() != other.tobytes()
