from labelsearch.settings.experiment import Experiment
from tests.conftest import TINY_PANEL


def tiny(**changes) -> Experiment:
    """The tiny panel with other keys in its sections."""
    data = {k: {**v} if isinstance(v, dict) else v for k, v in TINY_PANEL.items()}
    for name, value in changes.items():
        data[name] = {**data.get(name, {}), **value} if isinstance(value, dict) else value
    return Experiment.from_dict(data)
