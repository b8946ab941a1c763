"""Features of images by a frozen backbone: computed once, for every fold, head and epoch.

View 0 of an image is the image as it is. Where a training changes its images, view e holds the
features of the image as epoch e changes it, with the very draws of a training through the whole
network (:mod:`blastfold.networks.augmentation`), so that a head learns the same from either.
"""

import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.files import digest_file, digest_settings, write_json, written_whole
from blastfold.core.fold_table import read_parts, split_digest
from blastfold.core.seeds import derive_seed
from blastfold.networks import architectures
from blastfold.networks.preprocessing import Preparation, read_preparation
from blastfold.training.backbone_runtime import Runtime, choose_runtime
from blastfold.training.batches import ImageInputs, batches, gather, prepared_ahead, view_count
from blastfold.training.device import is_gpu
from blastfold.training.device_setup import Setup, set_up
from blastfold.training.run_record import describe_process, versions
from blastfold.training.state import InterruptedTrainingError, stop_requests

logger = logging.getLogger(__name__)

BATCH_SIZE = 32
"""Images a batch on a CPU: 64 are no faster for DenseNet169 and a fifth slower for MobileNetV2."""

BATCH_SIZE_ON_GPU = 64

SECONDS_BETWEEN_REPORTS = 15.0
SECONDS_BETWEEN_SAVES = 60.0
SPARE_BYTES = 2**28


def extract_features(
    inputs: dict[str, str | None],
    fitted: dict[str, list[str]],
    settings: dict,
    run: dict,
    outputs: list[dict[str, str]],
) -> None:
    """Run a frozen backbone over the images of a data set.

    A job that is stopped or killed leaves what it has under ``run["states"]``, from where the
    next attempt goes on.

    Args:
        inputs: Paths by name: images, manifest, dataset (JSON summary), weights (None: random
            ones) and folds (None: features that all folds share).
        fitted: mean_images and stains (records of stain normalisation), one a fold where folds
            differ by them; then changed views are of the fold's training images alone, and all
            others are zero. Otherwise one mean image at most, of the images that the weights
            come from.
        settings: architecture, pooling, preprocessing, augmentation and epochs, as in a model.
        run: seed, drawn_for (the data set whose name seeds the changes), device, deterministic,
            threads, gpu, states and code, as for a training.
        outputs: For each fold, or for all, paths by name: features, float32 (views, n, ...),
            NumPy format; record, JSON.

    Raises:
        InputError: When weights or images do not fit the network, or the disk is too small.
        InterruptedTrainingError: When SIGTERM or SIGINT asks the job to stop.
    """
    setup = set_up(run, derive_seed(run["seed"], "extract_features"))
    images = np.load(inputs["images"], mmap_mode="r")
    settings = {**settings, "train": "head"}
    backbone, application = frozen_backbone(settings, images.shape[1:], inputs["weights"], run)
    seed = augmentation_seed(run["seed"], run["drawn_for"])
    source = ImageInputs(images, settings["augmentation"], seed)
    batch_size = BATCH_SIZE_ON_GPU if is_gpu(setup.device) else BATCH_SIZE
    runtime = None
    with stop_requests() as stop:
        for fold, files in enumerate(outputs):
            start = time.monotonic()
            of_fold = {name: files[fold] if files else None for name, files in fitted.items()}
            preparation = read_preparation(
                *(settings, application, images.shape[1:]),
                mean_image=of_fold["mean_images"],
                stain=of_fold["stains"],
            )
            rows = _rows_by_view(inputs, fold, view_count(settings), len(images))
            extraction = Extraction(backbone, preparation, source, rows, stop, batch_size)
            if runtime is None:
                left = len(outputs) * sum(map(len, rows))
                runtime = extraction.choose_runtime(setup, run, left)
            computed_by = {**setup._asdict(), "runtime": runtime.name}
            digests = _digests(inputs, of_fold, fold, settings)
            digests |= {"seed": seed, "code": run["code"], **computed_by, "versions": versions()}
            digest = digest_settings(digests)
            shape = (len(rows), len(images), *backbone.output.shape[1:])
            work = FeatureFile(Path(run["states"]) / digest, shape)
            extraction.run(runtime, work)
            work.finish(files["features"])
            record = {"settings": settings, **computed_by, "digest": digest, "digests": digests}
            record |= {"seconds": round(time.monotonic() - start, 2), **extraction.describe()}
            write_json({**record, **describe_process()}, files["record"])


def augmentation_seed(seed: int, dataset: str) -> int:
    """Return the seed of the changes of a data set's images, for all who train on them."""
    return derive_seed(seed, "augmentation", dataset)


def frozen_backbone(
    settings: dict, shape: tuple, weights: str | None, run: dict
) -> tuple[keras.Model, str | None]:
    """Build a backbone with its start weights; random ones depend on seed and architecture alone.

    Returns:
        The backbone and its module in keras.applications (see :func:`models.build_backbone`).
    """
    seed = backbone_seed(run["seed"], settings["architecture"])
    backbone, application = architectures.build_backbone(settings, shape, seed)
    if weights:
        architectures.load_backbone_weights(backbone, weights)
    return backbone, application


def backbone_seed(seed: int, architecture: str) -> int:
    """Return the seed of a backbone's random start weights."""
    return derive_seed(seed, "backbone", architectures.plain_name(architecture))


