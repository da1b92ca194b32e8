"""The ledger: cut at any byte, it loses nothing that was committed."""

import json
import zlib

import pytest

from labelsearch.engine.ledger import Ledger
from labelsearch.engine.looks import Stretch, look_number, record_look


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(tmp_path / "ledger.jsonl")
    for i in range(4):
        ledger.append("unit", number=i, text="naïve ☃ " * i)
    return ledger


def test_events_come_back_in_order(ledger):
    assert [event["number"] for event in ledger.events("unit")] == [0, 1, 2, 3]
    assert ledger.events("other") == []


def test_cut_at_every_byte(ledger, tmp_path):
    whole = ledger.path.read_bytes()
    ends = [i + 1 for i, byte in enumerate(whole) if byte == ord("\n")]
    for cut in range(len(whole) + 1):
        torn = Ledger(tmp_path / "torn.jsonl")
        torn.path.write_bytes(whole[:cut])
        committed = sum(end <= cut for end in ends)
        assert [e["number"] for e in torn.events()] == list(range(committed))
        torn.append("unit", number=99)
        assert [e["number"] for e in torn.events()] == [*range(committed), 99]


def test_lines_of_another_version_do_not_count(ledger):
    for event in ({"stage": "first"}, {"event": "stage", "stage": "first", "key": "k"}, [1], 3):
        text = json.dumps(event).encode()
        with ledger.path.open("ab") as file:
            file.write(b"%08x %s\n" % (zlib.crc32(text), text))
    ledger.append("unit", number=4)
    assert ledger.stages() == []
    assert [event["number"] for event in ledger.events("unit")] == [0, 1, 2, 3, 4]


def test_an_evaluation_that_two_runs_record_at_once_is_one_look(tmp_path):
    looks = Ledger(tmp_path / "looks.jsonl")
    for key in ("a", "a", "b"):
        looks.append("look", key=key, of="x", start_ms=0, stop_ms=9, run="run")
    assert look_number(looks, "a") == (1, 2)
    assert look_number(looks, "b") == (2, 2)


def test_looks_of_an_older_version_still_count(tmp_path):
    """They recorded a hash of the data, so what they looked at may be the same stretch."""
    looks = Ledger(tmp_path / "looks.jsonl")
    looks.append("look", key="old", data="0123", run="run")
    record_look(looks, "new", Stretch("x", 0, 9), "run")
    assert look_number(looks, "new") == (2, 2)
    assert look_number(looks, "old") is None


def test_looks_count_once_per_evaluation(tmp_path):
    looks = Ledger(tmp_path / "looks.jsonl")
    for key, of in (("a", "x"), ("a", "x"), ("b", "x"), ("c", "y")):
        record_look(looks, key, Stretch(of, 0, 9), "run")
    assert look_number(looks, "a") == (1, 2)
    assert look_number(looks, "b") == (2, 2)
    assert look_number(looks, "c") == (1, 1)
    assert look_number(looks, "d") is None


def test_a_look_at_a_part_is_a_look_at_the_whole(tmp_path):
    looks = Ledger(tmp_path / "looks.jsonl")
    for key, start, stop in (("whole", 0, 10), ("first", 0, 5), ("last", 5, 10), ("next", 10, 20), ("more", 9, 20)):
        record_look(looks, key, Stretch("x", start, stop), "run")
    numbers = {key: look_number(looks, key) for key in ("whole", "first", "last", "next", "more")}
    assert numbers == {"whole": (1, 4), "first": (2, 2), "last": (2, 3), "next": (1, 2), "more": (4, 4)}
