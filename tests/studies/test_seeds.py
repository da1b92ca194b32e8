"""Other seeds: only what they touch is done again, and every look at the future is counted."""

import shutil

import pytest

from labelsearch.delivery.tables import belief, stages
from labelsearch.delivery.tables.seeds import seeds_table
from labelsearch.engine.ledger import Ledger
from labelsearch.engine.run import done_events
from labelsearch.results.ensembles import AccountRow
from labelsearch.results.run import Results
from labelsearch.results.search import Strategies
from labelsearch.results.studies import SEED_KINDS, SeedsResult, Spread, spread
from labelsearch.stages.seeds import Seeds
from labelsearch.studies.seeds import repeat_with_other_seeds
from tests.studies.opened import fresh, opened


def repeat(results, search, classifier, progress=lambda *event: None):
    experiment = results.experiment
    with opened(results, progress=progress) as run:
        return repeat_with_other_seeds(run, experiment.seed, experiment.search, search=search, classifier=classifier)


@pytest.fixture(scope="module")
def repeated(run):
    """The tiny run, twice with other search seeds and once with another classifier seed."""
    repeat(run, 2, 1)
    return fresh(run)


def event(results, name, stage):
    return done_events(Ledger(results.folder / "seeds" / name / "ledger.jsonl"))[stage]


def test_only_what_a_seed_touches_is_done_again(repeated, tiny_run):
    folders = {p.name: p for p in (repeated.folder / "seeds").iterdir()}
    assert set(folders) == {"search-1", "search-2", "classifier-1"}
    assert {p.name for p in folders["search-1"].iterdir() if p.is_dir() and p.name[0] != "."} == {
        "search",
        "controls",
        "tiers",
    }
    contents = [event(repeated, name, "search")["content"] for name in folders] + [repeated.done["search"]["content"]]
    assert len(set(contents)) == 4
    for stage in ("classifiers", "outputs"):
        assert event(repeated, "classifier-1", stage)["content"] != repeated.done[stage]["content"]
    assert repeated.done == tiny_run.done  # the run itself is as it was


def test_seeds_of_units_depend_on_names_and_numbers():
    own, other = Seeds(3), Seeds(3, (("search", 1),))
    seeds = [own("search"), own("pairs", "a"), own("pairs", "b"), other("search"), Seeds(4)("search")]
    assert len(set(seeds)) == 5
    assert own("search") == Seeds(3)("search")


def test_every_repetition_is_a_counted_look_and_counted_tries(repeated):
    assert repeated.look == (1, 4)
    runs = [look["run"] for look in Ledger(repeated.folder.parent / "looks.jsonl").events("look")]
    assert runs[1:] == [f"{repeated.name}/seeds/{name}" for name in ("search-1", "search-2", "classifier-1")]
    assert repeated.counted_strategies == 4 * 300


def test_a_second_time_nothing_is_done_and_nothing_is_lost(repeated):
    seen = []
    looks = (repeated.folder.parent / "looks.jsonl").read_bytes()
    found = repeat(repeated, 2, 0, progress=lambda *event: seen.append(event))
    assert all(total == 0 for _, _, total in seen)
    assert (repeated.folder.parent / "looks.jsonl").read_bytes() == looks
    assert [len(found.of(kind)) for kind in SEED_KINDS] == [2, 1]


def test_a_repetition_has_the_tiers_of_the_run_with_other_strategies(repeated):
    own = repeated.ensembles.rows
    baselines, stacked = repeated.ensembles.baselines, set(repeated.ensembles.controls) - {"greedy"}
    for number, table in enumerate(repeated.seeds.tables):
        same = {*baselines, *(stacked if number < 2 else ())}  # other strategies change no stacking of the outputs
        assert [(row.name, row.window) for row in table] == [(row.name, row.window) for row in own]
        for row, other in zip(own, table, strict=True):
            assert (row == other) == (row.name in same)
    again = Strategies.load(repeated.folder / "seeds" / "search-1" / "search")
    assert again.score.tolist() != repeated.strategies.score.tolist()


def test_tables_show_the_spread(repeated, tiny_run):
    own, found = repeated.ensembles.rows, repeated.seeds
    returns = [table[12].figures.total_return_pct for table in (own, *found.tables)]
    table = stages.tier_table(repeated)
    assert table.columns[-2:] == ("return %, 4 seeds", "Sharpe, 4 seeds")
    assert table.rows[12][-2].endswith(f"[{min(returns):+.1f} {max(returns):+.1f}]")
    assert "3 search seeds and 2 classifier seeds" in table.note
    rows = seeds_table(repeated).rows
    assert [row[:4] for row in rows[:2]] == [("Top-20", "past", "search", "3"), ("Top-20", "past", "classifier", "2")]
    assert len(rows) == 8
    shown = {row[0]: row[1] for row in belief.belief_table(repeated).rows}
    assert shown["Future return over seeds, %"] == table.rows[12][-2]
    assert "One search seed" in stages.tier_table(tiny_run).note
    assert stages.tier_table(tiny_run).columns == stages.TIER_COLUMNS
    assert seeds_table(tiny_run).rows == ()


def test_repetitions_of_an_older_result_are_not_shown(repeated, tmp_path):
    shutil.copytree(repeated.folder, tmp_path / "runs" / "changed")
    changed = Results(tmp_path / "runs" / "changed", repeated.store)
    assert changed.seeds.tables
    details = {k: v for k, v in changed.done["ensembles"].items() if k not in ("event", "content")}
    changed.ledger.append("stage", content="another", **details)
    assert fresh(changed).seeds == SeedsResult()


def test_spread(tiny_run):
    row = tiny_run.ensembles.rows[0]

    def with_return(value: float) -> tuple[AccountRow, ...]:
        return (AccountRow(row.name, row.size, row.window, row.figures._replace(total_return_pct=value)),)

    tables = tuple(map(with_return, (1.0, 2.0, 6.0)))
    assert spread(tables, row, "total_return_pct") == Spread(3, 3.0, 7.0**0.5, 1.0, 6.0)
    with pytest.raises(ValueError, match="two seeds"):
        spread(tables[:1], row, "total_return_pct")
