"""Keys: everything that a result depends on, the code among it, and nothing else."""

import dataclasses
import hashlib
import importlib
import math
import subprocess
import sys
from functools import partial
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelsearch.engine import key
from labelsearch.engine.key import Code, digest


class Row(NamedTuple):
    name: str
    compute: object
    origin: str = ""


@dataclasses.dataclass(frozen=True)
class Section:
    a: int = 1
    b: tuple[float, ...] = (0.5,)


@dataclasses.dataclass(frozen=True)
class Other:
    a: int = 1
    b: tuple[float, ...] = (0.5,)


class Hashed:
    def digest(self) -> str:
        return "abc"


DIFFERENT = [
    None, True, 1, 1.5, "1", (), (1,), (1, 2), ((1,), 2), (1, (2,)), {"a": 1}, {"a": 2}, {"b": 1}, {1: "a"},
    np.arange(3), np.arange(3.0), np.arange(4), np.arange(4).reshape(2, 2), slice(0, 3), slice(0, 4), Section(),
    Section(a=2), Section(b=()), Other(), Row("x", print), Row("x", len), Row("x", print, "file"), Hashed(),
    0.0, -0.0, math.nan, math.inf, -math.inf, "NaN", ("slice", 0, 3, None), {"slice": (0, 3, None)}, np.arange(3) > 1,
    ("array", "int64", (3,), hashlib.sha256(np.arange(3).tobytes()).hexdigest()), {"digest": "abc"}, {1: "a", "b": 2},
    np.array(["a", None]), np.array(["a", 1], dtype=object),
    dataclasses.make_dataclass("Section", [("a", int, 1), ("b", tuple, (0.5,))],
                               namespace={"__module__": "elsewhere"})(),
]  # fmt: skip


def test_different_values_have_different_digests():
    assert len({digest(value) for value in DIFFERENT}) == len(DIFFERENT)
    assert [digest(value) for value in DIFFERENT] == [digest(value) for value in DIFFERENT]


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@settings(max_examples=50, deadline=None)
@given(plain, plain)
def test_digests_are_equal_only_for_equal_plain_data(a, b):
    if digest(a) == digest(b):
        assert a == b
    else:
        assert a != b or repr(a) != repr(b)


def test_neither_the_order_of_a_dict_nor_the_process_counts():
    assert digest({"a": 1, 2: "b"}) == digest({2: "b", "a": 1})
    text = (
        "import numpy as np; from labelsearch.engine.key import digest; print(digest(np.array(['a' * 9, None, 0.5])))"
    )
    other = subprocess.run([sys.executable, "-c", text], check=True, capture_output=True, text=True)
    assert other.stdout.strip() == digest(np.array(["a" * 9, None, 0.5]))


