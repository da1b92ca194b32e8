"""The search over labels: which questions are worth asking of a market."""
