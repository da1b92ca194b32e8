"""Which normalisation lets networks learn? Validation loss by label and setting, on train alone."""

import numpy as np
from common import TRAIN_SCALE, labelled, real_market, train_inputs, validation_loss

from feature_space.feature_set import Feature, FeatureSet
from feature_space.indicators import INDICATORS
from feature_space.normalise import Normalisation
from labelsearch.labels.kinds import Extrema, Threshold

SETTINGS = {
    "local 240": Normalisation("local", 240, 1.0),
    "local 1440": Normalisation("local", 1440, 1.0),
    "local 10080": Normalisation("local", 10_080, 1.0),
    "local 43200": Normalisation("local", 43_200, 1.0),
    "train": TRAIN_SCALE,
}
LABELS = (Threshold(0.012, 5), Threshold(0.012, 60), Threshold(0.03, 60), Extrema(1.0, 0.1), Extrema(4.0, 0.4))
SEEDS = (0, 1, 2)


def main() -> None:
    """Print a Markdown table: mean loss and its standard deviation over seeds."""
    market = real_market()
    inputs = train_inputs(market)
    middle = tuple(Feature(i.name, tuple((low + high) // 2 for low, high in i.parameters.values())) for i in INDICATORS)
    parts = {label.name: labelled(market, label) for label in LABELS}
    print("| normalisation | " + " | ".join(parts) + " |")
    print("| --- |" + " ---: |" * len(parts))
    for name, normalisation in SETTINGS.items():
        matrix = FeatureSet(middle, normalisation).fit(inputs, market.boundary).matrix(inputs)
        cells = []
        for part in parts.values():
            losses = [validation_loss(matrix, part, seed) for seed in SEEDS]
            cells.append(f"{np.mean(losses):.3f} ± {np.std(losses, ddof=1):.3f}")
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
