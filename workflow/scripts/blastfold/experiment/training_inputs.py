"""What features, trainings and tests on other data sets start from, by wildcards.

Functions that take ``wildcards`` are input or parameter functions of rules. The paths that they
return begin with Snakemake's path variable ``<results>`` where they are results.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace

from blastfold.core.errors import InputError
from blastfold.core.names import plain_name
from blastfold.core.preprocessing_kinds import KINDS, OF_FOLD, OF_SOURCE
from blastfold.core.settings import (
    APPLICATION,
    ASSEMBLY,
    EXTRACTION,
    HEADS,
    NOT_OF_A_TRAINING,
    OWN_BACKBONES,
    TRAINING,
    UNCHANGED,
    job_values,
)
from blastfold.experiment.combinations import fold_count
from blastfold.experiment.feature_sets import depends_on_fold, feature_set_name, feature_sets
from blastfold.experiment.pretraining import pretraining_name, source_of
from blastfold.experiment.runs import Runs
from blastfold.experiment.tuning import configurations_of

UNCHANGED_IMAGES = {"augmentation": UNCHANGED.plain(), "epochs": 0, "stain": "none"}
"""What a selection has in place of a model's changes of images."""

SHARED = "shared"
"""Folder of features that all folds and protocols share."""


@dataclass(frozen=True)
class TrainingInputs:
    """What the rules of pre-training, features, training and external tests read.

    Attributes:
        config: A config as :func:`blastfold.experiment.config.check_config` returns it.
        runs: Its runs.
        results: The folder of results.
    """

    config: Mapping
    runs: Runs
    results: str

    # How jobs compute. One parameter for all settings, since Snakemake records each parameter of
    # thousands of jobs.

    @cached_property
    def extraction_job(self) -> dict:
        """How features are extracted."""
        return job_values(self.config, EXTRACTION)

    @cached_property
    def training_job(self) -> dict:
        """How networks are trained."""
        return job_values(self.config, TRAINING)

    @cached_property
    def heads_job(self) -> dict:
        """How heads are trained, on the CPU."""
        return job_values(self.config, HEADS)

    @cached_property
    def assembly_job(self) -> dict:
        """How a head and its backbone are combined, on the CPU."""
        return job_values(self.config, ASSEMBLY)

    @cached_property
    def application_job(self) -> dict:
        """How trained networks predict another data set."""
        return job_values(self.config, APPLICATION)

    @cached_property
    def place(self) -> SimpleNamespace:
        """Where a job computes, in a namespace, which Snakemake does not compare.

        Another machine computes nothing again. The folder of unfinished trainings is no declared
        output, because Snakemake deletes the outputs of a killed job.
        """
        return SimpleNamespace(
            device=self.config["device"], states=f"{self.results}/unfinished_training"
        )

    def model_settings(self, wildcards) -> dict:
        """Return what of a model's entry changes its training; its weights are an input."""
        entry = self.config["models"][wildcards.model]
        return {key: entry[key] for key in sorted(entry) if key not in NOT_OF_A_TRAINING}

    def image_source(self, wildcards) -> str:
        """Return the data set by whose name images are augmented: of a canary its base."""
        entry = self.config["datasets"][wildcards.dataset]
        return entry["of"] if entry["format"] == "permuted" else wildcards.dataset

    # How often all images pass through a network, for the run time of its job.

    def extraction_passes(self, wildcards) -> int:
        """Return how often an extraction of features passes over a data set."""
        views = 1 + self.feature_sets[wildcards.features]["epochs"]
        if wildcards.split == SHARED:
            return views
        return views * fold_count(self.config["protocols"][wildcards.split])

    def training_passes(self, wildcards) -> int:
        """Return how often a training passes over a data set: each epoch, and to predict.

        A tuned model has as many trainings as configurations.
        """
        trained = configurations_of(self.config["models"][wildcards.model])
        return sum(one["epochs"] + 1 for one in trained)

    def training_passes_of_folds(self, wildcards) -> int:
        """Return how often the trainings of all folds pass over a data set."""
        return self.training_passes(wildcards) * self.application_passes(wildcards)

    def application_passes(self, wildcards) -> int:
        """Return how often a test on another data set passes over it: once for each network."""
        return fold_count(self.config["protocols"][wildcards.protocol])

    def explanation_sample(self, wildcards) -> dict:
        """Return the seed of the draw of explained cells, and their number."""
        place = (wildcards.dataset, wildcards.protocol, wildcards.external)
        return {"seed": self.config["seed"], "cells": self.runs.attribution_at(*place)["cells"]}

    def repeats(self, wildcards) -> int:
        """Return the number of repeats of a protocol."""
        return self.config["protocols"][wildcards.protocol]["repeats"]

    # Start weights, and what was fitted on the training images of a fold.

    def weights(self, wildcards) -> str | list:
        """Return the file of a model's start weights; an empty list for random ones."""
        entry = self.config["models"][wildcards.model]
        return weights_file(entry, f"models.{wildcards.model}")

    def start(self, wildcards) -> dict[str, str]:
        """Return what a training starts from, by name, as far as the model needs it.

        Returns:
            weights, source_mean_image, and mean_images and stains of all folds.
        """
        entry = self.config["models"][wildcards.model]
        return _present(weights=self.weights(wildcards), **_preparation(entry, wildcards))

    # Source tasks.

    def source_run(self, wildcards) -> str:
        """Return dataset/protocol/model of the training that a source task's weights come from."""
        entry = self.config["pretraining"][wildcards.source]
        model = pretraining_name(wildcards.source, wildcards.architecture)
        return f"{entry['dataset']}/{entry['protocol']}/{model}"

    def source_manifest(self, wildcards) -> str:
        """Return the manifest of the images that a source task learns from."""
        dataset = self.config["pretraining"][wildcards.source]["dataset"]
        return f"<results>/datasets/{dataset}/manifest.tsv"

    def source_weights(self, wildcards) -> str | list:
        """Return the file of weights that a source task starts from, which has a record too."""
        name = pretraining_name(wildcards.source, wildcards.architecture)
        entry = self.config["models"][name]
        return [] if entry["weights"] == "imagenet" else weights_file(entry, f"models.{name}")

    def of_source(self, path: str) -> Callable:
        """Return an input function: a file of the source task's run, which replaces ``{run}``."""
        return lambda wildcards: path.format(run=self.source_run(wildcards))

    # Features.

    @cached_property
    def selections(self) -> dict[str, dict]:
        """The data sets that are selected by features, each as a model that changes no image."""
        return {
            name: {**entry["select"], **UNCHANGED_IMAGES}
            for name, entry in self.config["datasets"].items()
            if entry["format"] == "selected" and entry["select"]["method"] == "discriminative"
        }

    @cached_property
    def feature_sets(self) -> dict[str, dict]:
        """The settings of all features, by name."""
        models = (self.config["models"][model] for model in self.runs.head_models)
        return feature_sets([*models, *self.selections.values()])

    def feature_settings(self, wildcards) -> dict:
        """Return the settings of the features of one name; their weights are an input."""
        entry = self.feature_sets[wildcards.features]
        return {key: value for key, value in entry.items() if key != "weights"}

    def feature_start(self, wildcards) -> dict[str, str]:
        """Return what features are extracted by, by name, as far as it is needed.

        Returns:
            weights, source_mean_image; mean_images and stains of all folds, and folds, where
            the features depend on the fold.
        """
        entry = self.feature_sets[wildcards.features]
        key = self._user_of_features(wildcards.features)
        files = {"weights": weights_file(entry, key), "folds": []}
        if wildcards.split != SHARED:
            files["folds"] = f"<results>/folds/{wildcards.dataset}/{wildcards.split}.tsv"
        return _present(**files, **_preparation(entry, wildcards))

    def _user_of_features(self, features: str) -> str:
        """Return the key of the config that asks first for features of a name."""
        models = self.config["models"]
        users = {f"models.{name}": models[name] for name in self.runs.head_models}
        users |= {f"datasets.{name}.select": entry for name, entry in self.selections.items()}
        return next(key for key, entry in users.items() if feature_set_name(entry) == features)

    def feature_leakage(self, wildcards) -> str | list:
        """Return the audit that stops features of a split that may not leak."""
        if wildcards.split == SHARED:
            return []
        return f"<results>/folds/{wildcards.dataset}/{wildcards.split}.leakage.tsv"

    def head_features(self, wildcards) -> str:
        """Return the folder of features that the heads of a model learn from."""
        entry = self.config["models"][wildcards.model]
        own = depends_on_fold(entry)
        dataset = wildcards.dataset if own else self.image_source(wildcards)
        split = wildcards.protocol if own else SHARED
        return f"<results>/features/{dataset}/{feature_set_name(entry)}/{split}"

    def permutation_count(self, wildcards) -> int:
        """Return the number of permutations of the labels of a run."""
        names = ("dataset", "protocol", "model")
        run = {name: wildcards[name] for name in names}
        counts = (entry for entry in self.runs.permuted if run.items() <= entry.items())
        return next(entry["permutations"] for entry in counts)

    def selection_features(self, wildcards) -> str | list:
        """Return the folder of features that a selection scores by; none for a random one."""
        if wildcards.dataset not in self.selections:
            return []
        base = self.config["datasets"][wildcards.dataset]["of"]
        name = feature_set_name(self.selections[wildcards.dataset])
        return f"<results>/features/{base}/{name}/{SHARED}"

    def shown_augmentation(self, wildcards) -> dict:
        """Return the augmentation that the figure shows: of the first model that has one."""
        names = self.runs.models_of(wildcards.dataset)
        models = [self.config["models"][name] for name in names]
        return next((model for model in models if model["augment"]), models[0])["augmentation"]


