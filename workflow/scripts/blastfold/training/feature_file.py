"""A file of features that is being computed, and how far it is: a killed job continues it."""

import json
import logging
import os
import shutil
import time
from pathlib import Path

import numpy as np

from blastfold.core.errors import InputError
from blastfold.core.files import written_whole

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_SAVES = 60.0
SPARE_BYTES = 2**28


class FeatureFile:
    """Features that are being computed, outside of declared outputs.

    Args:
        folder: Folder of this extraction alone, named after a digest of all that determines it.
        shape: (views, n, ...) of the features.

    Raises:
        InputError: The disk has not enough room for them.
    """

    def __init__(self, folder: Path, shape: tuple):
        self.folder = folder
        self.path = folder / "views.npy"
        self.progress = folder / "progress.json"
        self.done = 0
        self._saved = time.monotonic()
        if self.path.exists() and self.progress.exists():
            self.done = json.loads(self.progress.read_text("utf-8"))["batches"]
            self.views = np.lib.format.open_memmap(self.path, mode="r+")
            logger.info("continuing after %d batches", self.done)
            return
        folder.mkdir(parents=True, exist_ok=True)
        _require_room(folder, int(np.prod(shape, dtype=np.int64)) * 4)
        self.views = np.lib.format.open_memmap(self.path, mode="w+", dtype="float32", shape=shape)

    def advance(self) -> None:
        """Count a batch, and save every minute."""
        self.done += 1
        if time.monotonic() - self._saved > SECONDS_BETWEEN_SAVES:
            self.save()

    def save(self) -> None:
        """Write what is counted to the disk: first the features, then their number."""
        self.views.flush()
        with written_whole(self.progress) as partial:
            partial.write_text(json.dumps({"batches": self.done}), "utf-8")
        self._saved = time.monotonic()

    def finish(self, path: str | os.PathLike) -> None:
        """Move the complete features to their place and remove the state."""
        self.views.flush()
        del self.views
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as partial:
            shutil.move(self.path, partial)
        shutil.rmtree(self.folder, ignore_errors=True)


def _require_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed + SPARE_BYTES > free:
        raise InputError(
            f"The features need {needed / 2**30:.1f} GB under {folder.parent}, where "
            f"{free / 2**30:.1f} GB are free. Make room, or set features: online in the model, "
            "which stores none and runs the backbone in every epoch of every fold"
        )
