"""Label-and-feature-space search for market-state classifier ensembles."""

__version__ = "0.1.0"
