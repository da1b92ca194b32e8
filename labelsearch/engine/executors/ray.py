"""Units on the machines of a Ray cluster, or on this one under Ray (extra ``labelsearch[ray]``).

Ray's own retries are off: a unit that was lost with its worker or node is sent again here, so that one that keeps dying
is named. Ray moves units and their files; what is finished, and what is kept, the ledger alone says.
"""

import os
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from labelsearch.engine.executors.base import (
    IN_FLIGHT,
    POLL_SECONDS,
    Unit,
    WorkError,
    cap_threads,
    execute,
    nothing,
    one_line,
)
from labelsearch.engine.executors.packing import Packed, pack, unpack
from labelsearch.engine.files import Files
from labelsearch.errors import InputError

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

ATTEMPTS = 3  # of a unit whose worker or node is lost
PAUSE_SECONDS = 2.0  # before another attempt: what a lost node still runs must have let go of its files
CONNECT_SECONDS = 10.0
PROBE_SECONDS = 120.0  # for a node to import the packages
# what must be the same everywhere, as bits depend on it
SAME = ("labelsearch", "numpy", "numba", "scipy", "pandas", "torch", "optuna", "cmaes", "scikit-learn")


class ClusterError(InputError):
    """A Ray cluster that cannot be used, as one line."""


class Node(NamedTuple):
    """A machine of the cluster: its id, its address, its processors and the bytes of its object store."""

    id: str
    address: str
    cpus: int
    store: int


class Probe(NamedTuple):
    """What a node has: versions by package, and the paths that it cannot see."""

    versions: dict[str, str]
    unseen: list[str]


class RayExecutor:
    """Runs units as tasks of one processor each, until `close`.

    Parameters
    ----------
    address : str
        ``host:port`` of the head, ``auto`` for the cluster that this machine belongs to, ``local`` for one that is
        started here and ends with this executor.
    workers : int, optional
        Units at work at once; by default as many as the cluster has processors.
    prepare : callable
        Picklable; called in each worker process before its first unit.
    code_here : callable, optional
        Picklable; the hash of the source code where it is called, which must be the same everywhere.
    visible : sequence of Path
        Files and folders that every node must see under the same path.

    Raises
    ------
    ClusterError
        If Ray is not installed, the cluster cannot be reached, or a node differs in versions or lacks a path.
    """

    def __init__(
        self,
        address: str,
        workers: int | None = None,
        prepare: Callable[[], None] = nothing,
        *,
        code_here: Callable[[], str] | None = None,
        visible: Sequence[Path] = (),
    ) -> None:
        self._ray = _imported()
        self._joined = not self._ray.is_initialized()  # a program that has joined by itself stays in the cluster
        if self._joined:
            _connect(self._ray, address)
        try:
            self._prepare = self._ray.put(prepare)
            self._nodes = _nodes(self._ray)
            self._workers = workers or sum(node.cpus for node in self._nodes)
            self._check(code_here, visible)
        except BaseException:
            self.close()
            raise

    @property
    def workers(self) -> int:
        """Units that may be at work at once."""
        return self._workers

    @property
    def threads(self) -> int:
        """Processors of this machine."""
        return os.cpu_count() or 1

    def close(self) -> None:
        """Leave the cluster; the processes that it has started for this program end."""
        if self._joined:
            self._ray.shutdown()

    def results(
        self,
        unit: Unit,
        tasks: Mapping[str, Any],
        shared: Any,
        steps: Mapping[str, int],
        progress: Callable[[int], None],
    ) -> Generator[tuple[str, Files], None, None]:
        """As `labelsearch.engine.executors.base.Executor` says; the steps of a unit count when it ends."""
        ray = self._ray
        run = ray.remote(num_cpus=1, max_retries=0)(_run)
        packed = pack(shared)
        handle = self._put(packed)
        untouched = iter(tasks)
        lost: deque[tuple[str, int]] = deque()  # to be sent again, with the number of the attempt
        waiting: dict[Any, tuple[str, int]] = {}
        done = 0
        try:
            while True:
                while len(waiting) < IN_FLIGHT * self.workers:
                    name, attempt = lost.popleft() if lost else (next(untouched, ""), 1)
                    if not name:
                        break
                    pause = PAUSE_SECONDS * (attempt - 1)
                    ref = run.remote(name, unit, tasks[name], steps[name], [handle], [self._prepare], pause)
                    waiting[ref] = name, attempt
                if not waiting:
                    break
                finished, _ = ray.wait(list(waiting), num_returns=1, timeout=POLL_SECONDS)
                for ref in finished:
                    name, attempt = waiting.pop(ref)
                    files = self._fetch(ref, name, attempt)
                    if files is None:
                        lost.append((name, attempt + 1))
                        continue
                    done += steps[name]
                    yield name, files
                    progress(done)
        finally:
            for ref in waiting:
                with suppress(Exception):
                    ray.cancel(ref, force=True)

    def _put(self, packed: Packed) -> Any:
        """Shared values in the object store, once for all units."""
        node = min(self._nodes, key=lambda node: node.store)
        if packed.nbytes > node.store:
            raise ClusterError(
                f"{node.address} gives Ray {node.store / 2**20:.0f} MiB for shared arrays, and these take "
                f"{packed.nbytes / 2**20:.0f}: more room in /dev/shm, and ray start --object-store-memory"
            )
        errors = self._ray.exceptions
        try:
            return self._ray.put(packed)
        except (errors.ObjectStoreFullError, errors.OutOfDiskError) as error:
            raise ClusterError(
                f"the object store of this machine has no room for {packed.nbytes / 2**20:.0f} MiB of shared "
                "arrays: more room in /dev/shm, and ray start --object-store-memory"
            ) from error

    def _fetch(self, ref: Any, name: str, attempt: int) -> Files | None:
        """Files of a unit; None where it was lost with its worker or node and is worth another attempt."""
        errors = self._ray.exceptions
        try:
            files: Files = self._ray.get(ref)
            return files
        except errors.RayTaskError as error:  # raised by the unit
            cause = error.cause
            if isinstance(cause, (InputError, WorkError)):
                raise cause from None
            raise WorkError(f"{name}: {one_line(cause)}") from error
        except errors.RayError as error:
            if attempt < ATTEMPTS:
                return None
            raise WorkError(f"{name}: its worker ended {ATTEMPTS} times, at last: {one_line(error)}") from error

    def _check(self, code_here: Callable[[], str] | None, visible: Sequence[Path]) -> None:
        """Hold every node against this process."""
        here = _versions(code_here)
        ray = self._ray
        strategy = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
        probe = ray.remote(num_cpus=0, max_retries=2)(_probe)
        seen = [str(path.absolute()) for path in visible]
        found = {
            node: probe.options(scheduling_strategy=strategy(node.id, soft=False)).remote(code_here, seen)
            for node in self._nodes
        }
        for node, ref in found.items():
            try:
                answer: Probe = ray.get(ref, timeout=PROBE_SECONDS)
            except ray.exceptions.GetTimeoutError as error:
                raise ClusterError(f"{node.address} has not answered for {PROBE_SECONDS:.0f} s") from error
            except ray.exceptions.RayError as error:
                cause = getattr(error, "cause", None) or error
                raise ClusterError(f"{node.address} cannot run labelsearch: {one_line(cause)}") from error
            other = [f"{name} {answer.versions.get(name)}, here {here[name]}"
                     for name in here if answer.versions.get(name) != here[name]]  # fmt: skip
            if other:
                raise ClusterError(f"{node.address} has {'; '.join(other)}: install the same everywhere")
            if answer.unseen:
                raise ClusterError(
                    f"{node.address} does not see {', '.join(answer.unseen)}: every node needs the folders of bars and "
                    "runs under the same path"
                )


