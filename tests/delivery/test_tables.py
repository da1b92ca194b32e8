"""Tables of a run, held against its files."""

import numpy as np

from labelsearch.delivery import tables
from labelsearch.pipeline.stages import ensembles, search


def test_deciles_cover_every_strategy_in_order_of_score(tiny_run):
    table = tables.decile_table(tiny_run)
    score = search.load(tiny_run)["score"].to_numpy()
    future = ensembles.load_future(tiny_run)["monthly_return"].to_numpy()
    order = np.argsort(-score, kind="stable")
    assert len(table.rows) == 10
    for row, members in zip(table.rows, np.split(order, 10), strict=True):
        expected = (score[members].min(), score[members].max(), future[members].mean())
        assert row[1:4] == tuple(f"{x:+.2f}" for x in expected)


def test_markdown_has_a_row_per_row_and_aligns_numbers(tiny_run):
    table = tables.tier_table(tiny_run)
    lines = table.to_markdown().splitlines()
    assert lines[1] == "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    assert sum(line.startswith("| Top-") for line in lines) == 4
    assert lines[-1].startswith("Past score against future return")


def test_parameters_are_those_of_the_feature_sets(tiny_run):
    table = tables.parameter_table(tiny_run)
    assert len(table.rows) == 28
    assert table.columns[1:] == tuple(label.name for label in tiny_run.experiment.label_kinds())
