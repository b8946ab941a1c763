"""ImageNet start weights: downloaded once, by a separate rule, never inside a training job."""

import logging
import tempfile
from pathlib import Path

import keras

from blastfold.core.errors import InputError
from blastfold.core.files import digest_file, write_json, written_whole
from blastfold.networks import architectures

logger = logging.getLogger(__name__)


def download_weights(architecture: str, weights: str, record: str) -> None:
    """Download the ImageNet weights of a keras.applications network without its top.

    Keras checks the download against the checksum in its registry. The weights are stored in one
    format for all networks, with their checksum in a record.

    Args:
        architecture: Name in keras.applications, for instance ``densenet169``.
        weights: The .weights.h5 file to write.
        record: JSON file to write: architecture, source and SHA-256 of the weights.

    Raises:
        InputError: The server cannot be reached; the message names the alternatives.
    """
    name, _ = architectures.find_application(architecture)
    try:
        backbone = getattr(keras.applications, name)(include_top=False, weights="imagenet")
    except Exception as error:
        # Keras raises a bare Exception when a download fails.
        raise InputError(
            f"weights: imagenet: the weights of {name} could not be downloaded ({error}). "
            f"Run `snakemake --cores 1 {weights}` once on a machine that reaches the internet and "
            f"copy the file to {weights}, give the path of a file as the model's weights, or set "
            "weights: none."
        ) from error
    # A temporary folder, because Keras requires the ending .weights.h5.
    Path(weights).parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=Path(weights).parent) as folder:
        backbone.save_weights(Path(folder) / "download.weights.h5")
        with written_whole(weights) as partial:
            (Path(folder) / "download.weights.h5").replace(partial)
    write_json(
        {
            "architecture": name,
            "source": f"keras.applications.{name}, Keras {keras.__version__}",
            "sha256": digest_file(weights),
        },
        record,
    )
    logger.info("%s: ImageNet weights stored in %s", name, weights)
