"""Files of the user's own: Python files with further labels, indicators, networks, rankings, scores, capital rules.

Naming such a file in an experiment executes nothing; `activate` does, and is called by commands that compute. Each
entry must pass the proof of its kind before it can be used.
"""

import dataclasses
import hashlib
import importlib.util
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from labelsearch.errors import InputError

logger = logging.getLogger(__name__)


class OwnFileError(InputError):
    """A file of the user's own that cannot be used, as one line."""


class Extension(NamedTuple):
    """One way to extend the program: the list in a user's file, its proof, its registry."""

    listed_as: str
    prove: Callable[[Any], None]
    register: Callable[[Any], None]
    registry: Callable[[], dict[str, Any]]


def extensions() -> tuple[Extension, ...]:
    """All six ways; imported here, so that reading an experiment loads little."""
    from feature_space import indicators, proof
    from labelsearch.classifiers import kinds as networks
    from labelsearch.classifiers.proof import prove_network
    from labelsearch.labels import kinds as labels
    from labelsearch.labels.proof import prove_label, register_label
    from strategies.search import score
    from strategies.tiers import ranking
    from strategies.trade import capital

    return (
        Extension("INDICATORS", proof.prove_indicator, indicators.register_indicator, lambda: indicators.BY_NAME),
        Extension("LABELS", prove_label, register_label, lambda: labels.KINDS),
        Extension("NETWORKS", prove_network, networks.register_network, lambda: networks.NETWORKS),
        Extension("SCORES", score.prove_score, score.register_score, lambda: score.SCORES),
        Extension("RANKINGS", ranking.prove_ranking, ranking.register_ranking, lambda: ranking.RANKINGS),
        Extension(
            "CAPITAL_RULES", capital.prove_capital_rule, capital.register_capital_rule, lambda: capital.CAPITAL_RULES
        ),
    )


_active: tuple[str, ...] = ()
_proved: set[str] = set()  # hashes of files


def file_sha256(path: str | Path) -> str:
    """Checksum of a file of the user's own; `OwnFileError` if it cannot be read."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError as error:
        raise OwnFileError(f"{path}: cannot be read: {error.strerror}") from None


def activate(paths: Sequence[str | Path], *, proved: bool = False) -> None:
    """Execute files and make their entries known to this process, in place of those of other files.

    Parameters
    ----------
    paths : sequence of path
    proved : bool
        Trust that another process has proved these very files.

    Raises
    ------
    OwnFileError
        If a file cannot be read or executed, lists nothing, takes a name that is taken, or an entry fails its proof.
    """
    global _active
    wanted = tuple(map(file_sha256, paths))
    if wanted == _active:
        return
    known = extensions()
    _forget(known)
    _active = ()
    for path, origin in zip(paths, wanted, strict=True):
        logger.info("executing %s", path)
        try:
            _register(_execute(Path(path), origin), origin, known, proved or origin in _proved)
        except ValueError as error:
            _forget(known)
            raise OwnFileError(f"{path}: {error}") from error
    _active = wanted


def _forget(known: Sequence[Extension]) -> None:
    """Remove all entries of the user's own from the registries."""
    for extension in known:
        registry = extension.registry()
        for name in [name for name, entry in registry.items() if entry.origin]:
            del registry[name]


def _execute(path: Path, origin: str) -> ModuleType:
    name = f"labelsearch_own_{origin[:16]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ValueError("not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # so that what it defines can be pickled for worker processes
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # anything may be raised in there
        raise ValueError(f"{type(error).__name__} while it was executed: {error}") from error
    return module


def _register(module: ModuleType, origin: str, known: Sequence[Extension], proved: bool) -> None:
    names = [extension.listed_as for extension in known if hasattr(module, extension.listed_as)]
    if not names:
        raise ValueError(f"defines none of {', '.join(extension.listed_as for extension in known)}")
    for extension in known:
        listed = getattr(module, extension.listed_as, ())
        if not isinstance(listed, (list, tuple)) or (extension.listed_as in names and not listed):
            raise ValueError(f"{extension.listed_as} must be a list of one or more entries")
        for entry in listed:
            if isinstance(entry, type) and entry.__module__ != module.__name__:
                raise ValueError(f"{extension.listed_as}: {entry.__name__} is imported; define it in the file itself")
            marked = _mark(entry, origin)
            name = getattr(entry, "kind" if isinstance(entry, type) else "name", entry)
            if not proved:
                try:
                    extension.prove(marked)
                except ValueError:
                    raise
                except Exception as error:  # anything may be raised in there
                    raise ValueError(f"{extension.listed_as}: {name}: {type(error).__name__}: {error}") from error
            extension.register(marked)
    _proved.add(origin)


def _mark(entry: Any, origin: str) -> Any:
    """The entry with the hash of its file."""
    if isinstance(entry, type):
        entry.origin = origin  # type: ignore[attr-defined]
        return entry
    if dataclasses.is_dataclass(entry):
        return dataclasses.replace(entry, origin=origin)  # type: ignore[type-var]
    if hasattr(entry, "_replace") and hasattr(entry, "origin"):
        return entry._replace(origin=origin)
    raise ValueError(f"{entry!r} is not an entry of its list: see docs/EXTENDING.md")
