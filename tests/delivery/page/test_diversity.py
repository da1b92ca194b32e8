"""The section on diversity: drawn from the files of a run, escaped, and in words where there is nothing to draw."""

import dataclasses
import json
import re

import numpy as np
import pandas as pd
import pytest

from labelsearch.delivery.page.blocks import Figure, Words, figures_of, section_html
from labelsearch.delivery.page.diversity_figures import (
    ambiguity_block,
    correlation_block,
    map_block,
    weights_figure,
)
from labelsearch.delivery.page.report_page import diversity_section
from labelsearch.delivery.report import _markdown
from labelsearch.delivery.tables.diversity import (
    ambiguity_sentence,
    ambiguity_table,
    diversity_table,
    lived_on_table,
    member_weights,
)
from labelsearch.delivery.tables.table import document
from labelsearch.results.diversity import AcrossLabels, LabelDiversity
from labelsearch.results.run import Results

NASTY = "<img src=x onerror='alert(2)'>|b"


def changed(tiny_run, **fields) -> Results:
    """The tiny run with other figures of diversity."""
    other = Results(tiny_run.folder, tiny_run.store)
    other.belief = dataclasses.replace(
        tiny_run.belief, diversity=dataclasses.replace(tiny_run.belief.diversity, **fields)
    )
    return other


def label_of(name: str, correlation: float | None = 0.5) -> LabelDiversity:
    return LabelDiversity(name, "cross entropy", 3, 100, 0.6, 0.5, 0.8, correlation)


def test_figures_are_those_of_the_run(tiny_run):
    found, section = tiny_run.belief.diversity, diversity_section(tiny_run)
    figures = {figure.name: figure for figure in figures_of(section.blocks)}
    assert list(figures) == ["effective-bets", "behaviours", "member-correlation", "member-weights"]
    json.dumps([[figure.data, figure.layout] for figure in figures.values()], allow_nan=False)
    past, future = figures["effective-bets"].data
    rows = [tiny_run.ensembles.row("future", size).effective_bets for size in (20, 5)]
    assert (past["name"], future["name"]) == ("past", "future")
    assert future["y"] == pytest.approx(rows, rel=1e-2)
    dots, largest, smallest = figures["behaviours"].data
    assert len(dots["x"]) == len(found.points)
    score = tiny_run.strategies.score[found.points["row"]]
    assert dots["marker"]["color"] == pytest.approx(score.tolist(), rel=1e-2)
    moved = set(found.points["row"])
    assert len(largest["x"]) == len(moved & set(tiny_run.ensembles.members[20]))
    assert len(smallest["x"]) == len(moved & set(tiny_run.ensembles.members[5]))
    assert largest["marker"]["symbol"] != smallest["marker"]["symbol"]
    heat = figures["member-correlation"].data[0]
    order = list(found.order)
    assert heat["z"] == pytest.approx(found.correlation.to_numpy()[np.ix_(order, order)], abs=1e-3)
    assert heat["x"][0] == f"no. {order[0] + 1}"
    weights = figures["member-weights"].data[0]
    assert weights["x"] == list(tiny_run.outputs.columns)
    frame = tiny_run.strategies.frame.iloc[list(tiny_run.ensembles.members[20])]
    first = frame[list(tiny_run.strategies.parameters[: len(weights["x"])])].to_numpy()[order[0]]
    assert weights["z"][0] == pytest.approx(first / np.abs(first).sum(), abs=1e-3)


def test_tables_and_their_data(tiny_run, mixed_run):
    table = diversity_table(mixed_run)
    assert [row[:2] for row in table.rows] == [
        ("Top-20", "past"), ("Top-5", "past"), ("Top-20", "future"), ("Top-5", "future")
    ]  # fmt: skip
    losses = ambiguity_table(mixed_run)
    data = document([table, losses])
    assert data["diversity"]["tiers"][0]["effective_bets"] == mixed_run.belief.diversity.tiers[0].effective_bets
    own = data["ambiguity"]["labels"][0]
    assert own["ambiguity"] == pytest.approx(own["single_loss"] - own["ensemble_loss"])
    assert "cannot be told" in losses.note
    assert ambiguity_table(tiny_run) is None
    text = _markdown(mixed_run)
    for title in ("Diversity of tiers", "What members live on", "Diversity against loss of networks"):
        assert f"## {title}\n" in text


def test_labels_are_listed_by_what_members_weigh(tiny_run):
    table, shares = lived_on_table(tiny_run), np.abs(member_weights(tiny_run))
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    assert sum(float(row[1]) for row in table.rows) == pytest.approx(100.0, abs=0.2)
    assert sum(int(row[2]) for row in table.rows) == 20
    assert sorted(row[0] for row in table.rows) == sorted(tiny_run.outputs.labels)
    label, weight, _, features = table.rows[0]
    k = tiny_run.outputs.labels.index(label)
    assert float(weight) == pytest.approx(100 * shares[:, 2 * k : 2 * k + 2].sum(axis=1).mean(), abs=0.051)
    shap = tiny_run.classifiers.of(label).shap
    size = dict(zip(shap.features, np.add(np.add(shap.buy, shap.neutral), shap.sell), strict=True))
    assert features.split(", ")[0] == max(size, key=size.__getitem__)


def test_what_cannot_be_drawn_is_said(tiny_run):
    still = changed(tiny_run, points=tiny_run.belief.diversity.points.iloc[:0], n_still=300)
    alike = changed(tiny_run, points=pd.DataFrame({"row": [0, 1, 2, 3], "x": [0.0] * 4, "y": [0.0] * 4}))
    one = changed(tiny_run, order=(0,), correlation=pd.DataFrame([[1.0]], columns=["7"]))
    for block in (map_block(still), map_block(alike), correlation_block(one), ambiguity_block(tiny_run)):
        assert isinstance(block, Words)
        assert block.text.endswith(".") or "n_seeds" in block.text
    assert len(weights_figure(one).data[0]["z"]) == 1
    few = changed(tiny_run, labels=(label_of("a"), label_of("b", None)))
    assert "too few" in ambiguity_block(few).text
    assert "<section" in section_html(diversity_section(few))


def test_names_of_users_make_no_element(tiny_run):
    nasty = changed(tiny_run, labels=tuple(label_of(NASTY, c) for c in (0.1, 0.2, 0.3)))
    nasty.outputs = dataclasses.replace(
        tiny_run.outputs, columns=tuple(f"{NASTY}:{column}" for column in tiny_run.outputs.columns)
    )
    section = diversity_section(nasty)
    assert isinstance(ambiguity_block(nasty), Figure)
    assert "<img" not in section_html(section)
    assert "<img" not in json.dumps([figure.data for figure in figures_of(section.blocks)])
    assert not re.search(r"<img|[^&]\|b", ambiguity_table(nasty).to_markdown())


def test_the_sentence_follows_the_verdict(tiny_run):
    for rho, p, words in ((-0.9, 0.01, "it helps here"), (0.9, 0.01, "it harms here"), (-0.9, 0.2, "cannot be told")):
        text = ambiguity_sentence(changed(tiny_run, across=AcrossLabels(8, rho, p)))
        assert words in text
        assert "over 8 labels" in text
    assert "three labels" in ambiguity_sentence(changed(tiny_run, across=AcrossLabels(2, None, None)))
