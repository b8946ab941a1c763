"""The folder of an exported network: what it says of itself, checked, and its predictions."""

import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from blastfold.core.errors import InputError
from blastfold.core.files import digest_file, is_file
from blastfold.core.names import THRESHOLD_POINT
from blastfold.core.onnx_sessions import chained_outputs
from blastfold.core.tables import read_text_table
from blastfold.training.feature_domain import (
    Domain,
    read_domains,
    relative_distances,
    unit_vectors,
)

DESCRIPTION, DOMAIN, TRAINING_IMAGES = "model.json", "domain.npz", "training_images.tsv"
"""Files of an export next to the folder of its networks."""

AT_ONCE = 64
"""Cells in one batch."""

SMALLEST = 1e-300
"""Smallest probability before it is scaled."""


class Network(NamedTuple):
    """One network of an export.

    Attributes:
        fold: Number of its fold.
        run: From images, uint8 (n, h, w, 3), to the outputs of its last graph.
        temperature: Of its fold, fitted on validation images.
        domain: The features of its training images; None where the export has none.
    """

    fold: int
    run: Callable
    temperature: float
    domain: Domain | None


class ExportedModel(NamedTuple):
    """An export that can predict.

    Attributes:
        description: Content of ``model.json``.
        digest: SHA-256 of that file.
        networks: Its networks.
        threshold: Probability from which a cell is of a positive class.
        training_images: SHA-256 of what the networks learnt from or were chosen by.
    """

    description: Mapping
    digest: str
    networks: list[Network]
    threshold: float
    training_images: frozenset[str]

    @property
    def classes(self) -> list[str]:
        """Names of the classes."""
        return list(self.description["classes"])

    @property
    def positive(self) -> list[str]:
        """Names of the positive classes."""
        return list(self.description.get("positive") or self.classes[-1:])

    def of_positive(self, probabilities: np.ndarray, temperature: float) -> np.ndarray:
        """Return the probability of the positive classes together, float64 (n,).

        Args:
            probabilities: float64 (n, classes).
            temperature: What their logit against the rest is divided by.
        """
        if len(self.classes) > 2 or self.positive != self.classes[-1:]:
            columns = [self.classes.index(name) for name in self.positive]
            together = probabilities[:, columns].sum(axis=1).clip(max=1)
            probabilities = np.column_stack([1 - together, together])
        return scaled(probabilities, temperature)[:, -1]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the images that the networks take."""
        height, width = self.description["image"]["size"]
        return height, width


class Predicted(NamedTuple):
    """What the networks of an export say of n cells.

    Attributes:
        probabilities: float64 (n, classes), mean over the networks.
        calibrated: float64 (networks, n), of the positive classes after temperature scaling.
        distances: float64 (networks, n), from the training images, 1 at the threshold; NaN for a
            network without a description of them.
    """

    probabilities: np.ndarray
    calibrated: np.ndarray
    distances: np.ndarray


def open_export(folder: str | os.PathLike, threshold: str = THRESHOLD_POINT) -> ExportedModel:
    """Open an export, and compare its files with what it says of them.

    Args:
        folder: The folder that ``snakemake export`` wrote, or a copy of it.
        threshold: Name of the threshold, one of ``thresholds`` in ``model.json``.

    Raises:
        InputError: It is no export, was changed, has no ONNX file, or its networks take images of
            another size than it says; the message names the file.
    """
    folder = Path(folder)
    description = read_description(folder)
    if description["note"] or not all(entry["graphs"] for entry in description["networks"]):
        raise InputError(
            f"{folder}: this export has no valid ONNX file; its model_card.md gives the reason. "
            "Expected the export of another network."
        )
    thresholds = description["thresholds"]
    if threshold not in thresholds:
        raise InputError(
            f"{folder}: the export has no threshold {threshold!r}; expected one of "
            f"{', '.join(thresholds)}. Thresholds other than {THRESHOLD_POINT} belong to a single "
            "fold."
        )
    domains = read_domains(folder / DOMAIN) if is_file(folder / DOMAIN) else {}
    networks = [
        Network(
            entry["fold"],
            _open_network(folder, entry["graphs"], description["image"]["size"]),
            float(entry["temperature"]),
            domains.get(entry["fold"]),
        )
        for entry in description["networks"]
    ]
    learnt: frozenset[str] = frozenset()
    if is_file(folder / TRAINING_IMAGES):
        learnt = frozenset(read_text_table(folder / TRAINING_IMAGES, ("sha256",))["sha256"])
    digest = digest_file(folder / DESCRIPTION)
    return ExportedModel(description, digest, networks, float(thresholds[threshold]), learnt)


def read_description(folder: str | os.PathLike) -> dict:
    """Read ``model.json`` of an export.

    Raises:
        InputError: The folder is no export.
    """
    path = Path(folder) / DESCRIPTION
    try:
        description = json.loads(path.read_text("utf-8"))
        missing = [key for key in KEYS if key not in description]
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"'{folder}' is not the folder of an exported network: {DESCRIPTION} cannot be read "
            f"({error}). Expected what snakemake export writes, see docs/exchange.md."
        ) from error
    if missing:
        raise InputError(f"{path}: the keys {missing} are missing; expected those of an export.")
    return description


KEYS = ("classes", "image", "networks", "note", "thresholds")
"""What ``model.json`` must have."""


def _open_network(folder: Path, graphs: Mapping[str, str], size: list[int]) -> Callable:
    paths = [folder / "networks" / Path(name).name for name in graphs]
    for path, digest in zip(paths, graphs.values(), strict=True):
        if not is_file(path):
            raise InputError(f"{path}: does not exist; {DESCRIPTION} lists it. Copy whole exports.")
        if digest_file(path) != digest:
            raise InputError(f"{path}: was changed after the export; expected SHA-256 {digest}.")
    try:
        run = chained_outputs(paths)
        run(np.zeros((1, *size, 3), np.uint8))
    except Exception as error:
        # The runtime raises errors of many kinds.
        raise InputError(
            f"{paths[0]}: does not take images of {size[0]} x {size[1]} pixels (height x width), "
            f"which {DESCRIPTION} says: {error}"
        ) from error
    return run


def predict(model: ExportedModel, images: np.ndarray) -> Predicted:
    """Predict images with all networks.

    Args:
        model: The export.
        images: uint8 (n, h, w, 3), of the size of the networks.
    """
    count, networks = len(images), len(model.networks)
    plain = np.zeros((count, len(model.classes)))
    calibrated, distances = np.full((networks, count), np.nan), np.full((networks, count), np.nan)
    for start in range(0, count, AT_ONCE):
        rows = slice(start, start + AT_ONCE)
        batch = np.ascontiguousarray(images[rows])
        for number, network in enumerate(model.networks):
            outputs = network.run(batch)
            probabilities = class_probabilities(outputs[0])
            plain[rows] += probabilities / networks
            calibrated[number, rows] = model.of_positive(probabilities, network.temperature)
            if network.domain is not None and len(outputs) > 1:
                features = unit_vectors(outputs[1])
                distances[number, rows] = relative_distances(network.domain, features)
    return Predicted(plain, calibrated, distances)


def class_probabilities(output: np.ndarray) -> np.ndarray:
    """Return the probability of every class, float64 (n, classes), from an output of a graph.

    Args:
        output: (n, 1) of one sigmoid neuron, or (n, classes).
    """
    output = np.asarray(output, np.float64)
    return np.hstack([1 - output, output]) if output.shape[1] == 1 else output


def scaled(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Return probabilities after temperature scaling (Guo et al. 2017), (n, classes).

    A power of the probabilities is the same as dividing the logits.
    """
    if not (temperature > 0 and math.isfinite(temperature)):
        return probabilities
    power = np.clip(probabilities, SMALLEST, 1) ** (1 / temperature)
    return power / power.sum(axis=1, keepdims=True)
