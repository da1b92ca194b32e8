"""Tables of a run, held against its files."""

from labelsearch.delivery import tables


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
