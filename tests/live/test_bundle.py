"""A bundle that is not what was exported is refused, and the file is named."""

import hashlib
import json
import math
import shutil
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from feature_space.indicators import BY_NAME
from labelsearch.classifiers.classifier import load_predictor
from labelsearch.classifiers.files import save_network
from labelsearch.classifiers.networks import Ensemble, build_network
from labelsearch.commands import main
from labelsearch.live.bundle import load_bundle
from labelsearch.live.schema import check, reference
from labelsearch.live.verify import BundleError, verify_bundle
from labelsearch.settings.own import activate

ROOT = Path(__file__).parents[2]


@pytest.fixture
def bundle(bundle_folder, tmp_path):
    return shutil.copytree(bundle_folder, tmp_path / "winners")


def sign(folder):
    """Write the checksums anew, as someone with bad intent would."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    files = (p for p in folder.rglob("*") if p.is_file() and p != path)
    manifest["sha256"] = {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
    path.write_text(json.dumps(manifest))


def edit(folder, name, change):
    path = folder / name
    data = json.loads(path.read_text())
    found = change(data)
    path.write_text(json.dumps(data if found is None else found))
    sign(folder)


def test_a_whole_bundle_passes(bundle, tiny_run):
    manifest = verify_bundle(bundle)
    assert (manifest.tier, manifest.run) == (20, tiny_run.folder.name)
    result = CliRunner().invoke(main, ["bundle", "verify", str(bundle)])
    assert result.exit_code == 0
    assert "Top-20" in result.output


def test_every_changed_or_missing_file_is_named(bundle):
    for name in json.loads((bundle / "manifest.json").read_text())["sha256"]:
        path = bundle / name
        before = path.read_bytes()
        path.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
        with pytest.raises(BundleError, match=f"{name} has changed"):
            verify_bundle(bundle)
        path.unlink()
        with pytest.raises(BundleError, match=f"{name} is missing"):
            verify_bundle(bundle)
        path.write_bytes(before)
    verify_bundle(bundle)


def test_what_does_not_belong_is_refused(bundle, tmp_path):
    (bundle / "extra.py").write_text("")
    with pytest.raises(BundleError, match=r"'extra\.py' is not in the manifest"):
        verify_bundle(bundle)
    (bundle / "extra.py").unlink()
    labels = bundle / "labels.json"
    shutil.move(labels, tmp_path / "labels.json")
    labels.symlink_to(tmp_path / "labels.json")
    with pytest.raises(BundleError, match=r"'labels\.json' is a symbolic link"):
        verify_bundle(bundle)


def test_a_folder_that_is_a_link_is_refused(bundle, tmp_path):
    """Its files are those of the manifest, but lie outside."""
    shutil.move(bundle / "classifiers", tmp_path / "elsewhere")
    (bundle / "classifiers").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleError, match="'classifiers' is a symbolic link"):
        verify_bundle(bundle)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: {**m, "format": 99}, "unknown bundle format 99"),
        (lambda m: {k: v for k, v in m.items() if k != "format"}, "format None"),
        (lambda m: [], "format None"),
        (lambda m: {**m, "sha256": {"../escape.json": "0" * 64}}, "'../escape.json' does not match"),
        (lambda m: {**m, "sha256": {"/etc/passwd": "0" * 64}}, "'/etc/passwd' does not match"),
        (lambda m: {**m, "sha256": {"a\n": "0" * 64}}, r"'a\\n' does not match"),
        (lambda m: {**m, "sha256": {"labels.json": m["sha256"]["labels.json"]}}, "is not in the manifest"),
        (lambda m: {**m, "run": "\x1b[2J"}, r"run: '\\x1b\[2J' does not match"),
        (lambda m: {**m, "sha256": ["a"]}, r"sha256: \['a'\] is not of type 'object'"),
        (lambda m: {**m, "more": 1}, "'more' was unexpected"),
    ],
)
def test_a_bad_manifest_is_refused(bundle, change, message):
    path = bundle / "manifest.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(BundleError, match=message):
        verify_bundle(bundle)


def test_no_manifest_at_all(bundle, tmp_path):
    (bundle / "manifest.json").write_text("{")
    with pytest.raises(BundleError, match="not valid JSON"):
        verify_bundle(bundle)
    result = CliRunner().invoke(main, ["bundle", "verify", str(tmp_path)])
    assert result.exit_code == 2
    assert "is not a bundle" in result.stderr


def first_label(folder):
    return json.loads((folder / "labels.json").read_text())[0]["name"]


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("strategies.json", lambda d: d["strategies"][3]["weights"].clear(), r"strategies/3/weights"),
        ("strategies.json", lambda d: d.update(fee_share=-1), r"strategies\.json: fee_share: -1 is less than"),
        ("strategies.json", lambda d: d.update(fee_share="free"), r"fee_share: 'free' is not of type 'number'"),
        ("strategies.json", lambda d: d.update(signal_map="eval"), r"signal_map: 'eval' is not one of"),
        ("strategies.json", lambda d: d["strategies"].pop() and None, "tier 20 does not match the strategies"),
        ("strategies.json", lambda d: d["tiers"]["5"]["shares"].pop() and None, "tier 5 does not match the strategies"),
        ("strategies.json", lambda d: d["outputs"].reverse(), "do not match labels.json"),
        ("strategies.json", lambda d: d["strategies"][0]["thresholds"].pop("delta") and None, "'delta' is a required"),
        ("market.json", lambda d: d.update(warm_up=-3), r"market\.json: warm_up: -3"),
        ("market.json", lambda d: d.pop("interval_ms") and None, "'interval_ms' is a required property"),
        ("labels.json", lambda d: d[0].update(name="../../x"), r"labels\.json: 0/name"),
        ("labels.json", lambda d: d[0].update(name="other"), r"feature_sets/other\.json is missing"),
        ("labels.json", lambda d: [], r"labels\.json: \[\] should be non-empty"),
        ("past.json", lambda d: d["tiers"].update(x=[1]), r"past\.json: tiers/x"),
        ("feature_sets/{}.json", lambda d: d["features"][0].update(name="no_such"), "unknown indicator 'no_such'"),
        ("feature_sets/{}.json", lambda d: d["features"][0].update(parameters=[10**6]), "is not an integer in"),
        ("feature_sets/{}.json", lambda d: d["normalisation"].update(kind="exec"), "kind: 'exec' is not one of"),
        ("classifiers/{}/network.json", lambda d: d.update(kind=3), "kind: 3 is not of type 'string'"),
        ("classifiers/{}/network.json", lambda d: d.update(kind="no_such"), "unknown network"),
        ("strategies.json", lambda d: d["tiers"].update({"005": d["tiers"]["5"]}), "'005' does not match"),
        ("strategies.json", lambda d: d["tiers"]["5"].update(shares=[0.4] * 5), "shares do not sum to 1"),
        ("strategies.json", lambda d: d["tiers"]["5"].update(members=[0] * 5), "tier 5 does not match"),
        (
            "strategies.json",
            lambda d: d["tiers"].pop("20") and None,
            "the largest tier, the strategies and the manifest",
        ),
        ("strategies.json", lambda d: d.update(fee_share=math.nan), "NaN is not a number"),
        ("strategies.json", lambda d: d["strategies"][0].update(strategy=10**30), r"10+ is out of range"),
        ("strategies.json", lambda d: d["strategies"][0]["weights"].update(more=1), "exactly one weight per output"),
        ("market.json", lambda d: d.update(warm_up=0), "warm_up: 0 is less than the"),
        ("market.json", lambda d: d.update(interval_ms=7000), "7000 does not divide a day"),
        ("market.json", lambda d: d.update(interval_ms=60_000.0), "60000.0 is not of type 'integer'"),
        ("labels.json", lambda d: d.append(d[0]), "a label occurs twice"),
        ("feature_sets/{}.json", lambda d: d["features"].pop() and None, "27 features, but its network takes 28"),
        ("feature_sets/{}.json", lambda d: d["normalisation"].update(window=10**12), "greater than the maximum"),
        ("feature_sets/{}.json", lambda d: d["normalisation"].update(gain=2.5), "normalisations differ"),
        ("classifiers/{}/network.json", lambda d: d["options"].update(depth=10**9), "greater than the maximum"),
        ("classifiers/{}/network.json", lambda d: d.update(n_networks=10**9), "greater than the maximum"),
        ("classifiers/{}/network.json", lambda d: d["options"].update(width=100_000), "not those of the options"),
        ("classifiers/{}/network.json", lambda d: d["options"].update(depth=100), "not those of the options"),
        ("classifiers/{}/network.json", lambda d: d.update(kind="lstm"), "options of the network: "),
        (
            "classifiers/{}/network.json",
            lambda d: d.update(kind="lstm", options={"window": 8}),
            "not those of the network",
        ),
        (
            "classifiers/{}/network.json",
            lambda d: d.update(kind="transformer", options={"width": 99_999, "heads": 2}),
            "options of the network",
        ),
    ],
)
def test_what_the_schema_or_the_parts_forbid_is_named(bundle, name, change, message):
    """Also with fresh checksums: the place is told, and nothing runs."""
    edit(bundle, name.format(first_label(bundle)), change)
    with pytest.raises(BundleError, match=message) as caught:
        load_bundle(bundle)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1, "a": 2}', "'a' occurs twice"),
        ("[1e999]", "1e999 is out of range"),
        ("[" * 100_000, "nested too deeply"),
        ("9" * 5000, "is out of range"),
    ],
)
def test_json_that_says_too_much(bundle, text, message):
    (bundle / "past.json").write_text(text)
    sign(bundle)
    with pytest.raises(BundleError, match=message):
        verify_bundle(bundle)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: {},
        lambda t: {name: tensor.astype(np.float64) for name, tensor in t.items()},
        lambda t: {**t, "0.bias": t["0.bias"] * np.float32("nan")},
        lambda t: {**t, "0.bias": t["0.bias"][1:].copy()},  # a kernel would read beyond the end
        lambda t: {**t, "0.weight": t["0.weight"][:, 1:].copy()},
        lambda t: {**t, "0.more": t["0.bias"]},
        lambda t: {name: tensor for name, tensor in t.items() if name != "0.bias"},
    ],
)
def test_weights_of_another_shape_or_kind_are_refused(bundle, change):
    label = first_label(bundle)
    path = bundle / "classifiers" / label / "weights.safetensors"
    save_file(change(load_file(path)), path)
    sign(bundle)
    with pytest.raises(BundleError, match=label):
        load_bundle(bundle)


@pytest.mark.parametrize("kind", ["lstm", "bilstm", "gru", "tcn", "transformer", "concat", "stacked"])
def test_networks_of_every_kind_are_read(kind, tmp_path):
    """Their shapes, held against the weights, are those that training saves; one weight less is refused."""
    options = {"window": 8, "width": 16, "dropout": 0.1}
    network = Ensemble([build_network(kind, 5, **options) for _ in range(2)], 1.5)
    save_network(network, kind, options, 5, tmp_path)
    assert load_predictor(tmp_path).window == 8
    path = tmp_path / "weights_1.safetensors"
    tensors = load_file(path)
    tensors["head.weight"] = tensors["head.weight"][:, 1:].copy()
    save_file(tensors, path)
    with pytest.raises(ValueError, match=r"weights_1\.safetensors: weights are not those of the network"):
        load_predictor(tmp_path)


def test_weights_that_are_no_safetensors_are_refused(bundle):
    path = bundle / "classifiers" / first_label(bundle) / "weights.safetensors"
    path.write_bytes(b"\x80\x04cos\nsystem\n(S'touch pwned'\ntR.")
    sign(bundle)
    with pytest.raises(BundleError):
        load_bundle(bundle)
    assert not (bundle.parent / "pwned").exists()


def test_own_indicators_run_only_from_the_file_that_is_given(tiny_run, bundle, tmp_path):
    own = tmp_path / "mine.py"
    own.write_text(
        "from pathlib import Path\n"
        f"Path({str(tmp_path / 'ran')!r}).touch()\n"
        "import numpy as np\n"
        "from numba import njit\n"
        "from feature_space.indicators import Indicator\n"
        "@njit\n"
        "def kernel_nb(close, n):\n"
        "    out = np.zeros(close.size)\n"
        "    for i in range(n, close.size):\n"
        "        out[i] = close[i] / close[i - n] - 1.0\n"
        "    return out\n"
        "INDICATORS = [Indicator('mine_bundle', 'C/C[n] - 1', 'mine', {'n': (2, 20)}, ('close',), kernel_nb,"
        " lambda n: n)]\n"
    )
    digest = hashlib.sha256(own.read_bytes()).hexdigest()
    edit(bundle, "market.json", lambda d: d.update(own_files=[{"file": "mine.py", "sha256": digest}]))
    shutil.copy(own, bundle / "mine.py")
    sign(bundle)
    with pytest.raises(BundleError, match=r"needs your own file mine\.py with the checksum"):
        load_bundle(bundle)
    other = tmp_path / "other.py"
    other.write_text(own.read_text() + "# changed\n")
    with pytest.raises(BundleError, match=r"needs your own file mine\.py with the checksum"):
        load_bundle(bundle, [other])
    assert not (tmp_path / "ran").exists()
    known = dict(BY_NAME)
    try:
        load_bundle(bundle, [own])
        assert set(BY_NAME) - set(known) == {"mine_bundle"}
    finally:
        activate(())  # other tests look at all indicators
    assert known == BY_NAME
    assert (tmp_path / "ran").exists()


def test_the_schema_describes_itself(bundle):
    schema = json.loads((bundle / "schema.json").read_text())
    for name, part in schema["$defs"].items():
        jsonschema.Draft202012Validator.check_schema(part)
        assert described(part), name
    assert reference() in (ROOT / "docs" / "BUNDLE.md").read_text(), "put labelsearch.live.schema.reference() there"


def described(part):
    children = [*part.get("properties", {}).values(), *part.get("patternProperties", {}).values()]
    children += [part["items"]] if "items" in part else []
    return bool(part.get("description")) and all(map(described, children))


def test_networks_of_your_own_may_have_other_hyper_parameters():
    kind = "classifiers/<label>/network.json"
    network = {"kind": "mine", "n_features": 3, "options": {"squash": "tanh", "rank": 4, "width": 8}}
    check(network, kind, "x")
    for options in ({"rank": 10**9}, {"squash": "a" * 1000}, {"rank": [1]}, {"width": 0}):
        with pytest.raises(ValueError, match="options"):
            check({**network, "options": options}, kind, "x")


odd = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=6)
    | st.just([])
    | st.just({})
)


def changed(data, draw):
    """Data with one part, somewhere inside, replaced or removed."""
    if not isinstance(data, (dict, list)) or not data or draw(st.integers(0, 3)) == 0:
        return draw(odd)
    place = draw(st.sampled_from(sorted(data) if isinstance(data, dict) else range(len(data))))
    copy = data.copy()
    if draw(st.integers(0, 5)) == 0:
        del copy[place]
    else:
        copy[place] = changed(data[place], draw)
    return copy


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_change_of_a_bundle_is_read_or_refused_in_one_line(bundle, data):
    """Signed anew, so that schema and shapes alone stand in the way."""
    names = sorted(path.relative_to(bundle).as_posix() for path in bundle.rglob("*.json") if path.name != "schema.json")
    path = bundle / data.draw(st.sampled_from(names))
    whole = path.read_bytes()
    try:
        path.write_text(json.dumps(changed(json.loads(whole), data.draw)))
        if path.name != "manifest.json":
            sign(bundle)
        load_bundle(bundle)
    except BundleError as error:
        message = str(error)
    else:
        message = ""
    finally:
        path.write_bytes(whole)
        sign(bundle)
    assert len(message.splitlines()) <= 1