class Extraction:
    """One pass over images and their changed views.

    Args:
        backbone: The frozen backbone.
        preparation: What happens to an image before the backbone sees it.
        source: Images and their changes.
        rows: For each view the rows of the images that it is wanted of.
        stop: Is asked between batches whether the job is to stop.
        batch_size: Images a batch.
    """

    def __init__(
        self,
        backbone: keras.Model,
        preparation: Preparation,
        source: ImageInputs,
        rows: list[np.ndarray],
        stop: Callable[[], bool],
        batch_size: int = BATCH_SIZE,
    ):
        self.backbone = backbone
        self.batch_size = batch_size
        self.source = source
        self.rows = rows
        self.stop = stop
        self.images_a_second = 0.0
        self.preparations = {
            False: keras.Model(*preparation.unchanged()),
            True: keras.Model(*preparation.changed()),
        }
        for model in self.preparations.values():
            model.jit_compile = False

    def choose_runtime(self, setup: Setup, run: dict, images: int) -> Runtime:
        """Choose how the backbone is run over a number of images; on a GPU or by XLA by Keras."""
        self.backbone.jit_compile = setup.jit_compile
        if is_gpu(setup.device) or setup.jit_compile:
            return Runtime("Keras", self.backbone.predict_on_batch)
        rows = next(batches(self.rows[0], self.batch_size))
        batch = self._prepare(0, rows)
        return choose_runtime(self.backbone, batch, images, run["threads"])

    def run(self, runtime: Runtime, work: "FeatureFile") -> None:
        """Fill a file, going on behind what it holds.

        Raises:
            InterruptedTrainingError: When the job is to stop; the file is saved.
        """
        plan = [(view, chosen) for view, rows in enumerate(self.rows) for chosen in self._cut(rows)]
        total = sum(len(chosen) for _, chosen in plan)
        plan = plan[work.done :]
        start = told = time.monotonic()
        done = 0
        # A thread reads, changes and prepares the next images while the backbone runs.
        prepared = prepared_ahead((view, rows, self._prepare(view, rows)) for view, rows in plan)
        for view, rows, batch in prepared:
            if self.stop():
                work.save()
                raise InterruptedTrainingError(
                    "stopped by a signal; the next attempt goes on from here"
                )
            # The last batch is filled up, which its rows then meet twice with the same features.
            work.views[view, rows] = runtime.run(batch)
            work.advance()
            done += len(rows)
            if time.monotonic() - told > SECONDS_BETWEEN_REPORTS:
                told = time.monotonic()
                rate = done / (told - start)
                left = (sum(len(chosen) for _, chosen in plan) - done) / rate
                logger.info(
                    "%d of %d images and views, %.0f a second, about %.0f s left",
                    *(total - left * rate, total, rate, left),
                )
        self.images_a_second = done / max(time.monotonic() - start, 1e-9)

    def describe(self) -> dict:
        """Return how many views and images were wanted, and how fast they were computed."""
        return {
            "views": len(self.rows),
            "images": sum(map(len, self.rows)),
            "images_a_second": round(self.images_a_second, 2),
        }

    def _cut(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        return batches(rows, self.batch_size) if len(rows) else iter(())

    def _prepare(self, view: int, rows: np.ndarray) -> np.ndarray:
        arrays = self.source.training(view) if view else self.source.unchanged()
        return self.preparations[bool(view)].predict_on_batch(gather(arrays, rows))


class FeatureFile:
    """Features that are being computed, outside of declared outputs, and how far they are.

    Args:
        folder: Folder of this extraction alone, named after a digest of all that determines it.
        shape: (views, n, ...) of the features.

    Raises:
        InputError: When the disk has no room for them.
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
            logger.info("going on after %d batches", self.done)
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
        """Make sure that what is counted is on disk: first the features, then their number."""
        self.views.flush()
        with written_whole(self.progress) as partial:
            partial.write_text(json.dumps({"batches": self.done}), "utf-8")
        self._saved = time.monotonic()

    def finish(self, path: str | os.PathLike) -> None:
        """Move the complete features to their place and forget their state."""
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
            f"the features need {needed / 2**30:.1f} GB under {folder.parent}, where "
            f"{free / 2**30:.1f} GB are free. Make room, or set features: online in the model, "
            "which stores none and runs the backbone in every epoch of every fold"
        )


def _rows_by_view(inputs: dict, fold: int, views: int, images: int) -> list[np.ndarray]:
    everything = np.arange(images)
    if inputs["folds"] is None:
        return [everything] * views
    manifest = pd.read_csv(inputs["manifest"], sep="\t", dtype=str, keep_default_na=False)
    parts = read_parts(manifest, inputs["folds"], fold)
    if views == 1:
        return [np.sort(np.concatenate([part.rows for part in parts.values()]))]
    seen = np.sort(np.concatenate([part.rows for role, part in parts.items() if role != "train"]))
    return [seen, *[parts["train"].rows] * (views - 1)]


def _digests(inputs: dict, of_fold: dict, fold: int, settings: dict) -> dict:
    summary = json.loads(Path(inputs["dataset"]).read_text("utf-8"))
    return {
        "images": summary["images_sha256"],
        "weights": digest_file(inputs["weights"]) if inputs["weights"] else None,
        **{name: digest_file(path) if path else None for name, path in of_fold.items()},
        "split": split_digest(inputs["folds"], fold) if inputs["folds"] else None,
        "config": digest_settings(settings),
    }
