"""The engine with toy stages: keys, order, reuse, branches, studies, looks and counts."""

import os
import shutil
from dataclasses import dataclass, replace

import pytest

from labelsearch.engine.executors.base import WorkError
from labelsearch.engine.key import Code
from labelsearch.engine.ledger import Ledger
from labelsearch.engine.looks import look_number
from labelsearch.engine.run import (
    Run,
    RunError,
    current_events,
    done_events,
    find_run,
    list_runs,
    locked,
    recorded_folder,
)
from labelsearch.engine.stage import Stage, Work
from tests.engine.toy import DOUBLE, FIRST, STAGES, SUM, Number

CODE = Code(("tests",))


def a_run(folder, seen=None, **values):
    progress = (lambda *event: seen.append(event)) if seen is not None else (lambda *event: None)
    return Run(folder, STAGES, {"start": 3, "factor": 2, **values}, CODE, progress=progress)


def test_a_stage_runs_what_it_needs_once(tmp_path):
    run = a_run(tmp_path / "a")
    assert run.do(DOUBLE).value == Number(6)
    events = done_events(run.ledger)
    assert list(events) == ["first", "double"]
    assert events["double"]["needs"] == {"first": events["first"]["content"]}
    assert events["first"]["counts"] == {"numbers": 1}
    seen = []
    again = a_run(tmp_path / "a", seen)
    assert again.do(DOUBLE).value == Number(6)
    assert seen == [("first", 0, 0), ("double", 0, 0)]
    assert done_events(again.ledger) == events


def test_only_what_depends_on_a_change_is_run_again(tmp_path):
    a_run(tmp_path / "a").do(DOUBLE)
    seen = []
    assert a_run(tmp_path / "a", seen, factor=5).do(DOUBLE).value == Number(15)
    assert seen == [("first", 0, 0)]
    seen.clear()
    # another start with the same result would be the same input of the second stage; this one differs
    assert a_run(tmp_path / "a", seen, start=4, factor=5).do(DOUBLE).value == Number(20)
    assert seen == []


def test_values_that_no_stage_declares_are_not_read(tmp_path):
    class Trap(dict):
        def __missing__(self, name):
            raise AssertionError(f"{name} was read")

    run = replace(a_run(tmp_path / "a"), values=Trap(start=1, factor=1))
    assert run.do(DOUBLE).value == Number(1)


def test_a_stage_that_declares_what_nothing_provides_is_refused(tmp_path):
    run = replace(a_run(tmp_path / "a"), values={"start": 1})
    with pytest.raises(RunError, match="stage double declares 'factor', which nothing provides"):
        run.do(DOUBLE)


@dataclass(frozen=True)
class _Sneaky:
    start: int


def _sneak(inputs: _Sneaky, work: Work) -> Number:
    return Number(inputs.factor)  # type: ignore[attr-defined]


def test_a_stage_cannot_read_what_it_does_not_declare(tmp_path):
    with pytest.raises(WorkError, match=r"AttributeError: .* 'factor'"):
        a_run(tmp_path / "a").do(Stage("sneaky", _Sneaky, Number, _sneak))


def test_another_run_takes_over_equal_keys_and_nothing_else(tmp_path):
    first = a_run(tmp_path / "a")
    first.do(DOUBLE)
    other = a_run(tmp_path / "b", factor=7)
    assert other.do(DOUBLE).value == Number(21)
    events = done_events(other.ledger)
    assert events["first"]["run"] == "a"
    assert "run" not in events["double"]
    (tmp_path / "a" / "first" / "number.txt").write_text("9")  # no longer what its ledger says
    shutil.rmtree(tmp_path / "b")
    assert a_run(tmp_path / "c", start=3).do(FIRST).value == Number(3)
    assert "run" not in done_events(a_run(tmp_path / "c").ledger)["first"]


def test_a_kill_between_the_files_and_their_record(tmp_path, monkeypatch):
    """Files that no line of the ledger names are taken for nothing, also where an older line has the asked key."""
    a_run(tmp_path / "a", start=3).do(FIRST)
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "append", lambda *args, **data: os._exit(9))
        child = os.fork()
        if not child:
            a_run(tmp_path / "a", start=4).do(FIRST)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert (tmp_path / "a" / "first" / "number.txt").read_text() == "4"
    assert a_run(tmp_path / "a", start=3).do(FIRST).value == Number(3)
    assert a_run(tmp_path / "a", start=4).do(DOUBLE).value == Number(8)


def test_damaged_results_are_done_again(tmp_path, caplog):
    run = a_run(tmp_path / "a")
    run.do(SUM, count=2, seen="")
    assert caplog.messages == []
    for path in (tmp_path / "a").rglob("number.txt"):
        path.write_text("7")
        event = next(e for e in run.ledger.stages() if path.parent == run.folder / e["folder"])
        with pytest.raises(RunError, match="not the files that the ledger records"):
            recorded_folder(run.folder, event)
    assert a_run(tmp_path / "a").do(SUM, count=2, seen="").value == Number(6)
    assert [text.split(":")[0].rpartition("/a/")[2].split("/")[0] for text in caplog.messages] == [
        "first", "double", "studies"
    ]  # fmt: skip
    assert all("not the files that the ledger records; they are made again" in text for text in caplog.messages)
    caplog.clear()
    assert a_run(tmp_path / "a").do(DOUBLE).value == Number(6)
    assert recorded_folder(run.folder, run.ledger.stages()[-1]).is_dir()
    # files that a later result has replaced are no damage
    a_run(tmp_path / "a", start=4).do(DOUBLE)
    a_run(tmp_path / "a").do(DOUBLE)
    assert caplog.messages == []


