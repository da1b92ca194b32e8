"""Causal features of a market: arrays in, arrays out. Imports only errors and registries of ours."""

from labelsearch.errors import InputError


class FeatureError(InputError):
    """An indicator or a feature that cannot be used, as one line."""
