"""Trained networks for use outside of this repository: a folder with Keras and ONNX files.

Every ONNX file is loaded again and compared with Keras on real images. An export that does not
agree has no ONNX file, and its description has the reason.
"""

import dataclasses
import json
import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from blastfold.core.errors import BlastfoldError, InputError
from blastfold.core.files import digest_file, write_json
from blastfold.core.fold_table import read_folds
from blastfold.core.image_measures import CELL_SHARE, read_measures
from blastfold.core.manifest import SOURCE_DIGEST, read_classes, read_manifest
from blastfold.core.names import (
    PICTURE,
    SUBJECT,
    TEST,
    THRESHOLD,
    THRESHOLD_POINT,
    TRAIN,
    VALIDATION,
)
from blastfold.core.notes import join_notes, make_note
from blastfold.core.onnx_sessions import chained, chained_outputs
from blastfold.core.predictions import PREFIX, read_predictions, require_positive
from blastfold.core.tables import write_table

# Reading a stored network needs the classes of its layers.
from blastfold.networks import (
    augmentation,  # noqa: F401
    layers,  # noqa: F401
    prediction_views,  # noqa: F401
    stain_layers,  # noqa: F401
)
from blastfold.networks.architectures import class_probabilities
from blastfold.training.device import set_up_device
from blastfold.training.feature_domain import (
    QUANTILE,
    Domain,
    fit_domain,
    relative_distances,
    unit_vectors,
    write_domains,
)
from blastfold.training.files import NamedFiles, network_file, network_files
from blastfold.training.onnx_graphs import convert, graph_files, split_model
from blastfold.training.run_record import versions

logger = logging.getLogger(__name__)

COMPARED = 32
"""Test images on which the ONNX files of a fold are compared with Keras."""

DESCRIBED = 2000
"""Training images, and test images, of a fold whose features are computed, at most."""

PARITY = 1e-4
"""Largest difference of a probability between the ONNX files and Keras."""

SOURCE = "source_task"
"""Role of an image that the start weights were learnt from."""

