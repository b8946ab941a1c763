"""Features of images by a frozen backbone: computed once, for every fold, head and epoch.

View 0 of an image is the unchanged image. Where a training changes its images, view e holds the
features of the image as changed in epoch e. The draws are those of a training of the whole network
(:mod:`blastfold.networks.augmentation`), so that a head learns the same from both.

A folder of features holds ``fold-0.npy`` and ``fold-0.json`` and so on, or ``shared.npy`` and
``shared.json`` where all folds have the same features.
"""

import contextlib
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from blastfold.core.arrays import write_array
from blastfold.core.files import digest_settings, write_json
from blastfold.core.fold_table import read_folds, read_parts, split_digest
from blastfold.core.manifest import read_manifest
from blastfold.core.names import TRAIN
from blastfold.core.progress import Progress
from blastfold.core.seeds import derive_seed
from blastfold.core.settings import FeatureSettings, JobSettings
from blastfold.networks import architectures
from blastfold.networks.preprocessing import Preparation
from blastfold.training.backbone_runtime import Runtime, choose_runtime
from blastfold.training.batches import ImageInputs, batches, gather, prepared_ahead, view_count
from blastfold.training.device import ALWAYS_COMPILED, is_gpu
from blastfold.training.device_setup import Setup, set_up
from blastfold.training.feature_file import FeatureFile, reserve
from blastfold.training.files import FoldFiles
from blastfold.training.own_backbones import open_onnx, read_vectors
from blastfold.training.run_record import describe_process, versions
from blastfold.training.start import (
    augmentation_seed,
    backbone_seed,
    frozen_backbone,
    read_preparation,
    start_digests,
)
from blastfold.training.state import InterruptedTrainingError, stop_requests

logger = logging.getLogger(__name__)

BATCH_SIZE = 32
"""Images per batch on a CPU: 64 are no faster for DenseNet169 and 20 % slower for MobileNetV2."""

BATCH_SIZE_ON_GPU = 64

OWN_RUNTIME = "ONNX Runtime, the user's file"
TAKEN = "none: vectors of a file"
"""What ran a backbone that is a file, for the record; see :class:`Runtime` for others."""

SHARED = "shared"
"""Name of the features that all folds share."""


def extract_features(
    files: FoldFiles,
    settings: FeatureSettings,
    compute: JobSettings,
    image_source: str,
    outputs: str | Path,
) -> None:
    """Run a frozen backbone over the images of a data set.

    A job that is stopped or killed leaves its progress under ``compute.states``, from which the
    next attempt continues.

    Args:
        files: What the extraction reads. With a table of folds there are features of each fold,
            because something is fitted on its training images, or because it has random start
            weights of its own; then changed views are those of the fold's training images, and
            all others are zero. Without one all folds of all repeats share the features.
        settings: What determines the features.
        compute: How the job computes.
        image_source: Name that seeds the random changes of the images.
        outputs: Folder to write: for each fold, or for all, features, float32 (views, n, ...) in
            NumPy's format, and a JSON record.

    Raises:
        InputError: Weights or images do not fit the network, or the disk is too small.
        InterruptedTrainingError: SIGTERM or SIGINT stopped the job.
    """
    if settings.vectors:
        take_vectors(files, settings, compute, Path(outputs))
        return
    setup = set_up(compute, derive_seed(compute.seed, "extract_features"))
    computed_by = {**setup._asdict(), "threads": compute.threads}
    images = np.load(files.images, mmap_mode="r")
    numbers = sorted(set(read_folds(files.folds)["fold"])) if files.folds else [None]
    first = _first_backbone(files, settings, compute, setup, images.shape[1:], numbers[0])
    backbone, application, runtime, cost = first
    computed_by["runtime"] = runtime.name
    plans = [
        _plan_fold(files, settings, compute, image_source, computed_by, number)
        for number in numbers
    ]
    shape = (view_count(settings), len(images), *backbone.output.shape[1:])
    works = reserve(dict.fromkeys((plan.state(compute, outputs) for plan in plans), shape))
    batch_size = BATCH_SIZE_ON_GPU if is_gpu(setup.device) else BATCH_SIZE
    records = []
    with contextlib.ExitStack() as claims, stop_requests() as stop:
        for work in works:
            claims.callback(work.release)
        for plan, work in zip(plans, works, strict=True):
            start = time.monotonic()
            if plan.drawn != plans[0].drawn and not settings.onnx:
                start_of = (settings, images.shape[1:], files.weights, compute.seed)
                backbone, _ = frozen_backbone(*start_of, plan.number)
                runtime = choose_runtime(backbone, setup, compute)
            source = ImageInputs(images, settings.augmentation, plan.seed)
            described = settings.preprocessing, application, backbone
            preparation = read_preparation(files, plan.number or 0, *described, settings.onnx)
            rows = rows_by_view(files, plan.number, view_count(settings), len(images))
            extraction = Extraction(preparation, source, rows, stop, batch_size)
            extraction.run(runtime, work)
            work.save()
            record = {"settings": settings.plain(), **computed_by}
            record |= {"digest": digest_settings(plan.digests), "digests": plan.digests}
            record |= {"seconds": round(time.monotonic() - start, 2), **extraction.describe()}
            records.append(record | {"parameters": cost[0], "multiply_adds": cost[1]})
        # At the end, because Snakemake deletes the outputs of a job that is killed.
        for plan, record, work in zip(plans, records, works, strict=True):
            features, record_file = feature_paths(Path(outputs), plan.number)
            work.finish(features)
            write_json({**record, **describe_process()}, record_file)


