"""Results of a run: every stage and what it says of itself, read back from its folder."""

import json
import re
from dataclasses import fields, is_dataclass

import pytest

from labelsearch.engine.run import RunError
from labelsearch.results.codec import to_plain
from labelsearch.results.run import STAGE_NAMES, Results
from labelsearch.stages.plan import STAGES

# endings that name a unit, and words whose figures have none
UNITS = re.compile(
    r"_(pct|share|ms|bars|days|per_month|a_year|us|seconds|mb|t|mass|loss|power|losses|correlation|error)$|^(n|w\d\d)$|^n_"
)


def test_every_stage_reads_what_it_wrote(tiny_run, tmp_path):
    for name, stage in STAGES.items():
        first = stage.result.load(tiny_run.folder / name)
        (tmp_path / name).mkdir()
        first.save(tmp_path / name)
        for path in sorted((tiny_run.folder / name).rglob("*")):
            if path.suffix == ".json":
                assert (tmp_path / path.relative_to(tiny_run.folder)).read_bytes() == path.read_bytes()
        again = stage.result.load(tmp_path / name)
        assert to_plain(getattr(again, "counts", None)) == to_plain(getattr(first, "counts", None))


def test_all_json_is_strict(tiny_run):
    def refuse(word):
        raise AssertionError(word)

    paths = [path for name in STAGE_NAMES for path in (tiny_run.folder / name).rglob("*.json")]
    assert len(paths) > 6
    for path in paths:
        json.loads(path.read_text(), parse_constant=refuse)


def test_percentages_and_shares_say_so(tiny_run):
    """The words that were ambiguous before: a drawdown, a return, a position or a fee never stands without its unit."""
    figures = tiny_run.ensembles.rows[0].figures._fields
    columns = (*tiny_run.strategies.frame, *tiny_run.ensembles.future)
    sources = [f.name for f in fields(type(tiny_run.belief.tiers[0]))]
    for name in (*figures, *columns, *sources):
        ambiguous = re.search(
            r"drawdown|return(?!_correlation)|position|volatility|invested|alpha_(?!t$|p_value$)|penalty|without", name
        )
        assert not ambiguous or UNITS.search(name), name


def test_results_are_frozen_dataclasses():
    for stage in STAGES.values():
        for kind in (stage.inputs, stage.result):
            assert is_dataclass(kind)
            assert kind.__dataclass_params__.frozen


def test_what_is_not_done_is_refused_with_the_command(tiny_run, tmp_path):
    (tmp_path / "experiment.toml").write_text((tiny_run.folder / "experiment.toml").read_text())
    empty = Results(tmp_path)
    assert empty.done == {}
    with pytest.raises(RunError, match="has no classifiers yet; to compute them: labelsearch classifiers"):
        _ = empty.classifiers
    with pytest.raises(RunError, match="holds no run"):
        Results(tmp_path / "none")


def test_a_run_of_another_version_is_refused_in_one_line(tiny_run, tmp_path):
    (tmp_path / "experiment.toml").write_text((tiny_run.folder / "experiment.toml").read_text())
    old = Results(tmp_path)
    old.ledger.append("stage", stage="labels", key="k", content="c", counts={}, seconds=1.0, peak_mb=1.0)
    with pytest.raises(RunError, match="has no labels yet; to compute them: labelsearch labels"):
        _ = old.labels
