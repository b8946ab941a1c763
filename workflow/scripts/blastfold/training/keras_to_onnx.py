"""Write a backbone of keras.applications as an ONNX file: ``make onnx``.

The file takes RGB intensities of 0 to 255 and has the network's own scaling inside, for ImageNet's
weights. It is loaded and compared with Keras. Its entry for the config is printed.
"""

import argparse
import sys
from pathlib import Path

import keras
import numpy as np
import yaml

from blastfold.core.errors import BlastfoldError, InputError
from blastfold.core.files import digest_file, written_whole
from blastfold.core.names import plain_name
from blastfold.core.settings import OWN_NETWORKS, OnnxSettings
from blastfold.networks.architectures import build_backbone, load_backbone_weights
from blastfold.networks.layers import ImageNetScaling
from blastfold.training.device import set_up_device
from blastfold.training.onnx_graphs import convert
from blastfold.training.own_backbones import open_onnx

COMPARED = 4
"""Images of noise on which the file is compared with Keras."""

TOLERANCE = 1e-5
"""Largest difference from Keras, as a share of the largest feature."""


def write_backbone(
    architecture: str, weights: Path, size: tuple[int, int], path: Path
) -> dict[str, object]:
    """Write a backbone with its averaged features as output, and compare the file with Keras.

    Args:
        architecture: A network of keras.applications.
        weights: Its weights without the top, a Keras .weights.h5 file.
        size: Height and width of its images.
        path: The ONNX file to write.

    Returns:
        The key ``onnx`` of a model in the config.

    Raises:
        InputError: There is no such network, or the weights are not its own.
        BlastfoldError: See :func:`write_scaled`.
    """
    if plain_name(architecture) in OWN_NETWORKS:
        raise InputError(
            f"architecture: received {architecture!r}, which has no weights of its own; expected "
            "a network of keras.applications"
        )
    set_up_device("cpu", 1, 0)
    backbone, module = build_backbone(architecture, "average", (*size, 3))
    load_backbone_weights(backbone, weights)
    return write_scaled(backbone, module, path)


def write_scaled(backbone: keras.Model, module: str, path: Path) -> dict[str, object]:
    """Write a backbone with the scaling of its images before it, and compare the file with Keras.

    Args:
        backbone: From scaled images (h, w, 3) to features (n,).
        module: Module of keras.applications whose scaling it expects.
        path: The ONNX file to write.

    Returns:
        The key ``onnx`` of a model in the config.

    Raises:
        BlastfoldError: ONNX cannot hold the network, or the file differs from Keras.
    """
    size = backbone.input_shape[1:3]
    image = keras.Input((*size, 3), name="image")
    network = keras.Model(image, backbone(ImageNetScaling(module)(image)))
    images = np.random.default_rng(0).uniform(0, 255, (COMPARED, *size, 3)).astype("float32")
    expected = network.predict_on_batch(images)
    with written_whole(path) as partial:
        try:
            convert(network, partial)
            entry = config_entry(path, digest_file(partial), size)
            found = open_onnx(partial, declared(entry), 1).run(images)
        except InputError:
            raise
        except Exception as error:
            # Converter and runtime raise errors of many kinds.
            raise BlastfoldError(f"ONNX cannot hold {backbone.name}: {error}") from error
        difference = float(np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-30))
        if not difference <= TOLERANCE:
            raise BlastfoldError(
                f"the ONNX file of {backbone.name} differs from Keras by {difference:.1e} of the "
                f"largest feature, expected at most {TOLERANCE:.0e}; nothing was written"
            )
    return entry


def config_entry(path: Path, digest: str, size: tuple[int, int]) -> dict[str, object]:
    """Return the key ``onnx`` of the config for a file that scales images itself."""
    return {
        "file": str(path),
        "sha256": digest,
        "layout": "nhwc",
        "size": list(size),
        "scale": 1,
        "mean": [0, 0, 0],
        "std": [1, 1, 1],
        "pooling": "none",
    }


def declared(entry: dict[str, object]) -> OnnxSettings:
    """Return an entry of the config as jobs receive it."""
    settings = {name: value for name, value in entry.items() if name != "file"}
    return OnnxSettings(**settings, multiple=1, output=None)


def main(arguments: list[str]) -> None:
    """Read the command line, write the file, print its entry for the config."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--architecture", required=True, help="a network of keras.applications")
    parser.add_argument("--weights", required=True, type=Path, help="its .weights.h5, without top")
    parser.add_argument("--size", required=True, type=int, nargs="+", help="side, or height width")
    parser.add_argument("--output", required=True, type=Path, help="the ONNX file to write")
    chosen = parser.parse_args(arguments)
    if len(chosen.size) > 2 or min(chosen.size) < 1:
        raise InputError(f"--size: received {chosen.size}, expected a side, or height and width")
    size = (chosen.size[0], chosen.size[-1])
    entry = write_backbone(chosen.architecture, chosen.weights, size, chosen.output)
    model = {"architecture": "onnx", "train": "head", "augment": False, "onnx": entry}
    print(yaml.safe_dump(model, sort_keys=False, default_flow_style=None, width=1000))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except BlastfoldError as error:
        sys.exit(str(error))