def _imported() -> Any:
    try:
        ray = import_module("ray")
        import_module("ray.util.scheduling_strategies")
    except ImportError as error:
        raise ClusterError("the engine ray needs: pip install 'labelsearch[ray]'") from error
    return ray


def _connect(ray: Any, address: str) -> None:
    """Join a cluster, or start one."""
    if address.startswith("ray://"):
        raise ClusterError("name the head as host:port, and run the command on a machine of the cluster")
    host, colon, port = address.rpartition(":")
    if colon:
        try:
            socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
        except (OSError, ValueError, OverflowError) as error:
            raise ClusterError(f"no Ray cluster answers at {address}: {one_line(error)}") from error
    elif address not in ("auto", "local"):
        raise ClusterError(f"{address!r} is no address of a Ray cluster: host:port, auto or local")
    _keep_silent()
    try:
        with _own_signals():
            started = {"include_dashboard": False} if address == "local" else {}
            ray.init(address=address, log_to_driver=False, logging_level="CRITICAL", **started)
    except Exception as error:  # Ray raises what it finds: ConnectionError, RuntimeError, ValueError, its own
        ray.shutdown()
        raise ClusterError(f"cannot join the Ray cluster at {address}: {one_line(error)}") from error


def _keep_silent() -> None:
    """Ray prints the last words of lost nodes to standard output, which is for results."""
    with suppress(ImportError):
        worker: Any = import_module("ray._private.worker")
        worker.print_to_stdstream = lambda *args, **options: None


@contextmanager
def _own_signals() -> Iterator[None]:
    """Ray takes SIGTERM for itself."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _nodes(ray: Any) -> list[Node]:
    """Nodes that have processors."""
    found = [
        Node(
            node["NodeID"],
            node["NodeManagerAddress"],
            int(node["Resources"].get("CPU", 0)),
            int(node["Resources"].get("object_store_memory", 0)),
        )
        for node in ray.nodes()
        if node["Alive"]
    ]
    nodes = [node for node in found if node.cpus]
    if not nodes:
        raise ClusterError("the Ray cluster has no processors")
    return nodes


def _versions(code_here: Callable[[], str] | None) -> dict[str, str]:
    found = {"source code": code_here()[:12]} if code_here else {}
    for name in SAME:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _probe(code_here: Callable[[], str] | None, visible: list[str]) -> Probe:
    """On a node: its versions, and which paths it does not see."""
    return Probe(_versions(code_here), [path for path in visible if not Path(path).exists()])


class _Here:
    """Of a worker process: what it was prepared by, what is shared, and the handles that both came from."""

    prepared = handle = ""
    shared: Any = None


def _run(name: str, unit: Unit, task: Any, steps: int, handle: list[Any], prepare: list[Any], pause: float) -> Files:
    """In a worker: one unit. The handles are in lists, so that Ray does not replace them by copies for every task."""
    ray = import_module("ray")
    time.sleep(pause)
    if _Here.prepared != prepare[0].hex():
        cap_threads()
        ray.get(prepare[0])()
        _Here.prepared = prepare[0].hex()
    if _Here.handle != handle[0].hex():
        _Here.handle, _Here.shared = "", None  # what was shared before may be large
        _Here.shared = unpack(ray.get(handle[0]))
        _Here.handle = handle[0].hex()
    return execute(name, unit, task, _Here.shared, steps)
