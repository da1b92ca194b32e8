"""The experiment file: what is refused, and what comes back."""

import contextlib
import dataclasses
import math
import re
import tomllib
import typing
from dataclasses import fields

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labelsearch.settings.cost import check_memory, memory_needed
from labelsearch.settings.experiment import SCORE_COMMON, SECTIONS, Experiment
from labelsearch.settings.presets import PRESETS, preset
from labelsearch.settings.schema import ExperimentError
from labelsearch.settings.sections import Data
from strategies.search.score import PaperScore


def refused(text: str) -> str:
    with pytest.raises(ExperimentError) as caught:
        Experiment.from_dict(tomllib.loads(text), "x.toml")
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("x.toml")
    return message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[serch]\n", ["'serch'", "'search'"]),
        ("[search]\nn_strategys = 3\n", ["[search]", "'n_strategys'", "'n_strategies'"]),
        ("[search]\nn_strategies = 'many'\n", ["[search]", "n_strategies", "whole number"]),
        ("[search]\nn_strategies = 1.5\n", ["whole number"]),
        ("[search]\nn_strategies = true\n", ["whole number"]),
        ("[costs]\ntaker = 'free'\n", ["taker", "a number"]),
        ("[costs]\ntaker = -0.001\n", ["taker", "0 to 0.1", "-0.001"]),
        ("[costs]\ntakers = 0.001\n", ["'takers'", "'taker'"]),
        ("[costs]\nhalf_spread = 0.5\n", ["half_spread", "0.1"]),
        ("[costs]\nvenue = 'binance'\n", ["[costs]", "'binance'", "binance-spot"]),
        ("[costs]\nimpact = 1.0\n", ["[costs]", "impact and capital need each other"]),
        ("[costs]\nspread = 'quotes'\nhalf_spread = 0.01\n", ["[costs]", "half_spread", "'quotes'"]),
        ("[costs]\nfunding = 'base'\n", ["[costs]", "paper has no funding"]),
        (
            "[costs]\nvenue = 'kraken-spot'\n[search]\nside = 'both'\n",
            ["[costs]", "kraken-spot lends nothing", "borrow"],
        ),
        ("[score]\nkind = 'sharp'\n", ["[score]", "'sharp'", "paper"]),
        ("[score]\ntarget_position = 20.0\n", ["[score]", "'target_position'", "target_position_pct"]),
        ("[score]\ntarget_trades = 'many'\n", ["[score]", "target_trades", "number"]),
        ("[score]\nrate = 'fast'\n", ["[score]", "rate", "volatility"]),
        ("own = 'mine.py'\n", ["own", "list"]),
        ("[network]\nkind = 'cnn'\n", ["[network]", "cnn", "mlp"]),
        ("[tiers]\nsizes = [5]\nranking = 'luck'\n", ["[tiers]", "luck", "score"]),
        ("[tiers]\nsizes = [5]\ncapital = 'all'\n", ["[tiers]", "capital", "equal"]),
        ("[search]\nsampler = 'magic'\n", ["sampler", "magic", "tpe"]),
        ("[search]\nweight = [1.0]\n", ["weight", "list"]),
        ("[search]\nweight = [1.0, -1.0]\n", ["weight"]),
        ("search = 3\n", ["[search]", "table"]),
        ("[data]\nsource = 'synthetic'\ninterval = '7m'\n", ["[data]", "interval"]),
        ("seed = 'x'\n", ["seed", "whole number"]),
        ("name = '../etc'\n", ["name"]),
        ("[tiers]\nsizes = [30000]\n", ["[tiers]"]),
        ("[feature_space]\nindicators = ['macdd']\n", ["'macdd'", "'macd'"]),
        ("[feature_space]\nnormalisation = 'global'\n", ["normalisation", "global"]),
        ("[[label]]\nkind = 'treshold'\n", ["[[label]] 1", "treshold", "threshold"]),
        ("[[label]]\nkind = 'extrema'\nup = 1.0\ndown = 0.1\nx = 1\n", ["[[label]] 1", "'x'"]),
        ("[[label]]\nkind = 'extrema'\nup = 1.0\n", ["[[label]] 1"]),
        ("[[label]]\nkind = 'threshold'\ntheta = -1.0\nhorizon = 5\n", ["theta"]),
        ("label = []\n", ["label"]),
        ("[windows]\npast = ['2020-05-05', '2020-01-04']\n", ["[windows]", "before its start"]),
        ("[windows]\npast = ['2019-12-30', '2020-05-05']\n", ["'past'", "'train'"]),
        ("[windows]\npast = ['2020-01-01', '2020-05-05']\n", ["0 minutes apart", "60 minutes ahead"]),
        ("[windows]\nfuture = ['2020-05-06', '2020-09-19']\n", ["'past' and 'future'", "60 minutes ahead"]),
        ("[windows]\ntrain = ['2018-13-01', '2019-12-31']\n", ["[windows]"]),
    ],
)
def test_refused_in_one_line(text, words):
    message = refused(text)
    for word in words:
        assert word in message


