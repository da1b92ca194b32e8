"""Labels made by name, and what is refused."""

import dataclasses
import re
import tomllib
from pathlib import Path

import pytest

from labelsearch.labels.kinds import KINDS, make_label

THRESHOLD = {"theta": 0.01, "horizon": 5}
BARRIER = {"up": 1.0, "down": 1.0, "horizon": 60}
TREND = {"shortest": 5, "longest": 60, "edge": 10.0}


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("moon", {}, "unknown label kind 'moon'; known are threshold, published, extrema, triple_barrier, trend_scann"),
        ("threshold", {**THRESHOLD, "up": 1}, "unknown option 'up' of label kind threshold; known are theta, horizon"),
        ("threshold", {"theta": 0.01}, "label kind threshold needs horizon$"),
        ("threshold", {"theta": 0.0, "horizon": 5}, "theta > 0"),
        ("threshold", {"theta": 0.01, "horizon": 0}, "horizon >= 1"),
        ("threshold", {"theta": 0.01, "horizon": 2.5}, "must be a whole number, not 2.5"),
        ("threshold", {"theta": 0.01, "horizon": True}, "must be a whole number, not True"),
        ("threshold", {"theta": float("nan"), "horizon": 5}, "'theta' of label kind threshold must be a finite number"),
        ("threshold", {"theta": float("inf"), "horizon": 5}, "must be a finite number, not inf"),
        ("threshold", {"theta": "1%", "horizon": 5}, "must be a finite number, not '1%'"),
        ("threshold", {**THRESHOLD, "future": 3}, "must be text, not 3"),
        ("threshold", {**THRESHOLD, "future": "max"}, "unknown future 'max'; known are point, wma"),
        ("threshold", {**THRESHOLD, "scale": "x"}, "unknown scale 'x'; known are fixed, volatility, quantile"),
        ("threshold", {**THRESHOLD, "span": 0}, "span >= 1"),
        ("published", {}, "label kind published needs horizon"),
        ("published", {"horizon": 0}, "horizon >= 1"),
        ("extrema", {"up": 1, "down": -0.1}, "down >= 0"),
        ("extrema", {"up": 0, "down": 0.1}, "up > 0"),
        ("triple_barrier", {"up": 1.0}, "needs down, horizon$"),
        ("triple_barrier", {**BARRIER, "up": 0.0}, "up > 0"),
        ("triple_barrier", {**BARRIER, "down": -1.0}, "down > 0"),
        ("triple_barrier", {**BARRIER, "horizon": 0}, "horizon >= 1"),
        ("triple_barrier", {**BARRIER, "scale": "quantile"}, "unknown scale 'quantile'; known are volatility, fixed"),
        ("triple_barrier", {**BARRIER, "vertical": "up"}, "unknown vertical 'up'; known are neutral, sign"),
        ("triple_barrier", {**BARRIER, "span": 0}, "span >= 1"),
        ("trend_scanning", {"shortest": 5, "longest": 60}, "needs edge$"),
        ("trend_scanning", {**TREND, "shortest": 1}, "2 <= shortest <= longest"),
        ("trend_scanning", {**TREND, "shortest": 61}, "2 <= shortest <= longest"),
        ("trend_scanning", {**TREND, "edge": 0.0}, "edge > 0"),
        ("trend_scanning", {**TREND, "step": 0}, "step >= 1"),
    ],
)
def test_refused(kind, options, message):
    with pytest.raises(ValueError, match=message):
        make_label(kind, **options)


def test_an_option_left_out_is_not_part_of_the_name():
    """Names of earlier runs stay as they were when a kind gains an option."""
    names = [make_label(kind, **options).name for kind, options in (
        ("threshold", THRESHOLD), ("published", {"horizon": 60}), ("extrema", {"up": 1.0, "down": 0.1}),
        ("triple_barrier", BARRIER), ("trend_scanning", TREND), ("relative", {"horizon": 6}),
        ("magnitude", {"horizon": 24}),
    )]  # fmt: skip
    assert names == [
        "threshold_1_5", "published_60", "extrema_1_0.1", "triple_barrier_1_1_60", "trend_scanning_5_60_10",
        "relative_6", "magnitude_24_1",
    ]  # fmt: skip
    assert len(names) == len(KINDS)


def test_the_document_names_every_kind_and_option_and_its_examples_load():
    text = (Path(__file__).parents[2] / "docs" / "LABELS.md").read_text()
    examples = [tomllib.loads(block) for block in re.findall(r"```toml\n(.*?)```", text, re.DOTALL)]
    labels = [make_label(**example["label"][0]) for example in examples if "label" in example]
    assert [type(label) for label in labels] == list(KINDS.values())
    for kind, made in KINDS.items():
        row = next(line for line in text.splitlines() if line.startswith(f"| `{kind}` |"))
        for option in dataclasses.fields(made):
            assert f"`{option.name}`" in row, f"{kind}: {option.name}"
