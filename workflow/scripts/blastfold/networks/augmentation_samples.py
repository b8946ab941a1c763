"""A few images with their augmented copies, for the figure of thesis Fig. 4.4."""

import numpy as np
from keras import ops

from blastfold.core.files import written_whole
from blastfold.core.manifest import read_manifest
from blastfold.core.seeds import generator
from blastfold.core.settings import AugmentationSettings
from blastfold.networks.augmentation import COLUMNS, augment, draw_augmentations, identity_draws

OPERATIONS = {
    "flip up-down": ["flip_up_down"],
    "flip left-right": ["flip_left_right"],
    "transpose": ["transpose"],
    "brightness": ["brightness"],
    "contrast": ["contrast"],
    "colour": ["saturation", "hue"],
    "crop": ["crop"],
    "rotation": ["rotation"],
    "stains": ["stain_jitter"],
    "all": [],
}
"""Operations by name, and the keys of ``augmentation`` of each; none means all keys."""


def sample_augmentations(
    images: str,
    manifest: str,
    settings: AugmentationSettings,
    seed: int,
    samples: str,
    each: int = 2,
) -> None:
    """Write images of every class, and each of them as changed by every operation.

    Args:
        images: Image store, uint8 (n, h, w, 3).
        manifest: Manifest of the data set.
        settings: Random changes of a model; operations that are switched off are left out.
        seed: The seed of the experiment.
        samples: Output .npz: original uint8 (k, h, w, 3), augmented uint8 (k, m, h, w, 3),
            operations (m,) names, image_ids (k,).
        each: Images of each class.
    """
    store = np.load(images, mmap_mode="r")
    table = read_manifest(manifest)
    labels = table["label"].astype(int)
    random = generator(seed, "sample_augmentations")
    rows = [
        row
        for label in range(labels.max() + 1)
        for row in random.permutation(np.flatnonzero(labels == label))[:each]
    ]
    original = store[rows]
    augmented = {
        name: show_operation(original, keys, settings, seed)
        for name, keys in OPERATIONS.items()
        if not keys or any(getattr(settings, key) for key in keys)
    }
    with written_whole(samples) as partial, partial.open("wb") as file:
        np.savez(
            file,
            original=original,
            augmented=np.stack(list(augmented.values()), axis=1),
            operations=np.array(list(augmented)),
            image_ids=table["image_id"].to_numpy(dtype=str)[rows],
        )


def show_operation(
    original: np.ndarray, keys: list[str], settings: AugmentationSettings, seed: int
) -> np.ndarray:
    """Apply some operations to images; a single flip or transpose is always applied.

    Args:
        original: uint8 (k, h, w, 3).
        keys: Keys of ``augmentation`` to apply, all of them when empty.
        settings: Random changes of a model.
        seed: The seed of the experiment.

    Returns:
        uint8 (k, h, w, 3).
    """
    draws = draw_augmentations(len(original), settings, seed, epoch=1)
    if keys:
        kept = [any(column.startswith(key) for key in keys) for column in COLUMNS]
        draws = np.where(kept, draws, identity_draws(len(original)))
        for column in {"flip_up_down", "flip_left_right", "transpose"} & set(keys):
            draws[:, COLUMNS.index(column)] = 1.0
    changed = augment(original, draws, stains=settings.stain_jitter > 0)
    return np.rint(ops.convert_to_numpy(changed)).astype(np.uint8)
