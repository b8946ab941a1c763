"""Attributions of trained networks for a sample of test cells, from files to files."""

import dataclasses
import itertools
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from blastfold.core.attribution_table import (
    DELETION,
    DRAWN_COLUMNS,
    MAPS,
    NEW_HEAD,
    NEW_WEIGHTS,
    TRAINED,
)
from blastfold.core.errors import InputError
from blastfold.core.files import digest_file, write_json, written_whole
from blastfold.core.manifest import read_manifest
from blastfold.core.names import THRESHOLD
from blastfold.core.notes import make_note
from blastfold.core.predictions import PREFIX, predicted_classes, read_test_predictions
from blastfold.core.seeds import derive_seed
from blastfold.core.settings import JobSettings
from blastfold.core.tables import write_table

# Reading a stored network needs the classes of its layers.
from blastfold.networks import (
    augmentation,  # noqa: F401
    layers,  # noqa: F401
    stain_layers,  # noqa: F401
)
from blastfold.training.deletion import deletion_curves
from blastfold.training.device import set_up_device
from blastfold.training.files import network_files
from blastfold.training.gradient_maps import (
    NoFeatureMapsError,
    Places,
    class_maps,
    find_places,
    leaf_layers,
    randomise,
)

logger = logging.getLogger(__name__)

Paths = Sequence[str | os.PathLike]


@dataclasses.dataclass(frozen=True)
class ExplainedModel:
    """A model whose networks are explained.

    Attributes:
        name: Its name.
        networks: The networks of all folds, or their folder.
        predictions: Tables of their test predictions of the images that are explained.
    """

    name: str
    networks: Paths
    predictions: Paths


def models_of(
    counts: Sequence[tuple[str, int, int]], networks: Paths, predictions: Paths
) -> list[ExplainedModel]:
    """Give every model its files of two lists that hold those of all models.

    Args:
        counts: Name of each model, its number of files or folders of networks, and of tables.
        networks: Networks of all models, one model after another.
        predictions: Predictions of all models in the same order.
    """
    models, files, tables = [], iter(networks), iter(predictions)
    for name, of_networks, of_predictions in counts:
        own = list(itertools.islice(files, of_networks))
        models.append(ExplainedModel(name, own, list(itertools.islice(tables, of_predictions))))
    return models


@dataclasses.dataclass(frozen=True)
class Sample:
    """Which cells are drawn.

    Attributes:
        seed: The seed of the experiment.
        place: Names of data set, protocol and tested data set, which seed the draw.
        cells: Cells of each class, right and wrong, of the test images of each network.
    """

    seed: int
    place: tuple[str, ...]
    cells: int


def explain_networks(
    models: Sequence[ExplainedModel],
    images: str | os.PathLike,
    manifest: str | os.PathLike,
    sample: Sample,
    compute: JobSettings,
    outputs: dict[str, str],
) -> None:
    """Compute the attribution of the predicted class for a sample of test cells.

    Args:
        models: The models.
        images: Image store of the tested data set, uint8 (n, h, w, 3).
        manifest: Its manifest.
        sample: Which cells are drawn.
        compute: How the job computes.
        outputs: Paths by name: cells and maps (see :mod:`blastfold.core.attribution_table`), and
            record: device, and of every model the layer of its maps, their size, the digests of
            its networks and a note where it has no attribution.

    Raises:
        InputError: A predicted image is not in the manifest, or a network takes images of another
            size.
        MissingDeviceError: A GPU is required and there is none.
    """
    device = set_up_device(compute.device, compute.threads, compute.gpu)
    store = np.load(images, mmap_mode="r")
    rows = {name: row for row, name in enumerate(read_manifest(manifest)["image_id"])}
    drawn, maps, records = [], {}, []
    for model in models:
        cells = draw_cells(read_test_predictions(model.predictions), rows, sample)
        networks = network_files(model.networks)
        record = {"model": model.name, "networks": [digest_file(path) for path in networks]}
        try:
            found, about = _explain(cells, networks, store, sample.seed)
        except NoFeatureMapsError as error:
            logger.warning("%s: %s", model.name, error)
            records.append({**record, "layer": "", "size": [], "note": make_note("no_maps")})
            continue
        drawn.append(cells.assign(model=model.name))
        maps |= {f"{model.name}.{kind}": values for kind, values in found.items()}
        records.append({**record, **about, "note": ""})
        logger.info("%s: %d cells, maps of %s", model.name, len(cells), about["layer"])
    empty = pd.DataFrame(columns=list(DRAWN_COLUMNS))
    table = pd.concat(drawn, ignore_index=True) if drawn else empty
    write_table(table[list(DRAWN_COLUMNS)], outputs["cells"])
    with written_whole(outputs["maps"]) as partial, partial.open("wb") as file:
        np.savez_compressed(file, **maps)
    described = {"device": device, "threads": compute.threads, "seed": sample.seed}
    write_json({**described, "cells": sample.cells, "models": records}, outputs["record"])


