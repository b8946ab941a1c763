"""The test cells of an experiment: predictions by every model, the worst cells, the gallery."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.manifest import read_manifest
from blastfold.core.names import THRESHOLD
from blastfold.core.predictions import (
    class_pair,
    positive_classes,
    predicted_classes,
    read_test_predictions,
)
from blastfold.reporting.class_predictions import predicted_by_image
from blastfold.reporting.page.gallery import (
    UNKNOWN,
    Column,
    Gallery,
    Series,
    encode_jpeg,
    tile_of,
)
from blastfold.reporting.page.maps import EXPLAINED, maps_of, overlay
from blastfold.reporting.page.study import Study

MOST_CELLS = 30_000
"""Cells of the largest gallery; of more the wrong ones are kept, then as many right ones as fit."""


class Tile(NamedTuple):
    """What a tile of the gallery shows: a cell, or its attribution map, float (rows, columns)."""

    dataset: str
    image_id: str
    values: np.ndarray | None = None


@dataclass(frozen=True)
class Predicted:
    """What one model predicted of the cells that it tested.

    Attributes:
        dataset: Data set of the cells.
        protocol, model: Names of the run.
        trained: Data set that it was trained on.
        title: Model and protocol in text.
        table: probability (mean of all predictions of the cell, that of the positive classes),
            predictions (their number) and folds (text), by image_id; of more than two classes also
            predicted, certainty and truth, as
            :func:`blastfold.reporting.class_predictions.predicted_by_image` returns them.
        classes: Names of the classes in the order of the labels.
        positive: Names of the positive ones.
        positive_title: What they are called together.
    """

    dataset: str
    protocol: str
    model: str
    trained: str
    title: str
    table: pd.DataFrame
    classes: tuple[str, ...]
    positive: tuple[str, ...]
    positive_title: str

    @property
    def many(self) -> bool:
        """Whether cells are of more than two classes, so that they are predicted by class."""
        return len(self.classes) > 2

    @property
    def external(self) -> bool:
        """Whether it was trained on another data set."""
        return self.trained != self.dataset

    @property
    def note(self) -> str:
        """Say that a probability is a mean, where cells have several predictions."""
        most = int(self.table["predictions"].max())
        return f"Probabilities are means of up to {most} predictions." if most > 1 else ""


@dataclass
class Cells:
    """The test cells of all data sets of an experiment.

    Attributes:
        study: The experiment.
    """

    study: Study
    stores: dict[str, np.ndarray] = field(default_factory=dict)

    @cached_property
    def predicted(self) -> list[Predicted]:
        """The predictions of every shown run, the quoted ones of each data set first."""
        found = [*self._own(), *self._external()]
        return sorted(found, key=self._rank)

    def _rank(self, run: Predicted) -> tuple:
        quoted = self.study.best_known(run.dataset)
        datasets = self.study.datasets
        place = datasets.index(run.dataset) if run.dataset in datasets else len(datasets)
        return place, quoted is None or run.protocol != quoted.protocol

    def _own(self) -> Iterator[Predicted]:
        for run in self.study.about["runs"]:
            names = run["dataset"], run["protocol"], run["model"]
            path = self.study.sources.path(f"evaluation/{'/'.join(names)}/predictions.tsv")
            if path and self._manifest_path(run["dataset"]):
                title = self._title(run)
                yield Predicted(*names, run["dataset"], title, *_by_image(path))

    def _external(self) -> Iterator[Predicted]:
        for run in self.study.about["external"]:
            names = [run[key] for key in ("dataset", "protocol", "model", "external")]
            path = self.study.sources.path(f"external/{'/'.join(names)}/predictions.tsv")
            if path and self._manifest_path(run["external"]):
                trained = self.study.title("dataset", run["dataset"])
                title = f"{self._title(run)}, trained on {trained}"
                tested = run["external"], run["protocol"], run["model"]
                yield Predicted(*tested, run["dataset"], title, *_by_image(path))

    def _title(self, run: Mapping) -> str:
        titles = (self.study.title(kind, run[kind]) for kind in ("model", "protocol"))
        return ", ".join(titles)

    def _manifest_path(self, dataset: str) -> Path | None:
        return self.study.sources.path(f"datasets/{dataset}/manifest.tsv")

    @cached_property
    def manifests(self) -> dict[str, pd.DataFrame]:
        """The manifest of every data set that was tested, by image_id, with row and positive."""
        found = {}
        for dataset in dict.fromkeys(run.dataset for run in self.predicted):
            manifest = read_manifest(self._manifest_path(dataset))
            positive = manifest["class"].isin(self._first_of(dataset).positive)
            manifest = manifest.assign(row=np.arange(len(manifest)), positive=positive)
            found[dataset] = manifest.set_index("image_id")
        return found

    def _first_of(self, dataset: str) -> Predicted:
        """Return the first run that predicted the cells of a data set."""
        return next(run for run in self.predicted if run.dataset == dataset)

    def positive_class(self, dataset: str) -> str:
        """Return what the positive classes are called together."""
        return self._first_of(dataset).positive_title

    def picture(self, dataset: str, image_id: str) -> np.ndarray:
        """Return an image, uint8 (height, width, 3) RGB; the store stays on the disk."""
        if dataset not in self.stores:
            path = self.study.sources.path(f"datasets/{dataset}/images.npy")
            if path is None:
                raise InputError(f"the images of data set {dataset!r} are missing")
            self.stores[dataset] = np.load(path, mmap_mode="r")
        return np.asarray(self.stores[dataset][self.manifests[dataset].at[image_id, "row"]])

    def errors(self, run: Predicted) -> pd.DataFrame:
        """Return what a run predicted, with the truth.

        Returns:
            probability, positive (bool), wrong (bool) and error (distance of the probability to 0
            or 1; of more than two classes that of the true class to 1), by image_id in the order
            of the manifest.
        """
        manifest = self.manifests[run.dataset]
        chosen = manifest.index[manifest.index.isin(run.table.index)]
        table = run.table.loc[chosen].assign(positive=manifest.loc[chosen, "positive"])
        if run.many:
            wrong = table["predicted"] != manifest.loc[chosen, "class"]
            return table.assign(wrong=wrong, error=1 - table["truth"])
        wrong = (table["probability"] >= THRESHOLD) != table["positive"]
        error = (table["probability"] - table["positive"].astype(float)).abs()
        return table.assign(wrong=wrong, error=error)

    def worst(self, dataset: str, protocol: str, most: int) -> pd.DataFrame:
        """Return the cells that most models of a split predict wrongly.

        Args:
            dataset: Data set of the split.
            protocol: Its protocol.
            most: Number of rows, at most.

        Returns:
            wrong (models that are wrong), models, error (mean distance to the truth) and
            probability (mean), by image_id; the worst first, cells that no model gets wrong left
            out; of more than two classes also predicted (the classes that models predict, as text).
        """
        runs = [
            self.errors(run)
            for run in self.predicted
            if (run.dataset, run.protocol) == (dataset, protocol) and not run.external
        ]
        if not runs:
            return pd.DataFrame(columns=["wrong", "models", "error", "probability"])
        joined = pd.concat(runs).groupby(level=0, sort=False)
        table = joined.agg(
            wrong=("wrong", "sum"),
            models=("wrong", "size"),
            error=("error", "mean"),
            probability=("probability", "mean"),
        )
        every = pd.concat(runs)
        if "predicted" in every:
            named = every.groupby(level=0, sort=False)["predicted"]
            table = table.assign(predicted=named.agg(lambda names: ", ".join(dict.fromkeys(names))))
        order = ["wrong", "error"]
        return table[table["wrong"] > 0].sort_values(order, ascending=False, kind="stable")[:most]

    def small_picture(self, dataset: str, image_id: str, side: int) -> str:
        """Return an image as a square JPEG picture in base64 text."""
        return encode_jpeg(tile_of(self.picture(dataset, image_id), side))

    def gallery(self, name: str = "cells") -> tuple[Gallery, list[Tile]]:
        """Return the gallery of all test cells, and what every tile shows: cells, then maps."""
        kept = self._kept()
        order = [
            (dataset, image_id)
            for dataset, manifest in self.manifests.items()
            for image_id in manifest.index
            if (dataset, image_id) in kept
        ]
        place = {cell: number for number, cell in enumerate(order)}
        titles = [self.study.title("dataset", dataset) for dataset in self.manifests]
        codes = {dataset: code for code, dataset in enumerate(self.manifests)}
        datasets = Column("dataset", "Data set", titles, [codes[dataset] for dataset, _ in order])
        tiles = [Tile(*cell) for cell in order]
        series = [self._series(run, codes[run.dataset], place, tiles) for run in self.predicted]
        gallery = Gallery(
            name=name,
            names=[image_id for _, image_id in order],
            labels=[int(self.manifests[dataset].at[cell, "positive"]) for dataset, cell in order],
            columns=[datasets, *self._columns(order)],
            positive=[self.positive_class(dataset) for dataset in self.manifests],
            series=series,
            map_note=EXPLAINED,
        )
        return gallery, tiles

    def tile(self, tile: Tile) -> np.ndarray:
        """Return the picture of a tile, uint8 (height, width, 3) RGB."""
        picture = self.picture(tile.dataset, tile.image_id)
        return picture if tile.values is None else overlay(picture, tile.values)

    def _columns(self, order: Sequence[tuple[str, str]]) -> Iterator[Column]:
        for key, title, chosen in (
            ("class", "Class", True),
            ("subject", "Subject", True),
            ("picture", "Picture", False),
            ("file", "File", False),
        ):
            texts = {name: manifest[key].to_dict() for name, manifest in self.manifests.items()}
            column = [texts[dataset][image_id] for dataset, image_id in order]
            yield Column.of(key, title, column, chosen)

    def _series(self, run: Predicted, code: int, place: Mapping, tiles: list[Tile]) -> Series:
        """Return the series of a run, whose maps become further tiles."""
        table = self.errors(run)
        cells = [place.get((run.dataset, image_id), UNKNOWN) for image_id in table.index]
        shown = np.array(cells) != UNKNOWN
        names = run.trained, run.protocol, run.dataset, run.model
        values = maps_of(self.study.sources, *names)
        maps = [UNKNOWN] * int(shown.sum())
        for number, image_id in enumerate(table.index[shown]):
            if image_id in values:
                maps[number] = len(tiles)
                tiles.append(Tile(run.dataset, image_id, values[image_id]))
        series = Series(
            title=run.title,
            dataset=code,
            cells=np.array(cells)[shown],
            probability=table["probability"].to_numpy()[shown],
            note=run.note,
            maps=maps if values else (),
        )
        return replace(series, **_by_class(run, table[shown])) if run.many else series

    def _kept(self) -> set[tuple[str, str]]:
        """Return the cells of the gallery: all, or of too many first those that are wrong."""
        tables = [self.errors(run).assign(dataset=run.dataset) for run in self.predicted]
        if not tables:
            return set()
        every = pd.concat(tables).reset_index(names="image_id")
        wrong = every.groupby(["dataset", "image_id"], sort=False)["wrong"].sum()
        ordered = wrong.sort_values(ascending=False, kind="stable")
        return set(ordered.index[:MOST_CELLS])

    @property
    def left_out(self) -> int:
        """The number of test cells that the gallery has no place for."""
        every = {(run.dataset, name) for run in self.predicted for name in run.table.index}
        return max(0, len(every) - MOST_CELLS)


def _by_class(run: Predicted, table: pd.DataFrame) -> dict:
    """Return what a series of more than two classes has: the predicted class is the most probable.

    Args:
        run: The run.
        table: Its cells, as :meth:`Cells.errors` returns them.
    """
    return {
        "classes": run.classes,
        "predicted": table["predicted"].map(run.classes.index).to_numpy(),
        "probability": table["certainty"].to_numpy(),
        "truth": table["truth"].to_numpy(),
    }


def _by_image(path: Path) -> tuple[pd.DataFrame, tuple[str, ...], tuple[str, ...], str]:
    """Return table, classes, positive and positive_title of :class:`Predicted`."""
    tested = read_test_predictions(path)
    classes = predicted_classes(tested)
    folds = tested["fold"].astype(str)
    images = tested.assign(folds=folds).groupby("image_id", sort=False)
    table = images.agg(
        probability=("probability", "mean"),
        predictions=("probability", "size"),
        folds=("folds", ", ".join),
    )
    if len(classes) > 2:
        table = table.join(predicted_by_image(tested)[["predicted", "certainty", "truth"]])
    return table, classes, positive_classes(tested), class_pair(tested)[1]
