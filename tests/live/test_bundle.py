"""A bundle that is not what was exported is refused, and the file is named."""

import hashlib
import json
import shutil
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from labelsearch.commands import main
from labelsearch.live.bundle import BundleError, load_bundle, verify_bundle
from labelsearch.live.schema import reference

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
    assert (manifest["tier"], manifest["run"]) == (20, tiny_run.folder.name)
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
    with pytest.raises(BundleError, match=r"extra\.py is not in the manifest"):
        verify_bundle(bundle)
    (bundle / "extra.py").unlink()
    labels = bundle / "labels.json"
    shutil.move(labels, tmp_path / "labels.json")
    labels.symlink_to(tmp_path / "labels.json")
    with pytest.raises(BundleError, match=r"labels\.json is missing"):
        verify_bundle(bundle)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: {**m, "format": 99}, "format 99 of the bundle is unknown"),
        (lambda m: {k: v for k, v in m.items() if k != "format"}, "format None"),
        (lambda m: [], "format None"),
        (lambda m: {**m, "sha256": {"../escape.json": "0" * 64}}, "outside the bundle"),
        (lambda m: {**m, "sha256": {"/etc/passwd": "0" * 64}}, "outside the bundle"),
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
    with pytest.raises(BundleError, match="not JSON"):
        verify_bundle(bundle)
    result = CliRunner().invoke(main, ["bundle", "verify", str(tmp_path)])
    assert result.exit_code == 2
    assert "holds no bundle" in result.stderr


def first_label(folder):
    return json.loads((folder / "labels.json").read_text())[0]["name"]


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("strategies.json", lambda d: d["strategies"][3]["weights"].clear(), r"strategies/3/weights"),
        ("strategies.json", lambda d: d.update(fee=-1), r"strategies\.json: fee: -1 is less than"),
        ("strategies.json", lambda d: d.update(fee="free"), r"fee: 'free' is not of type 'number'"),
        ("strategies.json", lambda d: d.update(signal_map="eval"), r"signal_map: 'eval' is not one of"),
        ("strategies.json", lambda d: d["strategies"].pop() and None, "tier 20 does not fit the strategies"),
        ("strategies.json", lambda d: d["tiers"]["5"]["shares"].pop() and None, "tier 5 does not fit the strategies"),
        ("strategies.json", lambda d: d["outputs"].reverse(), "are not those of labels.json"),
        ("strategies.json", lambda d: d["strategies"][0]["thresholds"].pop("delta") and None, "'delta' is a required"),
        ("market.json", lambda d: d.update(warm_up=-3), r"market\.json: warm_up: -3"),
        ("market.json", lambda d: d.pop("interval_ms") and None, "'interval_ms' is a required property"),
        ("labels.json", lambda d: d[0].update(name="../../x"), r"labels\.json: 0/name"),
        ("labels.json", lambda d: d[0].update(name="other"), r"feature_sets/other\.json is missing"),
        ("labels.json", lambda d: [], r"labels\.json: \[\] should be non-empty"),
        ("past.json", lambda d: d["tiers"].update(x=[1]), r"past\.json: tiers/x"),
        ("feature_sets/{}.json", lambda d: d["features"][0].update(name="no_such"), "unknown indicator 'no_such'"),
        ("feature_sets/{}.json", lambda d: d["features"][0].update(parameters=[10**6]), "is no integer in"),
        ("feature_sets/{}.json", lambda d: d["normalisation"].update(kind="exec"), "kind: 'exec' is not one of"),
        ("classifiers/{}/network.json", lambda d: d.update(kind=3), "kind: 3 is not of type 'string'"),
        ("classifiers/{}/network.json", lambda d: d.update(kind="no_such"), "unknown network"),
    ],
)
def test_what_the_schema_or_the_parts_forbid_is_named(bundle, name, change, message):
    """Also with fresh checksums: the place is told, and nothing runs."""
    edit(bundle, name.format(first_label(bundle)), change)
    with pytest.raises(BundleError, match=message) as caught:
        load_bundle(bundle)
    assert "\n" not in str(caught.value)


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
    edit(bundle, "market.json", lambda d: d.update(own_indicators=[{"file": "mine.py", "sha256": digest}]))
    shutil.copy(own, bundle / "mine.py")
    sign(bundle)
    with pytest.raises(BundleError, match=r"needs your own indicators as in the run's mine\.py"):
        load_bundle(bundle)
    other = tmp_path / "other.py"
    other.write_text(own.read_text() + "# changed\n")
    with pytest.raises(BundleError, match=r"needs your own indicators as in the run's mine\.py"):
        load_bundle(bundle, [other])
    assert not (tmp_path / "ran").exists()
    load_bundle(bundle, [own])
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
