"""Free permutations of labels among subjects or among images, as a null distribution.

Every assignment of the same labels is equally probable, the true one included, so that the true
labels are one more draw if they say nothing. :mod:`blastfold.datasets.permuted_labels` draws the
single canaries instead, which agree with the true labels no more often than by chance.
"""

import numpy as np
import pandas as pd

from blastfold.core.permutation_table import BY_IMAGE, BY_SUBJECT
from blastfold.core.seeds import generator


def subjects_have_labels(manifest: pd.DataFrame) -> bool:
    """Return whether labels can be permuted among subjects.

    Args:
        manifest: Text columns subject and label.

    Returns:
        True where every image has a subject, the images of a subject are of one class, and there
        are subjects of two classes.
    """
    if (manifest["subject"].fillna("") == "").any():
        return False
    classes = manifest.groupby("subject")["label"]
    return bool((classes.nunique() == 1).all() and classes.first().nunique() > 1)


def permuted(manifest: pd.DataFrame, among: str, count: int, seed: int, *names: str) -> np.ndarray:
    """Draw free permutations of the labels.

    Args:
        manifest: image_id, label and, for subjects, subject; see
            :func:`subjects_have_labels`.
        among: ``subject`` or ``image``.
        count: Number of permutations.
        seed: The experiment's seed.
        *names: What the permutations are for; they name the random streams.

    Returns:
        int64 (count, images). A permutation has its own stream: more of them change no other.
    """
    column = {BY_SUBJECT: "subject", BY_IMAGE: "image_id"}[among]
    unit, names_of_units = pd.factorize(manifest[column])
    labels = manifest["label"].astype(int).to_numpy()
    of_unit = np.zeros(len(names_of_units), dtype=np.int64)
    of_unit[unit] = labels
    return np.stack(
        [
            generator(seed, "permutation", *names, among, number).permutation(of_unit)[unit]
            for number in range(count)
        ]
    )