def draw_cells(predictions: pd.DataFrame, rows: dict[str, int], sample: Sample) -> pd.DataFrame:
    """Draw cells of each class, right and wrong, among the test images of each network.

    An image has the same place in the draw for every model, so that models are explained on the
    same cells as far as they are right and wrong on the same ones.

    Args:
        predictions: Test predictions of one model.
        rows: Row of the image store by image_id.
        sample: Which cells are drawn.

    Returns:
        :data:`blastfold.core.attribution_table.DRAWN_COLUMNS` without the model.

    Raises:
        InputError: A predicted image has no row.
    """
    missing = [name for name in predictions["image_id"] if name not in rows]
    if missing:
        raise InputError(f"manifest: image {missing[0]!r} is predicted and has no row")
    classes = [PREFIX + name for name in predicted_classes(predictions)]
    predicted = predictions[classes].to_numpy().argmax(axis=1)
    if len(classes) == 2:
        predicted = (predictions[classes[1]] >= THRESHOLD).to_numpy().astype(int)
    keys = [
        derive_seed(sample.seed, "attribution", *sample.place, str(repeat), name)
        for repeat, name in zip(predictions["repeat"], predictions["image_id"], strict=True)
    ]
    labels = predictions["class_label"]
    table = predictions[["repeat", "fold", "image_id"]].assign(
        label=labels, predicted=predicted, right=predicted == labels, key=keys
    )
    table["row"] = table["image_id"].map(rows)
    strata = table.sort_values(["fold", "label", "right", "key"]).groupby(
        ["fold", "label", "right"], sort=True
    )
    size = strata["key"].transform("size")
    table["weight"] = size / np.minimum(size, sample.cells)
    return strata.head(sample.cells).assign(weight=table["weight"]).reset_index(drop=True)


def _explain(
    cells: pd.DataFrame, networks: Sequence[Path], store: np.ndarray, seed: int
) -> tuple[dict[str, np.ndarray], dict]:
    """Compute all kinds of maps of the drawn cells, network by network.

    Returns:
        The maps by kind and the deletion curves, in the order of the cells; and the layer with the
        size of its maps.
    """
    found: dict[str, list[np.ndarray]] = {kind: [] for kind in (*MAPS, DELETION)}
    about: dict = {}
    for fold, of_fold in cells.groupby("fold", sort=True):
        model = keras.saving.load_model(networks[int(fold)], compile=False)
        if tuple(model.input_shape[1:]) != store.shape[1:]:
            raise InputError(
                f"{networks[int(fold)]}: takes images of shape {tuple(model.input_shape[1:])}, "
                f"received {store.shape[1:]}"
            )
        places = find_places(model)
        about = {"layer": places.maps.name, "size": list(places.maps.output.shape[1:])}
        pictures = store[of_fold["row"].to_numpy()]
        classes = of_fold["predicted"].to_numpy()
        for kind, changed in _stages(model, places, derive_seed(seed, "random weights", str(fold))):
            found[kind].append(class_maps(changed, places, pictures, classes))
            if kind == TRAINED:
                of_maps = found[kind][-1], pictures, classes
                chance = derive_seed(seed, "random removal", str(fold))
                found[DELETION].append(deletion_curves(changed, *of_maps, chance))
    return {kind: np.concatenate(parts) for kind, parts in found.items()}, about


def _stages(model: keras.Model, places: Places, seed: int) -> Iterator[tuple[str, keras.Model]]:
    """Yield the network as trained, then with random weights from the top (Adebayo et al. 2018)."""
    yield TRAINED, model
    ordered = list(leaf_layers(model))
    top = next(place for place, layer in enumerate(ordered) if layer is places.maps) + 1
    randomise(ordered[top:], seed)
    yield NEW_HEAD, model
    randomise(ordered[:top], derive_seed(seed, "below"))
    yield NEW_WEIGHTS, model
