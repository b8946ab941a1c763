"""The stain reference of a fold: the statistics that its images' colours are mapped onto."""

import numpy as np
import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.files import digest_names, write_json, written_whole
from blastfold.images.stain import BLACK, GLASS, MINIMUM, combine, fit_image, transfer


def fit_stain(
    images: str, manifest: str, folds: str, fold: int, method: str, record: str, mean_image: str
) -> None:
    """Fit the reference statistics of a fold and average its normalised training images.

    Args:
        images: Image store, uint8 (n, h, w, 3).
        manifest: Manifest of the data set.
        folds: Table of folds: image_id, fold, role.
        fold: Number of the fold.
        method: reinhard or macenko.
        record: Output, JSON with the reference statistics, and the number and the digest of the
            image ids they were fitted on.
        mean_image: Output, float32 (h, w, 3) as .npy: mean of the normalised training images.

    Raises:
        InputError: The fold has no training image, or none with tissue whose stains can be found.
    """
    image_ids = pd.read_csv(manifest, sep="\t", dtype=str, keep_default_na=False)["image_id"]
    table = pd.read_csv(folds, sep="\t", dtype={"image_id": str}, keep_default_na=False)
    training = table.loc[(table["fold"] == fold) & (table["role"] == "train"), "image_id"]
    rows = np.flatnonzero(image_ids.isin(training))
    if len(rows) == 0:
        raise InputError(f"{folds}: fold {fold} has no row with role 'train', expected at least 1")
    store = np.load(images, mmap_mode="r")
    own = [fit_image(store[row], method) for row in rows]
    known = [statistics for statistics in own if statistics is not None]
    if not known:
        raise InputError(
            f"{images}: none of the {len(rows)} training images of fold {fold} shows how it is "
            f"stained; expected at least {MINIMUM:.0%} of pixels, of several colours, between "
            f"black (all channels up to {BLACK}) and glass (all channels from {GLASS})"
        )
    reference = combine(known)
    total = np.zeros(store.shape[1:], dtype=np.float64)
    for row, statistics in zip(rows, own, strict=True):
        total += transfer(store[row], method, statistics, reference)
    with written_whole(mean_image) as partial, partial.open("wb") as file:
        np.save(file, (total / len(rows)).astype(np.float32))
    content = {"fold": fold, "images": len(rows), "fitted_on": digest_names(image_ids[rows])}
    content |= {"stain": method, "images_with_stains": len(known)}
    listed = {name: values.tolist() for name, values in reference.items()}
    write_json({**content, "reference": listed}, record)
