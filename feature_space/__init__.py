"""Causal features of a market: arrays in, arrays out. Imports nothing else of ours."""
