"""Config and helper functions of all rules; no rules here."""

import functools
import re
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

ROOT = Path(workflow.current_basedir) / ".."
LIBRARY = (ROOT / "workflow" / "scripts" / "blastfold").resolve()
sys.path.insert(0, str(LIBRARY.parent))

from blastfold.ablation_config import (
    ablation_cells,
    ablation_contrasts,
    factor_title,
    level_title,
    share_protocol,
    training_shares,
)
from blastfold.code import code_digest as digest_code
from blastfold.config import (
    canary_runs,
    check_config,
    combinations,
    external_runs,
    fold_count,
)
from blastfold.errors import BlastfoldError
from blastfold.feature_sets import depends_on_fold, feature_set_name, feature_sets
from blastfold.files import digest_listing
from blastfold.hardware import has_gpu
from blastfold.pretraining_config import pretraining_name, source_of
from blastfold.publication.repository import repository_state
from blastfold.slides.sheet import (
    check_chosen_slides,
    demo_slides,
    read_regions,
    read_slides,
)

SLIDE_SCHEMA = ROOT / "workflow" / "schemas" / "slides.schema.yaml"


def listed_slides(settings):
    """Rows of the sheet of slides and regions, both by slide; nothing without slides."""
    if settings is None:
        return {}, {}
    if "demo" in settings:
        slides = demo_slides(settings["demo"], "results/demo_slides")
    else:
        slides = read_slides(settings["sheet"], SLIDE_SCHEMA)
    regions = read_regions(settings["regions"], slides) if settings["regions"] else {}
    return slides, regions


try:
    config = check_config(
        config,
        ROOT / "workflow" / "schemas" / "config.schema.yaml",
        " + ".join(map(str, workflow.configfiles or workflow.overwrite_configfiles)) or "config",
    )
    SLIDES, REGIONS = listed_slides(config.get("slides"))
    check_chosen_slides(config["datasets"], SLIDES)
except BlastfoldError as error:
    raise WorkflowError(str(error)) from None


EXPERIMENTS = combinations(config)
DATASETS = list(dict.fromkeys(dataset for dataset, _, _ in EXPERIMENTS))
SPLITS = list(dict.fromkeys((dataset, protocol) for dataset, protocol, _ in EXPERIMENTS))


# What tables and figures call the entries of the config, by wildcard.
TITLES = {
    kind: {name: entry["title"] for name, entry in config[f"{kind}s"].items()}
    for kind in ("dataset", "protocol", "model")
}

# Every trained model under every protocol, in the order of the config.
RUNS = [
    {
        "dataset": dataset,
        "dataset_title": TITLES["dataset"][dataset],
        "protocol": protocol,
        "protocol_title": TITLES["protocol"][protocol],
        "model": model,
        "model_title": TITLES["model"][model],
        "reproduces": config["datasets"][dataset]["reproduces"],
    }
    for dataset, protocol, model in EXPERIMENTS
]


# Every run on permuted labels, behind the same run on the true ones.
CANARIES = [
    {
        **run,
        **{f"{kind}_title": TITLES[kind][run[kind]] for kind in TITLES},
        "group_by": config["protocols"][run["protocol"]]["group_by"],
    }
    for run in canary_runs(config)
]


# What is in the results of a data set and may stand beside printed ones. Canaries have one table for
# all of them.
TRUE_RUNS = [run for run in RUNS if config["datasets"][run["dataset"]]["format"] != "permuted"]
TRUE_DATASETS = list(dict.fromkeys(run["dataset"] for run in TRUE_RUNS))
DESCRIBED_DATASETS = list(
    dict.fromkeys([*TRUE_DATASETS, *(run["external"] for run in external_runs(config))])
)
TRUE_SPLITS = list(dict.fromkeys((run["dataset"], run["protocol"]) for run in TRUE_RUNS))


# The ablations: their cells, and the points of their learning curves, under every protocol.
def ablation_runs(name):
    entry = config["ablations"][name]
    places = [
        (dataset, protocol) for dataset in entry["datasets"] for protocol in entry["protocols"]
    ]
    return [
        {
            "dataset": dataset,
            "protocol": protocol,
            "model": cell["model"],
            "levels": cell["levels"],
            "folds": fold_count(config["protocols"][protocol]),
        }
        for dataset, protocol in places
        for cell in ablation_cells(name, entry)
    ]


