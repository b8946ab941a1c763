"""One fold of one run, as every training job reads it: its images, classes, seed and digests."""

import dataclasses
import json
from pathlib import Path

import numpy as np

from blastfold.core.fold_table import Part, read_parts, repeat_of_fold, split_digest
from blastfold.core.manifest import read_classes, read_manifest
from blastfold.core.names import TEST, TRAIN
from blastfold.core.seeds import derive_seed
from blastfold.core.settings import ModelSettings, Run
from blastfold.training.files import FoldFiles
from blastfold.training.start import start_digests


@dataclasses.dataclass(frozen=True)
class Fold:
    """One fold of one run.

    Attributes:
        run: Data set, protocol and model.
        number: Number of the fold, through all repeats.
        repeat: Number of the repeat of the split.
        parts: Images by role: train, validation (absent when empty) and test.
        image_ids: Names of all images of the data set, in the order of the store.
        classes: Names of the classes in the order of their labels.
        seed: Seed of the training.
        digests: Digests of all files and settings that determine the result, by name.
    """

    run: Run
    number: int
    repeat: int
    parts: dict[str, Part]
    image_ids: np.ndarray
    classes: tuple[str, ...]
    seed: int
    digests: dict[str, str | None]

    @property
    def name(self) -> str:
        """Name in messages: data set, protocol, model, fold and perhaps configuration."""
        name = "/".join([*self.run.names, f"fold-{self.number}"])
        return f"{name} ({self.run.configuration})" if self.run.configuration else name

    @property
    def without_test(self) -> dict[str, Part]:
        """The images that a training may see."""
        return {role: part for role, part in self.parts.items() if role != TEST}

    def count_images(self) -> str:
        """Return the number of images of each role, as text."""
        counts = (f"{len(part.rows)} {role}" for role, part in self.parts.items())
        return ", ".join(counts) + " images"

    def names_of(self, role: str) -> np.ndarray:
        """Return the names of the images of a role."""
        return self.image_ids[self.parts[role].rows]

    def trained_on(self) -> np.ndarray:
        """Return the names of the training images."""
        return self.names_of(TRAIN)


def read_fold(files: FoldFiles, number: int, settings: ModelSettings, run: Run, seed: int) -> Fold:
    """Read one fold of a run.

    Args:
        files: Inputs of the job.
        number: Number of the fold.
        settings: The model.
        run: Data set, protocol and model.
        seed: The seed of the experiment.
    """
    manifest = read_manifest(files.manifest)
    summary = json.loads(Path(files.dataset).read_text("utf-8"))
    digests = {
        "images": summary["images_sha256"],
        "manifest": summary["manifest_sha256"],
        "split": split_digest(files.folds, number),
        **start_digests(files, number),
        "config": settings.digest(),
    }
    return Fold(
        run,
        number,
        repeat_of_fold(files.folds, number),
        read_parts(manifest, files.folds, number),
        manifest["image_id"].to_numpy(),
        read_classes(files.dataset),
        fold_seed(seed, run, number),
        digests,
    )


def fold_seed(seed: int, run: Run, number: int) -> int:
    """Return the seed of the training of one fold, derived from its names.

    Every configuration of a tuned model has a seed of its own.
    """
    configuration = (run.configuration,) if run.configuration else ()
    return derive_seed(seed, "train_model", *run.names, number, *configuration)
