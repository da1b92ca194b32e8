"""Strict JSON: what Python would write is read back, anything else is a ValueError."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelsearch.live.strict_json import LARGEST, parse

quick = settings(max_examples=50, deadline=None)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-LARGEST, LARGEST)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@quick
@given(values)
def test_plain_values_are_read_back(value):
    assert parse(json.dumps(value)) == value


@quick
@given(st.text(max_size=60) | st.text(alphabet='{}[]",:0123456789eE+-. truefalsn', max_size=60))
def test_any_text_is_a_value_or_refused(text):
    try:
        found = parse(text)
    except ValueError:
        return
    json.dumps(found, allow_nan=False)


@quick
@given(st.dictionaries(st.text(max_size=5), st.integers(0, 9), min_size=1, max_size=4), st.data())
def test_a_repeated_key_is_refused(found, data):
    key = data.draw(st.sampled_from(sorted(found)))
    text = json.dumps(found)[:-1] + f", {json.dumps(key)}: 0}}"
    with pytest.raises(ValueError, match="occurs twice"):
        parse(text)


@quick
@given(st.integers(LARGEST + 1, 10**40))
def test_large_integers_are_refused(number):
    for text in (str(number), str(-number)):
        with pytest.raises(ValueError, match="out of range"):
            parse(f"[{text}]")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_refused(value):
    with pytest.raises(ValueError, match="is not a number"):
        parse(json.dumps({"a": value}))