def test_a_label_that_sees_further_needs_a_wider_gap():
    text = "[[label]]\nkind = 'threshold'\ntheta = 0.01\nhorizon = {}\n"
    days = 3  # 2020-01-01 to 2020-01-03 lie between train and past, and between past and future as many
    Experiment.from_dict(tomllib.loads(text.format(days * 1440)))
    assert "minutes apart" in refused(text.format(days * 1440 + 1))


@pytest.mark.parametrize("name", PRESETS)
def test_toml_round_trip(name):
    experiment = preset(name)
    again = Experiment.from_dict(tomllib.loads(experiment.to_toml()))
    assert again == experiment
    assert again.digest == experiment.digest


def test_every_key_of_the_written_file_is_explained():
    text = preset("paper").to_toml()
    lines = text.split("[[label]]")[0].splitlines()
    keys = [line for line in lines if re.match(r"(# )?\w+ =", line)][2:]
    options = len(SCORE_COMMON) + len(fields(PaperScore))
    assert len(keys) == 1 + sum(len(kind.__dataclass_fields__) for kind in SECTIONS.values()) + options
    assert all("  # " in line for line in keys)


def test_paper_preset_is_the_published_method():
    paper = preset("paper")
    assert paper.feature_space.normalisation == "local"
    assert paper.feature_space.window == 1440
    assert len(paper.feature_space.chosen()) == 28
    assert paper.search.n_strategies == 20_000
    assert 2 * len(paper.label_kinds()) + 3 == 19
    assert paper.costs.fee_share == paper.rules().fee_share == 0.0005
    assert paper.tiers.sizes == (100, 20, 10, 5)
    assert (paper.windows.train, paper.windows.past, paper.windows.future) == (
        ("2018-01-01", "2019-12-31"), ("2020-01-04", "2020-05-05"), ("2020-05-09", "2020-09-19")
    )  # fmt: skip


def test_hash_moves_with_every_setting():
    base = Experiment()
    other = [
        Experiment(seed=2),
        Experiment.from_dict({"costs": {"taker": 0.001}}),
        Experiment.from_dict({"label": [{"kind": "extrema", "up": 1.0, "down": 0.1}]}),
    ]
    assert len({e.digest for e in (base, *other)}) == 4
    assert Experiment().digest == base.digest
    # writing a default down changes nothing
    assert Experiment.from_dict({"score": {"target_trades": 30.0}}).digest == base.digest


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(ExperimentError, match="no such file"):
        Experiment.load(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("name = \n")
    with pytest.raises(ExperimentError, match=r"bad\.toml: not TOML"):
        Experiment.load(tmp_path / "bad.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ExperimentError, match="not TOML"):
        Experiment.load(tmp_path / "bytes.toml")


def test_a_mark_of_the_byte_order_is_no_part_of_the_text(tmp_path):
    path = tmp_path / "marked.toml"
    path.write_text(preset("quick").to_toml(), encoding="utf-8-sig")
    assert Experiment.load(path) == preset("quick")


def numeric_fields():
    for name, section in SECTIONS.items():
        hints = typing.get_type_hints(section)
        for field in dataclasses.fields(section):
            kind = hints[field.name]
            kind = (typing.get_args(kind) or (kind,))[0]
            if kind in (int, float):
                yield pytest.param(name, field, kind, typing.get_origin(hints[field.name]), id=f"{name}.{field.name}")


@pytest.mark.parametrize(("section", "field", "kind", "origin"), numeric_fields())
def test_every_number_has_a_finite_range_and_says_it(section, field, kind, origin):
    low, high = field.metadata["range"]
    assert math.isfinite(low)
    assert math.isfinite(high)
    assert field.metadata["help"].endswith("]")
    outside = [low - 1, high + 1] if kind is int else [math.nan, -math.inf, math.inf, low - 0.001, high * 1.001, 1e300]
    for value in outside:
        given = [value, value] if origin is tuple else value
        with pytest.raises(ExperimentError, match=rf"\[{section}\]: {field.name} must be in .* to ") as caught:
            Experiment.from_dict({section: {field.name: given}})
        assert str(caught.value).endswith(f"not {float(value) if kind is float else value}")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"score": {"target_trades": math.nan}}, "target_trades must be a number in 0 to 1e"),
        ({"score": {"target_position_pct": 101.0}}, "target_position_pct must be a number in 0 to 100"),
        ({"seed": 2**63}, "seed must be in 0 to"),
        ({"seed": -1}, "seed must be in 0 to"),
        ({"name": "a" * 101}, "at most 100 letters"),
        ({"data": {"symbol": "../x"}}, "is not one that a store may hold"),
        ({"windows": {"future": ["2020-05-09", "9999-12-31"]}}, "future must be in 1900-01-01 to 2099-12-31"),
        ({"windows": {"train": ["0001-01-01", "2019-12-31"]}}, "train must be in 1900-01-01 to 2099-12-31"),
        ({"windows": {"train": ["x", "2019-12-31"]}}, "x"),
        ({"label": [{"kind": []}]}, "expected a table with a kind"),
        ({"label": [{"kind": "threshold", "theta": 1e300, "horizon": 5}]}, "must be at most 10,000,000"),
        ({"label": [{"kind": "threshold", "theta": 0.01, "horizon": 10**12}]}, "must be at most 10,000,000"),
        ({"label": [{"kind": "x" * 100_000}]}, "unknown label kind"),
        ({"x" * 100_000: 1}, "unknown key"),
        ({"network": {"kind": "y" * 100_000}}, "is unknown"),
        ({"network": {"kind": list(range(100_000))}}, "must be text"),
    ],
)
def test_hostile_values_are_refused_in_one_short_line(data, message):
    with pytest.raises(ExperimentError, match=re.escape(message)) as caught:
        Experiment.from_dict(data)
    assert len(str(caught.value)) <= 1100
    assert "\n" not in str(caught.value)


