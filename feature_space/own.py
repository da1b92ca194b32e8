"""A user's own indicators: a Python file with a list ``INDICATORS``, proved before they are used.

The proof runs each one at the ends of its parameter intervals over a made-up market and refuses it if a value looks
ahead, reads further back than the warm-up says, or is not a finite number.
"""

import hashlib
import importlib.util
from pathlib import Path

import numpy as np

from feature_space.chunks import first_needed
from feature_space.indicators import BY_NAME, INDICATORS, Array, Indicator, Inputs, make_inputs

_loaded: dict[str, tuple[Indicator, ...]] = {}  # by SHA-256 of the file


def file_sha256(path: str | Path) -> str:
    """SHA-256 of a file's contents."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def load_indicators(path: str | Path) -> tuple[Indicator, ...]:
    """Run a user's file, prove its ``INDICATORS`` and make them known by name.

    Raises
    ------
    ValueError
        One line that names the file, the indicator and what is wrong. Nothing of the file is then known.
    """
    path = Path(path)
    try:
        digest = file_sha256(path)
        if digest not in _loaded:
            _loaded[digest] = _prove_all(_execute(path, digest))
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    BY_NAME.update({indicator.name: indicator for indicator in _loaded[digest]})
    return _loaded[digest]


def _execute(path: Path, digest: str) -> object:
    spec = importlib.util.spec_from_file_location(f"own_indicators_{digest[:16]}", path)
    if spec is None or spec.loader is None:
        raise ValueError("not a Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except OSError:
        raise
    except Exception as error:  # whatever a user's file may raise
        raise ValueError(f"{type(error).__name__} while it was read: {error}") from error
    return getattr(module, "INDICATORS", None)


def _prove_all(found: object) -> tuple[Indicator, ...]:
    if not isinstance(found, (list, tuple)) or not found or not all(isinstance(i, Indicator) for i in found):
        raise ValueError("needs a list INDICATORS of feature_space.indicators.Indicator")
    names = [indicator.name for indicator in found]
    taken = {indicator.name for indicator in INDICATORS}
    for name in names:
        if name in taken or names.count(name) > 1:
            raise ValueError(f"the name {name!r} is taken")
    for indicator in found:
        try:
            prove(indicator)
        except ValueError:
            raise
        except Exception as error:  # whatever a user's kernel may raise
            raise ValueError(f"indicator {indicator.name}: {type(error).__name__}: {error}") from error
    return tuple(found)


def prove(indicator: Indicator) -> None:
    """Raise `ValueError` unless the indicator holds what every feature must."""
    unknown = [column for column in indicator.columns if column not in Inputs._fields]
    if unknown:
        known = ", ".join(Inputs._fields)
        raise ValueError(f"indicator {indicator.name}: unknown column {unknown[0]!r}; known are {known}")
    for end in (0, 1):
        values = tuple(interval[end] for interval in indicator.parameters.values())
        fault = _fault(indicator, values)
        if fault:
            raise ValueError(f"indicator {indicator.name}{values} {fault}")


def _fault(indicator: Indicator, values: tuple[int, ...]) -> str:
    """What is wrong with an indicator, or nothing."""
    warm_up = indicator.warm_up(*values)
    n = 2 * warm_up + 300
    inputs = _market(n)
    before = [column.tobytes() for column in inputs]
    whole = indicator.compute(inputs, values)
    if not isinstance(whole, np.ndarray) or whole.shape != (n,) or whole.dtype != np.float64:
        return "must give one float64 for each bar"
    if not np.isfinite(whole).all():
        return f"is not a finite number at bar {int(np.flatnonzero(~np.isfinite(whole))[0])}"
    for stop in (1, 2, 7, n // 3, n // 2, n - 1):
        if indicator.compute(_rows(inputs, 0, stop), values).tobytes() != whole[:stop].tobytes():
            return "looks ahead: a prefix of the bars gives other values"
    late = indicator.compute(_rows(inputs, 150, n), values)[warm_up:] - whole[150 + warm_up :]
    if np.abs(late).max() > 1e-6:
        return f"has not forgotten its start after its warm-up of {warm_up} bars"
    if not _same_in_parts(indicator, values, inputs, whole, warm_up):
        return "gives other values in parts than at once: see the docstrings of formulas and recursive"
    if before != [column.tobytes() for column in inputs]:
        return "changes its inputs"
    return ""


def _same_in_parts(indicator: Indicator, values: tuple[int, ...], inputs: Inputs, whole: Array, warm_up: int) -> bool:
    columns = indicator.columns_of(inputs)
    if indicator.start is None:
        for index in (whole.size - 1, whole.size - 2, whole.size - 99):
            first = first_needed(index, warm_up)
            part = indicator.kernel(*(column[first : index + 1] for column in columns), *values)
            if part[-1] != whole[index]:
                return False
        return True
    state, out = indicator.new_state(columns), np.empty(whole.size)
    for first, stop in ((0, 1), (1, 2), (2, 9), (9, 100), (100, whole.size)):
        indicator.kernel(*(column[first:stop] for column in columns), *values, state, out[first:stop])
    return out.tobytes() == whole.tobytes()


def _rows(inputs: Inputs, start: int, stop: int) -> Inputs:
    """Bars start..stop as a market of their own."""
    part = Inputs(*(column[start:stop].copy() for column in inputs))
    part.log_return[:1] = 0.0
    return part


def _market(n: int) -> Inputs:
    """A made-up market of ``n`` bars with a stretch without trade."""
    rng = np.random.default_rng(n)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 1e-3, n)))
    close[n // 2 : n // 2 + 20] = close[n // 2]
    volume = rng.lognormal(0.0, 1.0, n)
    noise = rng.uniform(0.0, 1e-3, (2, n))
    volume[n // 2 : n // 2 + 20], noise[:, n // 2 : n // 2 + 20] = 0.0, 0.0
    high, low = close * (1.0 + noise[0]), close * (1.0 - noise[1])
    return make_inputs((high + low + close) / 3.0, high, low, close, volume, np.ceil(10.0 * volume))
