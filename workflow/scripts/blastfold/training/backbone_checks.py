"""What a backbone that is a file must not do.

That is to answer at random, to look at other images of a batch, to give every image the same
features, or to hold the answer.
"""

import os
from collections.abc import Callable, Sequence

import numpy as np

from blastfold.core.errors import InputError

CLOSE = 1e-3
"""Largest difference of a feature between two runs on one image, relative to the largest feature.
Sums of another order differ by less than a hundredth of it."""

LOOKED_AT = 1024
"""Images, spread over all, of which the values of a feature are looked at first."""

LEAST_IMAGES_PER_VALUE = 3
"""Mean number of images of a value from which a feature can be a code of the class."""


def require_steady(
    run: Callable[[np.ndarray], np.ndarray],
    images: np.ndarray,
    found: np.ndarray,
    path: str | os.PathLike,
) -> None:
    """Check that a network gives an image the same features at any time and in any batch.

    Args:
        run: From prepared images, float32 (n, h, w, 3), to features, (n, features).
        images: Some that differ.
        found: Their features.
        path: The file, for errors.

    Raises:
        InputError: It does not, or it gives all images the same features.
    """
    largest = np.abs(found).max()

    def differ(others: np.ndarray) -> bool:
        return bool(np.abs(others - found).max() > CLOSE * largest)

    if differ(run(images)):
        raise InputError(
            f"onnx.file: {path} gives one image other features each time it runs, as with dropout "
            "that was left on. Export the network in evaluation mode (PyTorch: model.eval())"
        )
    if differ(np.concatenate([run(image[np.newaxis]) for image in images])):
        raise InputError(
            f"onnx.file: {path} gives an image alone other features than with another one, "
            "so that test images would change one another's prediction, as with batch "
            "normalisation in training mode. Export the network in evaluation mode (PyTorch: "
            "model.eval())"
        )
    if len(images) > 1 and not np.ptp(found, axis=0).any():
        raise InputError(
            f"onnx.file: {path} gives different images the same features, so that nothing can be "
            "learnt from them. Choose another onnx.output, or export the network with its weights"
        )


def require_no_answers(
    values: np.ndarray, columns: Sequence[str], labels: Sequence[str], path: str | os.PathLike
) -> None:
    """Check that no feature is a code of the class.

    Such a feature has few values, and either every value is of one class or every class has one
    value: the class itself, a diagnosis, or the number of a patient. What a network computes from
    images differs between images of one class.

    Args:
        values: Features, float32 (images, features).
        columns: Names of the features.
        labels: Classes of the images.
        path: The file, for errors.

    Raises:
        InputError: Names the features.
    """
    classes = np.unique(np.asarray(labels), return_inverse=True)[1]
    some = np.linspace(0, len(classes) - 1, min(len(classes), LOOKED_AT)).astype(int)
    codes = [
        name
        for name, feature in zip(columns, values.T, strict=True)
        if _goes_with(feature[some], classes[some])
        and _goes_with(feature, classes)
        and 1 < len(np.unique(feature)) <= len(feature) / LEAST_IMAGES_PER_VALUE
    ]
    if codes:
        raise InputError(
            f"{path}: the features {codes[:5]} ({len(codes)} in all) tell the class of every image "
            "by a few values, as a class, a diagnosis or the number of a patient does; a network "
            "would learn from them. Leave them out"
        )


def _goes_with(feature: np.ndarray, classes: np.ndarray) -> bool:
    """Return whether each value is of one class, or each class has one value."""
    codes = np.unique(feature, return_inverse=True)[1]
    pairs = len(np.unique(codes * (int(classes.max()) + 1) + classes))
    return pairs in (int(codes.max()) + 1, len(np.unique(classes)))
