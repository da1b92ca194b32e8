"""Go on with a cell of a panel, for a stage or a study that the panel itself does without."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labelsearch.engine.executors.choice import ALONE, Workers
from labelsearch.engine.run import Run, done_events, is_current, recorded, silent
from labelsearch.engine.stage import Progress
from labelsearch.panels.beside import recorded_beside
from labelsearch.panels.cells import open_in_panel
from labelsearch.results.run import is_cell
from labelsearch.settings.experiment import Experiment
from labelsearch.stages.plan import STAGES


@contextmanager
def reopen_cell(folder: Path, store: Path, *, workers: Workers = ALONE, progress: Progress = silent) -> Iterator[Run]:
    """The run of a cell that lies in a folder, locked.

    Its stages stay as its panel has judged them, those that it took of other cells or of what markets share among
    them. Looks are counted with those of the panel.

    Raises
    ------
    ValueError
        If the folder is not one of a cell.
    RunError
        If another process works on the cell, or its files are not those that its ledger records.
    """
    if not is_cell(folder):
        raise ValueError(f"{folder} holds no cell")
    folder = folder.absolute()
    experiment = Experiment.load(folder / "experiment.toml")
    beside = recorded_beside(folder.parents[2], int(folder.name.rpartition("-")[2]))
    with open_in_panel(experiment, folder, store, workers, progress, beside) as run:
        done = done_events(run.ledger)
        for name, event in done.items():
            # belief is not of the panel, and is made again if its key asks for it
            if name in STAGES and name != "belief" and is_current(event, done):
                run.adopt(STAGES[name], recorded(folder, STAGES[name]))
        yield run
