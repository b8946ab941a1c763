"""Which models share features: those with one frozen backbone and the same images and changes."""

from collections.abc import Iterable, Mapping

from blastfold.core.files import digest_settings
from blastfold.core.names import plain_name
from blastfold.core.settings import OWN_BACKBONES, features_depend_on_fold, head_of
from blastfold.experiment.tuning import most_epochs


def depends_on_fold(model: Mapping) -> bool:
    """Return whether the features of a model differ between folds.

    See :func:`blastfold.core.settings.features_depend_on_fold`.
    """
    return features_depend_on_fold(
        model["preprocessing"], model["stain"], random_start=model["weights"] == "none"
    )


def feature_settings(model: Mapping) -> dict:
    """Return the keys of a model entry that determine its features, except the number of epochs.

    Returns:
        architecture, weights, pooling, preprocessing, stain and augmentation; and onnx or vectors
        where the backbone or the features are a file.
    """
    return {
        "architecture": plain_name(model["architecture"]),
        "weights": model["weights"],
        "pooling": head_of(model)["pooling"],
        "preprocessing": model["preprocessing"],
        "stain": model["stain"],
        "augmentation": dict(model["augmentation"]),
        **{key: model[key] for key in OWN_BACKBONES.values() if key in model},
    }


def feature_set_name(model: Mapping) -> str:
    """Return the name of the features that a model learns from: architecture and a digest."""
    settings = feature_settings(model)
    return f"{settings['architecture']}-{digest_settings(settings)[:12]}"


def feature_sets(models: Iterable[Mapping]) -> dict[str, dict]:
    """Return the settings of all features that models learn from, by name.

    Args:
        models: Entries that use stored features: models whose heads are trained on them, and
            selections.

    Returns:
        Settings of :func:`feature_settings`, with the epochs of the longest training. They are 0
        without augmentation: one view of each image serves any number of epochs.
    """
    sets: dict[str, dict] = {}
    for model in models:
        name = feature_set_name(model)
        settings = sets.setdefault(name, {**feature_settings(model), "epochs": 0})
        if any(settings["augmentation"].values()):
            settings["epochs"] = max(settings["epochs"], most_epochs(model))
    return sets
