"""Executors and units: pure, resumable, and the same whoever runs them."""

import os
from dataclasses import dataclass, field

import numpy as np
import pytest

from labelsearch.engine.executors.base import execute, tell
from labelsearch.engine.executors.local import LocalExecutor, spool, unspool
from labelsearch.engine.files import write_atomically
from labelsearch.engine.stage import Work, keep_units


def draw(task: int, shared: np.ndarray) -> dict[str, bytes]:
    """A number that depends on the task and on what is shared."""
    if task < 0:
        raise ArithmeticError("no such unit")
    return {"value.txt": str(np.random.default_rng(task).integers(1 << 40) + int(shared.sum())).encode()}


def count(task: int, shared: None) -> dict[str, bytes]:
    for _ in range(task):
        tell(1)
    return {}


SHARED = np.arange(5)


def work(folder, workers=1, seen=None):
    seen = [] if seen is None else seen
    return Work(LocalExecutor(workers), folder, lambda done, total: seen.append((done, total)))


def test_results_do_not_depend_on_workers(tmp_path):
    tasks = {f"u{i}": i for i in range(5)}
    first = work(tmp_path / "one").units(draw, tasks, SHARED)
    second = work(tmp_path / "two", workers=2).units(draw, tasks, SHARED)
    assert first == second
    assert list(second) == list(tasks)
    assert len({files["value.txt"] for files in first.values()}) == 5


def test_finished_units_are_kept(tmp_path):
    (tmp_path / "u1").mkdir()
    (tmp_path / "u1" / "value.txt").write_text("kept")
    seen = []
    files = work(tmp_path, seen=seen).units(draw, {"u0": 0, "u1": 1}, SHARED)
    assert files["u1"] == {"value.txt": b"kept"}
    assert seen == [(1, 2), (2, 2)]


@pytest.mark.parametrize("workers", [1, 2])
def test_steps_of_units_add_up(tmp_path, workers):
    (tmp_path / "there").mkdir()
    steps = {"there": 4, "all": 5, "fewer": 5, "more": 5}
    tasks = {"there": 0, "all": 5, "fewer": 2, "more": 9}
    seen = []
    work(tmp_path, workers, seen).units(count, tasks, steps=steps)
    assert seen[0] == (4, 19)
    assert seen[-1] == (19, 19)
    assert seen == sorted(seen)
    if workers == 1:
        assert seen[1:4] == [(5, 19), (6, 19), (7, 19)]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failing_unit_leaves_nothing_and_raises(tmp_path, workers):
    with pytest.raises(ArithmeticError, match="no such unit"):
        work(tmp_path, workers).units(draw, {"good": 1, "bad": -1}, SHARED)
    assert not (tmp_path / "bad").exists()


@dataclass
class InTurn:
    """The smallest executor there can be: one unit after the other, in reverse order."""

    workers: int = 1
    done: list[str] = field(default_factory=list)

    def results(self, unit, tasks, shared, steps, progress):
        for name in reversed(tasks):
            self.done.append(name)
            yield name, execute(unit, tasks[name], shared, steps[name])


def test_another_executor_gives_the_same_files(tmp_path):
    tasks = {f"u{i}": i for i in range(4)}
    executor = InTurn()
    files = Work(executor, tmp_path / "turn").units(draw, tasks, SHARED)
    assert executor.done == ["u3", "u2", "u1", "u0"]
    assert files == work(tmp_path / "local").units(draw, tasks, SHARED)


def test_stopping_keeps_what_is_done(tmp_path):
    results = LocalExecutor(1).results(draw, {"a": 1, "b": 2}, SHARED, {"a": 1, "b": 1}, lambda done: None)
    assert next(results)[0] == "a"
    results.close()
    assert list(results) == []


def prepared(task: int, shared: None) -> dict[str, bytes]:
    return {"value": os.environ["LABELSEARCH_TEST_PREPARED"].encode()}


def prepare() -> None:
    os.environ["LABELSEARCH_TEST_PREPARED"] = "yes"


def test_workers_are_prepared_before_their_first_unit(tmp_path):
    executor = LocalExecutor(2, prepare)
    files = Work(executor, tmp_path).units(prepared, {"a": 0, "b": 0})
    assert files["a"] == {"value": b"yes"}
    assert "LABELSEARCH_TEST_PREPARED" not in os.environ


def test_shared_values_come_back_equal_and_writable(tmp_path):
    value = {"matrix": np.arange(12.0).reshape(3, 4), "odd": np.arange(7, dtype=np.int8), "none": np.empty((0, 3))}
    spool(value, tmp_path)
    back = unspool(tmp_path)
    for name, array in value.items():
        assert back[name].dtype == array.dtype
        assert np.array_equal(back[name], array)
        assert back[name].flags.writeable
    back["matrix"][:] = 0.0  # a private copy: others still see what was spooled
    assert np.array_equal(unspool(tmp_path)["matrix"], value["matrix"])
    (tmp_path / "empty").mkdir()
    spool(np.empty(0), tmp_path / "empty")
    assert unspool(tmp_path / "empty").size == 0


def test_units_of_other_inputs_are_dropped(tmp_path):
    keep_units(tmp_path / "units", "a")
    (tmp_path / "units" / "u0").mkdir()
    keep_units(tmp_path / "units", "a")
    assert (tmp_path / "units" / "u0").is_dir()
    keep_units(tmp_path / "units", "b")
    assert not (tmp_path / "units" / "u0").exists()


def test_replacing_a_folder_is_all_or_nothing(tmp_path):
    folder = tmp_path / "stage"
    write_atomically(folder, lambda draft: (draft / "a").write_text("1"))

    def fail(draft):
        (draft / "a").write_text("2")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_atomically(folder, fail)
    assert (folder / "a").read_text() == "1"
    write_atomically(folder, lambda draft: (draft / "b").write_text("3"))
    assert [p.name for p in folder.iterdir()] == ["b"]