def test_a_stage_without_a_source_file_is_refused(tmp_path):
    script = {}
    exec("def start(inputs, work):\n    return None\n", {"__name__": "typed_in"}, script)
    with pytest.raises(TypeError, match="typed_in is in no file"):
        a_run(tmp_path / "a").do(replace(FIRST, run=script["start"]))


def test_runs_beside_cannot_name_where_files_go(tmp_path):
    """Whoever packed the other run: nothing is written outside the folder of the stage."""
    a_run(tmp_path / "runs" / "a").do(FIRST)
    event = done_events(a_run(tmp_path / "runs" / "a").ledger)["first"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "number.txt").write_text("3")
    for folder in ("../../mine", str(tmp_path / "mine")):
        shutil.rmtree(tmp_path / "runs")
        ledger = Ledger(tmp_path / "runs" / "a" / "ledger.jsonl")
        ledger.append("stage", **{**{n: item for n, item in event.items() if n != "event"}, "folder": folder})
        ledger.append("stage", stage="first")
        inode = (tmp_path / "mine").stat().st_ino
        assert a_run(tmp_path / "runs" / "b").do(FIRST).folder == tmp_path / "runs" / "b" / "first"
        assert (tmp_path / "mine").stat().st_ino == inode


def test_a_branch_uses_the_results_that_its_values_do_not_touch(tmp_path):
    run = a_run(tmp_path / "a")
    run.do(DOUBLE)
    seen = []
    branch = replace(run, progress=lambda *event: seen.append(event)).branch("more/five", factor=5)
    assert branch.name == "a/more/five"
    assert branch.do(DOUBLE).value == Number(15)
    assert list(done_events(branch.ledger)) == ["double"]
    assert run.do(DOUBLE).value == Number(6)
    seen.clear()
    replace(run, progress=lambda *event: seen.append(event)).branch("more/five", factor=5).do(DOUBLE)
    assert seen == [("five double", 0, 0)]


def test_a_study_keeps_its_results_by_key_and_extends_its_units(tmp_path):
    run = a_run(tmp_path / "a")
    assert run.do(SUM, count=3, seen="future").value == Number(6 * (1 + 2))
    more = run.do(SUM, count=5, seen="future")
    assert more.value == Number(6 * 10)
    events = [event for event in run.ledger.events("stage") if event["stage"] == "sum"]
    assert [event["counts"] for event in events] == [{"throws": 3}, {"throws": 2}]
    assert len({event["folder"] for event in events}) == 2
    seen = []
    replace(run, progress=lambda *event: seen.append(event)).do(SUM, count=3, seen="future")
    assert seen[-1] == ("sum", 0, 0)


def test_looks_are_counted_once_and_before_the_work(tmp_path):
    run = a_run(tmp_path / "a")
    run.do(SUM, count=1, seen="")
    assert run.looks.events("look") == []
    run.do(SUM, count=2, seen="future")
    key = run.ledger.events("stage")[-1]["key"]
    assert look_number(run.looks, key) == (1, 1)
    a_run(tmp_path / "b").do(SUM, count=2, seen="future")  # the same evaluation, in another run of the folder
    assert look_number(run.looks, key) == (1, 1)
    a_run(tmp_path / "b", factor=3).do(SUM, count=2, seen="future")
    assert look_number(run.looks, key) == (1, 2)


def test_studies_belong_to_the_results_that_they_were_made_from(tmp_path):
    run = a_run(tmp_path / "a")
    run.do(SUM, count=2, seen="")
    assert len(current_events(run.folder, "sum")) == 1
    a_run(tmp_path / "a", factor=9).do(DOUBLE)
    assert current_events(run.folder, "sum") == []


def test_one_process_at_a_time(tmp_path):
    with locked(tmp_path / "a"), pytest.raises(RunError, match="in use by another process"), locked(tmp_path / "a"):
        pass
    with locked(tmp_path / "a"):
        pass


def test_a_failed_stage_leaves_its_units_and_no_record(tmp_path):
    run = a_run(tmp_path / "a")

    def fail(inputs, work):
        work.units(SUM.run.__globals__["throw"], {"0": 0}, 1)
        raise ArithmeticError("halfway")

    with pytest.raises(WorkError, match=r"^sum: ArithmeticError: halfway \(.*test_run\.py, line \d+\)$"):
        run.do(replace(SUM, run=fail), count=1, seen="")
    assert [event["stage"] for event in run.ledger.events("stage")] == ["first", "double"]
    assert list((run.folder / ".units").glob("sum-*/0"))


def test_finding_runs(tmp_path):
    for name in ("alpha-1", "alpha-2", "beta-1"):
        a_run(tmp_path / name).do(FIRST)
    assert {path.name for path in list_runs(tmp_path)} == {"alpha-1", "alpha-2", "beta-1"}
    assert find_run("beta", tmp_path) == tmp_path / "beta-1" == find_run(str(tmp_path / "beta-1"), tmp_path / "x")
    with pytest.raises(RunError, match="more than one run matches 'alpha'"):
        find_run("alpha", tmp_path)
    with pytest.raises(RunError, match="no run matches 'other'; known runs: "):
        find_run("other", tmp_path)
    assert list_runs(tmp_path / "none") == []
