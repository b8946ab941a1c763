"""A data set grown by augmented copies of its images, as the thesis grew ALL-IDB2 before the split.

When a data set is grown first and split by image afterwards, copies of one cell are on both sides
of the split. This module exists so that the effect can be measured.
:mod:`blastfold.datasets.copies` decides which images are copied, and
:mod:`blastfold.networks.augmentation` changes them.
"""

import logging
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from keras import ops

from blastfold.core.arrays import create_array
from blastfold.core.files import digest_file, written_whole
from blastfold.core.manifest import class_names, read_manifest
from blastfold.core.seeds import derive_seed
from blastfold.core.settings import AugmentationSettings
from blastfold.core.tables import read_text_table
from blastfold.datasets.copies import grow_manifest, plan_copies, wanted_numbers
from blastfold.datasets.summary import write_derived
from blastfold.leakage.removal import without_duplicates
from blastfold.networks.augmentation import augment, draw_augmentations

BLOCK = 32
"""Images that are augmented or copied at once."""

logger = logging.getLogger(__name__)


def grow_dataset(
    base: Mapping[str, str], outputs: Mapping[str, str], name: str, settings: Mapping, seed: int
) -> None:
    """Write a data set that holds another one and augmented copies of its images.

    Args:
        base: Paths ``images``, ``manifest`` and ``summary`` of the data set to grow, and where
            its duplicates are removed first, ``removed``: its pairs of duplicates.
        outputs: Paths ``images``, ``manifest``, ``rejected`` and ``summary`` to write.
        name: The grown data set's name.
        settings: Its entry: ``format``, ``of`` (the base's name) and ``grow`` with
            ``times`` or the wanted numbers ``normal`` and ``blast``, and the
            ``augmentation``.
        seed: The experiment's seed.

    Raises:
        InputError: The base has more images of a class than are wanted.
    """
    manifest, rows = _originals(base, name)
    wanted = wanted_numbers(settings["grow"], manifest)
    plan = plan_copies(manifest, wanted, f"datasets.{name}.grow", seed)
    grown = grow_manifest(manifest, plan)
    originals = np.load(base["images"], mmap_mode="r")
    originals = originals if rows is None else originals[rows]
    augmentation = AugmentationSettings.read(settings["grow"]["augmentation"])
    with written_whole(outputs["images"]) as partial:
        shape = (len(grown), *originals.shape[1:])
        store = create_array(partial, shape, "uint8")
        for start in range(0, len(originals), BLOCK):
            store[start : min(start + BLOCK, len(originals))] = originals[start : start + BLOCK]
        place = len(originals)
        for block in augmented_copies(originals, plan, augmentation, seed):
            store[place : place + len(block)] = block
            place += len(block)
        store.flush()
    derived = (
        f"{len(plan)} of the {len(grown)} images are augmented copies of the "
        f"{len(manifest)} images of {settings['of']}"
        f"{'' if rows is None else ' that are no duplicates'}."
    )
    facts = {
        **{"name": name, "format": settings["format"]},
        "images_sha256": digest_file(outputs["images"]),
        "derived": derived,
    }
    write_derived(grown, base["summary"], facts, outputs)
    logger.info("%s: %s", name, derived)


def _originals(base: Mapping[str, str], name: str) -> tuple[pd.DataFrame, np.ndarray | None]:
    """Return the manifest of the images to grow, and their rows where some are left out."""
    manifest = read_manifest(base["manifest"])
    if not base.get("removed"):
        return manifest, None
    pairs = read_text_table(base["removed"], ("first", "second"))
    rest = without_duplicates(manifest, pairs, name, class_names(manifest))
    return rest.reset_index(drop=True), rest.index.to_numpy()


def augmented_copies(
    originals: np.ndarray, plan: pd.DataFrame, augmentation: AugmentationSettings, seed: int
) -> Iterator[np.ndarray]:
    """Make the planned copies in their order, in blocks.

    Args:
        originals: uint8 (n, height, width, 3), may be memory-mapped.
        plan: Columns row and copy (see :func:`blastfold.datasets.copies.plan_copies`).
        augmentation: Random changes of the copies.
        seed: The seed of the experiment. Copy k takes the draws of epoch k of its own stream, so
            that a copy depends only on its original, its number and the seed.

    Yields:
        uint8 (at most BLOCK, height, width, 3).
    """
    stream = derive_seed(seed, "grow_dataset")
    stains = augmentation.stain_jitter > 0
    for number, of_copy in plan.groupby("copy", sort=True):
        draws = draw_augmentations(len(originals), augmentation, stream, epoch=int(number))
        rows = of_copy["row"].to_numpy()
        for start in range(0, len(rows), BLOCK):
            chosen = rows[start : start + BLOCK]
            changed = augment(originals[chosen], draws[chosen], stains=stains)
            yield np.rint(ops.convert_to_numpy(changed)).astype(np.uint8)
        logger.info("copy %d of %d images made", number, len(rows))
