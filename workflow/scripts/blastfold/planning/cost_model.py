"""What an experiment will cost in hours: images times epochs times folds times measured speed."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from blastfold.core.parts import parts_of_fold
from blastfold.experiment.combinations import (
    combinations,
    external_runs,
    fold_count,
    folds_per_repeat,
)
from blastfold.experiment.config_locked_tests import LOCKED, OPEN
from blastfold.experiment.dataset_inputs import demo_images
from blastfold.experiment.feature_sets import depends_on_fold, feature_set_name
from blastfold.experiment.known_counts import summary_of_import
from blastfold.experiment.tuning import configurations_of, most_epochs

TIMED = (
    "architecture",
    "train",
    "pooling",
    "dense_units",
    "dropout",
    "batch_size",
    "stain",
)
"""Keys of a model entry that decide how fast it is; only these are part of a calibration."""


NUMBER_BYTES = 4
"""Bytes of a stored feature or weight, float32."""


class Fold(NamedTuple):
    """Number of images of a fold in each part."""

    train: int
    validation: int
    test: int


class Speed(NamedTuple):
    """What a calibration measured of one model at one image size.

    Attributes:
        start: Seconds that a job takes before its first image.
        train: Seconds an image of a training step; of the head on features where it alone learns.
        forward: Seconds an image of a pass forward.
        features: Numbers that the backbone gives for an image.
        parameters: Numbers that the network consists of.
    """

    start: float
    train: float
    forward: float
    features: int = 0
    parameters: int = 0


def count_images(
    config: Mapping, expected: Mapping, results: str | Path = "results"
) -> dict[str, dict[str, int] | None]:
    """Find out how many images each data set has, as far as that is known before it is imported.

    Args:
        config: A config as :func:`blastfold.experiment.config.check_config` returns it.
        expected: Counts of the public data sets by format (resources/datasets.yaml).
        results: Folder of results; the record of an imported data set decides.

    Returns:
        By data set: images by official part, or under the empty name where there are no parts;
        None where nothing is known.
    """
    counts: dict[str, dict[str, int] | None] = {}
    for name, entry in config["datasets"].items():
        parts = _expected_parts(entry, expected)
        found = summary_of_import(Path(results, "datasets", name, "dataset.json")) or {}
        if images := found.get("images"):
            # The record has no count by part; the expected shares are kept.
            parts = _scaled(parts, images) if parts else {"": images}
        counts[name] = parts
    for name, entry in config["datasets"].items():
        if counts[name] is None and entry["format"] in (OPEN, LOCKED):
            counts[name] = _part_of_whole(entry, counts[entry["of"]])
    for name, entry in config["datasets"].items():
        if entry["format"] == "permuted":
            counts[name] = counts[entry["of"]]
        if "times" in entry.get("grow", {}) and counts[name] is None and counts[entry["of"]]:
            times = entry["grow"]["times"]
            counts[name] = {part: times * n for part, n in counts[entry["of"]].items()}
    return counts


def _expected_parts(entry: Mapping, expected: Mapping) -> dict[str, int] | None:
    if entry["format"] == "demo":
        return {"": demo_images(entry["demo"])}
    if entry["format"] == "grown" and "times" not in entry["grow"]:
        numbers = entry["grow"].items()
        return {"": sum(number for name, number in numbers if name != "augmentation")}
    known = expected.get(entry["format"], {})
    if "parts" in known:
        wanted = entry.get("parts", known["parts"])
        return {part: known["parts"][part]["images"] for part in wanted}
    return {"": known["images"]} if "images" in known else None


def _part_of_whole(entry: Mapping, whole: Mapping[str, int] | None) -> dict[str, int] | None:
    """Return the images of the open or the locked part; of named subjects nobody knows how many."""
    chosen = entry["locked_test"]
    if whole is None or "subjects" in chosen:
        return whole if whole is None or entry["format"] == OPEN else None
    locked = {part: part in chosen.get("parts", ()) for part in whole}
    share = {part: float(locked[part]) if "parts" in chosen else chosen["share"] for part in whole}
    kept = {part: share[part] if entry["format"] == LOCKED else 1 - share[part] for part in whole}
    return {part: round(kept[part] * number) for part, number in whole.items() if kept[part]}


def _scaled(parts: Mapping[str, int], images: int) -> dict[str, int]:
    total = sum(parts.values())
    return {part: round(images * count / total) for part, count in parts.items()}


def folds_of(protocol: Mapping, parts: Mapping[str, int]) -> list[Fold]:
    """Return how many images each fold of all repeats trains on, validates on and tests on.

    Groups that must stay together move these numbers by little.

    Args:
        protocol: The protocol entry of the config.
        parts: Images by official part.
    """
    return _folds_of_repeat(protocol, parts) * protocol.get("repeats", 1)


def _folds_of_repeat(protocol: Mapping, parts: Mapping[str, int]) -> list[Fold]:
    images = sum(parts.values())
    count = folds_per_repeat(protocol)
    if protocol["kind"] == "holdout":
        test = math.ceil(images * protocol["test_fraction"])
        validation = round(images * protocol["validation_fraction"])
        return [Fold(images - test - validation, validation, test)]
    if protocol["kind"] == "predefined":
        return [_predefined(protocol, parts, fold) for fold in range(count)]
    test, rest = images / count, images - images / count
    validation = rest * protocol["validation_fraction"]
    return [Fold(round(rest - validation), round(validation), round(test))] * count


def _predefined(protocol: Mapping, parts: Mapping[str, int], fold: int) -> Fold:
    chosen = parts_of_fold(protocol, parts, fold)
    train, test = (sum(parts[part] for part in names) for names in (chosen.train, chosen.test))
    if chosen.validation is not None:
        return Fold(train, sum(parts[part] for part in chosen.validation), test)
    validation = round(train * protocol["validation_fraction"])
    return Fold(train - validation, validation, test)


def training_seconds(model: Mapping, folds: list[Fold], speed: Speed) -> float:
    """Return the seconds of training a model on all folds, one after the other, without features.

    Where only the head is trained its features are there (see :func:`extraction_seconds`) and one
    job trains the heads of all folds, as it does with ``folds_in_one_job``; otherwise every fold is
    a job. All epochs are counted: early stopping makes it less.
    """
    stored = learns_from_features(model)
    # Features are those of one view.
    forward = 0.0 if stored else speed.forward * model["test_time_views"]
    jobs = 1 if stored or model.get("folds_in_one_job") else len(folds)
    seconds = speed.start * jobs
    for fold in folds:
        epoch = fold.train * speed.train + fold.validation * forward
        for one in configurations_of(model):
            seconds += one["epochs"] * epoch + (fold.validation + fold.test) * forward
    return seconds


def extraction_seconds(model: Mapping, images: int, folds: int, speed: Speed) -> float:
    """Return the seconds of extracting the features that a model's heads learn from.

    One job takes every image forward once as it is and once per epoch as it is changed; in every
    fold where a mean image or a stain reference of the fold is used, once for all folds otherwise.
    """
    changed = any(model["augmentation"].values())
    views = 1 + (most_epochs(model) if changed else 0)
    times = folds if depends_on_fold(model) else 1
    return speed.start + times * views * images * speed.forward


def learns_from_features(model: Mapping) -> bool:
    """Return whether a model's heads learn from features that are extracted once."""
    return model["train"] == "head" and model.get("features", "stored") == "stored"


