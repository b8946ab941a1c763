"""Settings of a job as frozen dataclasses, made once from the plain values of a checked config.

The config check fills in every default, so that nothing is optional here. A rule passes plain
dicts as parameters, its script turns them into these classes, and everything behind it reads
attributes.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from blastfold.core.names import plain_name
from blastfold.core.plain_settings import Settings
from blastfold.core.preprocessing_kinds import KINDS, OF_FOLD
from blastfold.core.tuning_settings import TuningSettings, tuning_settings

SIMPLE_CNN, TINY_CNN, SEPARABLE_CNN = "simplecnn", "tinycnn", "separablecnn"
"""Plain names of the simple CNN of the thesis (Fig. 4.8) and of two light networks."""


class OwnNetwork(NamedTuple):
    """A network that is not one of keras.applications; without ImageNet weights.

    Attributes:
        name: As the config's manual names it.
        smallest: Height and width in pixels of its smallest image.
        words: What it is, for the methods text.
    """

    name: str
    smallest: int
    words: str


OWN_NETWORKS = {
    # The second pooling leaves its last convolution 3x3.
    SIMPLE_CNN: OwnNetwork("simple_cnn", 18, "a simple convolutional network"),
    # Its third pooling leaves at least one place.
    TINY_CNN: OwnNetwork("tiny_cnn", 22, "a tiny convolutional network"),
    # Two halvings leave two places each way.
    SEPARABLE_CNN: OwnNetwork(
        "separable_cnn", 8, "the beginning of a MobileNet of half width (Howard et al. 2017)"
    ),
}
"""By plain name; ``networks.architectures.build_backbone`` builds them."""

ONNX, VECTORS = "onnx", "features"
"""Architectures whose backbone is not built here: an ONNX file, and vectors of images that another
program computed."""

OWN_BACKBONES = {ONNX: "onnx", VECTORS: "vectors"}
"""The key of a model entry that describes the file, by architecture."""

NOT_OF_A_TRAINING = ("title", "weights", "augment", "folds_in_one_job")
"""Keys of a model entry that no training reads: the name in tables, the start weights, which are a
file, a switch that the config check has applied to ``augmentation``, and which jobs train."""


@dataclasses.dataclass(frozen=True)
class AugmentationSettings(Settings):
    """Random changes of training images; the schema describes every key."""

    flip_up_down: bool
    flip_left_right: bool
    transpose: bool
    brightness: float
    contrast: float
    saturation: float
    hue: float
    crop: float
    rotation: float
    stain_jitter: float

    def changes_anything(self) -> bool:
        """Return whether any operation is switched on."""
        return any(bool(value) for value in self.plain().values())


UNCHANGED = AugmentationSettings(
    flip_up_down=False,
    flip_left_right=False,
    transpose=False,
    brightness=0.0,
    contrast=0.0,
    saturation=0.0,
    hue=0.0,
    crop=0.0,
    rotation=0.0,
    stain_jitter=0.0,
)
"""Settings that leave every image as it is."""


@dataclasses.dataclass(frozen=True)
class OnnxSettings(Settings):
    """What is declared of an ONNX file; the schema describes every key.

    Attributes:
        sha256: SHA-256 of the file.
        layout: ``nchw`` or ``nhwc``.
        size: Height and width of its images.
        multiple: A number that divides both, for instance the side of a patch.
        scale: Factor of intensities of 0 to 255, before mean and std.
        mean: Subtracted from the three channels.
        std: The three channels are divided by it.
        output: Name of its output; None where there is one.
        pooling: ``cls``, ``mean`` or ``none``.
    """

    sha256: str
    layout: str
    size: tuple[int, int]
    multiple: int
    scale: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    output: str | None
    pooling: str


@dataclasses.dataclass(frozen=True)
class VectorSettings(Settings):
    """What is declared of a file of vectors; the schema describes every key.

    Attributes:
        sha256: SHA-256 of the file; None where none is declared.
        ids: Column or data set with the names of the images.
        values: Data set with the vectors (HDF5); a table has them in all other columns.
    """

    sha256: str | None
    ids: str
    values: str


def declared_backbone(values: Mapping[str, Any]) -> dict[str, Settings | None]:
    """Return what an entry declares of a backbone's file; its path is an input of the job."""
    kinds = {"onnx": OnnxSettings, "vectors": VectorSettings}
    given = {name: values.get(name) for name in kinds}
    return {
        name: kinds[name].read({key: entry[key] for key in entry if key != "file"})
        if (entry := given[name])
        else None
        for name in kinds
    }


