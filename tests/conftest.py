"""What tests of several folders share."""

import gc
import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real images that BLASTFOLD_TEST_DATA names; skips the test when it is unset."""
    folder = os.environ.get("BLASTFOLD_TEST_DATA")
    if not folder:
        pytest.skip("BLASTFOLD_TEST_DATA is unset: the folder with real images is not known")
    return Path(folder)


def pytest_collection_finish() -> None:
    """Leave what the imports made to itself: looking for garbage in it took a fifth of the time."""
    gc.collect()
    gc.freeze()
