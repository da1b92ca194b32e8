"""Files of the user's own: Python files with further labels, indicators, networks, rankings, scores, capital rules.

Naming such a file in an experiment executes nothing; `activate` does, and is called by commands that compute. Each
entry must pass the proof of its kind before it can be used.
"""

import contextlib
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
from labelsearch.registry import Registry, name_of

logger = logging.getLogger(__name__)


class OwnFileError(InputError):
    """A file of the user's own that cannot be used, as one line."""


class Extension(NamedTuple):
    """One way to extend the program: the list in a user's file, its proof, its registry."""

    listed_as: str
    prove: Callable[[Any], None]
    registry: Registry[Any]


def extensions() -> tuple[Extension, ...]:
    """All six ways; imported here, so that reading an experiment loads little."""
    from feature_space.indicators import BY_NAME
    from feature_space.proof import prove_indicator
    from labelsearch.classifiers.kinds import NETWORKS
    from labelsearch.classifiers.proof import prove_network
    from labelsearch.labels.kinds import KINDS
    from labelsearch.labels.proof import prove_label
    from strategies.search.score import SCORES, prove_score
    from strategies.tiers.ranking import RANKINGS, prove_ranking
    from strategies.trade.capital import CAPITAL_RULES, prove_capital_rule

    return (
        Extension("INDICATORS", prove_indicator, BY_NAME),
        Extension("LABELS", prove_label, KINDS),
        Extension("NETWORKS", prove_network, NETWORKS),
        Extension("SCORES", prove_score, SCORES),
        Extension("RANKINGS", prove_ranking, RANKINGS),
        Extension("CAPITAL_RULES", prove_capital_rule, CAPITAL_RULES),
    )


_active: tuple[str, ...] = ()
_proved: set[str] = set()  # hashes of files


def file_sha256(path: str | Path) -> str:
    """Checksum of a file of the user's own; `OwnFileError` if it cannot be read."""
    return hashlib.sha256(_read(path)).hexdigest()


def _read(path: str | Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise OwnFileError(f"{path}: cannot be read: {getattr(error, 'strerror', error)}") from None


def active() -> tuple[str, ...]:
    """Checksums of the files whose entries are known now."""
    return _active


def activate(paths: Sequence[str | Path], *, proved: tuple[str, ...] = ()) -> None:
    """Execute files and make their entries known to this process, in place of those of other files.

    Parameters
    ----------
    paths : sequence of path
    proved : tuple of str
        Checksums of the files that another process has proved; no others are executed then.

    Raises
    ------
    OwnFileError
        If a file cannot be read or executed, lists nothing, takes a name that is taken, or an entry fails its proof.
    """
    global _active
    contents = {path: _read(path) for path in paths}
    wanted = tuple(hashlib.sha256(contents[path]).hexdigest() for path in paths)
    if wanted == _active:
        return
    if proved and wanted != proved:
        raise OwnFileError(f"{', '.join(map(str, paths))}: changed while they were in use")
    known = extensions()
    _forget(known)
    _active = ()
    path: str | Path = ""
    try:
        for path, origin in zip(paths, wanted, strict=True):
            logger.info("executing %s", path)
            # standard output is for results
            with contextlib.redirect_stdout(sys.stderr):
                module = _execute(Path(path), contents[path], origin)
                _register(module, origin, known, origin in (*proved, *_proved))
        _active = wanted
    except ValueError as error:
        raise OwnFileError(f"{path}: {' '.join(str(error).split())}") from error
    finally:
        if _active != wanted:  # also where it was interrupted
            _forget(known)


def _forget(known: Sequence[Extension]) -> None:
    """Remove all entries of the user's own from the registries."""
    for extension in known:
        for name in [name for name, entry in extension.registry.items() if entry.origin]:
            del extension.registry[name]


def _execute(path: Path, content: bytes, origin: str) -> ModuleType:
    """The module of a file, from the very bytes that were hashed: no file read later, no compiled one beside it."""
    name = f"labelsearch_own_{origin[:16]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None:
        raise ValueError("not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # so that what it defines can be pickled for worker processes
    try:
        exec(compile(content, path, "exec"), module.__dict__)
    except (Exception, SystemExit) as error:  # anything may be raised in there
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
            if not proved:
                try:
                    extension.prove(marked)
                except ValueError:
                    raise
                except (Exception, SystemExit) as error:  # anything may be raised in there
                    what = f"{extension.listed_as}: {name_of(entry)}"
                    raise ValueError(f"{what}: {type(error).__name__}: {error}") from error
            extension.registry.register(marked)
    _proved.add(origin)


def _mark(entry: Any, origin: str) -> Any:
    """The entry with the hash of its file."""
    if isinstance(entry, type):
        entry.origin = origin  # type: ignore[attr-defined]
        return entry
    if dataclasses.is_dataclass(entry) and any(f.name == "origin" for f in dataclasses.fields(entry)):
        return dataclasses.replace(entry, origin=origin)  # type: ignore[type-var]
    if hasattr(entry, "_replace") and hasattr(entry, "origin"):
        return entry._replace(origin=origin)
    raise ValueError(f"{entry!r} is not an entry of its list: see docs/EXTENDING.md")
