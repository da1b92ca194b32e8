"""Keys: everything that a result depends on, the code among it, and nothing else."""

import dataclasses
import importlib
import sys
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


@pytest.mark.parametrize("value", [print, object(), Section, {1, 2}])
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
    key._versions.cache_clear()
    monkeypatch.setattr(key, "version", lambda name: "0.0")
    assert code_of() != before
    key._versions.cache_clear()


def test_every_stage_of_the_product_reaches_its_kernels():
    from labelsearch.stages.plan import CODE, STAGES

    reached = {name: _reached(CODE, stage.run.__module__) for name, stage in STAGES.items()}
    assert "labelsearch.labels.kernels" in reached["labels"]
    assert {"feature_space.kernels", "feature_space.recursive", "feature_space.separation"} <= reached["features"]
    assert {"labelsearch.classifiers.networks", "labelsearch.classifiers.losses"} <= reached["classifiers"]
    assert "labelsearch.classifiers.inference" in reached["outputs"]
    assert {"strategies.trade.kernels", "strategies.search.samplers"} <= reached["search"]
    assert {"strategies.trade.backtest", "strategies.luck.overfitting"} <= reached["ensembles"]
    assert not any("delivery" in module or "commands" in module for modules in reached.values() for module in modules)


def _reached(code, module):
    seen, waiting = set(), [module]
    while waiting:
        name = waiting.pop()
        source = key._source(name)
        if name in seen or source is None or any(name.startswith(without) for without in code.without):
            continue
        seen.add(name)
        waiting += [other for other in source[1] if other.split(".")[0] in code.packages]
    return seen