def timed_settings(model: Mapping) -> dict:
    """Return what of a model entry decides how fast it is."""
    return {key: model[key] for key in TIMED if key in model}


def estimate(
    config: Mapping,
    counts: Mapping[str, Mapping[str, int] | None],
    speeds: Mapping[tuple[str, str], Speed],
) -> list[dict]:
    """Estimate the hours of every model on every data set.

    Args:
        config: A config as :func:`blastfold.experiment.config.check_config` returns it.
        counts: Images by data set and part, see :func:`count_images`.
        speeds: What was measured, by data set and model.

    Returns:
        One dict per model and data set: dataset, model, trainings (folds of all protocols), images
        (None when not known), train_ms and forward_ms (milliseconds an image), start_s (seconds),
        hours (None where the images are not known). It is no table, because plans ask this module
        for disk with Snakemake's packages alone.
    """
    rows: dict[tuple[str, str], dict] = {}
    extracted: set[str] = set()
    for dataset, protocol, name in combinations(config):
        model, speed, parts = config["models"][name], speeds[dataset, name], counts[dataset]
        row = rows.setdefault((dataset, name), _new_row(dataset, name, parts, speed))
        row["trainings"] += fold_count(config["protocols"][protocol])
        if parts is None:
            continue
        folds = folds_of(config["protocols"][protocol], parts)
        row["hours"] += training_seconds(model, folds, speed) / 3600
        shared = _features_of(config, dataset, protocol, model)
        if learns_from_features(model) and shared not in extracted:
            extracted.add(shared)
            images = sum(parts.values())
            row["hours"] += extraction_seconds(model, images, len(folds), speed) / 3600
    for run in external_runs(config):
        row, parts = rows[run["dataset"], run["model"]], counts[run["external"]]
        speed = speeds[run["dataset"], run["model"]]
        if row["hours"] is None or parts is None:
            row["hours"] = None
            continue
        folds = fold_count(config["protocols"][run["protocol"]])
        views = config["models"][run["model"]]["test_time_views"]
        predicted = folds * views * sum(parts.values())
        row["hours"] += (speed.start + predicted * speed.forward) / 3600
    return list(rows.values())


