"""Bars from outside into the store: the exchange's public archive, or any exchange that ccxt knows."""
