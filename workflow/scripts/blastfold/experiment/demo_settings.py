"""Settings of generated smears that fit together, which the config's schema cannot check."""

import math
from collections.abc import Iterator, Mapping

SMALLEST_SIZES = {"photograph_size": 32, "crop_size": 16}
"""Least height and width in pixels."""

MAXIMAL_SHIFT = 4
"""Pixels by which a shifted duplicate is moved."""

SMALLEST_MARGIN = 2 * MAXIMAL_SHIFT + 3
"""Pixels of a photograph beyond the crop."""

BLASTS = ("blast_l1", "blast_l2", "blast_l3")
KINDS = ("neutrophil", "lymphocyte", "monocyte", *BLASTS)
"""Kinds of generated leukocytes."""

COUNTS = ("subjects_per_class", "pictures_per_subject", "cells_per_picture")


def demo_faults(key: str, settings: Mapping) -> Iterator[str]:
    """Yield which settings do not fit together.

    Args:
        key: Where the settings are in the config.
        settings: A data set's ``demo``, with all defaults.
    """
    for name, least in SMALLEST_SIZES.items():
        if min(settings[name]) < least:
            expected = f"at least {least} pixels each way"
            yield f"{key}: {name} is {settings[name]}; expected {expected}"
    largest = [length - SMALLEST_MARGIN for length in settings["photograph_size"]]
    crop = settings["crop_size"]
    if any(length > most for length, most in zip(crop, largest, strict=True)):
        expected = f"at most {largest}, to be cut from photograph_size"
        yield f"{key}: crop_size is {crop}; expected {expected}"
    kinds = settings.get("kinds")
    if kinds and len({kind in BLASTS for kind in kinds}) < 2:
        expected = f"at least one of {', '.join(BLASTS)} and one other"
        yield f"{key}: kinds is {kinds}; expected {expected}"
    blasts = [kind for kind in kinds or () if kind in BLASTS]
    if settings["subjects_per_class"] < len(blasts):
        expected = f"at least {len(blasts)}, a patient for each of {', '.join(blasts)}"
        yield f"{key}: subjects_per_class is {settings['subjects_per_class']}; expected {expected}"
    cells = 2 * math.prod(settings[name] for name in COUNTS)
    if settings["duplicates"] > cells:
        expected = f"at most {cells}, one of each cell"
        yield f"{key}: duplicates is {settings['duplicates']}; expected {expected}"