def disk_needs(
    config: Mapping,
    counts: Mapping[str, Mapping[str, int] | None],
    speeds: Mapping[tuple[str, str], Speed],
) -> dict[str, float]:
    """Estimate the disk that an experiment needs at most, in GB.

    Args:
        config: A config as :func:`blastfold.experiment.config.check_config` returns it.
        counts: Images by data set and part, see :func:`count_images`; data sets of an unknown size
            are left out.
        speeds: What was measured, by data set and model.

    Returns:
        images, features and networks.
    """
    known = {name: sum(parts.values()) for name, parts in counts.items() if parts is not None}
    needs = {"images": 0.0, "features": 0.0, "networks": 0.0}
    for name, images in known.items():
        entry = config["datasets"][name]
        # A canary has a link to the images of its base.
        if entry["format"] != "permuted":
            needs["images"] += images * math.prod(entry["image_size"]) * 3 / 2**30
    features: dict[str, float] = {}
    for dataset, protocol, name in combinations(config):
        model, speed = config["models"][name], speeds[dataset, name]
        folds = fold_count(config["protocols"][protocol])
        if not learns_from_features(model):
            needs["networks"] += folds * speed.parameters * NUMBER_BYTES / 2**30
        elif dataset in known:
            key = _features_of(config, dataset, protocol, model)
            changed = any(model["augmentation"].values())
            views = 1 + (most_epochs(model) if changed else 0)
            views *= folds if depends_on_fold(model) else 1
            size = views * known[dataset] * speed.features * NUMBER_BYTES / 2**30
            # Heads that share features take the views of the longest training.
            features[key] = max(features.get(key, 0.0), size)
    needs["features"] = sum(features.values())
    return needs


def _new_row(dataset: str, model: str, parts: Mapping[str, int] | None, speed: Speed) -> dict:
    return {
        "dataset": dataset,
        "model": model,
        "trainings": 0,
        "images": None if parts is None else sum(parts.values()),
        "train_ms": 1000 * speed.train,
        "forward_ms": 1000 * speed.forward,
        "start_s": speed.start,
        "hours": None if parts is None else 0.0,
    }


def _features_of(config: Mapping, dataset: str, protocol: str, model: Mapping) -> str:
    """Return the name of the features that models with one frozen backbone share."""
    place = [dataset, protocol]
    if not depends_on_fold(model):
        entry = config["datasets"][dataset]
        place = [entry["of"] if entry["format"] == "permuted" else dataset]
    return "/".join([*place, feature_set_name(model)])
