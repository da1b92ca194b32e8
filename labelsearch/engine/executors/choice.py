"""Which workers a command uses: where, and how many."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from labelsearch.engine.budget import UNLIMITED, Budget
from labelsearch.engine.executors.base import Executor, nothing
from labelsearch.engine.executors.local import LocalExecutor


@dataclass(frozen=True)
class Workers:
    """Where units are executed; no result depends on it.

    Attributes
    ----------
    count : int, optional
        Units at work at once; by default one for each processor, of this machine or of the cluster.
    engine : str
        ``local`` or ``ray``.
    address : str
        Of a Ray cluster, as `labelsearch.engine.executors.ray.RayExecutor` says.
    lent : Executor, optional
        One that is open already: it is used in place of another, and stays open.
    budget : Budget
        No unit is begun once it is spent.
    """

    count: int | None = None
    engine: str = "local"
    address: str = "auto"
    lent: Executor | None = None
    budget: Budget = UNLIMITED

    @property
    def here(self) -> int:
        """Units at work at once if this machine is the only one."""
        return self.count or os.cpu_count() or 1

    @contextmanager
    def open(
        self,
        prepare: Callable[[], None] = nothing,
        scratch: Path | None = None,
        code_here: Callable[[], str] | None = None,
        visible: tuple[Path, ...] = (),
    ) -> Iterator[Executor]:
        """An executor, closed at the end.

        Parameters
        ----------
        prepare, scratch
            As of `labelsearch.engine.executors.local.LocalExecutor`.
        code_here, visible
            As of `labelsearch.engine.executors.ray.RayExecutor`.

        Raises
        ------
        ClusterError
            As `labelsearch.engine.executors.ray.RayExecutor`.
        """
        if self.lent is not None:
            yield self.lent
        elif self.engine == "local":
            with closing(LocalExecutor(self.here, prepare, scratch)) as local:
                yield local
        else:
            from labelsearch.engine.executors.ray import RayExecutor

            with closing(
                RayExecutor(self.address, self.count, prepare, code_here=code_here, visible=visible)
            ) as remote:
                yield remote


ALONE = Workers(1)