def curve_points(name):
    entry = config["ablations"][name]
    return [
        {
            "dataset": dataset,
            "protocol": protocol,
            "trained_under": share_protocol(protocol, share),
            "model": entry["model"],
            "share": share,
        }
        for dataset in entry["datasets"]
        for protocol in entry["protocols"]
        for share in training_shares(entry)
    ]


ABLATIONS = {
    name: {
        "cells": ablation_runs(name),
        "contrasts": ablation_contrasts(entry),
        "curve": curve_points(name),
    }
    for name, entry in config["ablations"].items()
}

# Runs that their ablation shows, and beside which no other table or figure but the results of the
# data set shows them: all cells but the reference, and trainings on a share of the groups.
OF_ABLATIONS = {
    (run["dataset"], run["protocol"], run["model"])
    for ablation in ABLATIONS.values()
    for run in ablation["cells"]
    if run["model"] != ablation["cells"][0]["model"]
} | {
    (point["dataset"], point["trained_under"], point["model"])
    for ablation in ABLATIONS.values()
    for point in ablation["curve"]
    if point["share"] < 1
}

# What stands in tables and figures of its own.
SHOWN_RUNS = [
    run for run in TRUE_RUNS if (run["dataset"], run["protocol"], run["model"]) not in OF_ABLATIONS
]
SHOWN_EXPERIMENTS = [(run["dataset"], run["protocol"], run["model"]) for run in SHOWN_RUNS]
SHOWN_SPLITS = list(dict.fromkeys((run["dataset"], run["protocol"]) for run in SHOWN_RUNS))


# Every test of trained networks on another data set.
EXTERNAL_RUNS = [
    {
        **run,
        **{f"{kind}_title": TITLES[kind][run[kind]] for kind in TITLES},
        "external_title": TITLES["dataset"][run["external"]],
    }
    for run in external_runs(config)
]


def one_of(names):
    # Without any name nothing may match, not even the empty text.
    return "|".join(map(re.escape, names)) or "(?!)"


def datasets_of(*formats):
    return [name for name, entry in config["datasets"].items() if entry["format"] in formats]


def datasets_except(*formats):
    return [name for name in config["datasets"] if name not in datasets_of(*formats)]


# Names that contain one another (kfold, kfold_subject) must not be mistaken for folders.
wildcard_constraints:
    dataset=one_of(config["datasets"]),
    external=one_of(config["datasets"]),
    ablation=one_of(config["ablations"]),
    protocol=one_of(config["protocols"]),
    model=one_of(config["models"]),
    source=one_of(config["pretraining"]),
    features=r"[a-z0-9]+-[0-9a-f]{12}",
    fold=r"\d+",
    architecture=r"[a-z0-9]+",
    stain="reinhard|macenko",
    slide=one_of(SLIDES),


def code_digest(*modules):
    return digest_code(modules, LIBRARY)


def figure_files(name, shown="svg", **entry):
    """A figure in all its formats, of which one is shown in the report."""
    paths = {ending: f"results/figures/{name}.{ending}" for ending in ("pdf", "svg", "png")}
    return list((paths | {shown: report(paths[shown], **entry)}).values())


def table_files(name, **entry):
    """A table in all its formats, of which the exact one is shown in the report."""
    path = f"results/tables/{name}"
    return [report(f"{path}.tsv", **entry), f"{path}.tex", f"{path}.md"]


def title_of(wildcards):
    return ", ".join(TITLES[kind][name] for kind, name in wildcards.items())


# Input functions are called for every job of an experiment, which may have thousands: they look
# up and never search.
@functools.cache
def models_of(dataset, protocol=None):
    return list(
        dict.fromkeys(
            model
            for name, protocol_name, model in SHOWN_EXPERIMENTS
            if name == dataset and protocol in (None, protocol_name)
        )
    )


@functools.cache
def true_runs(dataset):
    return [run for run in TRUE_RUNS if run["dataset"] == dataset]


def stains_of(dataset, protocol):
    """The methods of stain normalisation that models under one protocol use."""
    used = [config["models"][model]["stain"] for model in models_of(dataset, protocol)]
    return [stain for stain in dict.fromkeys(used) if stain != "none"]


@functools.cache
def shown_runs(dataset):
    return [run for run in SHOWN_RUNS if run["dataset"] == dataset]


