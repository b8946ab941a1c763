"""Attributions: the networks of an experiment that are explained, and on which images."""

import itertools
from collections.abc import Iterator

from blastfold.experiment.dataset_inputs import TISSUE

NOT_EXPLAINED = ("onnx", "features")
"""Architectures whose backbone is no network of Keras, so that there is no gradient."""


def check_attribution(key: str, experiment: dict, config: dict) -> Iterator[str]:
    """Yield which data sets and models of an experiment cannot have its attributions."""
    datasets = config["datasets"]
    for name in experiment["models"] if experiment["attribution"] else ():
        if config["models"].get(name, {}).get("architecture") in NOT_EXPLAINED:
            yield (
                f"{key}: received {experiment['attribution']} with models.{name}, whose backbone "
                "is no network of Keras and has no gradient; expected other models"
            )
    for name in (*experiment["datasets"], *experiment["external_test"]):
        base = datasets.get(datasets.get(name, {}).get("of", name), {})
        if experiment["attribution"] and base.get("format") in TISSUE:
            yield (
                f"{key}: received {experiment['attribution']} with {name}, whose images show "
                "tissue, expected data sets whose images show one cell each"
            )


def attribution_runs(config: dict) -> list[dict]:
    """List what attributions are computed for: the test images of a data set under a protocol.

    Args:
        config: A config as :func:`check_config` returns it.

    Returns:
        Dicts with dataset (trained on), protocol, external (tested on; the same data set for its
        own test images), models (a list) and cells (of each class, right and wrong, per network).
        Canaries have no attribution.
    """
    wanted: dict[tuple[str, str, str], dict] = {}
    for experiment in config["experiments"]:
        if not experiment["attribution"]:
            continue
        for dataset, protocol in itertools.product(experiment["datasets"], experiment["protocols"]):
            if config["datasets"][dataset]["format"] == "permuted":
                continue
            for external in (dataset, *experiment["external_test"]):
                place = wanted.setdefault((dataset, protocol, external), {"models": {}, "cells": 0})
                place["models"] |= dict.fromkeys(experiment["models"])
                place["cells"] = max(place["cells"], experiment["attribution"])
    names = ("dataset", "protocol", "external")
    return [
        {**dict(zip(names, place, strict=True)), **about, "models": list(about["models"])}
        for place, about in wanted.items()
    ]
