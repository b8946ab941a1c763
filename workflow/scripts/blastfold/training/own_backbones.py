"""Backbones that are files: an ONNX network, and vectors that another program computed.

Whatever the config declares of such a file is compared with the file before any image is read.
"""

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import onnx
import onnxruntime

from blastfold.core.errors import InputError
from blastfold.core.files import digest_file, is_file
from blastfold.core.onnx_sessions import open_session, require_one_file
from blastfold.core.settings import OnnxSettings, VectorSettings
from blastfold.core.tables import read_text_table
from blastfold.networks.onnx_multiply_adds import (
    UncountedOperatorError,
    count_parameters,
    onnx_multiply_adds,
)
from blastfold.training.backbone_checks import require_no_answers, require_steady

logger = logging.getLogger(__name__)

TRIED = 2
"""Images of noise on which a file is tried before it is used; the second one is darker."""

AXES = {"nchw": (1, 2, 3), "nhwc": (3, 1, 2)}
"""Axes of channels, height and width, by layout."""

RANKS = {"cls": (3,), "mean": (3, 4), "none": (2,)}
"""Number of the output's axes that each pooling needs: the batch, then tokens or maps, then
features."""

HDF5 = (".h5", ".hdf5")

NO_FEATURES = (
    *("index", "row", "label", "class", "target", "split", "part", "fold", "role", "repeat"),
    *("subject", "patient", "picture", "parent", "group", "file", "path", "sha256"),
)
"""Columns that tables of vectors often have next to the features, and that tell the class."""


class OnnxBackbone(NamedTuple):
    """An ONNX file as a frozen backbone.

    Attributes:
        run: From prepared images, float32 (n, h, w, 3), to features, float32 (n, features).
        features: Number of features of an image.
        parameters: Number of its parameters.
        multiply_adds: Its multiply-adds for one image; None where an operator has no formula.
    """

    run: Callable[[np.ndarray], np.ndarray]
    features: int
    parameters: int
    multiply_adds: int | None


class Vectors(NamedTuple):
    """Vectors of a file.

    Attributes:
        names: Of the images.
        values: float32 (images, features).
        columns: Names of the features.
    """

    names: list[str]
    values: np.ndarray
    columns: list[str]


def open_onnx(path: str | os.PathLike, declared: OnnxSettings, threads: int) -> OnnxBackbone:
    """Open an ONNX file and compare it with what the config declares.

    Args:
        path: The file.
        declared: What is declared.
        threads: Threads to compute with.

    Raises:
        InputError: The file is another one, cannot be loaded, or is not as declared.
    """
    require_digest(path, declared.sha256, "onnx")
    require_one_file(path, "onnx.file")
    try:
        session = open_session(path, threads)
    except Exception as error:
        # ONNX Runtime raises errors of many kinds.
        raise InputError(f"onnx.file: ONNX Runtime cannot load {path}: {error}") from error
    given = _require_input(session, path, declared)
    output = _output_name(session, path, declared)

    def run(images: np.ndarray) -> np.ndarray:
        if declared.layout == "nchw":
            images = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
        groups = np.split(images, len(images)) if given.shape[0] == 1 else [images]
        found = [session.run([output], {given.name: group})[0] for group in groups]
        return _pooled(np.concatenate(found), declared)

    features = _try(run, path, declared)
    model = onnx.load(path)
    parameters = count_parameters(model)
    logger.info("%s: %d features of an image, %d parameters", path, features, parameters)
    return OnnxBackbone(run, features, parameters, _multiply_adds(model, declared))


def _multiply_adds(model: onnx.ModelProto, declared: OnnxSettings) -> int | None:
    sizes = dict(zip(AXES[declared.layout], (3, *declared.size), strict=True))
    try:
        return onnx_multiply_adds(model, [sizes[axis] for axis in sorted(sizes)])
    except UncountedOperatorError as error:
        # A network that cannot be counted can be used.
        logger.warning("%s", error)
        return None


def require_digest(path: str | os.PathLike, declared: str | None, key: str) -> None:
    """Check that a file is the declared one.

    Raises:
        InputError: It does not exist, or its SHA-256 is another one.
    """
    if not is_file(path):
        raise InputError(f"{key}.file: {path} does not exist; expected the file that it names")
    if declared and (found := digest_file(path)) != declared:
        raise InputError(
            f"{key}.sha256: received {declared}, but {path} has {found}. It is another file, or an "
            "incomplete copy; correct one of them"
        )


