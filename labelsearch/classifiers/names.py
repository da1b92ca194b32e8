"""Names of networks, losses and calibrations, apart from their code: reading an experiment does not load torch."""

NETWORK_NAMES = ("mlp", "lstm", "bilstm", "gru", "tcn", "transformer")
LOSS_NAMES = ("cross_entropy", "ensloss")
CALIBRATION_NAMES = ("none", "temperature")
N_CLASSES = 3  # buy, neutral, sell
