"""Files of checksummed lines: a torn end is told from damage, byte by byte."""

import pytest

from labelsearch.durable import DamagedFileError, checked_line, checked_texts
from labelsearch.engine.ledger import Ledger
from labelsearch.engine.looks import Stretch, look_number, record_look
from labelsearch.live.feed import Bar
from labelsearch.live.journal import BARS, Journal


def ledger_of(path):
    ledger = Ledger(path)
    for number in range(3):
        ledger.append("unit", number=number, text="naïve ☃ " * number)
    return lambda: ledger.events(), lambda: ledger.append("unit", number=9)


def looks_of(path):
    looks = Ledger(path)
    for key in "abc":
        record_look(looks, key, Stretch("future", 0, 1), "run")

    def read():
        return [look_number(looks, event["key"]) for event in looks.events()]

    return read, lambda: record_look(looks, "d", Stretch("x", 0, 1), "")


def journal_of(path):
    journal = Journal(path.parent)
    bars = [Bar(60_000 * i, 1.0, 2.0, 0.5, 1.5, 3.0) for i in range(3)]
    for bar in bars:
        journal.append(bar)
    return journal.records, journal.records


@pytest.mark.parametrize("make", [ledger_of, looks_of, journal_of])
def test_a_changed_byte_is_refused_and_kept(make, tmp_path):
    """Every byte, the newlines too: a committed line is never skipped, and nothing is written over it."""
    path = tmp_path / BARS
    read, append = make(path)
    whole = path.read_bytes()
    assert len(read()) == 3
    for i in range(len(whole)):
        for other in {whole[i] ^ 1, whole[i] ^ 32, 0, ord("\n"), ord(" "), ord("7")} - {whole[i]}:
            damaged = whole[:i] + bytes([other]) + whole[i + 1 :]
            path.write_bytes(damaged)
            number = 1 + whole[:i].count(b"\n")
            for attempt in (read, append):
                with pytest.raises(DamagedFileError, match=rf"{BARS}: line {number}, which starts at byte") as caught:
                    attempt()
                assert "\n" not in str(caught.value)
            assert path.read_bytes() == damaged


@pytest.mark.parametrize("make", [ledger_of, looks_of, journal_of])
def test_only_a_torn_last_line_is_dropped(make, tmp_path):
    path = tmp_path / BARS
    read, _ = make(path)
    whole, committed = path.read_bytes(), read()
    ends = [i + 1 for i, byte in enumerate(whole) if byte == ord("\n")]
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        assert len(read()) == sum(end <= cut for end in ends)
    half = whole[ends[1] : ends[1] + 20]
    for torn in (b"0123 [15", half, b"\0" * 300, half + b"\0" * 300, half + b"\0" * 300 + whole[-9:]):
        path.write_bytes(whole + torn)
        assert read() == committed


def test_a_line_that_is_missing_between_others_is_no_torn_line(tmp_path):
    (tmp_path / "x").write_bytes(checked_line(b"one") + b"\0" * 50 + b"\n" + checked_line(b"two"))
    with pytest.raises(DamagedFileError, match="line 2, which starts at byte 13"):
        checked_texts(tmp_path / "x")
    assert checked_texts(tmp_path / "none") == ([], 0)


def test_a_torn_line_is_cut_off_by_the_next(tmp_path):
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.append("unit", number=1)
    with ledger.path.open("ab") as file:
        file.write(b"12345678 {torn")
    ledger.append("unit", number=2)
    assert [event["number"] for event in ledger.events()] == [1, 2]
