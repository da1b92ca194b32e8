"""Executors and units: pure, resumable, and the same whoever runs them."""

import multiprocessing
import os
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
import pytest

from labelsearch.engine.executors import local
from labelsearch.engine.executors.base import WorkError, execute, tell
from labelsearch.engine.executors.local import LocalExecutor
from labelsearch.engine.executors.packing import pack, spool, unpack, unspool
from labelsearch.engine.files import remove_left_overs, seal, write_atomically, write_files
from labelsearch.engine.stage import Work, keep_units
from labelsearch.settings.schema import ExperimentError


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
    write_files(seal({"value.txt": b"kept"}), tmp_path / "u1")
    seen = []
    files = work(tmp_path, seen=seen).units(draw, {"u0": 0, "u1": 1}, SHARED)
    assert files["u1"] == {"value.txt": b"kept"}
    assert seen == [(1, 2), (2, 2)]


@pytest.mark.parametrize("workers", [1, 2])
def test_steps_of_units_add_up(tmp_path, workers):
    write_files(seal({}), tmp_path / "there")
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
    with pytest.raises(WorkError, match=r"^bad: ArithmeticError: no such unit \(.*test_executors\.py, line \d+\)$"):
        work(tmp_path, workers).units(draw, {"good": 1, "bad": -1}, SHARED)
    assert not (tmp_path / "bad").exists()


class Awkward(Exception):
    """An error of a user's own that cannot be unpickled."""

    def __init__(self, one, two):
        super().__init__(f"{one}\n{two}")


def leave(task: int, shared: None) -> dict[str, bytes]:
    if task == 1:
        raise SystemExit
    if task == 2:
        raise Awkward("a", "b")
    if task == 3:
        raise ExperimentError("a label that marks nothing")
    return {}


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("task", "error", "text"),
    [(1, WorkError, "bad: SystemExit"), (2, WorkError, "bad: Awkward: a b"),
     (3, ExperimentError, "^a label that marks nothing$")],
)  # fmt: skip
def test_whatever_a_unit_raises_is_one_line(workers, task, error, text, tmp_path):
    """`SystemExit` is no silent end, and what the user can mend stays an error of that kind."""
    with pytest.raises(error, match=text) as caught:
        work(tmp_path, workers).units(leave, {"good": 0, "bad": task})
    assert "\n" not in str(caught.value)


@dataclass
class InTurn:
    """The smallest executor there can be: one unit after the other, in reverse order."""

    workers: int = 1
    threads: int = 1
    done: list[str] = field(default_factory=list)

    def results(self, unit, tasks, shared, steps, progress):
        for name in reversed(list(tasks)):
            self.done.append(name)
            yield name, execute(name, unit, tasks[name], shared, steps[name])


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


def die(task: int, shared: np.ndarray) -> dict[str, bytes]:
    if task < 0:
        time.sleep(1.0)
        os._exit(3)
    return draw(task, shared)


def test_a_worker_that_dies_is_one_line_and_the_next_run_goes_on(tmp_path):
    tasks = {"u0": 0, "u1": 1, "bad": -1, "u2": 2}
    with pytest.raises(WorkError, match=r"a worker process ended while these were at work: .*bad") as caught:
        work(tmp_path, 2).units(die, tasks, SHARED)
    assert "\n" not in str(caught.value)
    kept = {path.name for path in tmp_path.iterdir()}
    assert {"u0", "u1"} <= kept
    assert "bad" not in kept
    seen = []
    files = work(tmp_path, 2, seen).units(die, {**tasks, "bad": 7}, SHARED)
    assert seen[0] == (len(kept), 4)
    assert files == work(tmp_path / "alone").units(draw, {**tasks, "bad": 7}, SHARED)


def linger(task: Path, shared: None) -> dict[str, bytes]:
    (task / str(os.getpid())).touch()
    time.sleep(600)
    return {}


