"""Config and helper functions of all rules; no rules here."""

import functools
import gc
import re
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

# A plan is made of millions of objects that live as long as it does. Looking for garbage among them
# as often as Python does by itself takes a tenth of the time of planning.
gc.set_threshold(50_000, 20, 20)

ROOT = Path(workflow.current_basedir) / ".."
LIBRARY = (ROOT / "workflow" / "scripts" / "blastfold").resolve()
sys.path.insert(0, str(LIBRARY.parent))

from blastfold.experiment.ablations import (
    ablation_cells,
    ablation_contrasts,
    factor_title,
    level_title,
    share_protocol,
    training_shares,
)
from blastfold.experiment.code import code_digest as digest_code
from blastfold.experiment.config import (
    canary_runs,
    check_config,
    combinations,
    external_runs,
    fold_count,
)
from blastfold.core.errors import BlastfoldError
from blastfold.experiment.feature_sets import depends_on_fold, feature_set_name, feature_sets
from blastfold.core.files import digest_listing
from blastfold.core.hardware import has_gpu
from blastfold.experiment.pretraining import pretraining_name, source_of
from blastfold.experiment.repository import repository_state
from blastfold.experiment.slide_sheet import (
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
        dict(run, group_by=config["protocols"][run["protocol"]]["group_by"])
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


def protocol_settings(wildcards):
    entry = config["protocols"][wildcards.protocol]
    # The name seeds the draws.
    entry = dict(entry, name=entry.get("same_folds_as", wildcards.protocol))
    unused = ("title", "leakage", "same_folds_as")
    return {key: entry[key] for key in sorted(entry) if key not in unused}


include: "inputs_of_training.smk"
include: "inputs_of_results.smk"