@dataclasses.dataclass(frozen=True)
class FeatureSettings(Settings):
    """What determines the features of a frozen backbone, except for its start weights.

    Attributes:
        architecture: Name of the network.
        pooling: ``average`` or ``flatten``.
        preprocessing: One of :data:`blastfold.core.preprocessing_kinds.KINDS`.
        stain: ``none``, ``reinhard`` or ``macenko``.
        augmentation: Random changes; without any there is one view of each image.
        epochs: Epochs of the longest training on these features: one changed view for each.
        onnx: What is declared of the ONNX file that is the backbone; None for other backbones.
        vectors: What is declared of the file with the features; None where they are computed.
    """

    architecture: str
    pooling: str
    preprocessing: str
    stain: str
    augmentation: AugmentationSettings
    epochs: int
    onnx: OnnxSettings | None
    vectors: VectorSettings | None

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Self:
        """Make settings from an entry of :func:`blastfold.experiment.feature_sets.feature_sets`."""
        values = {key: value for key, value in values.items() if key not in NOT_OF_A_TRAINING}
        augmentation = AugmentationSettings.read(values.pop("augmentation", {}))
        declared = declared_backbone(values)
        return super().read({**values, **declared, "augmentation": augmentation})


@dataclasses.dataclass(frozen=True)
class ModelSettings(Settings):
    """A model entry of the config; the schema describes every key.

    The head of the network (pooling, dense_units, dropout) is always filled in, see
    :func:`head_of`.
    """

    architecture: str
    train: str
    stages: int
    stage_learning_rate_factor: float
    schedule: str
    batch_normalisation: str
    features: str
    pooling: str
    dense_units: tuple[int, ...]
    dropout: float
    preprocessing: str
    stain: str
    epochs: int
    batch_size: int
    learning_rate: float
    when_out_of_memory: str
    class_weights: bool
    early_stopping: int | None
    test_time_views: int
    augmentation: AugmentationSettings
    onnx: OnnxSettings | None
    vectors: VectorSettings | None
    tune: TuningSettings | None

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Self:
        """Make settings from a model entry of a checked config, or from those of a ``run.json``."""
        values = {key: value for key, value in values.items() if key not in NOT_OF_A_TRAINING}
        values |= head_of(values) | declared_backbone(values)
        values["tune"] = tuning_settings(values.get("tune"))
        values["dense_units"] = tuple(values["dense_units"])
        values["augmentation"] = AugmentationSettings.read(values.get("augmentation", {}))
        return super().read(values)

    def plain(self) -> dict[str, Any]:
        """Return the settings as values that JSON can hold."""
        tune = self.tune and self.tune.plain()
        return {**super().plain(), "dense_units": list(self.dense_units), "tune": tune}

    def with_changes(self, changes: Mapping[str, Any]) -> Self:
        """Return the settings of one configuration, which leaves nothing to be chosen."""
        return dataclasses.replace(self, tune=None, **changes)


@dataclasses.dataclass(frozen=True)
class JobSettings(Settings):
    """How a job computes.

    Attributes:
        seed: The seed of the experiment.
        device: ``auto``, ``gpu`` or ``cpu``.
        precision: ``auto`` or a Keras dtype policy.
        xla: ``"auto"``, True or False.
        deterministic: Whether predictions are bit-identical on one machine.
        threads: Threads that a job computes with on a CPU, however many cores there are.
        feature_runtime: What runs a frozen backbone on a CPU: ``tensorflow`` or ``onnx``.
        states: Folder of the states of unfinished jobs; None keeps none.
        code: Digest of the code that computes.
        gpu: Snakemake's ``gpu`` resource of the job; 0 keeps the job off every GPU.
    """

    seed: int
    device: str
    precision: str
    xla: str | bool
    deterministic: bool
    threads: int
    feature_runtime: str
    states: str | None
    code: str
    gpu: int

    @classmethod
    def of_rule(cls, params: Any, gpu: int) -> Self:
        """Return the settings of a job from the parameters of its rule.

        Args:
            params: Has job (values by key of the config), place (with states) and code.
            gpu: Its resource.
        """
        return cls(**params.job, **vars(params.place), code=params.code, gpu=gpu)

    def on_cpu(self) -> Self:
        """Return the same settings for a job that is too small to profit from a GPU."""
        return dataclasses.replace(self, device="cpu", gpu=0, precision="float32", xla=False)


