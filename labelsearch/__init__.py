"""Label-and-feature-space search for market-state classifier ensembles."""

from pathlib import Path
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from labelsearch.delivery.notebook import Run


def open_run(path: str | Path, store: str | Path = "store") -> "Run":
    """Open a finished run as pandas objects, see `labelsearch.delivery.notebook.Run`."""
    from labelsearch.delivery.notebook import open_run as opened

    return opened(path, store)
