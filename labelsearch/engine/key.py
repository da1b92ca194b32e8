"""Keys: hashes of everything that a result depends on, the code that makes it among them."""

import ast
import dataclasses
import hashlib
import importlib.util
import json
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import Any, NamedTuple

# names of distributions that differ from what is imported
ALIASES = {"sklearn": "scikit-learn"}
LATER = re.compile(r"[A-Za-z_]\w*(\.\w+)+:\w*")
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def digest(value: object, code: "Code | None" = None) -> str:
    """SHA-256 of a value, in hex.

    Parameters
    ----------
    value : object
        Plain data, arrays, dataclasses and named tuples of these, and objects with a method ``digest()``. A dataclass
        or named tuple with an attribute ``origin`` (the hash of the file that its code comes from) may hold functions;
        they count by name.
    code : Code, optional
        With it, what such functions and dataclasses import counts too, where they come from other packages.

    Raises
    ------
    TypeError
        For anything else: what cannot be hashed by content must not be part of the inputs of a stage.

    Examples
    --------
    >>> digest({"a": 1, "b": (2.0, None)}) == digest({"b": [2.0, None], "a": 1})
    True
    """
    return hashlib.sha256(json.dumps(_plain(value, code), sort_keys=True).encode()).hexdigest()


def _plain(value: object, code: "Code | None") -> object:
    """JSON data; what is not a list or a scalar is a dict with its type, so that no two types look alike."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, slice):
        return {"slice": [_plain(part, code) for part in (value.start, value.stop, value.step)]}
    own = getattr(value, "digest", None)
    if callable(own):
        return {"digest": own()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _record(value, {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}, code)
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return _record(value, value._asdict(), code)
    if isinstance(value, (tuple, list)):
        return [_plain(item, code) for item in value]
    if isinstance(value, Mapping):
        pairs = [[_plain(key, code), _plain(item, code)] for key, item in value.items()]
        return {"mapping": sorted(pairs, key=lambda pair: json.dumps(pair[0], sort_keys=True))}
    if hasattr(value, "tobytes") and hasattr(value, "dtype"):
        array: Any = value
        # the bytes of an array of objects are addresses
        content = _plain(array.tolist(), code) if array.dtype.hasobject else hashlib.sha256(array.tobytes()).hexdigest()
        return {"array": [str(array.dtype), list(array.shape), content]}
    raise TypeError(f"{type(value).__name__} cannot be part of a key")


def _record(value: object, fields: Mapping[str, object], code: "Code | None") -> object:
    origin = getattr(value, "origin", None)

    def item(field: object) -> object:
        if origin is not None and callable(field) and not hasattr(field, "digest"):
            return {"function": getattr(field, "__qualname__", type(field).__name__), "code": around(field)}
        return _plain(field, code)

    def around(what: Any) -> str:
        while isinstance(what, partial):
            what = what.func
        return code.digest_around(getattr(what, "__module__", None) or type(what).__module__) if code else ""

    kind = type(value)
    return {
        "type": f"{kind.__module__}.{kind.__qualname__}",
        "origin": origin,
        "code": around(kind) if origin else "",
        "fields": {name: item(field) for name, field in fields.items()},
    }


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
        """Hash of a module, of all modules of these packages that it imports, directly or not, and of versions.

        Modules that belong to no installed distribution, as files beside a user's own, count by source too.

        Raises
        ------
        TypeError
            If there is no file with the source of the module.
        """
        seen: dict[str, str] = {}
        outside: dict[str, str] = {}
        waiting = [module]
        while waiting:
            name = waiting.pop()
            top, *below = name.split(".")
            if name in seen or top in sys.stdlib_module_names or _below(name, self.without):
                continue
            if top not in self.packages and (installed := _version(top)):
                outside[top] = installed
            elif source := _source(name):
                seen[name] = source.digest
                waiting += source.imports
                waiting += [top, *(f"{top}.{'.'.join(below[:n])}" for n in range(1, len(below)))]
            elif name == module:
                raise TypeError(f"the source of module {name} is in no file, so its code cannot be part of a key")
        return digest([sorted(seen.items()), sorted(outside.items())])

    def digest_around(self, module: str) -> str:
        """Hash of a module that functions of an input come from, and of what it imports.

        Empty for a module of these packages: they count with the stage that is handed the functions.
        """
        if _below(module, self.packages):
            return ""
        return Code((), (*self.packages, *self.without)).digest_of(module)


def _below(module: str, roots: tuple[str, ...]) -> bool:
    return any(module == root or module.startswith(root + ".") for root in roots)


class _Source(NamedTuple):
    digest: str
    imports: frozenset[str]


@cache
def _source(module: str) -> _Source | None:
    """Hash of a module's code and the modules that it imports; None where the name is no module.

    The file is found by its path: asking the import system would import the packages above it, heavy ones among them.
    """
    path = _path(module)
    if path is None:
        return None
    tree = ast.parse(path.read_bytes())
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return _Source(hashlib.sha256(ast.dump(tree).encode()).hexdigest(), frozenset(_imports(tree, package)))


def _path(module: str) -> Path | None:
    """Source file of a module."""
    top, *below = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except ValueError:  # a script
        spec = None
    if spec is None:
        return None
    roots = spec.submodule_search_locations
    if roots is None:
        paths = [Path(spec.origin)] if spec.origin and not below else []
    else:
        bases = [Path(root, *below) for root in roots]
        paths = [p for b in bases for p in (b / "__init__.py", *((b.with_name(b.name + ".py"),) if below else ()))]
    return next((path for path in paths if path.suffix == ".py" and path.is_file()), None)


def _imports(tree: ast.AST, package: str) -> set[str]:
    """Modules that a tree of a package imports at run time; names imported from a package may be modules too.

    Text such as ``package.module:function`` is the name of something that is imported later.
    """
    found: set[str] = set()
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            waiting += node.orelse
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and LATER.fullmatch(node.value):
            found.add(node.value.partition(":")[0])
        waiting += ast.iter_child_nodes(node)
    return found


@cache
def _version(package: str) -> str | None:
    """Installed version of the distribution behind an imported name; None if there is none."""
    with suppress(PackageNotFoundError):
        return version(ALIASES.get(package, package))
    names = _distributions().get(package, [])
    return ", ".join(f"{name} {version(name)}" for name in sorted(set(names))) or None


_distributions = cache(packages_distributions)