def compared_splits():
    """The data sets and protocols with models to compare."""
    return [split for split in SHOWN_SPLITS if len(models_of(*split)) > 1]


@functools.cache
def gap_runs(dataset):
    """The runs of models under several protocols, first what keeps least together."""
    coarseness = ["image", "picture", "subject", "group"]
    runs = [
        dict(
            run,
            group_by=config["protocols"][run["protocol"]]["group_by"],
            folds=len(fold_numbers(dataset, run["protocol"])),
        )
        for run in shown_runs(dataset)
    ]
    models = [run["model"] for run in runs]
    repeated = [run for run in runs if models.count(run["model"]) > 1]
    return sorted(repeated, key=lambda run: coarseness.index(run["group_by"]))


@functools.cache
def fold_numbers(dataset, protocol):
    return list(range(fold_count(config["protocols"][protocol])))


def raw_folder(dataset):
    """The folder that a data set is imported from; the demo generates its own."""
    if config["datasets"][dataset]["format"] == "demo":
        return f"results/demo/{dataset}"
    return config["datasets"][dataset]["path"]


def raw_data(wildcards):
    """The raw folder as input of the import, with a message for who has not put it there yet."""
    folder = raw_folder(wildcards.dataset)
    imported = Path(f"results/datasets/{wildcards.dataset}/images.npy")
    is_demo = config["datasets"][wildcards.dataset]["format"] == "demo"
    # Whoever has the imported images alone can still regenerate everything that follows.
    if not is_demo and not Path(folder).exists() and not imported.exists():
        raise WorkflowError(
            f"data set {wildcards.dataset}: the folder {folder} does not exist. Put the raw files "
            "or a symbolic link to them there, or set datasets."
            f"{wildcards.dataset}.path; resources/README.md says how to obtain each data set."
        )
    return folder


def raw_listing(wildcards):
    """Names and sizes of the raw files, so that added or changed files are imported again."""
    if config["datasets"][wildcards.dataset]["format"] == "demo":
        return None
    return digest_listing(raw_folder(wildcards.dataset))


def import_settings(wildcards):
    """What of a data set's entry changes its import, and nothing that does not."""
    entry = config["datasets"][wildcards.dataset]
    return {
        key: entry[key] for key in sorted(entry) if key not in ("demo", "duplicates", "reproduces")
    }


def slide_file(wildcards):
    """The file of a slide, with a message for who has not put it there yet."""
    path = SLIDES[wildcards.slide]["path"]
    if "demo" in config["slides"] or Path(path).exists():
        return path
    tiles = Path(f"results/slides/{wildcards.slide}/tiles.h5")
    if not tiles.exists():
        raise WorkflowError(
            f"'{config['slides']['sheet']}', slide {wildcards.slide}: the file {path} does not "
            "exist. Correct the column path, or put the slide or a link to it there."
        )
    return path


def tiling_settings(wildcards):
    """What of the config's slides changes the tiles of one slide."""
    other = ("sheet", "demo", "regions")
    return {key: value for key, value in config["slides"].items() if key not in other}


def chosen_slides(dataset):
    """The slides of a data set of tiles."""
    return config["datasets"][dataset].get("slides") or list(SLIDES)


def slides_of_dataset(name):
    """An input function: one file of every slide of a data set of tiles."""

    def files(wildcards):
        return [f"results/slides/{slide}/{name}" for slide in chosen_slides(wildcards.dataset)]

    return files


def tiles_settings(wildcards):
    """What of a data set of tiles and of its slides' rows changes its import."""
    rows = {
        slide: {key: SLIDES[slide][key] for key in ("subject", "picture")}
        for slide in chosen_slides(wildcards.dataset)
    }
    return import_settings(wildcards) | {"slides": rows}


def canary_files(name):
    """One file of every evaluation that the table of canaries shows."""
    return ["results/evaluation/{run}/{protocol}/{model}/".format(**run) + name for run in CANARIES]


def external_files(pattern):
    """One file of every external test; braces in the pattern name the run."""
    return [f"results/{pattern}".format(**run) for run in EXTERNAL_RUNS]


def base_file(name):
    """An input function: a file of the data set that a derived one is made from."""

    def file(wildcards):
        return f"results/datasets/{config['datasets'][wildcards.dataset]['of']}/{name}"

    return file


