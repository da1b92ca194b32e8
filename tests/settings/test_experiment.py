"""The experiment file: what is refused, and what comes back."""

import tomllib
from dataclasses import fields

import pytest

from labelsearch.settings.experiment import SCORE_COMMON, SECTIONS, Experiment
from labelsearch.settings.presets import PRESETS, preset
from labelsearch.settings.schema import ExperimentError
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
        ("[search]\nfee_share = 'free'\n", ["fee_share", "a number"]),
        ("[search]\nfee = 0.001\n", ["'fee'", "'fee_share'"]),
        ("[search]\nslippage_share = 0.5\n", ["slippage_share", "0.1"]),
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
        ("[data]\nsource = 'synthetic'\ninterval = '5m'\n", ["[data]", "1m"]),
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
    keys = [line for line in lines if " = " in line and not line.startswith("#")][2:]
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
    assert paper.search.fee_share == 0.0005
    assert paper.tiers.sizes == (100, 20, 10, 5)
    assert (paper.windows.train, paper.windows.past, paper.windows.future) == (
        ("2018-01-01", "2019-12-31"), ("2020-01-04", "2020-05-05"), ("2020-05-09", "2020-09-19")
    )  # fmt: skip


def test_hash_moves_with_every_setting():
    base = Experiment()
    other = [
        Experiment(seed=2),
        Experiment.from_dict({"search": {"fee_share": 0.001}}),
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
