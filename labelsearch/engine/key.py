"""Keys: hashes of everything that a result depends on, the code that makes it among them."""

import ast
import dataclasses
import hashlib
import importlib.util
import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

# names of distributions that differ from what is imported
ALIASES = {"sklearn": "scikit-learn"}
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def digest(value: object) -> str:
    """SHA-256 of a value, in hex.

    Parameters
    ----------
    value : object
        Plain data, arrays, dataclasses and named tuples of these, and objects with a method ``digest()``. A dataclass
        or named tuple with an attribute ``origin`` (the hash of the file that its code comes from) may hold functions;
        they count by name.

    Raises
    ------
    TypeError
        For anything else: what cannot be hashed by content must not be part of the inputs of a stage.
    """
    return hashlib.sha256(json.dumps(_plain(value), sort_keys=True).encode()).hexdigest()


def _plain(value: object) -> object:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, slice):
        return ["slice", value.start, value.stop, value.step]
    own = getattr(value, "digest", None)
    if callable(own):
        return {"digest": own()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _record(value, {f.name: getattr(value, f.name) for f in dataclasses.fields(value)})
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return _record(value, value._asdict())
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {"mapping": [[_plain(key), _plain(value[key])] for key in sorted(value)]}
    if hasattr(value, "tobytes") and hasattr(value, "dtype"):
        return ["array", str(value.dtype), list(value.shape), hashlib.sha256(value.tobytes()).hexdigest()]  # type: ignore[attr-defined]
    raise TypeError(f"{type(value).__name__} cannot be part of a key")


def _record(value: object, fields: Mapping[str, object]) -> object:
    origin = getattr(value, "origin", None)

    def item(field: object) -> object:
        if origin is not None and callable(field) and not hasattr(field, "digest"):
            return getattr(field, "__qualname__", type(field).__name__)
        return _plain(field)

    named = {name: item(field) for name, field in fields.items()}
    return {"type": type(value).__qualname__, "origin": origin, "fields": named}


@dataclasses.dataclass(frozen=True)
class Code:
    """Hashes of source code, so that a change of a kernel changes every key that depends on it.

    A version number raised by hand can be forgotten; the source cannot. The price: a change that alters no result,
    beyond comments, docstrings and layout, makes stages run again as well.

    Parameters
    ----------
    packages : tuple of str
        Top-level packages whose source counts; of other packages the installed version counts.
    without : tuple of str
        Modules, with all below them, that move results or describe inputs but do not compute.
    """

    packages: tuple[str, ...]
    without: tuple[str, ...] = ()

    def digest_of(self, module: str) -> str:
        """Hash of a module, of all modules of these packages that it imports, directly or not, and of versions."""
        seen: dict[str, str] = {}
        outside: set[str] = set()
        waiting = [module]
        while waiting:
            name = waiting.pop()
            if name in seen or any(name == w or name.startswith(w + ".") for w in self.without):
                continue
            source = _source(name)
            if source is None:
                continue
            text, imported = source
            seen[name] = text
            waiting += [m for m in imported if m.split(".")[0] in self.packages]
            outside |= {m.split(".")[0] for m in imported} - set(self.packages)
        return digest([sorted(seen.items()), sorted(_versions(frozenset(outside)).items())])


@cache
def _source(module: str) -> tuple[str, frozenset[str]] | None:
    """Hash of a module's code and the modules that it imports; None where the name is no module.

    The file is found by its path: asking the import system would import the packages above it, heavy ones among them.
    """
    path = _path(module)
    if path is None:
        return None
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = frozenset(_imports(tree))
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest(), imported


def _path(module: str) -> Path | None:
    """File of a module below a top-level package."""
    top, *below = module.split(".")
    spec = importlib.util.find_spec(top)
    for root in (spec and spec.submodule_search_locations) or ():
        for path in (Path(root, *below).with_suffix(".py") if below else Path(), Path(root, *below, "__init__.py")):
            if path.is_file():
                return path
    return None


def _imports(tree: ast.AST) -> set[str]:
    """Modules that a tree imports at run time; names imported from a package may be modules too."""
    found: set[str] = set()
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            waiting += node.orelse
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        waiting += ast.iter_child_nodes(node)
    return found


@cache
def _versions(packages: frozenset[str]) -> dict[str, str]:
    """Installed versions of the distributions behind imported names; the standard library has none."""
    found = {}
    for name in packages - sys.stdlib_module_names:
        dist = ALIASES.get(name, name)
        with suppress(PackageNotFoundError):
            found[dist] = version(dist)
    return found
