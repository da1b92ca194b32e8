"""Slow plain twins of the fast functions, written for reading."""
