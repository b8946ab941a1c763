"""Files that the jobs of this room read and write, by name."""

import dataclasses
import os
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any, Self

Path = str | os.PathLike


@dataclasses.dataclass(frozen=True, kw_only=True)
class NamedFiles:
    """Base of files by name."""

    @classmethod
    def named(cls, paths: Mapping[str, Any]) -> Self:
        """Take the files of this class from paths by name, for instance a rule's inputs.

        A name without a path, or with an empty one, is None where the class allows it.
        """
        fields = dataclasses.fields(cls)
        return cls(**{field.name: paths[field.name] for field in fields if paths.get(field.name)})


@dataclasses.dataclass(frozen=True, kw_only=True)
class StartFiles(NamedFiles):
    """What a network and its pre-processing are built from.

    Attributes:
        images: Image store, uint8 (n, h, w, 3).
        weights: Start weights of the backbone; None for random ones.
        mean_images: Mean images of all folds, float32 (folds, h, w, 3).
        source_mean_image: Mean image of the images that the weights come from, float32 (h, w, 3).
        stains: Records of stain normalisation of all folds, JSON.
    """

    images: Path
    weights: Path | None = None
    mean_images: Path | None = None
    source_mean_image: Path | None = None
    stains: Path | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class FoldFiles(StartFiles):
    """What trainings and extractions of features read.

    Attributes:
        manifest: Manifest of the data set.
        dataset: Its JSON summary, with the digests of images and manifest and the classes.
        folds: Table of folds; None for features that all folds share.
    """

    manifest: Path
    dataset: Path
    folds: Path | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class FoldOutputs(NamedFiles):
    """What the training of one fold writes.

    Attributes:
        model: The network with its pre-processing, ``model.keras``.
        history: Table with one row per epoch.
        predictions: Table of predictions.
        layers: Table of the network's layers.
        run: JSON record of the training.
    """

    model: Path
    history: Path
    predictions: Path
    layers: Path
    run: Path


@dataclasses.dataclass(frozen=True, kw_only=True)
class AllFoldOutputs(NamedFiles):
    """What a job writes that trains all folds of a model.

    Attributes:
        history: Table with one row per fold and epoch.
        predictions: Table of predictions of all folds.
        layers: Table of the network's layers, which are the same in every fold.
        runs: JSON list of the records of all folds.
    """

    history: Path
    predictions: Path
    layers: Path
    runs: Path


@dataclasses.dataclass(frozen=True, kw_only=True)
class HeadOutputs(AllFoldOutputs):
    """What the training of the heads of all folds writes.

    Attributes:
        heads: Folder with the weights of every head, ``fold-0.weights.h5`` and so on.
    """

    heads: Path


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkOutputs(AllFoldOutputs):
    """What the training of the networks of all folds writes.

    Attributes:
        networks: Folder with the network of every fold and its pre-processing,
            ``fold-0.keras`` and so on.
    """

    networks: Path


def network_file(folder: Path, fold: int) -> pathlib.Path:
    """Return the file of a fold's network in the folder of :class:`NetworkOutputs`."""
    return pathlib.Path(folder) / f"fold-{fold}.keras"


def network_files(paths: Iterable[Path]) -> list[pathlib.Path]:
    """Return the networks of all folds, in their order, whatever jobs trained them.

    Args:
        paths: One file per fold, or the folder of :class:`NetworkOutputs`.
    """
    found = []
    for path in map(pathlib.Path, paths):
        if path.is_dir():
            count = len(list(path.glob("fold-*.keras")))
            found += [network_file(path, fold) for fold in range(count)]
        else:
            found.append(path)
    return found
