"""Open a finished run as pandas objects."""

from pathlib import Path

from labelsearch.engine.run import RunError, find_run
from labelsearch.notebook.panel_run import PanelRun
from labelsearch.notebook.run import Run
from labelsearch.results.panel_run import PanelResults, is_panel
from labelsearch.results.run import STAGE_NAMES, Results, is_cell


def open_run(run: str | Path, store: str | Path = "store", runs: str | Path = "runs") -> Run | PanelRun:
    """Open a finished run. No code of the run is executed.

    Parameters
    ----------
    run : str or Path
        Folder of the run, or its id or an unambiguous start of one, as commands take it.
    store : str or Path
        Folder of imported bars; not read for generated markets.
    runs : str or Path
        Folder in which ids are looked up.

    Returns
    -------
    Run or PanelRun
        A `PanelRun` if there are several markets or splits.

    Raises
    ------
    RunError
        If there is no such run, more than one, or a stage of it is not done.
    """
    folder = find_run(str(run), Path(runs))
    if is_panel(folder):
        panel = PanelResults(folder, Path(store))
        _ = panel.panel  # refuses one without a verdict
        return PanelRun(panel)
    results = Results(folder, Path(store))
    # a cell may have taken results of others, and its panel is judged as a whole
    for stage in ("ensembles",) if is_cell(folder) else STAGE_NAMES:
        if stage not in results.done:
            raise RunError(f"{folder}: stage {stage} is not done")
    return Run(results)