def test_memory_is_estimated_before_it_is_spent(tiny_experiment):
    needed = memory_needed(tiny_experiment)
    assert max(needed.values()) < 100e6
    check_memory(tiny_experiment, max(needed.values()))
    with pytest.raises(ExperimentError, match=r"would need 0\.0 GB of memory or more; this machine has 0\.0 GB"):
        check_memory(tiny_experiment, 1000)
    for section, name in (("separation", "n_pairs"), ("search", "n_strategies")):
        old = getattr(tiny_experiment, section)
        grown = dataclasses.replace(tiny_experiment, **{section: dataclasses.replace(old, **{name: 100_000_000})})
        assert max(memory_needed(grown).values()) > 30e9
        with pytest.raises(ExperimentError, match=name):
            check_memory(grown, 30_000_000_000)


keys = st.text(max_size=8) | st.sampled_from(
    sorted(
        {"name", "seed", "own", "score", "label", *SECTIONS, *(f.name for s in SECTIONS.values() for f in fields(s))}
    )
)
scalars = (
    st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["paper", "mlp", "2020-01-04", "9999-12-31", "threshold", "x" * 5000])
)
values = st.recursive(scalars, lambda v: st.lists(v, max_size=3) | st.dictionaries(keys, v, max_size=3), max_leaves=6)
sections = st.one_of(
    *(
        st.fixed_dictionaries(
            {name: st.dictionaries(st.sampled_from([f.name for f in fields(kind)]), values, max_size=2)}
        )
        for name, kind in SECTIONS.items()
    )
)
quick = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@quick
@given(st.dictionaries(keys, values, max_size=3) | sections)
def test_any_data_is_an_experiment_or_refused_in_one_line(data):
    try:
        experiment = Experiment.from_dict(data)
    except ExperimentError as error:
        message = str(error)
    else:
        assert Experiment.from_dict(tomllib.loads(experiment.to_toml())).to_toml() == experiment.to_toml()
        message = ""
    assert len(message) <= 1000
    assert len(message.splitlines()) <= 1


@quick
@given(st.binary(max_size=100) | st.text(max_size=100).map(str.encode), st.integers(0, 3000), st.integers(1, 255))
def test_any_file_is_an_experiment_or_refused(tmp_path, content, at, change):
    mutated = bytearray(preset("quick").to_toml().encode())
    mutated[at % len(mutated)] ^= change
    for text in (content, bytes(mutated)):
        (tmp_path / "x.toml").write_bytes(text)
        with contextlib.suppress(ExperimentError):
            Experiment.load(tmp_path / "x.toml").activate()


def test_numbers_of_bars_may_be_lengths_of_time():
    label = {"kind": "threshold", "theta": 0.012, "horizon": "60m"}
    for interval, bars in (("1m", 60), ("5m", 12), ("1h", 1)):
        (made,) = Experiment.from_dict({"data": {"interval": interval}, "label": [label]}).label_kinds()
        assert made.horizon == bars
    for interval, text, message in (
        ("1h", "90m", "horizon 90m is not a whole number of bars of 1h"),
        ("1m", "soon", "'soon' is not a length of time: use 2h, 90m or 30s"),
    ):
        with pytest.raises(ExperimentError, match=re.escape(message)):
            Experiment.from_dict({"data": {"interval": interval}, "label": [{**label, "horizon": text}]})


def test_any_interval_that_divides_a_day():
    for interval in ("1m", "30m", "90m", "2h", "4h", "1d"):
        assert Data(interval=interval).interval == interval
    for interval in ("7m", "30s", "2d", "x"):
        with pytest.raises(ExperimentError, match="interval"):
            Data(interval=interval)