DECODER = "OpenCV, cv2.imdecode, RGB"
"""What the exported script decodes image files with."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExportFiles(NamedFiles):
    """What an export reads.

    Attributes:
        networks: The networks of all folds, or their folder; of a single fold its network alone.
        images: Image store, uint8 (n, h, w, 3).
        manifest: Manifest of the data set.
        dataset: Its JSON summary.
        folds: Table of folds.
        predictions: Predictions of all folds.
        fitted: What was fitted on the validation part of each fold (``fitted.json``).
        measures: Table of plain measures of the images, which has the size of their cells.
        sources: Manifests of the data sets that the start weights were learnt from.
    """

    networks: list
    images: os.PathLike | str
    manifest: os.PathLike | str
    dataset: os.PathLike | str
    folds: os.PathLike | str
    predictions: os.PathLike | str
    fitted: os.PathLike | str
    measures: os.PathLike | str
    sources: Sequence[os.PathLike | str] = ()


def export_networks(
    files: ExportFiles,
    fold: int | None,
    about: Mapping[str, object],
    crop: tuple[int, int] | None,
    micrometres: Sequence[float] | None,
    outputs: Mapping[str, str],
    positive: Sequence[str] | None = None,
) -> None:
    """Export the network of one fold, or those of all folds as an ensemble.

    Args:
        files: What is read.
        fold: Number of the fold; None for all folds.
        about: Names of data set, protocol and model, for the description.
        crop: Height and width of the central crop that the import takes; None for none.
        micrometres: Height and width of what an image shows; None where that is not known.
        outputs: Paths by name: networks (folder with ``fold-0.keras``, ``fold-0.onnx`` and so on),
            description (``model.json``), domain (features of the training images) and
            training_images (digests of the images).
        positive: Names of the positive classes; None for the last of two.

    Raises:
        InputError: There is no network of the fold, or the positive classes are not known.
    """
    if keras.backend.backend() != "tensorflow":
        raise BlastfoldError(
            f"KERAS_BACKEND: received {keras.backend.backend()!r}; the export needs tensorflow. "
            "Networks trained with another backend can be exported with it"
        )
    set_up_device("cpu", 1, 0)
    folds = read_folds(files.folds)
    paths = _networks_of(files, folds, fold)
    folder = Path(outputs["networks"])
    folder.mkdir(parents=True, exist_ok=True)
    fitted = {entry["fold"]: entry for entry in json.loads(Path(files.fitted).read_text("utf-8"))}
    networks, domains = [], {}
    for number, path in paths.items():
        logger.info("network of fold %d", number)
        images, stored = _images_to_compare(files, number)
        exported = export_network(path, number, images, stored, folder)
        if exported["graphs"]:
            graphs = [folder / name for name in exported["graphs"]]
            exported["domain"], domain = describe_domain(graphs, files, folds, number)
            domains |= {number: domain} if domain else {}
        networks.append({**exported, **_fitted(fitted[number])})
    write_domains(domains, outputs["domain"])
    used = folds[folds["fold"].isin(paths)]
    image = {
        "size": list(images.shape[1:3]),
        "crop": crop,
        "decoder": DECODER,
        "micrometres": micrometres and list(micrometres),
        "cell_diameter": _cell_diameter(files.measures, used),
    }
    description = {
        **about,
        "format": 1,
        **_classes_of(files, positive),
        "image": image,
        "networks": networks,
        "note": join_notes(*(network["note"] for network in networks)),
        "thresholds": _thresholds(networks),
        "parity": PARITY,
        "versions": versions(),
    }
    write_json(description, outputs["description"])
    _write_training_images(files, used, outputs["training_images"])


def _networks_of(files: ExportFiles, folds: pd.DataFrame, fold: int | None) -> dict[int, Path]:
    """Return the files of the networks to export, by fold."""
    numbers = sorted(set(folds["fold"])) if fold is None else [fold]
    found = network_files(files.networks)
    paths = dict(enumerate(found)) if len(found) > 1 else {numbers[0]: found[0]}
    if missing := [number for number in numbers if number not in paths]:
        raise InputError(
            f"export: there are {len(found)} networks, but none of the folds {missing}"
        )
    return {number: paths[number] for number in numbers}


def _classes_of(files: ExportFiles, positive: Sequence[str] | None) -> dict:
    """Return the classes for the description; without positive, the last of two is positive."""
    classes = read_classes(files.dataset)
    chosen = require_positive(classes, positive)
    usual = len(classes) == 2 and chosen == classes[1:]
    return {"classes": list(classes), **({} if usual else {"positive": list(chosen)})}


def export_network(
    path: str | os.PathLike, fold: int, images: np.ndarray, stored: np.ndarray, folder: Path
) -> dict:
    """Write one network as Keras and ONNX files, and compare them on real images.

    Args:
        path: The network as it was stored after training.
        fold: Number of its fold.
        images: uint8 (n, h, w, 3), images to compare on.
        stored: float64 (n, classes), the predictions of these images that results rest on.
        folder: Folder to write into.

    Returns:
        fold, keras (SHA-256 of the file), graphs (SHA-256 by file, in the order in which they
        run; empty where ONNX cannot hold the network), compared (number of images),
        largest differences of a probability from Keras and from the stored predictions, and a
        note.
    """
    model = keras.saving.load_model(path, compile=False)
    shutil.copyfile(path, network_file(folder, fold))
    expected = class_probabilities(model.predict_on_batch(images))
    record = {"fold": fold, "keras": digest_file(path), "compared": len(images)}
    try:
        parts = split_model(model)
        graphs = graph_files(folder, fold, len(parts))
        for part, graph in zip(parts, graphs, strict=True):
            convert(part, graph)
        found = class_probabilities(chained(graphs)(images))
        difference, note = float(np.abs(found - expected).max()), ""
        if not difference <= PARITY:
            note = make_note("onnx_differs", difference, PARITY)
    except Exception as error:
        # Converter and runtime raise errors of many kinds.
        logger.warning("fold %d: ONNX cannot hold this network: %s", fold, error)
        graphs, difference, note = [], None, make_note("not_in_onnx", type(error).__name__)
    if note:
        for graph in folder.glob(f"fold-{fold}.*onnx"):
            graph.unlink()
        graphs = []
    by_stored = None if note else float(np.abs(found - stored).max())
    differences = {"from_keras": difference, "from_stored_predictions": by_stored}
    digests = {graph.name: digest_file(graph) for graph in graphs}
    return {**record, "graphs": digests, "differences": differences, "note": note}


def describe_domain(
    graphs: Sequence[Path], files: ExportFiles, folds: pd.DataFrame, fold: int
) -> tuple[dict | None, Domain | None]:
    """Describe the training images of a fold by the features of its network.

    Args:
        graphs: ONNX files of the network.
        files: What the export reads.
        folds: Table of folds.
        fold: Number of the fold.

    Returns:
        Number of training images, their quantile that is the threshold, and the share of the test
        images beyond it; and the description. None and None for too few images.
    """
    run = chained_outputs(graphs)
    manifest = read_manifest(files.manifest)
    store = np.load(files.images, mmap_mode="r")
    features, groups = {}, {}
    for role in (TRAIN, TEST):
        names = folds.loc[(folds["fold"] == fold) & (folds["role"] == role), "image_id"]
        chosen = _evenly(names.to_numpy(), DESCRIBED)
        rows = pd.Index(manifest["image_id"]).get_indexer(chosen)
        pieces = np.array_split(rows, -(-len(rows) // COMPARED)) if len(rows) else []
        found = [run(np.asarray(store[some]))[1] for some in pieces]
        features[role] = unit_vectors(np.concatenate(found or [np.zeros((0, 1))]))
        groups[role] = _groups(manifest.iloc[rows])
    domain = fit_domain(features[TRAIN], groups[TRAIN])
    if domain is None:
        return None, None
    tested = len(features[TEST]) > 0
    beyond = relative_distances(domain, features[TEST]) > 1 if tested else None
    facts = {"images": len(features[TRAIN]), "quantile": QUANTILE}
    return facts | {"test_images_beyond": float(beyond.mean()) if tested else None}, domain


def _evenly(values: np.ndarray, most: int) -> np.ndarray:
    """Return so many values at most, evenly spaced."""
    return values[np.linspace(0, len(values) - 1, min(most, len(values))).round().astype(int)]


def _groups(manifest: pd.DataFrame) -> np.ndarray:
    """Return the subject of every image, else its picture, else the image itself."""
    names = manifest["image_id"]
    for level in (PICTURE, SUBJECT):
        if level in manifest:
            names = manifest[level].where(manifest[level] != "", names)
    return names.to_numpy(str)


def _cell_diameter(measures: str | os.PathLike, folds: pd.DataFrame) -> float | None:
    """Return the median diameter of the training images' cells, as a share of the image's side."""
    learnt = folds.loc[folds["role"] == TRAIN, "image_id"].unique()
    shares = read_measures(measures)[CELL_SHARE].reindex(learnt).dropna()
    return round(float(np.sqrt(4 * shares.median() / np.pi)), 4) if len(shares) else None


def _images_to_compare(files: ExportFiles, fold: int) -> tuple[np.ndarray, np.ndarray]:
    """Return test images of a fold, evenly spaced in their table, and their predictions."""
    table = read_predictions(files.predictions)
    tested = table[(table["fold"] == fold) & (table["role"] == TEST)]
    chosen = tested.iloc[_evenly(np.arange(len(tested)), COMPARED)]
    rows = pd.Index(read_manifest(files.manifest)["image_id"]).get_indexer(chosen["image_id"])
    images = np.load(files.images, mmap_mode="r")[rows]
    columns = [name for name in table.columns if name.startswith(PREFIX)]
    return np.asarray(images), chosen[columns].to_numpy()


def _fitted(record: Mapping) -> dict:
    """Return temperature and thresholds of a fold with the notes of both."""
    chosen = record["thresholds"]
    return {
        "temperature": record["temperature"]["value"],
        "temperature_note": record["temperature"]["note"],
        "thresholds": {name: entry["value"] for name, entry in chosen.items()},
        "threshold_notes": {name: entry["note"] for name, entry in chosen.items()},
        "validation_images": record["images"],
    }


def _thresholds(networks: list[dict]) -> dict[str, float]:
    """Return the thresholds of an export by name.

    Those of a fold were chosen for its network alone, so that the mean over several networks has
    only the fixed one.
    """
    fixed = {THRESHOLD_POINT: THRESHOLD}
    return fixed | networks[0]["thresholds"] if len(networks) == 1 else fixed


def _words_of(texts: pd.Series) -> str:
    """Return all words of several texts, each once."""
    return " ".join(sorted({word for text in texts for word in text.split()}))


def _write_training_images(files: ExportFiles, folds: pd.DataFrame, path: str) -> None:
    """Write the digests of the images that the networks learnt from or were chosen by.

    Those of the photographs that such images were cut out of are there too, of another kind, and
    so is what the source tasks of the start weights learnt from. Without names of images, which may
    contain those of subjects.
    """
    manifest = read_manifest(files.manifest).set_index("image_id")
    used = folds[folds["role"].isin((TRAIN, VALIDATION))]
    by_image = used.groupby("image_id", sort=True)
    roles = by_image["role"].agg(lambda values: " ".join(sorted(set(values))))
    numbers = by_image["fold"].agg(lambda values: " ".join(map(str, sorted(values))))
    tables = [_digests(manifest, pd.DataFrame({"roles": roles, "folds": numbers}))]
    for source in files.sources:
        images = read_manifest(source).set_index("image_id")
        tables.append(_digests(images, pd.DataFrame({"roles": SOURCE, "folds": ""}, images.index)))
    table = pd.concat(tables).sort_values("sha256", kind="stable")
    write_table(table.reset_index(drop=True), path)


def _digests(manifest: pd.DataFrame, used: pd.DataFrame) -> pd.DataFrame:
    """Return the digests of images, and of the photographs that they were cut out of.

    Args:
        manifest: With image_id as index.
        used: roles and folds of each image that was used, with image_id as index.

    Returns:
        Columns sha256, roles, folds and kind.
    """
    table = used.assign(kind="image")
    table.insert(0, "sha256", manifest["sha256"].reindex(used.index))
    if SOURCE_DIGEST not in manifest:
        return table
    sources = table.assign(sha256=manifest[SOURCE_DIGEST], kind="photograph")
    sources = sources[sources["sha256"] != ""].groupby(["sha256", "kind"], as_index=False)
    return pd.concat([table, sources[["roles", "folds"]].agg(_words_of)])