def _require_input(
    session: onnxruntime.InferenceSession, path: str | os.PathLike, declared: OnnxSettings
) -> onnxruntime.NodeArg:
    """Return the input of a file that takes images as declared."""
    inputs = session.get_inputs()
    if len(inputs) != 1:
        names = ", ".join(entry.name for entry in inputs)
        raise InputError(f"onnx.file: {path} has the inputs {names}, expected one, the images")
    [given] = inputs
    if given.type != "tensor(float)" or len(given.shape) != 4:
        raise InputError(
            f"onnx.file: the input of {path} is {given.type} of shape {given.shape}, expected "
            "float32 of four axes: images, and the three of the layout"
        )
    if given.shape[0] not in (1, None) and not isinstance(given.shape[0], str):
        raise InputError(
            f"onnx.file: {path} takes {given.shape[0]} images at a time; export it with one, or "
            "with any number (a dynamic first axis)"
        )
    wanted = dict(zip(AXES[declared.layout], (3, *declared.size), strict=True))
    names = dict(zip(AXES[declared.layout], ("channels", "height", "width"), strict=True))
    for axis, number in wanted.items():
        if isinstance(given.shape[axis], int) and given.shape[axis] != number:
            raise InputError(
                f"onnx: by the layout {declared.layout} and the size {list(declared.size)}, axis "
                f"{axis} of the images has their {names[axis]}, {number}; but {path} takes "
                f"{given.shape}. Correct onnx.layout or onnx.size"
            )
    return given


def _output_name(
    session: onnxruntime.InferenceSession, path: str | os.PathLike, declared: OnnxSettings
) -> str:
    names = [entry.name for entry in session.get_outputs()]
    if declared.output is None and len(names) == 1:
        return names[0]
    if declared.output in names:
        return declared.output
    received = "is missing" if declared.output is None else f"received {declared.output!r}"
    raise InputError(f"onnx.output: {received}, but {path} has the outputs {', '.join(names)}")


def _pooled(values: np.ndarray, declared: OnnxSettings) -> np.ndarray:
    """Return one vector per image, float32 (n, features), of an output of the declared kind."""
    if values.ndim not in RANKS[declared.pooling]:
        ranks = " or ".join(map(str, RANKS[declared.pooling]))
        raise InputError(
            f"onnx.pooling: received {declared.pooling!r}, which needs an output of {ranks} axes; "
            f"that of the file has the shape {values.shape}. Choose none for vectors, cls or mean "
            "for tokens, mean for maps, or another onnx.output"
        )
    if declared.pooling == "cls":
        values = values[:, 0]
    elif declared.pooling == "mean":
        maps = AXES[declared.layout][1:] if values.ndim == 4 else (1,)
        values = values.mean(axis=maps)
    return np.asarray(values, dtype=np.float32)


def _try(
    run: Callable[[np.ndarray], np.ndarray], path: str | os.PathLike, declared: OnnxSettings
) -> int:
    """Run a file on images of noise; return the number of features of an image.

    Raises:
        InputError: It cannot run, gives no vector for each image or numbers that are not finite; or
            see :func:`blastfold.training.backbone_checks.require_steady`.
    """
    shape = (TRIED, *declared.size, 3)
    noise = np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)
    noise[1] /= 3
    images = (noise * declared.scale - np.array(declared.mean)) / np.array(declared.std)
    images = images.astype(np.float32)
    try:
        found = run(images)
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"onnx: {path} cannot run on images of {declared.size[0]}x{declared.size[1]} pixels in "
            f"the layout {declared.layout}: {error}. Correct onnx.size, or export the network "
            "without dynamic shapes"
        ) from error
    if found.ndim != 2 or len(found) != TRIED or not found.shape[1]:
        raise InputError(
            f"onnx.output: {TRIED} images gave features of shape {found.shape}, expected one "
            f"vector for each image; choose another onnx.output of {path}"
        )
    if not np.isfinite(found).all():
        raise InputError(
            f"onnx: {path} gave features that are not finite on images of noise; scale, mean and "
            "std may be those of another network"
        )
    require_steady(run, images, found, path)
    return found.shape[1]


