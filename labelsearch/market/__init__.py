"""Bars in: one type, a local store, checks, archive files and a synthetic market."""
