"""What features, trainings and tests on other data sets start from, by wildcards.

Functions that take ``wildcards`` are input or parameter functions of rules. The paths that they
return begin with Snakemake's path variable ``<results>`` where they are results.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from blastfold.core.errors import InputError
from blastfold.experiment.feature_sets import depends_on_fold, feature_set_name, feature_sets
from blastfold.experiment.pretraining import pretraining_name, source_of
from blastfold.experiment.runs import Runs

RUN_KEYS = ("seed", "device", "precision", "xla", "deterministic")
"""Keys of the config that every extraction and training runs with."""


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

    @cached_property
    def head_models(self) -> list[str]:
        """The models whose heads learn from features that are extracted once."""
        return [
            name
            for name, entry in self.config["models"].items()
            if entry["train"] == "head" and entry["features"] == "stored"
        ]

    @cached_property
    def image_models(self) -> list[str]:
        """The models that learn from images."""
        return [name for name in self.config["models"] if name not in self.head_models]

    @cached_property
    def fold_counts(self) -> dict[int, list[str]]:
        """The protocols by their number of folds."""
        counts: dict[int, list[str]] = {}
        for protocol in dict.fromkeys(split.protocol for split in self.runs.splits):
            counts.setdefault(self.runs.fold_count(protocol), []).append(protocol)
        return counts

    @cached_property
    def run_settings(self) -> dict:
        """What every extraction and training runs with.

        The folder of unfinished trainings is no declared output, because Snakemake deletes the
        outputs of a killed job. One parameter instead of six, since Snakemake records each
        parameter of thousands of jobs.
        """
        settings = {key: self.config[key] for key in RUN_KEYS}
        return {**settings, "states": f"{self.results}/unfinished_training"}

    @cached_property
    def head_run_settings(self) -> dict:
        """What the training of heads runs with; it takes no GPU."""
        return {key: self.run_settings[key] for key in ("seed", "deterministic", "states")}

    def model_settings(self, wildcards) -> dict:
        """Return what of a model's entry changes its training; its weights are an input."""
        entry = self.config["models"][wildcards.model]
        return {key: entry[key] for key in sorted(entry) if key not in ("title", "weights")}

    def drawn_for(self, wildcards) -> str:
        """Return the data set by whose name images are augmented: of a canary its base."""
        entry = self.config["datasets"][wildcards.dataset]
        return entry["of"] if entry["format"] == "permuted" else wildcards.dataset

    # Start weights, and what was fitted on the training images of a fold.

    def weights(self, wildcards) -> str | list:
        """Return the file of a model's start weights; an empty list for random ones."""
        entry = self.config["models"][wildcards.model]
        return _weights_file(entry, f"models.{wildcards.model}")

    def start(self, wildcards) -> dict[str, str]:
        """Return what a training starts from, by name, as far as the model needs it.

        Returns:
            weights, and mean_image and stain that were fitted on the fold's training images.
        """
        entry = self.config["models"][wildcards.model]
        files = {
            "weights": self.weights(wildcards),
            "mean_image": _source_mean_image(entry),
            "stain": [],
        }
        if entry["preprocessing"] == "mean_image":
            files["mean_image"] = self.mean_image(wildcards, entry["stain"], wildcards.fold)
        if entry["stain"] != "none":
            files["stain"] = self.stain(wildcards, entry["stain"], wildcards.fold)
        return {name: path for name, path in files.items() if path}

    def mean_image(self, split, stain: str, fold: int) -> str:
        """Return the mean image of a fold's training images, with or without normalised stains."""
        place = f"{split.dataset}/{split.protocol}"
        if stain == "none":
            return f"<results>/mean_images/{place}/fold-{fold}.npy"
        return f"<results>/stain/{place}/{stain}/fold-{fold}.npy"

    def stain(self, split, stain: str, fold: int) -> str:
        """Return the stain reference of a fold's training images."""
        return f"<results>/stain/{split.dataset}/{split.protocol}/{stain}/fold-{fold}.json"

    # Source tasks.

    def source_run(self, wildcards) -> str:
        """Return dataset/protocol/model of the training that a source task's weights come from."""
        entry = self.config["pretraining"][wildcards.source]
        model = pretraining_name(wildcards.source, wildcards.architecture)
        return f"{entry['dataset']}/{entry['protocol']}/{model}"

    def of_source(self, path: str) -> Callable:
        """Return an input function: a file of the source task's run, which replaces ``{run}``."""
        return lambda wildcards: path.format(run=self.source_run(wildcards))

    # Features.

    @cached_property
    def selections(self) -> dict[str, dict]:
        """The data sets that are selected by features, each as a model that changes no image."""
        return {
            name: {**entry["select"], "augmentation": {}, "epochs": 0, "stain": "none"}
            for name, entry in self.config["datasets"].items()
            if entry["format"] == "selected" and entry["select"]["method"] == "discriminative"
        }

    @cached_property
    def feature_sets(self) -> dict[str, dict]:
        """The settings of all features, by name."""
        models = (self.config["models"][model] for model in self.head_models)
        return feature_sets([*models, *self.selections.values()])

    def feature_settings(self, wildcards) -> dict:
        """Return the settings of the features of one name."""
        return self.feature_sets[wildcards.features]

    def feature_weights(self, wildcards) -> str | list:
        """Return the file of the weights of a frozen backbone."""
        return _weights_file(self.feature_settings(wildcards), "models")

    def feature_mean_images(self, wildcards) -> list[str]:
        """Return the mean image of every fold of features, or of the weights' own images."""
        entry = self.feature_settings(wildcards)
        if entry["preprocessing"] != "mean_image":
            return [path for path in [_source_mean_image(entry)] if path]
        return [
            self.mean_image(wildcards, entry["stain"], fold)
            for fold in range(self.runs.fold_count(wildcards.protocol))
        ]

    def feature_stains(self, wildcards) -> list[str]:
        """Return the stain reference of every fold of features; none without normalisation."""
        stain = self.feature_settings(wildcards)["stain"]
        if stain == "none":
            return []
        folds = range(self.runs.fold_count(wildcards.protocol))
        return [self.stain(wildcards, stain, fold) for fold in folds]

    def head_features(self, ending: str) -> Callable:
        """Return an input function: features (npy) or their records (json) for heads."""

        def files(wildcards):
            entry = self.config["models"][wildcards.model]
            folds = self.runs.fold_count(wildcards.protocol) if depends_on_fold(entry) else 0
            return [
                path.format(
                    dataset=wildcards.dataset if folds else self.drawn_for(wildcards),
                    features=feature_set_name(entry),
                    protocol=wildcards.protocol,
                )
                for path in feature_files(ending, folds)
            ]

        return files

    def selection_features(self, wildcards) -> str | list:
        """Return the features that a selection scores images by; none for a random one."""
        if wildcards.dataset not in self.selections:
            return []
        base = self.config["datasets"][wildcards.dataset]["of"]
        name = feature_set_name(self.selections[wildcards.dataset])
        return feature_files("npy", 0)[0].format(dataset=base, features=name)

    def shown_augmentation(self, wildcards) -> dict:
        """Return the augmentation that the figure shows: of the first model that has one."""
        names = self.runs.models_of(wildcards.dataset)
        models = [self.config["models"][name] for name in names]
        return next((model for model in models if model["augment"]), models[0])["augmentation"]


