"""Units of work: atomic, resumable, and the same whoever runs them."""

from pathlib import Path

import numpy as np
import pytest

from labelsearch.pipeline.units import run_units, tell, write_atomically


def draw(task: int, folder: Path) -> None:
    if task < 0:
        raise ArithmeticError("no such unit")
    (folder / "value.txt").write_text(str(np.random.default_rng(task).integers(1 << 40)))


def values(root: Path) -> dict[str, str]:
    return {path.parent.name: path.read_text() for path in sorted(root.glob("*/value.txt"))}


def test_results_do_not_depend_on_workers(tmp_path):
    tasks = {f"u{i}": i for i in range(5)}
    run_units(draw, tasks, tmp_path / "one", workers=1)
    run_units(draw, tasks, tmp_path / "two", workers=2)
    assert values(tmp_path / "one") == values(tmp_path / "two")
    assert len(values(tmp_path / "one")) == 5


def test_finished_units_are_kept(tmp_path):
    (tmp_path / "u1").mkdir()
    (tmp_path / "u1" / "value.txt").write_text("kept")
    seen = []
    run_units(draw, {"u0": 0, "u1": 1}, tmp_path, progress=lambda done, total: seen.append((done, total)))
    assert values(tmp_path)["u1"] == "kept"
    assert seen == [(1, 2), (2, 2)]


def count(task: int, folder: Path) -> None:
    for _ in range(task):
        tell(1)


@pytest.mark.parametrize("workers", [1, 2])
def test_steps_of_units_add_up(tmp_path, workers):
    (tmp_path / "there").mkdir()
    steps = {"there": 4, "all": 5, "fewer": 5, "more": 5}
    tasks = {"there": 0, "all": 5, "fewer": 2, "more": 9}
    seen = []
    run_units(count, tasks, tmp_path, workers=workers, steps=steps, progress=lambda *told: seen.append(told))
    assert seen[0] == (4, 19)
    assert seen[-1] == (19, 19)
    assert seen == sorted(seen)
    if workers == 1:
        assert seen[1:4] == [(5, 19), (6, 19), (7, 19)]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failing_unit_leaves_nothing_and_raises(tmp_path, workers):
    with pytest.raises(ArithmeticError, match="no such unit"):
        run_units(draw, {"good": 1, "bad": -1}, tmp_path, workers=workers)
    assert not (tmp_path / "bad").exists()


def test_replacing_a_folder_is_all_or_nothing(tmp_path):
    folder = tmp_path / "stage"
    write_atomically(folder, lambda draft: (draft / "a").write_text("1"))

    def fail(draft: Path) -> None:
        (draft / "a").write_text("2")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_atomically(folder, fail)
    assert (folder / "a").read_text() == "1"
    write_atomically(folder, lambda draft: (draft / "b").write_text("3"))
    assert [p.name for p in folder.iterdir()] == ["b"]
