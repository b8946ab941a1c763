"""Inputs of a network: images with random changes in every epoch, or stored features."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from keras import ops

from blastfold.core.settings import AugmentationSettings, FeatureSettings
from blastfold.networks.augmentation import draw_augmentations

Item = TypeVar("Item")


class ImageInputs:
    """Images of a data set, each with its random change of the epoch.

    Args:
        images: uint8 (n, h, w, 3) image store of the whole data set, memory-mapped or not.
        augmentation: The random changes.
        seed: Seed of the changes: the same for all models of a data set, so that features can be
            shared.
    """

    def __init__(self, images: np.ndarray, augmentation: AugmentationSettings, seed: int):
        self.images = images
        self.augmentation = augmentation
        self.seed = seed
        self._drawn: tuple[int, np.ndarray] | None = None

    def training(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the images and the draws of an epoch, one row per image of the data set."""
        if self._drawn is None or self._drawn[0] != epoch:
            draws = draw_augmentations(len(self.images), self.augmentation, self.seed, epoch)
            self._drawn = epoch, draws
        return self.images, self._drawn[1]

    def unchanged(self) -> tuple[np.ndarray]:
        """Return the unchanged images."""
        return (self.images,)

    def keep_on_device(self, free: int | None) -> bool:
        """Copy the images to the device once, if they take no more than a quarter of its memory.

        Args:
            free: Free memory of the device in bytes; None without a separate device.

        Returns:
            Whether they were copied; batches are then taken on the device.
        """
        fits = free is not None and self.images.nbytes <= free / 4
        if fits:
            self.images = ops.convert_to_tensor(np.asarray(self.images))
        return fits


class FeatureInputs:
    """Features of a data set's images that were extracted beforehand.

    Args:
        views: float32 (views, n, ...): view 0 of the unchanged images; view e of the images as
            they are changed in epoch e, where there are random changes.
    """

    def __init__(self, views: np.ndarray):
        self.views = views

    def training(self, epoch: int) -> tuple[np.ndarray]:
        """Return the features of an epoch, one row per image of the data set."""
        return (self.views[epoch if len(self.views) > 1 else 0],)

    def unchanged(self) -> tuple[np.ndarray]:
        """Return the features of the unchanged images."""
        return (self.views[0],)


def view_count(settings: FeatureSettings) -> int:
    """Return how many views of every image a training with stored features needs."""
    return 1 + (settings.epochs if settings.augmentation.changes_anything() else 0)


def batches(order: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Cut an order of rows into batches that all have the same size.

    The last batch is filled up from the start of the order: a smaller one would make Keras trace
    the whole network a second time, which takes minutes for DenseNet169.

    Args:
        order: int64 (n,) rows, n at least 1.
        size: Images per batch; no more than n are taken.

    Yields:
        int64 (min(size, n),) rows.
    """
    size = min(size, len(order))
    for start in range(0, len(order), size):
        yield np.take(order, range(start, start + size), mode="wrap")


def gather(arrays: tuple, chosen: np.ndarray):
    """Read rows of each array: a list of several inputs, or the bare rows of a single one.

    This is the form in which Keras takes the inputs of a model.
    """
    rows = [
        np.asarray(array[chosen])
        if isinstance(array, np.ndarray)
        else ops.take(array, chosen, axis=0)
        for array in arrays
    ]
    return rows if len(rows) > 1 else rows[0]


def class_weights(labels: np.ndarray, balanced: bool) -> np.ndarray:
    """Return weights of the loss, float32 (n,), that average to 1.

    Args:
        labels: int64 (n,) index of the class.
        balanced: Whether all classes that occur have the same total weight; otherwise all images
            have the same weight.
    """
    if not balanced:
        return np.ones(len(labels), dtype="float32")
    counts = np.bincount(labels)
    occurring = float(np.count_nonzero(counts))
    return (len(labels) / (occurring * np.maximum(counts, 1)))[labels].astype("float32")


def prepared_ahead(items: Iterable[Item], ahead: int = 2) -> Iterator[Item]:
    """Yield items that a thread prepares while earlier ones are in use.

    The device need not wait while images are read from the disk.

    Args:
        items: Made one by one in the thread.
        ahead: Number of items that are prepared in advance.
    """
    iterator = iter(items)
    end = object()
    with ThreadPoolExecutor(1) as thread:
        waiting = [thread.submit(next, iterator, end) for _ in range(ahead)]
        while (item := waiting.pop(0).result()) is not end:
            waiting.append(thread.submit(next, iterator, end))
            yield item