def test_workers_end_with_the_process_that_sends_them_work(tmp_path):
    """It alone is killed, as by the kernel when memory runs out."""
    (tmp_path / "seen").mkdir()
    code = (
        "from pathlib import Path\nfrom labelsearch.engine.executors.local import LocalExecutor\n"
        "from labelsearch.engine.stage import Work\nfrom tests.engine.test_executors import linger\n"
        "if __name__ == '__main__':\n"
        "    Work(LocalExecutor(2), Path('units')).units(linger, dict.fromkeys('abc', Path('seen').resolve()))\n"
    )
    (tmp_path / "script.py").write_text(code)
    process = subprocess.Popen(
        [sys.executable, "script.py"], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(Path.cwd())}
    )
    try:
        assert comes_true(lambda: len(list((tmp_path / "seen").iterdir())) == 2)
        workers = [int(path.name) for path in (tmp_path / "seen").iterdir()]
        assert all(map(psutil.pid_exists, workers))
    finally:
        process.kill()
        process.wait()
    assert comes_true(lambda: not any(map(psutil.pid_exists, workers)))


def comes_true(condition) -> bool:
    """Whether a condition becomes true within minutes."""
    deadline = time.monotonic() + 240
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def refuse() -> None:
    raise ValueError("no preparation")


def test_a_preparation_that_fails_is_the_error(tmp_path, capfd):
    with pytest.raises(ValueError, match="no preparation"):
        Work(LocalExecutor(2, refuse), tmp_path).units(draw, {"a": 0, "b": 0}, SHARED)
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(
    "damage", [lambda p: p.write_bytes(b""), lambda p: p.unlink(), lambda p: p.with_name("more").write_bytes(b"x")]
)
def test_damaged_units_are_done_again(damage, tmp_path):
    tasks = {"u0": 0, "u1": 1}
    first = work(tmp_path).units(draw, tasks, SHARED)
    damage(tmp_path / "u1" / "value.txt")
    seen = []
    assert work(tmp_path, seen=seen).units(draw, tasks, SHARED) == first
    assert seen[0] == (1, 2)


def prepared(task: int, shared: None) -> dict[str, bytes]:
    return {"value": os.environ["LABELSEARCH_TEST_PREPARED"].encode()}


def prepare() -> None:
    os.environ["LABELSEARCH_TEST_PREPARED"] = "yes"


def test_workers_are_prepared_before_their_first_unit(tmp_path):
    executor = LocalExecutor(2, prepare)
    files = Work(executor, tmp_path).units(prepared, {"a": 0, "b": 0})
    assert files["a"] == {"value": b"yes"}
    assert "LABELSEARCH_TEST_PREPARED" not in os.environ


def test_idle_workers_end_and_start_again(tmp_path, monkeypatch):
    """What their libraries hold is free for long stages without units."""
    others = set(multiprocessing.active_children())

    def workers() -> set[int]:
        return {process.pid for process in set(multiprocessing.active_children()) - others}

    def after(folder: str) -> set[int]:
        Work(executor, tmp_path / folder).units(draw, dict.fromkeys("abcd", 0), SHARED)
        return workers()

    with closing(LocalExecutor(2)) as executor:
        first = after("first")
        assert len(first) == 2
        assert after("second") == first
        monkeypatch.setattr(local, "IDLE_SECONDS", 0.5)
        after("third")
        assert comes_true(lambda: not workers())
        assert after("fourth").isdisjoint(first)
    assert not workers()


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
    packed = unpack(pack(value))
    assert all(np.array_equal(packed[name], array) and packed[name].flags.writeable for name, array in value.items())
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
    assert [p.name for p in tmp_path.iterdir()] == ["stage"]


def test_left_overs_of_any_name_are_removed(tmp_path):
    dead = subprocess.Popen(["true"])
    dead.wait()
    alive = f".report.{os.getppid()}"
    for name in (f".features.{dead.pid}", f"studies/null/.ab12.{dead.pid}", ".search.old", alive, ".units", "features"):
        (tmp_path / name / "inner").mkdir(parents=True)
    remove_left_overs(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {alive, ".units", "features", "studies"}
    assert list((tmp_path / "studies" / "null").iterdir()) == []


def test_what_a_killed_process_left_is_removed(tmp_path):
    dead = subprocess.Popen(["true"])
    dead.wait()
    for name in (f".stage.{dead.pid}", ".stage.old", f".stage.{os.getppid()}", ".stage.1.txt"):
        (tmp_path / name).mkdir()
    write_atomically(tmp_path / "stage", lambda draft: None)
    assert {p.name for p in tmp_path.iterdir()} == {"stage", f".stage.{os.getppid()}", ".stage.1.txt"}
