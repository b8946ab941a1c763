"""What tests of several folders share."""

import gc
import os
from pathlib import Path

import pytest

LONGEST = ("backends", "workflow", "faults", "training")
"""Folders whose tests take longest; parallel processes end together when these begin first."""


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real images that BLASTFOLD_TEST_DATA names; skips the test when it is unset."""
    folder = os.environ.get("BLASTFOLD_TEST_DATA")
    if not folder:
        pytest.skip("BLASTFOLD_TEST_DATA is unset: the folder with real images is not known")
    return Path(folder)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest tests first."""
    ranks = {folder: rank for rank, folder in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(item.path.parent.name, len(LONGEST)))


def pytest_collection_finish() -> None:
    """Leave what the imports made to itself: looking for garbage in it took a fifth of the time."""
    gc.collect()
    gc.freeze()
