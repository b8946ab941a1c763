"""ImageNet start weights: fetched once, by a rule of their own, never hidden in a training job."""

import logging
import tempfile
from pathlib import Path

import keras

from blastfold.core.errors import InputError
from blastfold.core.files import digest_file, write_json, written_whole
from blastfold.networks import architectures

logger = logging.getLogger(__name__)


def download_weights(architecture: str, weights: str, record: str) -> None:
    """Fetch the ImageNet weights of a keras.applications network without its top.

    Keras checks the download against the checksum that its registry holds for the file. The
    weights are stored in one format for all networks, with their own checksum next to them.

    Args:
        architecture: Name in keras.applications, for instance ``densenet169``.
        weights: The .weights.h5 file to write.
        record: JSON file to write: architecture, source and SHA-256 of the weights.

    Raises:
        InputError: When the network cannot be reached; proposes what to do instead.
    """
    name, _ = architectures.find_application(architecture)
    try:
        backbone = getattr(keras.applications, name)(include_top=False, weights="imagenet")
    except Exception as error:
        # Keras raises a bare Exception when a download fails.
        raise InputError(
            f"weights: imagenet: the weights of {name} could not be fetched ({error}). "
            f"Run `snakemake {weights}` once on a machine that reaches the internet and copy the "
            f"file to {weights}, name a file under the model's key weights, or set weights: none."
        ) from error
    # A folder of its own, because Keras insists on the ending .weights.h5.
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
