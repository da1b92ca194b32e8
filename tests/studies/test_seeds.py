"""Other seeds: only what they touch is done again, and every look at the future is counted."""

import shutil

import pytest

from labelsearch.delivery import belief_table, seeds_table, tables
from labelsearch.pipeline import belief, seeds
from labelsearch.pipeline.context import Context, Reseed
from labelsearch.pipeline.ledger import Ledger, look_number
from labelsearch.pipeline.run import done_events, looks_ledger
from labelsearch.pipeline.stages import ensembles, search


@pytest.fixture(scope="module")
def repeated(tiny_run, tmp_path_factory):
    """The tiny run, twice with other search seeds and once with another classifier seed."""
    runs = tmp_path_factory.mktemp("seeds")
    shutil.copytree(tiny_run.folder, runs / tiny_run.folder.name)
    shutil.copy(tiny_run.folder.parent / "looks.jsonl", runs)
    context = Context(tiny_run.experiment, runs / tiny_run.folder.name, tiny_run.store)
    seeds.run_seeds(context, search=2, classifier=1)
    return context


def event(context, name, stage):
    return done_events(Ledger(context.folder / "seeds" / name / "ledger.jsonl"))[stage]


def test_only_what_a_seed_touches_is_done_again(repeated, tiny_run):
    folders = {p.name: p for p in (repeated.folder / "seeds").iterdir()}
    assert set(folders) == {"search-1", "search-2", "classifier-1"}
    assert {p.name for p in folders["search-1"].iterdir() if p.is_dir() and p.name[0] != "."} == {"search", "tiers"}
    done = done_events(Ledger(repeated.folder / "ledger.jsonl"))
    contents = [event(repeated, name, "search")["content"] for name in folders] + [done["search"]["content"]]
    assert len(set(contents)) == 4
    assert event(repeated, "classifier-1", "classifiers")["content"] != done["classifiers"]["content"]
    assert event(repeated, "classifier-1", "outputs")["content"] != done["outputs"]["content"]
    assert done == done_events(Ledger(tiny_run.folder / "ledger.jsonl"))  # the run itself is as it was


def test_other_seeds_are_of_one_kind_only(tiny_run):
    def seed(kind, *names):
        reseed = Reseed(kind, 1, tiny_run.folder) if kind else None
        context = Context(tiny_run.experiment, tiny_run.folder / "x", tiny_run.store, reseed=reseed)
        assert context.bare().seed(*names) == context.seed(*names)
        return context.seed(*names)

    for names in (("network", "a"), ("samples", "a"), ("calibration", "a")):
        assert seed("search", *names) == seed(None, *names) != seed("classifier", *names)
    assert seed("classifier", "search") == seed(None, "search") != seed("search", "search")
    for names in (("pairs", "a"), ("selection", "a"), ("placebo",), ("belief", "rank")):
        assert seed("classifier", *names) == seed("search", *names) == seed(None, *names)


def test_every_repetition_is_a_counted_look_and_counted_tries(repeated):
    ledger = looks_ledger(repeated.folder)
    key = done_events(Ledger(repeated.folder / "ledger.jsonl"))["ensembles"]["key"]
    assert look_number(ledger, key) == (1, 4)
    runs = [look["run"] for look in ledger.events("look")]
    assert runs[1:] == [f"{repeated.folder.name}/seeds/{name}" for name in ("search-1", "search-2", "classifier-1")]
    assert belief.counted_trials(repeated) == 4 * 300


def test_a_second_time_nothing_is_done(repeated):
    seen = []
    context = Context(repeated.experiment, repeated.folder, repeated.store, progress=lambda *told: seen.append(told))
    before = looks_ledger(repeated.folder).path.read_bytes()
    found = seeds.run_seeds(context, search=2, classifier=0)
    assert seen == [(f"search-{i} {stage}", 0, 0) for i in (1, 2) for stage in ("search", "tiers")]
    assert looks_ledger(repeated.folder).path.read_bytes() == before
    assert [len(found[kind]) for kind in seeds.KINDS] == [2, 1]


def test_the_same_seed_gives_the_tiers_of_the_run(repeated):
    """What a repetition writes is what the run itself wrote, for the run's own strategies."""
    own = ensembles.load(repeated)["table"]
    found = seeds.load(repeated)
    for table in (*found["search"], *found["classifier"]):
        assert [(row["tier"], row["window"]) for row in table] == [(row["tier"], row["window"]) for row in own]
        for row, other in zip(own, table, strict=True):
            assert (row == other) == (row["tier"] in ensembles.BASELINES)
    again = Context(
        repeated.experiment,
        repeated.folder / "seeds" / "search-1",
        repeated.store,
        reseed=Reseed("search", 1, repeated.folder),
    )
    score = search.load(again)["score"]
    assert not score.equals(search.load(repeated)["score"])


def test_tables_show_the_spread(repeated, tiny_run):
    own, found = ensembles.load(repeated)["table"], seeds.load(repeated)
    returns = [t[5]["total_return"] for t in (own, *found["search"], *found["classifier"])]
    table = tables.tier_table(repeated)
    assert table.columns[-2:] == ("return %, 4 seeds", "Sharpe, 4 seeds")
    assert table.rows[5][-2].endswith(f"[{min(returns):+.1f} {max(returns):+.1f}]")
    assert "3 search seeds and 2 classifier seeds" in table.note
    rows = seeds_table.seeds_table(repeated).rows
    assert [row[:4] for row in rows[:2]] == [("Top-20", "past", "search", "3"), ("Top-20", "past", "classifier", "2")]
    assert len(rows) == 8
    assert any("4 seeds" in c for c in table.columns)
    shown = {row[0]: row[1] for row in belief_table.belief_table(repeated).rows}
    assert shown["Future return over seeds, %"] == table.rows[5][-2]
    assert "One search seed" in tables.tier_table(tiny_run).note
    assert tables.tier_table(tiny_run).columns == tables.TIER_COLUMNS
    assert seeds_table.seeds_table(tiny_run).rows == ()


def test_repetitions_of_an_older_run_are_not_shown(repeated, tmp_path):
    shutil.copytree(repeated.folder, tmp_path / "runs" / "changed")
    context = Context(repeated.experiment, tmp_path / "runs" / "changed", repeated.store)
    done = done_events(Ledger(context.folder / "ledger.jsonl"))["ensembles"]
    details = {k: v for k, v in done.items() if k not in ("event", "key")}
    Ledger(context.folder / "ledger.jsonl").append("stage", key="another", **details)
    assert seeds.load(context) == {"search": [], "classifier": []}


def test_spread():
    tables_ = [[{"tier": "a", "window": "past", "x": value}] for value in (1.0, 2.0, 6.0)]
    assert seeds.spread(tables_, "a", "past", "x") == seeds.Spread(3, 3.0, 7.0**0.5, 1.0, 6.0)
    with pytest.raises(ValueError, match="two seeds"):
        seeds.spread(tables_[:1], "a", "past", "x")