def derived_settings(*keys):
    """A parameter function: what of a derived data set's entry changes it."""

    def settings(wildcards):
        return {key: config["datasets"][wildcards.dataset][key] for key in keys}

    return settings


def selection_features(wildcards):
    """The features that a discriminative selection scores images by; none for another one."""
    if wildcards.dataset not in SELECTIONS:
        return []
    base = config["datasets"][wildcards.dataset]["of"]
    name = feature_set_name(SELECTIONS[wildcards.dataset])
    return feature_files("npy", 0)[0].format(dataset=base, features=name)


def protocol_settings(wildcards):
    entry = config["protocols"][wildcards.protocol]
    # The name seeds the draws.
    entry = dict(entry, name=entry.get("same_folds_as", wildcards.protocol))
    unused = ("title", "leakage", "same_folds_as")
    return {key: entry[key] for key in sorted(entry) if key not in unused}


# On a machine without a GPU nothing is won by training one network at a time: importing TensorFlow
# and tracing a network keep one core busy each. At most four trainings share the cores, for the
# sake of memory. On a cluster, where this machine says nothing about the nodes, set device: gpu.
# No number of cores is given there, and that of a node must not change what the job has asked for.
TRAINS_ON_GPU = config["device"] == "gpu" or (config["device"] == "auto" and has_gpu())
CORES = None if workflow.remote_exec else workflow.resource_settings.cores
TRAINING_THREADS = max(1, CORES // 4) if CORES and not TRAINS_ON_GPU else 8
# Not a declared output: Snakemake deletes those of a job that was killed.
UNFINISHED = "results/unfinished_training"
# One extraction serves many trainings and leaves no core idle.
EXTRACTION_THREADS = 8


def model_settings(wildcards):
    entry = config["models"][wildcards.model]
    return {key: entry[key] for key in sorted(entry) if key not in ("title", "weights")}


def start_weights(wildcards):
    """The file with a model's start weights; none for random ones."""
    return weights_file(config["models"][wildcards.model], f"models.{wildcards.model}")


def weights_file(entry, key):
    """The file with the start weights that an entry with architecture and weights names."""
    plain = re.sub("[^a-z0-9]", "", entry["architecture"].lower())
    if entry["weights"] == "none":
        return []
    if source_of(entry):
        return f"results/pretraining/{source_of(entry)}/{plain}.weights.h5"
    if entry["weights"] == "imagenet":
        return f"resources/weights/{plain}_imagenet_notop.weights.h5"
    if not Path(entry["weights"]).is_file():
        raise WorkflowError(
            f"{key}.weights: the file {entry['weights']} does not exist. Expected none, imagenet, "
            "{pretrained_on: ...} or a Keras .weights.h5 file; resources/README.md says more."
        )
    return entry["weights"]


def mean_image_file(wildcards):
    """The mean image that a model subtracts in a fold; none where it subtracts none."""
    entry = config["models"][wildcards.model]
    if entry["preprocessing"] == "mean_image":
        return mean_image_of(wildcards, entry["stain"], wildcards.fold)
    return source_mean_image(entry)


def mean_image_of(split, stain, fold):
    """The mean image of a fold's training images, whose stains are normalised or not."""
    place = f"{split.dataset}/{split.protocol}"
    if stain == "none":
        return f"results/mean_images/{place}/fold-{fold}.npy"
    return f"results/stain/{place}/{stain}/fold-{fold}.npy"


def stain_file(wildcards):
    """The reference statistics of a model's stain normalisation in its fold; none without it."""
    stain = config["models"][wildcards.model]["stain"]
    return [] if stain == "none" else stain_of(wildcards, stain, wildcards.fold)


def stain_of(split, stain, fold):
    return f"results/stain/{split.dataset}/{split.protocol}/{stain}/fold-{fold}.json"


def source_mean_image(entry):
    """The mean image of the images that an entry's start weights come from."""
    if entry["preprocessing"] != "source_mean_image":
        return []
    plain = re.sub("[^a-z0-9]", "", entry["architecture"].lower())
    return f"results/pretraining/{source_of(entry)}/{plain}.mean_image.npy"


def pretraining_run(wildcards):
    """The training, as a folder under results/training, that a source task's weights come from."""
    entry = config["pretraining"][wildcards.source]
    model = pretraining_name(wildcards.source, wildcards.architecture)
    return f"{entry['dataset']}/{entry['protocol']}/{model}"


def learns_from_features(model):
    """Whether a model's heads learn from features that are extracted once."""
    entry = config["models"][model]
    return entry["train"] == "head" and entry["features"] == "stored"


# Models whose heads learn from stored features, and those that learn from images.
HEAD_MODELS = [model for model in config["models"] if learns_from_features(model)]
IMAGE_MODELS = [model for model in config["models"] if model not in HEAD_MODELS]

# A selection of images scores them by features, as if it were a model that changes no image.
SELECTIONS = {
    name: {**entry["select"], "augmentation": {}, "epochs": 0, "stain": "none"}
    for name, entry in config["datasets"].items()
    if entry["format"] == "selected" and entry["select"]["method"] == "discriminative"
}
FEATURE_SETS = feature_sets(
    [*(config["models"][model] for model in HEAD_MODELS), *SELECTIONS.values()]
)


def image_source(dataset):
    """The data set that a data set's images and their changes come from: of a canary its base."""
    entry = config["datasets"][dataset]
    return entry["of"] if entry["format"] == "permuted" else dataset


def head_features(ending):
    """An input function: features (npy) or their records (json) for the heads of all folds."""

    def files(wildcards):
        entry = config["models"][wildcards.model]
        folds = 0
        if depends_on_fold(entry):
            folds = len(fold_numbers(wildcards.dataset, wildcards.protocol))
        return [
            path.format(
                dataset=wildcards.dataset if folds else image_source(wildcards.dataset),
                features=feature_set_name(entry),
                protocol=wildcards.protocol,
            )
            for path in feature_files(ending, folds)
        ]

    return files


def feature_place(folds):
    """Where features are that depend on one of a number of folds; 0: that are shared by all."""
    return "{dataset}/{features}/" + ("{protocol}" if folds else "shared")


def feature_files(ending, folds):
    """The features (npy) of each of a number of folds, or their records (json); 0: the shared."""
    place = f"results/features/{feature_place(folds)}"
    return [f"{place}/fold-{fold}.{ending}" for fold in range(folds)] or [f"{place}.{ending}"]


def feature_mean_images(wildcards):
    """The mean image of every fold that features depend on, or of the weights' own images."""
    entry = FEATURE_SETS[wildcards.features]
    if entry["preprocessing"] != "mean_image":
        return [source_mean_image(entry)] * (entry["preprocessing"] == "source_mean_image")
    folds = fold_numbers(wildcards.dataset, wildcards.protocol)
    return [mean_image_of(wildcards, entry["stain"], fold) for fold in folds]


def feature_stains(wildcards):
    """The stain reference of every fold that features depend on; none without normalisation."""
    stain = FEATURE_SETS[wildcards.features]["stain"]
    if stain == "none":
        return []
    folds = fold_numbers(wildcards.dataset, wildcards.protocol)
    return [stain_of(wildcards, stain, fold) for fold in folds]


def protocols_with(folds):
    """The protocols with a number of folds."""
    return [name for name, entry in config["protocols"].items() if fold_count(entry) == folds]


def files_of_folds(name, folds):
    """One file of the training of each of a number of folds."""
    return [
        f"results/training/{{dataset}}/{{protocol}}/{{model}}/fold-{fold}/{name}"
        for fold in range(folds)
    ]


def feature_weights(wildcards):
    return weights_file(FEATURE_SETS[wildcards.features], "models")


def shown_augmentation(wildcards):
    """The augmentation that the figure shows: that of the first model that has one."""
    models = [config["models"][name] for name in models_of(wildcards.dataset)]
    return next((model for model in models if model["augment"]), models[0])["augmentation"]


def fold_files(name):
    """An input function: one file of every fold's training."""

    def files(wildcards, model=None):
        dataset, protocol = wildcards.dataset, wildcards.protocol
        place = f"results/training/{dataset}/{protocol}/{model or wildcards.model}"
        return [f"{place}/fold-{fold}/{name}" for fold in fold_numbers(dataset, protocol)]

    return files


def model_files(name):
    """An input function: one file of every model's evaluation under one protocol."""

    def files(wildcards):
        dataset, protocol = wildcards.dataset, wildcards.protocol
        place = f"results/evaluation/{dataset}/{protocol}"
        return [f"{place}/{model}/{name}" for model in models_of(dataset, protocol)]

    return files


def run_files(name, runs):
    """One file of every given run's evaluation."""
    return [
        f"results/evaluation/{{dataset}}/{{protocol}}/{{model}}/{name}".format(**run)
        for run in runs
    ]


def split_files(ending):
    """One file of every split that tables and figures show."""
    return [f"results/folds/{dataset}/{protocol}.{ending}" for dataset, protocol in TRUE_SPLITS]


def mean_images_of(wildcards):
    dataset, protocol = wildcards.dataset, wildcards.protocol
    place = f"results/mean_images/{dataset}/{protocol}"
    return [f"{place}/fold-{fold}.npy" for fold in fold_numbers(dataset, protocol)]


# A network has the same layers under every protocol.
FIRST_RUNS = {(run["dataset"], run["model"]): run for run in reversed(SHOWN_RUNS)}


def layers_of(wildcards):
    run = FIRST_RUNS[wildcards.dataset, wildcards.model]
    return "results/training/{dataset}/{protocol}/{model}/fold-0/layers.tsv".format(**run)


# Protocols by their number of folds: a rule must know how many files it writes.
FOLD_COUNTS = {}
for protocol in dict.fromkeys(protocol for _, protocol in SPLITS):
    count = fold_count(config["protocols"][protocol])
    FOLD_COUNTS.setdefault(count, []).append(protocol)


def every_fold(name):
    """One file of every training."""
    return [
        f"results/training/{dataset}/{protocol}/{model}/fold-{fold}/{name}"
        for dataset, protocol, model in EXPERIMENTS
        for fold in fold_numbers(dataset, protocol)
    ]


def fitted_artefacts():
    """Every record of what was fitted on which images, with the name of what was fitted."""
    artefacts = [
        (dataset, protocol, "mean image", f"mean_images/{dataset}/{protocol}/fold-{fold}.json")
        for dataset, protocol in SPLITS
        for fold in fold_numbers(dataset, protocol)
    ]
    artefacts += [
        (
            dataset,
            protocol,
            f"{stain} stain",
            f"stain/{dataset}/{protocol}/{stain}/fold-{fold}.json",
        )
        for dataset, protocol in SPLITS
        for stain in stains_of(dataset, protocol)
        for fold in fold_numbers(dataset, protocol)
    ]
    for dataset, protocol, model in EXPERIMENTS:
        place = f"{dataset}/{protocol}/{model}"
        title = TITLES["model"][model]
        artefacts += [
            (dataset, protocol, f"network {title}", f"training/{place}/fold-{fold}/run.json")
            for fold in fold_numbers(dataset, protocol)
        ]
        fitted = f"temperature and thresholds of {title}"
        artefacts.append((dataset, protocol, fitted, f"evaluation/{place}/fitted.json"))
    return [
        {"dataset": dataset, "protocol": protocol, "artefact": name, "path": f"results/{path}"}
        for dataset, protocol, name, path in artefacts
    ]


def ablation_pages(*names):
    """The tables or figures of every ablation that has cells, or a learning curve, to show."""
    return [
        f"ablations/{ablation}/{name}"
        for ablation, runs in ABLATIONS.items()
        for name in names
        if runs["curve" if name == "learning_curve" else "cells"]
    ]


def ablation_predictions(wildcards):
    """The predictions of all folds of every cell of an ablation."""
    return [
        f"results/training/{run['dataset']}/{run['protocol']}/{run['model']}/fold-{fold}/"
        "predictions.tsv"
        for run in ABLATIONS[wildcards.ablation]["cells"]
        for fold in range(run["folds"])
    ]


def ablation_datasets(wildcards):
    return config["ablations"][wildcards.ablation]["datasets"]


def ablation_titles(wildcards):
    """What tables and figures call what an ablation compares, by kind and name."""
    entry = config["ablations"][wildcards.ablation]
    return {
        **TITLES,
        "factor": {factor: factor_title(factor) for factor in entry["vary"]},
        "level": {
            factor: {
                cell["levels"][factor]: level_title(factor, cell["values"][factor], config)
                for cell in ablation_cells(wildcards.ablation, entry)
            }
            for factor in entry["vary"]
        },
    }


def every_table():
    """All tables as TSV, LaTeX and Markdown."""
    names = ["datasets", "splits", "reproduction", "literature"]
    names += ["leakage", "fitted_artefacts", "printed_audit", "own_audit", "compute_cost"]
    names += [
        f"{dataset}/{name}" for dataset in TRUE_DATASETS for name in ("results", "duplicates")
    ]
    names += [f"{dataset}/protocol_gap" for dataset in TRUE_DATASETS if gap_runs(dataset)]
    names += [f"{'/'.join(split)}/comparisons" for split in compared_splits()]
    names += ["/".join(names) for names in SHOWN_EXPERIMENTS]
    names += ablation_pages("effects", "cells", "learning_curve")
    names += ["canaries"] if CANARIES else []
    names += ["external_test"] if EXTERNAL_RUNS else []
    names += [
        f"{dataset}/{protocol}/{name}"
        for dataset, protocol in SHOWN_SPLITS
        for name in ("calibration", "operating_points")
    ]
    return expand("results/tables/{name}.{ending}", name=names, ending=["tsv", "tex", "md"])


def every_figure():
    """All figures as PDF, SVG and PNG."""
    names = ["literature_comparison", "leakage"]
    names += ["external_test"] if EXTERNAL_RUNS else []
    names += [f"slides/{slide}" for slide in SLIDES]
    for dataset in TRUE_DATASETS:
        of_dataset = ["example_images", "class_distribution", "duplicates", "accuracy_comparison"]
        names += [f"{dataset}/{name}" for name in of_dataset]
        # The augmentation of a grown data set is that of the one that it was made from.
        if config["datasets"][dataset].get("of") not in TRUE_DATASETS:
            names += [f"{dataset}/augmented_images"]
        names += [f"{dataset}/architectures/{model}" for model in models_of(dataset)]
        select = config["datasets"][dataset].get("select", {})
        names += [f"{dataset}/selected_tiles"] * (select.get("method") == "discriminative")
    for dataset, protocol in SHOWN_SPLITS:
        of_split = ["mean_images", "roc", "precision_recall", "calibration", "risk_coverage"]
        of_split += [f"stain_{stain}" for stain in stains_of(dataset, protocol)]
        names += [f"{dataset}/{protocol}/{name}" for name in of_split]
    names += [f"{dataset}/protocol_gap" for dataset in TRUE_DATASETS if gap_runs(dataset)]
    names += [f"{'/'.join(split)}/differences" for split in compared_splits()]
    names += ablation_pages("effects", "learning_curve")
    for dataset, protocol, model in SHOWN_EXPERIMENTS:
        of_model = ["training_curves", "confusion_matrix"]
        names += [f"{dataset}/{protocol}/{model}/{name}" for name in of_model]
    return expand("results/figures/{name}.{ending}", name=names, ending=["pdf", "svg", "png"])


def asked_trainings():
    """Data set, protocol, model and number of folds of everything that the config asks for."""
    return [
        (dataset, protocol, model, len(fold_numbers(dataset, protocol)))
        for dataset, protocol, model in EXPERIMENTS
    ]


def every_evaluation(name):
    """One file of every model's evaluation under every protocol."""
    return [f"results/evaluation/{'/'.join(names)}/{name}" for names in EXPERIMENTS]


def stored_records(wildcards):
    """What the methods section and the checklists are made from, by kind of record."""
    return {
        "datasets": expand("results/datasets/{dataset}/dataset.json", dataset=DATASETS),
        "folds": [f"results/folds/{dataset}/{protocol}.tsv" for dataset, protocol in SPLITS],
        "leakage": [
            f"results/folds/{dataset}/{protocol}.leakage.tsv" for dataset, protocol in SPLITS
        ],
        "runs": every_fold("run.json"),
        "layers": [path for path in every_fold("layers.tsv") if "/fold-0/" in path],
        **{kind: every_evaluation(f"{kind}.tsv") for kind in ("metrics", "intervals")},
        "fitted": every_evaluation("fitted.json"),
        "comparisons": [
            f"results/evaluation/{'/'.join(split)}/comparisons.tsv" for split in compared_splits()
        ],
    }


def every_publication_file():
    """The publication pack."""
    names = ["methods.md", "methods.tex", "provenance.json", "main.tex", "tables", "figures"]
    names += [
        f"checklist_{checklist}.{ending}"
        for checklist in ("claim", "tripod_ai")
        for ending in ("tsv", "md")
    ]
    return expand("results/publication/{name}", name=names)
