"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def market_data() -> Path:
    """Folder of the real market data; the test is skipped where ``LABELSEARCH_DATA`` names none."""
    folder = os.environ.get("LABELSEARCH_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("real market data not found: set LABELSEARCH_DATA to its folder")
    return Path(folder)
