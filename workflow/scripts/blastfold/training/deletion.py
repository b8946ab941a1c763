"""Deletion curves: a network's probability while the pixels of an attribution are removed.

Petsiuk et al. (2018), RISE: Randomized input sampling for explanation of black-box models, BMVC,
section 4.3. A removed pixel gets the mean colour of its picture.

Next to the curve of the attribution stands one of chance. Its order is that of the same map with
its places shuffled: pixels that were removed one by one at random would look like noise, which
disturbs a network more than larger pieces do, whatever the pieces show.
"""

import keras
import numpy as np
from scipy.ndimage import zoom

from blastfold.core.attribution_table import REMOVED
from blastfold.networks.architectures import class_probabilities


def deletion_curves(
    model: keras.Model, maps: np.ndarray, images: np.ndarray, classes: np.ndarray, seed: int
) -> np.ndarray:
    """Compute the probability of one class for every share of removed pixels.

    Args:
        model: The network, from stored images to probabilities.
        maps: float (n, rows, columns), before negative values are set to 0: where several pixels
            are equally high, the order among them is random.
        images: uint8 (n, h, w, 3).
        classes: (n,) index of the class of each image.
        seed: Seed of the random orders.

    Returns:
        float32 (n, 2, shares): of each image the curve of the attribution and that of chance, at
        the shares :data:`blastfold.core.attribution_table.REMOVED`.
    """
    random = np.random.default_rng(seed)
    found = np.empty((len(images), 2, len(REMOVED)), np.float32)
    for place, (values, picture) in enumerate(zip(maps, images, strict=True)):
        shuffled = random.permutation(values.ravel()).reshape(values.shape)
        orders = [removal_order(each, picture.shape[:2], random) for each in (values, shuffled)]
        changed = np.concatenate([removed(picture, order) for order in orders])
        output = keras.ops.convert_to_numpy(model(changed, training=False))
        of_class = class_probabilities(output)[:, classes[place]]
        found[place] = of_class.reshape(2, len(REMOVED))
    return found


def removal_order(
    values: np.ndarray, size: tuple[int, int], random: np.random.Generator
) -> np.ndarray:
    """Return the pixels of a picture from the most attributed to the least, (h * w,).

    Args:
        values: float (rows, columns), enlarged bilinearly.
        size: Height and width of the picture.
        random: Decides between equal values.
    """
    factors = [wanted / given for wanted, given in zip(size, values.shape, strict=True)]
    # The picture is enlarged about its edges, as in image processing: pixels are areas.
    grid = {"order": 1, "mode": "nearest", "grid_mode": True}
    enlarged = zoom(values.astype(np.float32), factors, **grid)
    flat = enlarged.ravel()
    return np.lexsort((random.random(len(flat)), -flat))


def removed(picture: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return a picture with each share of its pixels removed, uint8 (shares, h, w, 3)."""
    mean = np.round(picture.reshape(-1, 3).mean(axis=0)).astype(np.uint8)
    changed = np.repeat(picture.reshape(1, -1, 3), len(REMOVED), axis=0)
    for share, pixels in zip(REMOVED, changed, strict=True):
        pixels[order[: round(share * len(order))]] = mean
    return changed.reshape(-1, *picture.shape)
