"""Tables of a run, held against its files."""

import html

from labelsearch.commands.common import show
from labelsearch.delivery.tables import features, stages
from labelsearch.delivery.tables.table import Table


def test_markdown_has_a_row_per_row_and_aligns_numbers(tiny_run):
    table = stages.tier_table(tiny_run)
    lines = table.to_markdown().splitlines()
    assert lines[1] == "| --- | --- |" + " ---: |" * (1 + len(stages.TIER_FIGURES))  # and bets
    assert sum(line.startswith("| Top-") for line in lines) == 4
    assert lines[-1].startswith("Past score against future return")


def test_every_figure_of_a_tier_is_shown_once(tiny_run):
    rows = [row.flat() for row in tiny_run.ensembles.rows]
    shown = [name for _, name, _ in (*stages.TIER_FIGURES, *stages.MORE_FIGURES)]
    assert sorted(shown) == sorted(set(rows[0]) - {"tier", "size", "window", "effective_bets"})
    assert [row[0] for row in stages.metrics_table(tiny_run).rows] == [row["tier"] for row in rows]
    figures = tiny_run.ensembles.rows[0].figures._replace(total_return_pct=1.26, break_even_bp=None)
    cells = stages.figure_cells(figures)
    assert (cells[0], cells[-1]) == ("+1.3", "-")


def test_tiers_fit_160_columns(tiny_run, capsys):
    show(stages.tier_table(tiny_run))
    top = capsys.readouterr().out.splitlines()[1]
    assert 90 < len(top) <= 130  # room for the spread over seeds


def test_parameters_are_those_of_the_feature_sets(tiny_run):
    table = features.parameter_table(tiny_run)
    assert len(table.rows) == 28
    assert table.columns[1:] == tuple(label.name for label in tiny_run.experiment.label_kinds())


def test_names_of_a_user_are_no_markup():
    name = "<img src=x onerror=alert(1)>|`*b*` [a](http://x)\n# title & more"
    table = Table(name, ("label", name), ((name, "1"),), note=name)
    text = table.to_markdown()
    assert len(text.splitlines()) == 5
    assert [line.count("|") for line in text.splitlines()] == [3, 3, 3, 0, 0]
    assert not set("<>`*[]") & set(text)
    assert html.unescape(text.splitlines()[-1]) == name.replace("\n", " ")
