"""The space of strategies, its score, and the search over it."""
