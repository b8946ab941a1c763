"""Start of a training: the network with its start weights, and what was fitted on its fold."""

import json
from pathlib import Path

import keras
import numpy as np

from blastfold.core.arrays import digest_array
from blastfold.core.errors import InputError
from blastfold.core.files import digest_file, digest_settings
from blastfold.core.names import plain_name
from blastfold.core.seeds import derive_seed
from blastfold.core.settings import (
    FeatureSettings,
    ModelSettings,
    OnnxSettings,
    features_depend_on_fold,
)
from blastfold.networks import architectures
from blastfold.networks.preprocessing import Preparation, build_preparation, resize_mean_image
from blastfold.training.files import StartFiles


def augmentation_seed(seed: int, image_source: str, fold: int | None = None) -> int:
    """Return the seed of the random changes of a data set's images.

    Args:
        seed: The seed of the experiment.
        image_source: Name of the data set that the images come from.
        fold: Number of the fold, which has changes of its own, the same for all models; None
            where all folds learn from the same features.
    """
    return derive_seed(seed, "augmentation", image_source, *_own_draw(fold))


def backbone_seed(seed: int, architecture: str, fold: int | None = None) -> int:
    """Return the seed of the random start weights of a backbone that is not trained.

    Every fold of every repeat has a draw of its own: networks that all start from one draw agree
    more than the procedure does, and two draws would then pass for two procedures. Models of one
    architecture share the draw of a fold, so that they can share its features. A backbone that is
    trained has a draw of its own in every training.

    Args:
        seed: The seed of the experiment.
        architecture: Name of the network.
        fold: Number of the fold; None for features that no fold is trained on.
    """
    return derive_seed(seed, "backbone", plain_name(architecture), *_own_draw(fold))


def _own_draw(fold: int | None) -> tuple[str, ...]:
    """Return what names the draw of a fold; the first fold has that of no fold."""
    return (f"fold-{fold}",) if fold else ()


def image_seed(
    seed: int, image_source: str, fold: int, settings: ModelSettings, weights: object
) -> int:
    """Return the seed of the random changes of the images that the training of a fold sees.

    A frozen backbone has the changes of its stored features, which all folds may share: heads
    then learn the same from both.

    Args:
        seed: The seed of the experiment.
        image_source: Name of the data set that the images come from.
        fold: Number of the fold.
        settings: The model.
        weights: File with the start weights; None for random ones.
    """
    own = settings.train != "head" or features_depend_on_fold(
        settings.preprocessing, settings.stain, random_start=not weights
    )
    return augmentation_seed(seed, image_source, fold if own else None)


def frozen_backbone(
    settings: FeatureSettings | ModelSettings,
    shape: tuple[int, int, int],
    weights: str | Path | None,
    seed: int,
    fold: int | None = None,
) -> tuple[keras.Model, str | None]:
    """Build a backbone that is not trained, with its start weights.

    Args:
        settings: architecture and pooling are read.
        shape: (height, width, 3) of the images.
        weights: File with the start weights; None for random ones, which depend only on the
            seed, the architecture and the fold.
        seed: The seed of the experiment.
        fold: Number of the fold; None for features that no fold is trained on.

    Returns:
        The backbone and its module in keras.applications (see
        :func:`blastfold.networks.architectures.build_backbone`).
    """
    backbone, application = architectures.build_backbone(
        settings.architecture,
        settings.pooling,
        shape,
        backbone_seed(seed, settings.architecture, fold),
    )
    backbone.trainable = False
    if weights:
        architectures.load_backbone_weights(backbone, weights)
    return backbone, application


def start_network(
    settings: ModelSettings,
    files: StartFiles,
    seed: int,
    fold: int,
    fold_seed: int,
    classes: int = 2,
) -> tuple[architectures.Network, Preparation]:
    """Build the network of a fold with its start weights, and its pre-processing.

    Args:
        settings: The model.
        files: Images, of which only the shape is read, and what the network starts from.
        seed: The seed of the experiment.
        fold: Number of the fold.
        fold_seed: Seed of the training of this fold.
        classes: Number of classes.
    """
    shape = image_shape(files)
    draw = derive_seed(fold_seed, "backbone")
    if settings.train == "head":
        draw = backbone_seed(seed, settings.architecture, fold)
    network = architectures.build_network(
        settings, shape, draw, derive_seed(fold_seed, "head"), classes
    )
    if files.weights:
        architectures.load_backbone_weights(network.backbone, files.weights)
    described = settings.preprocessing, network.application, network.backbone
    return network, read_preparation(files, fold, *described)


def image_shape(files: StartFiles) -> tuple[int, int, int]:
    """Return (height, width, 3) of the images."""
    return np.load(files.images, mmap_mode="r").shape[1:]


def read_preparation(
    files: StartFiles,
    fold: int,
    preprocessing: str,
    application: str | None,
    backbone: keras.Model,
    declared: OnnxSettings | None = None,
) -> Preparation:
    """Read what was fitted on the training images of a fold, and build the pre-processing.

    Args:
        files: What the network starts from.
        fold: Number of the fold.
        preprocessing: One of :data:`blastfold.core.preprocessing_kinds.KINDS`.
        application: Module of keras.applications that the backbone comes from, or None.
        backbone: The backbone with its start weights.
        declared: What the config declares of an ONNX file.

    Raises:
        InputError: The mean image of the fold has another size than the images.
    """
    mean_image = read_mean_image(files, fold)
    shape = image_shape(files)
    if mean_image is None:
        mean_image = np.zeros(shape, dtype="float32")
    elif files.source_mean_image:
        mean_image = resize_mean_image(mean_image, shape)
    elif mean_image.shape != shape:
        raise InputError(
            f"{files.mean_images}: received mean images of shape {mean_image.shape}, expected "
            f"{shape} as the images of {files.images}"
        )
    stain = read_stain(files, fold)
    fitted = mean_image, stain
    return build_preparation(preprocessing, application, *fitted, backbone, declared)


def read_mean_image(files: StartFiles, fold: int) -> np.ndarray | None:
    """Read the mean image that a fold subtracts, float32 (h, w, 3); None where none is needed."""
    if files.source_mean_image:
        return np.load(files.source_mean_image)
    if files.mean_images is None:
        return None
    mean_images = np.load(files.mean_images, mmap_mode="r")
    if fold >= len(mean_images):
        raise InputError(
            f"{files.mean_images}: holds {len(mean_images)} mean images, expected one of fold "
            f"{fold}. A file of another split must be made again"
        )
    return np.array(mean_images[fold])


def read_stain(files: StartFiles, fold: int) -> dict | None:
    """Read the record of a fold's stain normalisation; None without normalisation."""
    if files.stains is None:
        return None
    records = json.loads(Path(files.stains).read_text("utf-8"))
    for record in records:
        if record["fold"] == fold:
            return record
    raise InputError(f"{files.stains}: holds no record of fold {fold}")


def start_digests(files: StartFiles, fold: int) -> dict[str, str | None]:
    """Return digests of all that a fold starts from: weights, mean_image and stain."""
    mean_image, stain = read_mean_image(files, fold), read_stain(files, fold)
    return {
        "weights": digest_file(files.weights) if files.weights else None,
        "mean_image": None if mean_image is None else digest_array(mean_image),
        "stain": None if stain is None else digest_settings(stain),
    }
