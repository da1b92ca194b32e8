"""Bundles of the tiny run."""

import pytest

from labelsearch.delivery.export import export_bundle
from labelsearch.live.bundle import load_bundle


@pytest.fixture(scope="session")
def bundle_folder(tiny_run, tmp_path_factory):
    """The largest tier of the tiny run, which holds the smaller one."""
    return export_bundle(tiny_run, None, tmp_path_factory.mktemp("bundles") / "winners")


@pytest.fixture
def bundle(bundle_folder):
    return load_bundle(bundle_folder)


@pytest.fixture(scope="session")
def history(tiny_run):
    """Bars before past, and those of past."""
    past = tiny_run.rows("past")
    bars = tiny_run.bars
    return bars.rows(None, past.start), bars.rows(past.start, past.stop)
