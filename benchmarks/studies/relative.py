"""Whether the outputs of a relative label rank markets as what they gain later does, on past, which chose no network.

    python benchmarks/studies/relative.py RUN

RUN is the folder of a panel whose cells have come to their outputs. By split and label: the AUC of buy and of sell on
past, as the run has them, and Spearman's correlation, across the members that have the bar, between the buy less the
sell output and the beta-free return over the horizon of the label: its mean over the bars of past, and the standard
error of that mean over blocks as long as the horizon. Nothing after past is read. The last line is one line of JSON.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from labelsearch.labels.relative import Relative, compound_nb
from labelsearch.market.cross_section import CrossSection
from labelsearch.panels.beside import recorded_beside
from labelsearch.results.run import Results
from labelsearch.settings.experiment import Experiment


def gains(section: CrossSection, horizon: int) -> NDArray[np.float64]:
    """Beta-free return (T, M) over the next bars; NaN where it is not known."""
    found = np.full(section.close.shape, np.nan)
    common = compound_nb(section.basket, horizon)[:, None]
    found[:-horizon] = section.close[horizon:] / section.close[:-horizon] - 1.0 - section.beta[:-horizon] * common
    return found


def wishes(section: CrossSection, cells: dict[str, Results], label: int) -> NDArray[np.float64]:
    """Buy less sell output (T, M) on past; NaN elsewhere."""
    found = np.full(section.close.shape, np.nan)
    for market, cell in cells.items():
        past = cell.outputs.past
        rows = np.searchsorted(section.open_time, past.open_time)
        found[rows, section.column(market)] = past.outputs[:, 2 * label] - past.outputs[:, 2 * label + 1]
    return found


def judge(panel: Path, experiment: Experiment, split: int) -> list[dict[str, object]]:
    """A row for each relative label of a split."""
    beside = recorded_beside(panel, split)
    assert beside is not None, "the run compares no markets"
    section = beside.split.value.section
    folders = {market: panel / "cells" / market / f"split-{split}" for market in section.markets}
    cells = {market: Results(folder) for market, folder in folders.items()}
    past = experiment.splits[split - 1].named["past"].rows(section.open_time)
    rows = []
    for number, label in enumerate(experiment.label_kinds()):
        if not isinstance(label, Relative):
            continue
        gain, wish = gains(section, label.horizon), wishes(section, cells, number)
        takes = section.member & section.traded & np.isfinite(wish) & np.isfinite(gain)
        rho = np.array(
            [
                spearmanr(wish[t, takes[t]], gain[t, takes[t]]).statistic
                for t in range(past.start, past.stop - label.horizon)
                if takes[t].sum() >= 3
            ]
        )
        blocks = rho[: len(rho) // label.horizon * label.horizon].reshape(-1, label.horizon).mean(axis=1)
        figures = next(its for its in next(iter(cells.values())).classifiers.figures if its.label == label.name)
        rows.append(
            {
                "split": split,
                "label": label.name,
                "markets": len(cells),
                "auc_buy": figures.past.buy.auc,
                "auc_sell": figures.past.sell.auc,
                "rank_correlation": float(rho.mean()),
                "standard_error": float(blocks.std(ddof=1) / np.sqrt(len(blocks))),
                "bars": len(rho),
            }
        )
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    args = parser.parse_args()
    experiment = Experiment.load(args.run / "experiment.toml")
    found = [row for split in range(1, len(experiment.splits) + 1) for row in judge(args.run, experiment, split)]
    for row in found:
        print(
            ", ".join(f"{name} {value:.4f}" if isinstance(value, float) else f"{value}" for name, value in row.items())
        )
    print(json.dumps(found))
