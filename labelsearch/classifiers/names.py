"""Names of networks, losses, calibrations and files, apart from their code: reading an experiment loads no torch."""

NETWORK_NAMES = ("mlp", "lstm", "bilstm", "gru", "tcn", "transformer")
LOSS_NAMES = ("cross_entropy", "ensloss")
CALIBRATION_NAMES = ("none", "temperature")
N_CLASSES = 3  # buy, neutral, sell


def weight_files(n_networks: int) -> list[str]:
    """Names of the files of weights in the folder of a classifier."""
    if n_networks == 1:
        return ["weights.safetensors"]
    return [f"weights_{k}.safetensors" for k in range(n_networks)]
