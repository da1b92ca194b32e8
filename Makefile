# Every target makes its own environment first, so `make demo` or `make test` may be the first command after checkout.
# Bytecode of what is imported is made then: compiling all packages takes longer than installing them.
# Tests start dozens of processes, and each would compile all that it imports, for 20 s, where none may write bytecode.
unexport PYTHONDONTWRITEBYTECODE
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
# Two processes, a file of tests each, in the order of tests/conftest.py: more would want more memory than a laptop has.
PARALLEL := -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: setup demo test test-slow test-lowest lint lock audit bench clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "labelsearch needs Python 3.11 or newer")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --no-compile -c constraints.txt -e '.[dev]'
	touch $(STAMP)

demo: $(STAMP)
	$(BIN)/labelsearch demo

# Coverage must not fall below the floor in pyproject.toml.
test: $(STAMP)
	$(BIN)/python -m pytest $(PARALLEL) --cov --cov-report=term:skip-covered

# What takes minutes. Then the kernels once more as plain Python: compiled and interpreted code must agree with the same
# twins.
test-slow: $(STAMP)
	$(BIN)/python -m pytest -m slow
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest -q $(PARALLEL) tests/feature_space tests/labels

# The lowest versions that pyproject.toml declares, in an environment of their own.
test-lowest:
	$(PYTHON) -m venv .venv-lowest
	$(PYTHON) tests/lowest_versions.py > .venv-lowest/lowest.txt
	.venv-lowest/bin/python -m pip install --quiet --no-compile -c .venv-lowest/lowest.txt -e . hypothesis pytest pytest-xdist
	.venv-lowest/bin/python -m pytest -q $(PARALLEL) tests/engine tests/settings tests/results tests/labels tests/strategies tests/feature_space tests/classifiers

# The tested versions with the hashes of their files.
lock: $(STAMP)
	$(BIN)/python -m pip install --quiet --dry-run --ignore-installed --report .venv/lock.json -c constraints.txt .
	$(BIN)/python tests/locked_versions.py .venv/lock.json requirements-linux-py311.txt

# Known vulnerabilities of what users install; asks a database on the internet.
audit:
	$(PYTHON) -m venv .venv-audit
	.venv-audit/bin/python -m pip install --quiet pip-audit
	.venv-audit/bin/pip-audit --require-hashes --disable-pip -r requirements-linux-py311.txt

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(STAMP)
	for script in $(filter-out benchmarks/measured.py,$(wildcard benchmarks/*.py)); do $(BIN)/python $$script || exit 1; done

clean:
	rm -rf .venv .venv-audit .venv-lowest build dist
