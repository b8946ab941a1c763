"""Which models share features: those with one frozen backbone on the same images and changes."""

import re
from collections.abc import Iterable, Mapping

from blastfold.core.files import digest_settings


def depends_on_fold(model: Mapping) -> bool:
    """Return whether a model's features differ between folds, as what is fitted on them does."""
    return model["preprocessing"] == "mean_image" or model["stain"] != "none"


def feature_settings(model: Mapping) -> dict:
    """Return the keys of a model entry that determine its features, except the number of epochs.

    Returns:
        architecture, weights, pooling (average where the entry says nothing, flatten for VGG and
        the simple CNN), preprocessing, stain and augmentation.
    """
    plain = re.sub("[^a-z0-9]", "", model["architecture"].lower())
    flat = plain.startswith("vgg") or plain == "simplecnn"
    return {
        "architecture": plain,
        "weights": model["weights"],
        "pooling": model.get("pooling", "flatten" if flat else "average"),
        "preprocessing": model["preprocessing"],
        "stain": model["stain"],
        "augmentation": dict(model["augmentation"]),
    }


def feature_set_name(model: Mapping) -> str:
    """Return the name of the features that a model learns from: architecture and a digest."""
    settings = feature_settings(model)
    return f"{settings['architecture']}-{digest_settings(settings)[:12]}"


def feature_sets(models: Iterable[Mapping]) -> dict[str, dict]:
    """Return the settings of all features that models learn from, by name.

    Args:
        models: Entries that learn from stored features: those of models whose heads do, and of
            selections.

    Returns:
        Settings as :func:`feature_settings` has them, with the epochs of the longest training.
    """
    sets: dict[str, dict] = {}
    for model in models:
        name = feature_set_name(model)
        settings = sets.setdefault(name, {**feature_settings(model), "epochs": 0})
        settings["epochs"] = max(settings["epochs"], model["epochs"])
    return sets
