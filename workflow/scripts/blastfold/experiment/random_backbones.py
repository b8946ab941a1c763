"""Backbones with random weights that are never trained, and the titles that say so."""

from collections.abc import Mapping

from blastfold.core.names import plain_name
from blastfold.core.settings import OWN_NETWORKS
from blastfold.experiment.applications import BACKBONES

WORDS = ("random", "frozen")
"""What the title of a model with such a backbone contains."""


def has_random_backbone(model: Mapping) -> bool:
    """Return whether a model's backbone has random weights and is never trained."""
    untrained = model.get("train") == "head" and model.get("weights") == "none"
    return untrained and is_built_here(model)


def is_built_here(model: Mapping) -> bool:
    """Return whether a model's network is made by its name: not a file of another program."""
    return plain_name(model["architecture"]) in {*OWN_NETWORKS, *map(plain_name, BACKBONES)}


def model_title(model: Mapping) -> str:
    """Return the title of a model, with "(random, frozen)" where its backbone is.

    Every place that names a result takes this title: the result of such a model says nothing about
    its architecture.

    Args:
        model: Its entry in the checked config.
    """
    title = model["title"]
    missing = [word for word in WORDS if word not in title.casefold()]
    return f"{title} ({', '.join(missing)})" if missing and has_random_backbone(model) else title