def _first_backbone(
    files: FoldFiles,
    settings: FeatureSettings,
    compute: JobSettings,
    setup: Setup,
    shape: tuple[int, ...],
    number: int | None,
) -> tuple:
    """Return the backbone of the first fold, its application, what runs it, and its costs.

    The costs are its parameters and, of a file, its multiply-adds; the layers of a Keras network
    have theirs.
    """
    if settings.onnx:
        own = open_onnx(files.weights, settings.onnx, compute.threads)
        cost = own.parameters, own.multiply_adds
        backbone = architectures.build_stored_backbone(shape, (own.features,), *cost)
        return backbone, None, Runtime(OWN_RUNTIME, own.run), cost
    start_of = (settings, shape, files.weights, compute.seed)
    backbone, application = frozen_backbone(*start_of, number)
    runtime = choose_runtime(backbone, setup, compute)
    return backbone, application, runtime, (backbone.count_params(), None)


class _FoldPlan(NamedTuple):
    """What determines the features of a fold.

    Attributes:
        number: The fold; None where all folds share the features.
        seed: Seed of the random changes of its images.
        drawn: Seed of its random start weights; None with weights.
        digests: All of this, by name.
    """

    number: int | None
    seed: int
    drawn: int | None
    digests: dict

    def state(self, compute: JobSettings, outputs: str | Path) -> Path:
        """Return the folder of the fold's progress.

        Two protocols may have equal splits, and their extractions may run at the same time.
        """
        return Path(compute.states) / digest_settings([self.digests, str(outputs), self.number])


def _plan_fold(
    files: FoldFiles,
    settings: FeatureSettings,
    compute: JobSettings,
    image_source: str,
    computed_by: Mapping,
    number: int | None,
) -> _FoldPlan:
    seed = augmentation_seed(compute.seed, image_source, number)
    drawn = None if files.weights else backbone_seed(compute.seed, settings.architecture, number)
    digests = feature_digests(files, number, settings)
    digests |= {"seed": seed, "backbone_seed": drawn, "code": compute.code}
    return _FoldPlan(number, seed, drawn, digests | {**computed_by, "versions": versions()})


def take_vectors(
    files: FoldFiles, settings: FeatureSettings, compute: JobSettings, outputs: Path
) -> None:
    """Write vectors that another program computed as the features that all folds share.

    Args:
        files: What is read; the vectors are its ``weights``.
        settings: What is declared of the vectors.
        compute: How the job computes; nothing is computed here.
        outputs: Folder to write.

    Raises:
        InputError: See :func:`blastfold.training.own_backbones.read_vectors`.
    """
    start = time.monotonic()
    manifest = read_manifest(files.manifest)
    names = manifest["image_id"].tolist()
    vectors = read_vectors(files.weights, settings.vectors, names, manifest["label"].tolist())
    features, record_file = feature_paths(outputs, None)
    write_array(vectors[np.newaxis], features)
    digests = {**feature_digests(files, None, settings), "code": compute.code}
    record = {
        "settings": settings.plain(),
        **{"device": "CPU", "precision": "float32", "runtime": TAKEN, "threads": 1},
        **{"digest": digest_settings(digests), "digests": digests},
        **{"views": 1, "images": len(names), "images_per_second": 0.0},
        **{"parameters": 0, "multiply_adds": None},
        "seconds": round(time.monotonic() - start, 2),
    }
    write_json({**record, **describe_process()}, record_file)


