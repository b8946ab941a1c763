"""Canaries in the config: data sets with permuted labels, on which a sound procedure fails."""

import copy
import itertools
from collections.abc import Iterator

from blastfold.experiment.combinations import combinations

CANARIES = {"subject": "subjects", "image": "images"}
"""Among what the labels of a canary are permuted, with its plural."""

RUN_KINDS = ("datasets", "protocols", "models")
"""Keys of an experiment whose product its runs are."""


def check_canaries(key: str, experiment: dict, config: dict) -> Iterator[str]:
    """Yield which data sets of an experiment with canaries have names that are taken."""
    for dataset in experiment["datasets"]:
        for name in (canary_name(dataset, unit) for unit in CANARIES):
            if name in config["datasets"]:
                yield f"{key}: makes a data set {name}, but datasets.{name} exists; rename it"


def check_permutations(key: str, experiment: dict, config: dict) -> Iterator[str]:
    """Yield which models of an experiment with permutations have no stored features."""
    for name in experiment["models"] if experiment["permutations"] else ():
        model = config["models"].get(name)
        if model and (model["train"] != "head" or model["features"] != "stored"):
            yield (
                f"{key}: received {experiment['permutations']} with models.{name} (train "
                f"{model['train']}, features {model['features']}), expected train head and "
                "features stored; whole networks have canaries: true"
            )


def permuted_runs(config: dict) -> list[dict]:
    """List every run with permutations of its labels, each once with the largest number.

    Args:
        config: A config as :func:`check_config` returns it.

    Returns:
        Dicts with dataset, protocol, model and permutations (their number), on true labels alone.
    """
    wanted: dict[tuple[str, str, str], int] = {}
    for experiment in config["experiments"]:
        if not experiment["permutations"]:
            continue
        for run in itertools.product(*(experiment[kind] for kind in RUN_KINDS)):
            if config["datasets"][run[0]]["format"] != "permuted":
                wanted[run] = max(experiment["permutations"], wanted.get(run, 0))
    names = ("dataset", "protocol", "model", "permutations")
    return [dict(zip(names, (*run, count), strict=True)) for run, count in wanted.items()]


def expand_canaries(config: dict) -> dict:
    """Add the data sets with permuted labels that experiments with ``canaries: true`` ask for.

    Args:
        config: A valid config with all defaults.

    Returns:
        A copy. Each data set of such an experiment is followed there by two others of format
        ``permuted``, ``of`` it, whose labels are permuted among subjects and among images
        (``permute_among``: subject, image); they are under ``datasets`` too.
    """
    expanded = copy.deepcopy(config)
    for experiment in expanded["experiments"]:
        if not experiment["canaries"]:
            continue
        canaries = []
        for dataset in experiment["datasets"]:
            base = expanded["datasets"][dataset]
            for unit, plural in CANARIES.items():
                name = canary_name(dataset, unit)
                canaries.append(name)
                expanded["datasets"][name] = {
                    "title": f"{base['title']}, labels permuted among {plural}",
                    "format": "permuted",
                    "of": dataset,
                    "permute_among": unit,
                    "image_size": base["image_size"],
                    "duplicates": base["duplicates"],
                    "remove_duplicates": base["remove_duplicates"],
                    "reproduces": None,
                }
        experiment["datasets"] = [*experiment["datasets"], *canaries]
    return expanded


def canary_name(dataset: str, unit: str) -> str:
    """Return the name of a data set whose labels are permuted among ``unit`` (subject, image)."""
    return f"{dataset}_labels_permuted_by_{unit}"


def canary_runs(config: dict) -> list[dict[str, str]]:
    """List every run on permuted labels behind the run on the true ones.

    Args:
        config: A config as :func:`check_config` returns it.

    Returns:
        Dicts with dataset (that with the true labels), protocol, model, labels (true, subject or
        image) and run (name of the data set that was trained on).
    """
    asked = combinations(config)
    runs = []
    for dataset, protocol, model in asked:
        names = {unit: canary_name(dataset, unit) for unit in CANARIES}
        names = {unit: name for unit, name in names.items() if (name, protocol, model) in asked}
        if names:
            place = {"dataset": dataset, "protocol": protocol, "model": model}
            for labels, name in {"true": dataset, **names}.items():
                runs.append({**place, "labels": labels, "run": name})
    return runs