@pytest.mark.parametrize("value", [print, object(), Section, {1, 2}, np.array([object()])])
def test_what_cannot_be_hashed_by_content_is_refused(value):
    with pytest.raises(TypeError, match="cannot be part of a key"):
        digest(value)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of three modules, of which ``stage`` imports ``kernel`` inside a function."""
    folder = tmp_path / "toypackage"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "stage.py").write_text(
        '"""A stage."""\nimport json\n\ndef run(x):\n    from toypackage import kernel\n    return kernel.f(x)\n'
    )
    (folder / "kernel.py").write_text("def f(x):\n    return x + 1\n")
    (folder / "unused.py").write_text("def g(x):\n    return x\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    for name in [name for name in sys.modules if name.startswith("toypackage")]:
        del sys.modules[name]


def code_of(without=()):
    importlib.invalidate_caches()
    key._source.cache_clear()
    return Code(("toypackage",), without).digest_of("toypackage.stage")


def test_a_change_of_code_changes_the_key(package):
    before = code_of()
    (package / "kernel.py").write_text("def f(x):\n    return x + 2\n")
    assert code_of() != before


def test_comments_docstrings_layout_and_other_modules_do_not(package):
    before = code_of()
    text = '# why\n"""Doc."""\n\n\ndef f(x):\n    """Add one."""\n    return x + 1  # one\n'
    (package / "kernel.py").write_text(text)
    (package / "unused.py").write_text("def g(x):\n    return 2 * x\n")
    assert code_of() == before


def test_modules_that_are_left_out_do_not_count(package):
    before = code_of(("toypackage.kernel",))
    (package / "kernel.py").write_text("def f(x):\n    return x + 2\n")
    assert code_of(("toypackage.kernel",)) == before


def test_imports_for_type_checkers_do_not_count(package):
    text = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from toypackage import kernel\n"
    (package / "stage.py").write_text(text + "\ndef run(x):\n    return x\n")
    before = code_of()
    (package / "kernel.py").write_text("def f(x):\n    return x + 2\n")
    assert code_of() == before


def test_versions_of_other_packages_count(package, monkeypatch):
    (package / "kernel.py").write_text("import numpy\n\ndef f(x):\n    return numpy.add(x, 1)\n")
    before = code_of()
    monkeypatch.setattr(key, "_version", lambda name: "0.0")
    assert code_of() != before


# ways to import toypackage.kernel, whose package is toypackage or toypackage.inner
WAYS = [
    "import toypackage.kernel as k", "from . import kernel", "from .kernel import f", "from toypackage.kernel import *",
    "def g():\n    import toypackage.kernel", "NAME = 'toypackage.kernel:f'", "HOME = 'toypackage.kernel:'",
    "import helper_beside", "import toypackage.inner.deep",
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_import_counts(way, package):
    (package / "stage.py").write_text(way + "\n")
    (package.parent / "helper_beside.py").write_text("from toypackage.kernel import f\n")
    (package / "inner").mkdir()
    (package / "inner" / "__init__.py").write_text("from ..kernel import f\n")
    (package / "inner" / "deep.py").write_text("")
    before = code_of()
    (package / "kernel.py").write_text("def f(x):\n    return x + 2\n")
    assert code_of() != before
    before = code_of()
    (package / "__init__.py").write_text("x = 1\n")
    assert code_of() != before


def test_code_without_a_source_file_is_refused(package):
    for module in ("toypackage.none", "none"):
        with pytest.raises(TypeError, match=f"{module} is in no file"):
            Code(("toypackage",)).digest_of(module)
    (package / "stage.py").unlink()
    with pytest.raises(TypeError, match=r"toypackage\.stage is in no file"):
        code_of()


def test_what_functions_in_rows_import_counts(package):
    def row():
        importlib.invalidate_caches()
        key._source.cache_clear()
        kernel = importlib.import_module("toypackage.kernel")
        code = Code(("labelsearch",))
        return digest(Row("x", partial(kernel.f, 1), "file"), code), digest(Row("x", kernel.f), code)

    (package / "kernel.py").write_text("from toypackage import unused\n\ndef f(x):\n    return x\n")
    before = row()
    assert before == row()
    (package / "unused.py").write_text("def g(x):\n    return 2 * x\n")
    after = row()
    assert after[0] != before[0]
    assert after[1] != before[1]
    # those of the packages themselves count with the stage
    assert digest(Row("x", digest), Code(("labelsearch",))) == digest(Row("x", digest), Code(("labelsearch", "y")))


def test_every_stage_of_the_product_reaches_its_kernels():
    from labelsearch.stages.plan import CODE, STAGES

    reached = {name: _reached(CODE, stage.run.__module__) for name, stage in STAGES.items()}
    assert "labelsearch.labels.kernels" in reached["labels"]
    assert {"feature_space.kernels", "feature_space.recursive", "feature_space.separation"} <= reached["features"]
    assert {"labelsearch.classifiers.networks", "labelsearch.classifiers.losses"} <= reached["classifiers"]
    assert "labelsearch.classifiers.inference" in reached["outputs"]
    assert {"strategies.trade.kernels", "strategies.search.samplers"} <= reached["search"]
    assert "strategies.trade.backtest" in reached["ensembles"]
    assert "strategies.luck.overfitting" in reached["belief"]
    assert not any("delivery" in module or "commands" in module for modules in reached.values() for module in modules)


def _reached(code, module):
    seen, waiting = set(), [module]
    while waiting:
        name = waiting.pop()
        source = key._source(name)
        if name in seen or source is None or any(name.startswith(without) for without in code.without):
            continue
        seen.add(name)
        waiting += [other for other in source.imports if other.split(".")[0] in code.packages]
    return seen