def _present(**files: str | list) -> dict[str, str]:
    return {name: path for name, path in files.items() if path}


def _preparation(entry: Mapping, split) -> dict[str, str | list]:
    """Return what a model's pre-processing was fitted on, by name; empty lists for nothing."""
    stain, mean = entry["stain"], KINDS[entry["preprocessing"]].mean
    files: dict[str, str | list] = {"mean_images": [], "source_mean_image": [], "stains": []}
    if stain != "none":
        files["stains"] = f"<results>/stain/{_place(split)}/{stain}.json"
    if mean == OF_FOLD:
        normalised = f"<results>/stain/{_place(split)}/{stain}.npy"
        plain = f"<results>/mean_images/{_place(split)}.npy"
        files["mean_images"] = plain if stain == "none" else normalised
    if mean == OF_SOURCE:
        name = plain_name(entry["architecture"])
        files["source_mean_image"] = (
            f"<results>/pretraining/{source_of(entry)}/{name}.mean_image.npy"
        )
    return files


def _place(wildcards) -> str:
    """Return data set and protocol; of features the protocol is called their split."""
    return f"{wildcards.dataset}/{wildcards.get('protocol') or wildcards.get('split')}"


def weights_file(entry: Mapping, key: str) -> str | list:
    """Return the file of start weights of a model, an empty list for random ones.

    Args:
        entry: The model.
        key: Its place in the config, for messages.

    Raises:
        InputError: A file that the config names does not exist.
    """
    plain = plain_name(entry["architecture"])
    if entry["weights"] == "none":
        return []
    if source_of(entry):
        return f"<results>/pretraining/{source_of(entry)}/{plain}.weights.h5"
    if entry["weights"] == "imagenet":
        return f"resources/weights/{plain}_imagenet_notop.weights.h5"
    if not Path(entry["weights"]).is_file():
        if own := OWN_BACKBONES.get(entry["architecture"]):
            raise InputError(
                f"{key}.{own}.file: the file {entry['weights']} does not exist; "
                "docs/exchange.md describes it"
            )
        raise InputError(
            f"{key}.weights: the file {entry['weights']} does not exist. Expected none, imagenet, "
            "{pretrained_on: ...} or a Keras .weights.h5 file; resources/README.md says more."
        )
    return entry["weights"]
