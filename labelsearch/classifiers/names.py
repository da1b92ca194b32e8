"""Names of the networks, apart from their code, so that reading an experiment does not load torch."""

NETWORK_NAMES = ("mlp",)