class JobKey(NamedTuple):
    """A key of the config that is a field of :class:`JobSettings`.

    Attributes:
        unused: What a job has in its place that does not use it, so that it never runs it again.
        jobs: The jobs that use it.
    """

    unused: Any
    jobs: tuple[str, ...]


EXTRACTION, TRAINING, HEADS, ASSEMBLY, APPLICATION, MEASUREMENT = (
    *("extraction", "training", "heads"),
    *("assembly", "application", "measurement"),
)
"""Jobs with :class:`JobSettings`: features, networks, heads, a head with its backbone, networks on
another data set, and the speed of networks."""

JOB_KEYS = {
    "seed": JobKey(0, (EXTRACTION, TRAINING, HEADS, ASSEMBLY)),
    "precision": JobKey("float32", (EXTRACTION, TRAINING, MEASUREMENT)),
    "xla": JobKey(False, (EXTRACTION, TRAINING, MEASUREMENT)),
    "deterministic": JobKey(True, (EXTRACTION, TRAINING, HEADS, MEASUREMENT)),
    "threads": JobKey(1, (EXTRACTION, TRAINING, HEADS, APPLICATION, MEASUREMENT)),
    "feature_runtime": JobKey("tensorflow", (EXTRACTION,)),
}


def job_values(config: Mapping, job: str) -> dict[str, Any]:
    """Return what a job reads of the config, constants in place of settings that it does not use.

    Args:
        config: A config as :func:`blastfold.experiment.config.check_config` returns it.
        job: :data:`EXTRACTION` or another one.
    """
    return {name: config[name] if job in key.jobs else key.unused for name, key in JOB_KEYS.items()}


@dataclasses.dataclass(frozen=True)
class Run:
    """One model under one protocol on one data set, by name.

    Attributes:
        dataset: Name of the data set.
        protocol: Name of the protocol.
        model: Name of the model.
        image_source: Name that seeds the random changes of images: that of the data set that the
            images come from. It differs from ``dataset`` where only the labels are changed.
        configuration: Which of the configurations of a tuned model, see
            :func:`configuration_name`; empty for a model that is not tuned.
    """

    dataset: str
    protocol: str
    model: str
    image_source: str
    configuration: str = ""

    @property
    def names(self) -> tuple[str, str, str]:
        """Data set, protocol and model."""
        return self.dataset, self.protocol, self.model


def features_depend_on_fold(preprocessing: str, stain: str, *, random_start: bool) -> bool:
    """Return whether the features of a frozen backbone differ between folds.

    They do when the mean image or a stain reference of the fold is part of the pre-processing, and
    when the start weights are random, because every fold draws its own.

    Args:
        preprocessing: As in :class:`FeatureSettings`.
        stain: As there.
        random_start: Whether the backbone starts from random weights.
    """
    return KINDS[preprocessing].mean == OF_FOLD or stain != "none" or random_start


def is_simple_cnn(architecture: str) -> bool:
    """Return whether a name means the simple CNN of the thesis."""
    return plain_name(architecture) == SIMPLE_CNN


def head_of(model: Mapping[str, Any]) -> dict[str, Any]:
    """Return the head of a model: pooling, dense_units and dropout.

    The simple CNN has the head of the thesis (Fig. 4.8) always, VGG networks that of the thesis
    (4.7) unless the entry says otherwise, the tiny CNN a single layer on whole maps, and all others
    a single layer on averaged features.

    Args:
        model: architecture, and those keys of the head that the config gives.
    """
    if is_simple_cnn(model["architecture"]):
        return {"pooling": "flatten", "dense_units": [128], "dropout": 0.0}
    if plain_name(model["architecture"]).startswith("vgg"):
        default = {"pooling": "flatten", "dense_units": [256], "dropout": 0.5}
    else:
        pooling = "flatten" if plain_name(model["architecture"]) == TINY_CNN else "average"
        default = {"pooling": pooling, "dense_units": [], "dropout": 0.0}
    return {key: model.get(key, value) for key, value in default.items()}
