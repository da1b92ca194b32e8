"""Opening a run of a test."""

from contextlib import AbstractContextManager

from labelsearch.engine.executors.choice import Workers
from labelsearch.engine.run import Run, silent
from labelsearch.engine.stage import Progress
from labelsearch.results.run import Results
from labelsearch.stages.plan import open_run


def opened(results: Results, workers: int = 1, progress: Progress = silent) -> AbstractContextManager[Run]:
    """The locked run behind some results."""
    runs, store = results.folder.parent, results.store
    return open_run(results.experiment, runs, store, workers=Workers(workers), progress=progress, folder=results.folder)


def fresh(results: Results) -> Results:
    """The same run, read again."""
    return Results(results.folder, results.store)
