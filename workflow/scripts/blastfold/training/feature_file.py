"""A file of features that is being computed, and how far it is: a killed job continues it."""

import json
import logging
import math
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from blastfold.core.arrays import create_array
from blastfold.core.errors import InputError
from blastfold.core.files import claim_file, written_whole

logger = logging.getLogger(__name__)

FILE_NAME = "views.npy"
PROGRESS_NAME = "progress.json"
SECONDS_BETWEEN_SAVES = 60.0

SPARE_BYTES = 2**28
"""What is left free for logs and for the tables of other jobs."""

FEATURE_TYPE = "float32"
"""Type of stored features. float16 would halve the disk, but heads would not agree within 1e-4.
Rounded features of MobileNetV2 (ImageNet weights; 1,183 images of C-NMC 2019 of 96x96 pixels, three
folds, ten epochs) moved predictions by up to 4.5e-4 for the default head, and by up to 0.15 for one
with a layer of 128 units and dropout."""


class FeatureFile:
    """Features that are being computed, outside of declared outputs.

    Its place on the disk is reserved from the start. A job whose Snakemake was killed may still
    compute the same features: this one waits for its end.

    Args:
        folder: Folder of this extraction alone, named after a digest of all that determines it.
        shape: (views, n, ...) of the features.

    Raises:
        OSError: The disk has not enough room for them.
    """

    def __init__(self, folder: Path, shape: tuple[int, ...]):
        self.folder = folder
        self.claim = claim_file(folder.with_suffix(".lock"))
        self.path = folder / FILE_NAME
        self.progress = folder / PROGRESS_NAME
        self.done = 0
        self._saved = time.monotonic()
        if self.begun(folder):
            self.done = json.loads(self.progress.read_text("utf-8"))["batches"]
            self.views = np.lib.format.open_memmap(self.path, mode="r+")
            logger.info("continuing after %d batches", self.done)
            return
        folder.mkdir(parents=True, exist_ok=True)
        self.views = create_array(self.path, shape, FEATURE_TYPE)
        # A job that is killed at once leaves a place that the next attempt uses.
        self.save()

    @staticmethod
    def begun(folder: Path) -> bool:
        """Return whether an earlier attempt left features to continue."""
        return (folder / FILE_NAME).exists() and (folder / PROGRESS_NAME).exists()

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
        self.release()

    def release(self) -> None:
        """Let another job compute these features."""
        if self.claim:
            Path(self.claim.name).unlink(missing_ok=True)
            self.claim.close()
            self.claim = None


def reserve(shapes: Mapping[Path, tuple[int, ...]]) -> list[FeatureFile]:
    """Open the files of all folds of an extraction before the first of them is computed.

    Args:
        shapes: Shape of the features, (views, n, ...), by folder of :class:`FeatureFile`.

    Raises:
        InputError: The disk has not enough room for all of them.
    """
    missing = {folder: shape for folder, shape in shapes.items() if not FeatureFile.begun(folder)}
    if missing:
        _require_room(next(iter(missing)).parent, list(missing.values()))
    return [FeatureFile(folder, shape) for folder, shape in shapes.items()]


def feature_bytes(shape: tuple[int, ...]) -> int:
    """Return the bytes that features of a shape take."""
    return math.prod(shape) * np.dtype(FEATURE_TYPE).itemsize


def _require_room(states: Path, shapes: list[tuple[int, ...]]) -> None:
    states.mkdir(parents=True, exist_ok=True)
    needed = sum(feature_bytes(shape) for shape in shapes)
    free = shutil.disk_usage(states).free
    if needed + SPARE_BYTES <= free:
        return
    of_all = f" of {len(shapes)} folds" if len(shapes) > 1 else ""
    raise InputError(
        f"The features{of_all} need {needed / 2**30:.1f} GB under {states}, where "
        f"{free / 2**30:.1f} GB are free. Make room; or set keep_features: false, which removes "
        "features after the last head that learns from them; or set features: online in the "
        "model, which stores none and runs the backbone in every epoch of every fold"
    )
