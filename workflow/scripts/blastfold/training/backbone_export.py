"""Backbones of networks trained on a source task, as start weights of other networks."""

import json
import os
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from blastfold.core.arrays import write_array
from blastfold.core.files import digest_file, write_json, written_whole
from blastfold.core.manifest import SOURCE_DIGEST, read_manifest
from blastfold.core.settings import ModelSettings
from blastfold.leakage.learnt_images import record_learnt

# Reading a stored network needs the classes of its layers.
from blastfold.networks import (
    architectures,
    augmentation,  # noqa: F401
    layers,
    prediction_views,  # noqa: F401
    stain_layers,  # noqa: F401
)
from blastfold.training.device import set_up_device


def export_backbone(
    model: str | os.PathLike,
    run: str | os.PathLike,
    trained: str,
    outputs: dict[str, str],
    learnt: str | os.PathLike | None = None,
    start: str | os.PathLike | None = None,
) -> None:
    """Store the backbone of a trained network and the mean image that it subtracts.

    Args:
        model: The network (``model.keras``).
        run: Its record, with the settings of the model.
        trained: Data set, protocol and model of the training, for the record.
        outputs: Paths by name: weights (Keras .weights.h5 of the backbone without its top),
            mean_image (float32 (h, w, 3) that is subtracted; zero without subtraction) and record.
        learnt: Manifest of the data set of the training. The digests of its images are recorded
            inside the weights (:mod:`blastfold.leakage.learnt_images`).
        start: The weights that the training started from. What they record is recorded too.
    """
    set_up_device("cpu", 1, 0)
    network = keras.saving.load_model(model, compile=False)
    facts = json.loads(Path(run).read_text("utf-8"))
    shape = network.input_shape[1:]
    rebuilt = architectures.build_network(
        ModelSettings.read(facts["settings"]), shape, classes=max(2, network.output_shape[-1])
    )
    rebuilt.whole.set_weights(network.get_layer("network").get_weights())
    with written_whole(outputs["weights"]) as partial:
        rebuilt.backbone.save_weights(partial)
        if learnt:
            record_learnt(partial, _digests(read_manifest(learnt)), start)
    write_array(mean_image_of(network), outputs["mean_image"])
    record = {
        "trained_as": trained,
        "run": facts,
        "weights_sha256": digest_file(outputs["weights"]),
    }
    write_json(record, outputs["record"])


def _digests(manifest: pd.DataFrame) -> list[str]:
    """Return the digests of images and of the photographs that they were cut from."""
    columns = [column for column in ("sha256", SOURCE_DIGEST) if column in manifest]
    return pd.unique(manifest[columns].to_numpy().ravel()).tolist()


def mean_image_of(network: keras.Model) -> np.ndarray:
    """Return the mean image that a stored network subtracts, float32 (h, w, 3), or zero."""
    for part in network.layers:
        for layer in getattr(part, "layers", []):
            if isinstance(layer, layers.MeanImageSubtraction):
                return np.array(layer.mean_image)
    return np.zeros(network.input_shape[1:], dtype="float32")