def read_vectors(
    path: str | os.PathLike,
    declared: VectorSettings,
    image_ids: Sequence[str],
    labels: Sequence[str] | None = None,
) -> np.ndarray:
    """Read the vectors of images by their names.

    Args:
        path: A table (.tsv) with a column of names and one column per feature, or an HDF5
            file with a data set of names, (n,), and one of vectors, (n, features).
        declared: What the config declares.
        image_ids: Names of the wanted images, in their order.
        labels: Their classes; None to leave out the comparison of features with them.

    Returns:
        float32 (images, features).

    Raises:
        InputError: The file is another one or cannot be read, an image is missing or there twice,
            a number is not finite, all vectors are equal, or a feature gives the classes away.
    """
    require_digest(path, declared.sha256, "vectors")
    ending = Path(path).suffix.lower()
    if ending in (".npy", ".npz"):
        raise InputError(
            f"{path}: a NumPy file has no names of images. Write a table (.tsv) with a column "
            f"{declared.ids} and one column per feature, or an HDF5 file with the data sets "
            f"{declared.ids} and {declared.values}"
        )
    read = _read_hdf5 if ending in HDF5 else _read_table
    names, values, columns = read(path, declared)
    places = {name: row for row, name in enumerate(names)}
    if len(places) < len(names):
        twice = next(name for row, name in enumerate(names) if places[name] != row)
        raise InputError(f"{path}: image {twice!r} has two vectors, expected one")
    missing = [name for name in image_ids if name not in places]
    if missing:
        raise InputError(
            f"{path}: {len(missing)} of {len(image_ids)} images of the data set have no vector, "
            f"for instance {missing[0]!r}; the first name in the file is {names[0]!r}. Expected a "
            "vector for every image_id of the manifest"
        )
    vectors = values[[places[name] for name in image_ids]]
    if not np.isfinite(vectors).all():
        row = int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])
        raise InputError(f"{path}: the vector of image {image_ids[row]!r} has numbers not finite")
    if len(vectors) > 1 and not np.ptp(vectors, axis=0).any():
        raise InputError(
            f"{path}: all {len(vectors)} images have the same vector, so that nothing can be "
            "learnt from them"
        )
    if labels is not None:
        require_no_answers(vectors, columns, labels, path)
    if spare := len(names) - len(image_ids):
        logger.info("%s: %d vectors are of no image of the data set", path, spare)
    return vectors


def _read_hdf5(path: str | os.PathLike, declared: VectorSettings) -> Vectors:
    try:
        with h5py.File(path) as file:
            absent = [name for name in (declared.ids, declared.values) if name not in file]
            if absent:
                raise InputError(
                    f"{path}: has no data set {', '.join(absent)}; it has {', '.join(file)}. Set "
                    "vectors.ids and vectors.values"
                )
            names = [
                name.decode() if isinstance(name, bytes) else str(name)
                for name in file[declared.ids][:]
            ]
            found = file[declared.values][:]
            if np.iscomplexobj(found):
                raise InputError(
                    f"{path}: {declared.values} has complex numbers, expected real ones"
                )
            values = np.asarray(found, dtype=np.float32)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{path}: cannot be read as HDF5 with vectors: {error}") from error
    if values.ndim != 2 or len(values) != len(names) or not len(names):
        raise InputError(
            f"{path}: {declared.values} has the shape {values.shape} and {declared.ids} "
            f"{len(names)} names, expected one vector per name"
        )
    return Vectors(names, values, [f"{declared.values}[{n}]" for n in range(values.shape[1])])


def _read_table(path: str | os.PathLike, declared: VectorSettings) -> Vectors:
    table = read_text_table(path, (declared.ids,))
    numbers = table.drop(columns=declared.ids)
    other = [name for name in numbers if name.strip().casefold() in NO_FEATURES or not name.strip()]
    other += [name for name in numbers if name.startswith("Unnamed:")]
    if other:
        raise InputError(
            f"{path}: the columns {other} are no features; a network would learn from them. Write "
            f"the table with {declared.ids} and the features alone"
        )
    try:
        values = numbers.to_numpy().astype(np.float32)
    except ValueError as error:
        raise InputError(
            f"{path}: a column next to {declared.ids} holds no numbers ({error}); expected one "
            "column per feature"
        ) from error
    if not values.size:
        raise InputError(f"{path}: holds no vectors, expected one row per image")
    return Vectors(table[declared.ids].tolist(), values, list(numbers))
