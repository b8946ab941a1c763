"""External test: networks trained on one data set predict all images of another one.

Nothing is fitted on the other data set. The mean image that is subtracted, the weights and the
threshold are those of the training.
"""

import json
import logging
import os
import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.files import digest_file, digest_names, write_json
from blastfold.core.manifest import read_classes, read_manifest
from blastfold.core.names import TEST
from blastfold.core.predictions import mark_positive, prediction_table, write_predictions
from blastfold.core.settings import JobSettings

# Reading a stored network needs the classes of its layers.
from blastfold.networks import (
    augmentation,  # noqa: F401
    layers,  # noqa: F401
    prediction_views,  # noqa: F401
    stain_layers,  # noqa: F401
)
from blastfold.networks.architectures import class_probabilities
from blastfold.training.batches import batches
from blastfold.training.device import set_up_device
from blastfold.training.files import network_files

logger = logging.getLogger(__name__)

BATCH_SIZE = 32


def apply_models(
    models: Sequence[str | os.PathLike],
    images: str | os.PathLike,
    manifest: str | os.PathLike,
    dataset: str | os.PathLike,
    compute: JobSettings,
    outputs: Mapping[str, str],
    repeats: int = 1,
    positive: Sequence[str] | None = None,
    trained: str | os.PathLike | None = None,
) -> None:
    """Predict every image of a data set with the networks of all folds of a training.

    Classes are matched by name. Images of classes that the networks do not know are left out.

    Args:
        models: Trained networks of the folds of all repeats, in their order, or their folder.
        images: Image store of the other data set, uint8 (n, h, w, 3).
        manifest: Its manifest.
        dataset: Its JSON summary, with the digests of both and the classes.
        compute: How the job computes.
        outputs: Paths by name: predictions (role test, fold 0: the mean over the networks),
            networks (the same columns, one row per image and network) and record.
        repeats: Number of repeats of the protocol; each has as many networks.
        positive: Names of the positive classes; None for the last of two classes.
        trained: JSON summary of the data set of the training; None where it has the same classes.

    Raises:
        InputError: A network takes images of another size; or no class is known to the networks;
            or there are more than two classes and none is named positive.
        MissingDeviceError: A GPU is required and there is none.
    """
    device_name = set_up_device(compute.device, compute.threads, compute.gpu)
    store = np.load(images, mmap_mode="r")
    table = read_manifest(manifest)
    classes = read_classes(trained or dataset)
    rows, labels, matched = match_classes(table, read_classes(dataset), classes)
    names = table["image_id"].to_numpy()[rows]
    for line in describe_matched(matched):
        logger.warning("%s", line)
    by_network = []
    models = network_files(models)
    for fold, path in enumerate(models):
        logger.info("network of fold %d (%d networks): %d images", fold, len(models), len(store))
        by_network.append(predict_with(path, store, rows))
    tables = [
        prediction_table(
            *(names, fold, TEST, labels, probabilities, classes), fold * repeats // len(models)
        )
        for fold, probabilities in enumerate(by_network)
    ]
    mean = prediction_table(names, 0, TEST, labels, np.mean(by_network, axis=0), classes)
    networks = pd.concat(tables, ignore_index=True)
    write_predictions(mark_positive(networks, positive), outputs["networks"])
    write_predictions(mark_positive(mean, positive), outputs["predictions"])
    summary = json.loads(Path(dataset).read_text("utf-8"))
    record = {
        "device": device_name,
        "threads": compute.threads,
        "networks": [digest_file(path) for path in models],
        "digests": {name: summary[f"{name}_sha256"] for name in ("images", "manifest")},
        "predicted": digest_names(names),
        **({"classes": matched} if any(matched.values()) else {}),
    }
    write_json(record, outputs["record"])


def match_classes(
    manifest: pd.DataFrame, classes: Sequence[str], known: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, dict]:
    """Match the classes of a data set by name with those that networks know.

    Args:
        manifest: Column label, one row per image.
        classes: Names of the classes of the data set, by label.
        known: Names of the classes of the networks.

    Returns:
        Rows of the images of known classes and their labels among ``known``, int64 (m,); and
        left_out (images by class that the networks do not know) and absent (classes of the
        networks without images).

    Raises:
        InputError: No image is of a known class.
    """
    names = np.array(classes, dtype=object)[manifest["label"].astype("int64").to_numpy()]
    of_networks = {name: label for label, name in enumerate(known)}
    rows = np.flatnonzero([name in of_networks for name in names])
    if not len(rows):
        raise InputError(
            f"external_test: the images are of the classes {list(classes)}, and the networks know "
            f"{list(known)}. Classes are matched by name; give both the same names (key 'classes')"
            + "".join(_alike(name, known) for name in classes)
        )
    unknown, counts = np.unique(np.delete(names, rows).astype(str), return_counts=True)
    left_out = dict(zip(unknown.tolist(), counts.tolist(), strict=True))
    absent = [name for name in known if name not in set(names)]
    labels = np.array([of_networks[name] for name in names[rows]], dtype="int64")
    return rows, labels, {"left_out": left_out, "absent": absent}


def _alike(name: str, others: Sequence[str]) -> str:
    """Return a hint at names that differ from one in case, spaces or a plural; empty for none."""
    found = [other for other in others if _folded(other) == _folded(name) and other != name]
    return "".join(f"; is {name!r} the class {other!r} with another spelling?" for other in found)


def _folded(name: str) -> str:
    letters = unicodedata.normalize("NFKC", name).casefold()
    return re.sub(r"[\W_]+", "", letters).removesuffix("s")


def describe_matched(matched: Mapping) -> list[str]:
    """Return what is missing on either side as sentences for the log."""
    lines = [
        f"{images} images of the class {name!r} are left out: the networks do not know it"
        + _alike(name, matched["absent"])
        for name, images in matched["left_out"].items()
    ]
    return lines + [f"no image is of the class {name!r}" for name in matched["absent"]]


def predict_with(
    path: str | os.PathLike, images: np.ndarray, rows: np.ndarray | None = None
) -> np.ndarray:
    """Return the probability of every class, float64 (n, classes), by a stored network.

    Args:
        path: A ``model.keras``; pre-processing is inside.
        images: uint8 (n, h, w, 3).
        rows: Rows of the images to predict; None for all.

    Raises:
        InputError: The network takes images of another size.
    """
    model = keras.saving.load_model(path, compile=False)
    expected = tuple(model.input_shape[1:])
    if expected != images.shape[1:]:
        raise InputError(
            f"{path}: takes images of shape {expected}, received {images.shape[1:]}; "
            "give both data sets the same image_size"
        )
    rows = np.arange(len(images)) if rows is None else rows
    outputs = [
        model.predict_on_batch(np.asarray(images[chosen])) for chosen in batches(rows, BATCH_SIZE)
    ]
    return class_probabilities(np.concatenate(outputs)[: len(rows)])