def feature_place(folds: int) -> str:
    """Return where features are that depend on one of a number of folds; 0: shared by all."""
    return "{dataset}/{features}/" + ("{protocol}" if folds else "shared")


def feature_files(ending: str, folds: int) -> list[str]:
    """Return the features (npy), or records (json), of a number of folds; 0: the shared ones."""
    place = f"<results>/features/{feature_place(folds)}"
    return [f"{place}/fold-{fold}.{ending}" for fold in range(folds)] or [f"{place}.{ending}"]


def fold_outputs(name: str, folds: int) -> list[str]:
    """Return one file of the training of each of a number of folds."""
    place = "<results>/training/{dataset}/{protocol}/{model}"
    return [f"{place}/fold-{fold}/{name}" for fold in range(folds)]


def _weights_file(entry: Mapping, key: str) -> str | list:
    plain = _plain_name(entry)
    if entry["weights"] == "none":
        return []
    if source_of(entry):
        return f"<results>/pretraining/{source_of(entry)}/{plain}.weights.h5"
    if entry["weights"] == "imagenet":
        return f"resources/weights/{plain}_imagenet_notop.weights.h5"
    if not Path(entry["weights"]).is_file():
        raise InputError(
            f"{key}.weights: the file {entry['weights']} does not exist. Expected none, imagenet, "
            "{pretrained_on: ...} or a Keras .weights.h5 file; resources/README.md says more."
        )
    return entry["weights"]


def _source_mean_image(entry: Mapping) -> str | list:
    """Return the mean image of the images that an entry's start weights come from."""
    if entry["preprocessing"] != "source_mean_image":
        return []
    return f"<results>/pretraining/{source_of(entry)}/{_plain_name(entry)}.mean_image.npy"


def _plain_name(entry: Mapping) -> str:
    return re.sub("[^a-z0-9]", "", entry["architecture"].lower())