def feature_paths(folder: Path, fold: int | None) -> tuple[Path, Path]:
    """Return the files of a fold's features and of their record; None: of those all folds share."""
    name = SHARED if fold is None else f"fold-{fold}"
    return folder / f"{name}.npy", folder / f"{name}.json"


def features_of_fold(folder: Path, fold: int) -> tuple[np.ndarray, dict]:
    """Open the features of a fold, or those that all folds share.

    Returns:
        float32 (views, n, ...), memory-mapped, and their record.
    """
    shared = feature_paths(folder, None)
    features, record = shared if shared[0].exists() else feature_paths(folder, fold)
    return np.load(features, mmap_mode="r"), json.loads(record.read_text("utf-8"))


class Extraction:
    """One pass over images and their changed views.

    Args:
        preparation: Pre-processing before the backbone.
        source: Images and their changes.
        rows: For each view the rows of the images that it is computed for.
        stop: Returns, between two batches, whether the job must stop.
        batch_size: Images per batch.
    """

    def __init__(
        self,
        preparation: Preparation,
        source: ImageInputs,
        rows: list[np.ndarray],
        stop: Callable[[], bool],
        batch_size: int = BATCH_SIZE,
    ):
        self.batch_size = batch_size
        self.source = source
        self.rows = rows
        self.stop = stop
        self.images_per_second = 0.0
        self.preparations = {
            False: keras.Model(*preparation.unchanged()),
            True: keras.Model(*preparation.changed(source.augmentation)),
        }
        for model in self.preparations.values():
            model.jit_compile = ALWAYS_COMPILED

    def run(self, runtime: Runtime, work: FeatureFile) -> None:
        """Fill a file, continuing after the batches that it holds.

        Raises:
            InterruptedTrainingError: The job must stop; the file is saved.
        """
        plan = [(view, chosen) for view, rows in enumerate(self.rows) for chosen in self._cut(rows)]
        done = sum(len(rows) for _, rows in plan[: work.done])
        total = sum(len(rows) for _, rows in plan)
        progress = Progress(total, logger.info, "images and views", done=done)
        left = plan[work.done :]
        # A thread reads, changes and prepares the next images while the backbone runs.
        prepared = prepared_ahead((view, rows, self._prepare(view, rows)) for view, rows in left)
        for view, rows, batch in prepared:
            if self.stop():
                work.save()
                work.release()
                raise InterruptedTrainingError("stopped by a signal; the next attempt continues")
            # The last batch is filled up with rows whose features are already known.
            work.views[view, rows] = runtime.run(batch)
            work.advance()
            progress.advance(len(rows))
        self.images_per_second = progress.rate()

    def describe(self) -> dict:
        """Return how many views and images were computed, and how fast."""
        return {
            "views": len(self.rows),
            "images": sum(map(len, self.rows)),
            "images_per_second": round(self.images_per_second, 2),
        }

    def _cut(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        return batches(rows, self.batch_size) if len(rows) else iter(())

    def _prepare(self, view: int, rows: np.ndarray) -> np.ndarray:
        arrays = self.source.training(view) if view else self.source.unchanged()
        return self.preparations[bool(view)].predict_on_batch(gather(arrays, rows))


def rows_by_view(files: FoldFiles, fold: int | None, views: int, images: int) -> list[np.ndarray]:
    """Return the rows of the images that each view is computed for.

    Args:
        files: What the extraction reads.
        fold: Number of the fold; None for features that all folds share.
        views: Number of views.
        images: Number of images in the store.
    """
    if fold is None:
        return [np.arange(images)] * views
    parts = read_parts(read_manifest(files.manifest), files.folds, fold)
    if views == 1:
        return [np.sort(np.concatenate([part.rows for part in parts.values()]))]
    others = [part.rows for role, part in parts.items() if role != TRAIN]
    return [np.sort(np.concatenate(others)), *[parts[TRAIN].rows] * (views - 1)]


def feature_digests(files: FoldFiles, fold: int | None, settings: FeatureSettings) -> dict:
    """Return digests of all files and settings that determine features, by name."""
    summary = json.loads(Path(files.dataset).read_text("utf-8"))
    return {
        "images": summary["images_sha256"],
        **start_digests(files, fold or 0),
        "split": None if fold is None else split_digest(files.folds, fold),
        "config": settings.digest(),
    }
