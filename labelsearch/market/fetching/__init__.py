"""Download of bars into the store, from the public archive or from any exchange supported by ccxt."""
