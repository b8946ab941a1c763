"""Kinds of pre-processing: which mean is subtracted, and in which units the weights read images."""

from typing import NamedTuple

PLAIN, SCALED, IMAGENET, DECLARED = "plain", "scaled", "imagenet", "declared"
"""Units of a network's input: intensities of 0 to 255, intensities divided by 127.5, the channel
order and scale that ImageNet weights expect, which differ between networks, and what the config
declares of a file."""

OF_FOLD, OF_SOURCE = "fold", "source"
"""Whose mean image is subtracted: that of the fold's training images, or of a source task's."""

HALF_RANGE = 127.5
"""What :data:`SCALED` divides by: the mean image subtracted, intensities are about -1 to 1."""


class Kind(NamedTuple):
    """A kind of pre-processing.

    Attributes:
        mean: :data:`OF_FOLD`, :data:`OF_SOURCE`, or None where no mean image is subtracted.
        units: :data:`PLAIN`, :data:`SCALED`, :data:`IMAGENET` or :data:`DECLARED`.
    """

    mean: str | None
    units: str


KINDS = {
    "none": Kind(None, PLAIN),
    "imagenet": Kind(None, IMAGENET),
    DECLARED: Kind(None, DECLARED),
    **{f"mean_image_{units}": Kind(OF_FOLD, units) for units in (PLAIN, SCALED, IMAGENET)},
    **{f"source_mean_image_{units}": Kind(OF_SOURCE, units) for units in (PLAIN, SCALED, IMAGENET)},
}
"""By the name that settings and records have. ``declared`` is that of all models whose backbone is
a file, and no value of a config. A config also knows ``mean_image`` and ``weights``,
which depend on the start weights (:func:`blastfold.experiment.pretraining.resolve_weights`)."""


def mean_image_in(units: str) -> str:
    """Return the kind that subtracts the fold's mean image in the given units."""
    return f"mean_image_{units}"


def of_source(preprocessing: str) -> str:
    """Return the kind that a network has whose source task has the given one.

    The mean image of the source task stays; anything else is the same.
    """
    return f"source_{preprocessing}" if KINDS[preprocessing].mean == OF_FOLD else preprocessing
