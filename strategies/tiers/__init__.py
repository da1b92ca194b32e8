"""Ensembles of the best strategies, how they are ranked and measured, and what they are compared with."""
