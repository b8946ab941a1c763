"""External test: networks trained on one data set predict all images of another one.

Nothing is fitted on the other data set. The mean image that is subtracted, the weights and the
threshold of 0.5 are those of the training.
"""

import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.files import digest_file, digest_names, write_json, written_whole

# Reading a stored network needs the classes of its layers.
from blastfold.networks import (
    augmentation,  # noqa: F401
    layers,  # noqa: F401
    stain_layers,  # noqa: F401
)
from blastfold.networks.architectures import blast_probability
from blastfold.training.batches import batches
from blastfold.training.device import set_up_device

logger = logging.getLogger(__name__)

BATCH_SIZE = 32


def apply_models(
    models: Sequence[str | os.PathLike],
    images: str | os.PathLike,
    manifest: str | os.PathLike,
    dataset: str | os.PathLike,
    device: dict,
    outputs: dict[str, str],
) -> None:
    """Predict every image of a data set with the networks of all folds of a training.

    Args:
        models: Trained networks (``model.keras``) of the folds, in their order.
        images: Image store of the other data set, uint8 (n, h, w, 3).
        manifest: Its manifest.
        dataset: Its JSON summary, which holds the digests of both.
        device: device (auto, gpu, cpu), threads and gpu, as for a training.
        outputs: Paths by name: predictions (image_id, fold 0, role test, label, probability: the
            mean over the networks, and probability_fold_<k> of each network) and record.

    Raises:
        InputError: When a network takes images of another size.
        MissingDeviceError: When a GPU is demanded and there is none.
    """
    device_name = set_up_device(device["device"], device["threads"], device["gpu"])
    store = np.load(images, mmap_mode="r")
    table = pd.read_csv(manifest, sep="\t", dtype={"image_id": str}, keep_default_na=False)
    columns = {}
    for fold, path in enumerate(models):
        logger.info("network of fold %d of %d: %d images", fold, len(models), len(store))
        columns[f"probability_fold_{fold}"] = predict_with(path, store)
    predictions = table[["image_id"]].assign(fold=0, role="test", label=table["label"].astype(int))
    predictions["probability"] = np.mean(list(columns.values()), axis=0)
    predictions = pd.concat([predictions, pd.DataFrame(columns)], axis=1)
    with written_whole(outputs["predictions"]) as partial:
        predictions.to_csv(partial, sep="\t", index=False)
    summary = json.loads(Path(dataset).read_text("utf-8"))
    record = {
        "device": device_name,
        "networks": [digest_file(path) for path in models],
        "digests": {name: summary[f"{name}_sha256"] for name in ("images", "manifest")},
        "predicted": digest_names(predictions["image_id"]),
    }
    write_json(record, outputs["record"])


def predict_with(path: str | os.PathLike, images: np.ndarray) -> np.ndarray:
    """Return the probability of blast, float64 (n,), by a stored network.

    Args:
        path: A ``model.keras``; pre-processing is inside.
        images: uint8 (n, h, w, 3).

    Raises:
        InputError: When the network takes images of another size.
    """
    model = keras.saving.load_model(path, compile=False)
    expected = tuple(model.input_shape[1:])
    if expected != images.shape[1:]:
        raise InputError(
            f"{path}: takes images of shape {expected}, received {images.shape[1:]}; "
            "give both data sets the same image_size"
        )
    outputs = [
        model.predict_on_batch(np.asarray(images[chosen]))
        for chosen in batches(np.arange(len(images)), BATCH_SIZE)
    ]
    return blast_probability(np.concatenate(outputs)[: len(images)])
