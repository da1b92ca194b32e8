"""Causal features of a market: arrays in, arrays out. Imports nothing else of ours, except the errors."""

from labelsearch.errors import InputError


class FeatureError(InputError):
    """An indicator or a feature that cannot be used, as one line."""
