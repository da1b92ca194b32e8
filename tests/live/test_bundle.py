"""A bundle that is not what was exported is refused, and the file is named."""

import json
import shutil

import pytest
from click.testing import CliRunner

from labelsearch.commands import main
from labelsearch.delivery.export import export_bundle
from labelsearch.live.bundle import BundleError, load_bundle, verify_bundle


@pytest.fixture(scope="module")
def exported(tiny_run, tmp_path_factory):
    return export_bundle(tiny_run, 5, tmp_path_factory.mktemp("export") / "winners")


@pytest.fixture
def bundle(exported, tmp_path):
    return shutil.copytree(exported, tmp_path / "winners")


def test_a_whole_bundle_passes(bundle, tiny_run):
    manifest = verify_bundle(bundle)
    assert (manifest["tier"], manifest["run"]) == (5, tiny_run.folder.name)
    result = CliRunner().invoke(main, ["bundle", "verify", str(bundle)])
    assert result.exit_code == 0
    assert "Top-5" in result.output


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
        (lambda m: {**m, "sha256": {"../escape.json": "0"}}, "outside the bundle"),
        (lambda m: {**m, "sha256": {"/etc/passwd": "0"}}, "outside the bundle"),
        (lambda m: {**m, "sha256": ["a"]}, "lists no checksums"),
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
