"""Budgets: no unit is begun once one is spent, what is done is kept, and the next command goes on."""

import time
from math import inf

import pytest

from labelsearch.engine.budget import Budget, BudgetError, Rationed
from labelsearch.engine.executors.base import tell
from labelsearch.engine.executors.local import LocalExecutor
from labelsearch.engine.meter import resident_bytes
from labelsearch.engine.run import Run
from labelsearch.engine.stage import Work
from labelsearch.stages.plan import CODE
from tests.engine.toy import DOUBLE, STAGES

TASKS = {f"u{i}": i for i in range(12)}


def rest(task: int, shared: None) -> dict[str, bytes]:
    time.sleep(0.2)
    tell(1)
    return {"value": str(task).encode()}


def soon() -> Budget:
    return Budget(time.time() + 0.5)


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_begun_is_finished_and_kept(workers, tmp_path):
    executor = LocalExecutor(workers)
    with pytest.raises(BudgetError, match=r"^the time of --max-hours is over$"):
        Work(executor, tmp_path, budget=soon()).units(rest, TASKS)
    kept = {path.name for path in tmp_path.iterdir()}
    assert kept < set(TASKS)
    assert len(kept) >= (workers == 1)  # processes start more slowly than half a second
    seen = []
    found = Work(executor, tmp_path, lambda done, total: seen.append(done)).units(rest, TASKS)
    executor.close()
    assert seen[0] == len(kept)
    assert found == {name: {"value": str(i).encode()} for name, i in TASKS.items()}


def test_units_that_are_all_done_need_no_time(tmp_path):
    first = Work(LocalExecutor(), tmp_path).units(rest, {"a": 1})
    assert Work(LocalExecutor(), tmp_path, budget=Budget(0.0)).units(rest, {"a": 1}) == first


def test_a_stage_is_not_begun(tmp_path):
    values = {"start": 4, "factor": 3}
    run = Run(tmp_path / "run", STAGES, values, CODE, budget=Budget(0.0))
    with pytest.raises(BudgetError):
        run.do(DOUBLE)
    assert run.ledger.events() == []
    again = Run(tmp_path / "run", STAGES, values, CODE)
    assert again.do(DOUBLE).value.value == 12
    # what is done is found without a budget
    assert Run(tmp_path / "run", STAGES, values, CODE, budget=Budget(0.0)).do(DOUBLE).value.value == 12


def test_memory_is_a_budget_too(tmp_path):
    assert Budget(inf, resident_bytes() + 2**30).spent() == ""
    with pytest.raises(BudgetError, match=r"^\d+\.\d GiB of memory are more than --max-memory$"):
        Work(LocalExecutor(), tmp_path, budget=Budget(inf, 2**20)).units(rest, TASKS)
    assert list(tmp_path.iterdir()) == []


def test_limits_of_the_command_line():
    assert Budget.of(None, None) == Budget(inf, inf)
    budget = Budget.of(2.0, 3.0)
    assert budget.until == pytest.approx(time.time() + 7200, abs=60)
    assert budget.max_bytes == 3 * 2**30


def test_rationed_tasks_are_all_there():
    tasks = Rationed(TASKS, Budget())
    assert dict(tasks.items()) == TASKS
    tasks.check()
    assert list(Rationed(TASKS, Budget(0.0))) == []
