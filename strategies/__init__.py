"""What to do about it: 19 numbers in, an equity curve out. Imports only errors and registries of ours."""

from labelsearch.errors import InputError


class StrategyError(InputError):
    """A strategy, or a score or rule for some, that cannot be used, as one line."""
