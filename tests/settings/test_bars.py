"""The bars of an experiment: what is there of each window."""

import numpy as np
import pytest

from labelsearch.labels.spans import DAY_MS, Span, coverage
from labelsearch.market.resample import resample
from labelsearch.market.store import Store
from labelsearch.market.synthetic import synthetic_bars
from labelsearch.settings.bars import load_bars
from labelsearch.settings.experiment import Experiment
from labelsearch.settings.schema import ExperimentError

WINDOWS = {
    "train": ("2018-01-01", "2018-01-28"),
    "past": ("2018-01-30", "2018-02-12"),
    "future": ("2018-02-14", "2018-02-27"),
}
SPANS = {name: Span.of_days(*days) for name, days in WINDOWS.items()}
HOUR_MS = 3_600_000
EVERY_HOUR = np.arange(SPANS["train"].start_ms, SPANS["future"].stop_ms, HOUR_MS)


def test_a_closed_market_lacks_nothing():
    weekday = (EVERY_HOUR // DAY_MS + 3) % 7 < 5  # 1970-01-01 was a Thursday
    session = (EVERY_HOUR % DAY_MS // HOUR_MS >= 14) & (EVERY_HOUR % DAY_MS // HOUR_MS < 21)
    assert coverage(EVERY_HOUR, SPANS) == {"train": 1.0, "past": 1.0, "future": 1.0}
    assert coverage(EVERY_HOUR[weekday & session], SPANS) == {"train": 1.0, "past": 1.0, "future": 1.0}


def test_what_is_missing_is_counted():
    future = SPANS["future"].start_ms <= EVERY_HOUR
    days = (EVERY_HOUR - SPANS["future"].start_ms) // DAY_MS
    found = coverage(EVERY_HOUR[~future | (days < 2)], SPANS)
    assert found == {"train": 1.0, "past": 1.0, "future": pytest.approx(2 / 14)}
    # every other hour from past on, while train has all
    found = coverage(EVERY_HOUR[(SPANS["past"].start_ms > EVERY_HOUR) | (EVERY_HOUR % (2 * HOUR_MS) == 0)], SPANS)
    assert found == {"train": 1.0, "past": 0.5, "future": 0.5}


def test_a_first_window_of_which_most_is_missing_does_not_set_the_standard():
    """Also where every weekday has more days without bars than with them; one day on a weekend opens no weekend."""
    days = (EVERY_HOUR - SPANS["train"].start_ms) // DAY_MS
    found = coverage(EVERY_HOUR[(days < 1) | (days >= 20)], SPANS)
    assert found == {"train": pytest.approx(9 / 28), "past": 1.0, "future": 1.0}
    assert coverage(EVERY_HOUR[days >= 26], SPANS)["train"] <= 0.25
    weekday = (EVERY_HOUR // DAY_MS + 3) % 7 < 5
    assert coverage(EVERY_HOUR[weekday | (days == 5)], SPANS) == {"train": 1.0, "past": 1.0, "future": 1.0}


def test_a_first_window_of_three_days_says_what_is_usual():
    short = {"train": Span.of_days("2018-01-01", "2018-01-03"), "past": SPANS["past"]}
    assert coverage(EVERY_HOUR, short) == {"train": 1.0, "past": 1.0}


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        (lambda day: (day < 29) | (day > 42), "0.0 % of the bars of SYNTH in past, and 80 % are needed"),
        (lambda day: (day < 46) | (day > 56), "21.4 % of the bars of SYNTH in future"),
        (lambda day: day < 50, "the windows need bars from 2018-01-01 to 2018-02-27, but the store has 2018-01-01 to"),
    ],
)
def test_a_window_with_a_hole_of_its_size_is_refused(kept, message, tmp_path):
    bars = synthetic_bars(58 * 1440, 1, start="2018-01-01")
    day = (bars.open_time - bars.open_time[0]) // DAY_MS
    Store(tmp_path).save(bars._take(kept(day)))
    experiment = Experiment.from_dict({"data": {"symbol": "SYNTH"}, "windows": WINDOWS})
    with pytest.raises(ExperimentError, match=message):
        load_bars(experiment, tmp_path)


def test_a_few_missing_bars_are_fine(tmp_path):
    bars = synthetic_bars(58 * 1440, 1, start="2018-01-01")
    Store(tmp_path).save(bars._take(np.random.default_rng(0).random(len(bars)) < 0.9))
    experiment = Experiment.from_dict({"data": {"symbol": "SYNTH"}, "windows": WINDOWS})
    assert load_bars(experiment, tmp_path).filled.mean() == pytest.approx(0.1, abs=0.01)


def test_days_of_a_market_that_closes_in_the_evening_are_made_of_its_hours(tmp_path):
    """No hour ends at midnight, but there are later ones."""
    bars = resample(synthetic_bars(62 * 1440, 1, start="2017-12-31"), HOUR_MS)
    Store(tmp_path).save(
        bars._take((bars.open_time % DAY_MS // HOUR_MS >= 14) & (bars.open_time % DAY_MS // HOUR_MS < 21))
    )
    label = {"kind": "threshold", "theta": 0.01, "horizon": "12h"}
    experiment = Experiment.from_dict(
        {"data": {"symbol": "SYNTH", "interval": "12h"}, "windows": WINDOWS, "label": [label]}
    )
    made = load_bars(experiment, tmp_path)
    assert made.present().open_time.tolist() == list(
        range(SPANS["train"].start_ms + DAY_MS // 2, SPANS["future"].stop_ms, DAY_MS)
    )
