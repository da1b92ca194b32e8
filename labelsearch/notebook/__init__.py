"""A run, and each of its stages, as pandas objects for a notebook."""
