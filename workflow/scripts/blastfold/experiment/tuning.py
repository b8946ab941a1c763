"""Tuning in the config: lists of settings become configurations, the same number for all models."""

import itertools
import math
from collections.abc import Iterator, Mapping

from blastfold.core.files import digest_settings
from blastfold.core.names import MACRO_AUC, OF_EACH_CLASS, PRIMARY_METRIC
from blastfold.core.settings import is_simple_cnn
from blastfold.core.tuning_settings import BY_LOSS, TUNABLE, configuration_name
from blastfold.experiment.combinations import combinations
from blastfold.experiment.config_classes import known_classes

MOST_POSSIBLE = 10_000
"""Configurations that the lists of a model may have together."""

OF_STAGED = ("stages", "stage_learning_rate_factor")
"""Keys that change a training of stages alone."""


def tuned_lists(tune: Mapping) -> dict[str, list]:
    """Return the lists of values by key, in the order of the config."""
    return {key: values for key, values in tune.items() if key in TUNABLE}


def possible_count(tune: Mapping) -> int:
    """Return how many configurations the lists have together."""
    return math.prod(len(values) for values in tuned_lists(tune).values())


def budget_of(tune: Mapping | None) -> int:
    """Return how many configurations are trained in every fold: 1 for a model that is not tuned."""
    if not tune:
        return 1
    if "configurations" in tune:
        return len(tune["configurations"])
    return tune.get("budget") or possible_count(tune)


def drawn_configurations(tune: Mapping, seed: int) -> list[dict]:
    """Return the configurations that are trained, in the order of the config.

    All of them, or as many as the budget says, drawn without replacement. The draw is named after
    the lists: models with the same lists try the same configurations, and a larger budget tries
    those of a smaller one too. Digests draw, since plans have no NumPy.

    Args:
        tune: The key ``tune`` of a model.
        seed: The seed of the experiment.
    """
    lists = tuned_lists(tune)
    possible = [
        dict(zip(lists, values, strict=True)) for values in itertools.product(*lists.values())
    ]
    budget = budget_of(tune)
    if budget >= len(possible):
        return possible
    order = sorted(
        range(len(possible)), key=lambda number: digest_settings([seed, "tune", lists, number])
    )
    return [possible[number] for number in sorted(order[:budget])]


def expand_tuning(config: dict) -> None:
    """Replace every key ``tune`` by what a training reads, in place.

    Args:
        config: A valid config with all defaults.
    """
    primary = config["primary_metric"] or PRIMARY_METRIC
    for model in config["models"].values():
        if tune := model.get("tune"):
            criterion = tune["criterion"]
            model["tune"] = {
                "criterion": criterion if criterion == BY_LOSS else primary,
                "possible": possible_count(tune),
                "configurations": drawn_configurations(tune, config["seed"]),
            }


def configurations_of(model: Mapping) -> list[dict]:
    """Return the model entries that are trained in every fold, one for each configuration."""
    tune = model.get("tune")
    changes = tune["configurations"] if tune else [{}]
    return [{**model, **one} for one in changes]


def most_epochs(model: Mapping) -> int:
    """Return the epochs of the longest training of a model."""
    return max(one["epochs"] for one in configurations_of(model))


def check_tuning(config: Mapping, given: Mapping) -> Iterator[str]:
    """Yield every fault of the keys ``tune`` of a config with all defaults.

    Args:
        config: A config that the schema has accepted, expanded.
        given: The same without defaults.
    """
    models = config["models"]
    for name, model in models.items():
        if "tune" in model:
            yield from _model_faults(f"models.{name}", model)
            for key in sorted(set(tuned_lists(model["tune"])) & set(given["models"][name])):
                yield f"models.{name}.{key}: is chosen (tune.{key}), expected one of the two keys"
    yield from _run_faults(config)
    yield from _criterion_faults(config)
    for name, ablation in config["ablations"].items():
        tune = models.get(ablation["model"], {}).get("tune", {})
        for key in sorted(set(tuned_lists(tune)) & set(ablation["vary"])):
            yield (
                f"ablations.{name}.vary.{key}: models.{ablation['model']}.tune chooses it, "
                "expected a key that is not tuned"
            )


def _criterion_faults(config: Mapping) -> Iterator[str]:
    """Yield which models would be chosen by a metric of a class that no training knows.

    A training knows no positive classes, and takes the last of two.
    """
    metric = config["primary_metric"]
    if metric not in OF_EACH_CLASS or metric == PRIMARY_METRIC:
        return
    for dataset, _, name in combinations(config):
        tune = config["models"].get(name, {}).get("tune")
        entry = config["datasets"].get(dataset, {"format": ""})
        entry = config["datasets"].get(entry.get("of"), entry)
        if not tune or tune["criterion"] == BY_LOSS:
            continue
        classes, positive = known_classes(entry) or (), entry.get("positive") or []
        positive = [positive] if isinstance(positive, str) else list(positive)
        if len(classes) <= 2 and positive and positive != list(classes[-1:]):
            yield (
                f"models.{name}.tune.criterion: the primary_metric {metric} is about the positive "
                "class, for which trainings take the last of two, but "
                f"datasets.{dataset}.positive is {', '.join(positive)}; expected that class "
                f"as the last of datasets.{dataset}.classes, loss, or another primary_metric such "
                f"as {PRIMARY_METRIC}"
            )
        if len(classes) > 2:
            yield (
                f"models.{name}.tune.criterion: the primary_metric {metric} is about the positive "
                f"classes, which no training knows, and datasets.{dataset} has "
                f"{len(known_classes(entry))} classes; expected loss, or a primary_metric of all "
                f"classes such as {MACRO_AUC}"
            )


def _model_faults(key: str, model: Mapping) -> Iterator[str]:
    tune = model["tune"]
    possible = possible_count(tune)
    if possible == 1:
        yield (
            f"{key}.tune: makes 1 configuration, of which there is nothing to choose; expected "
            "lists with two values or more, or no tune"
        )
    if possible > MOST_POSSIBLE:
        yield f"{key}.tune: makes {possible} configurations, expected {MOST_POSSIBLE} at most"
        return
    if tune.get("budget", 1) > possible:
        yield (
            f"{key}.tune.budget: received {tune['budget']}, but the lists make {possible} "
            f"configurations; expected {possible} at most, or longer lists"
        )
    if "dropout" in tune and is_simple_cnn(model["architecture"]):
        yield f"{key}.tune.dropout: the head of simple_cnn is that of the thesis and has none"
    for part in OF_STAGED:
        if part in tune and model["train"] != "staged":
            yield f"{key}.tune.{part}: belongs to train staged, received train {model['train']}"
    if "batch_normalisation" in tune and model["train"] == "head":
        yield f"{key}.tune.batch_normalisation: a frozen backbone has one value, leave it out"
    for changes in drawn_configurations({**tune, "budget": possible}, 0):
        one = {**model, **changes}
        if one["early_stopping"] and one["early_stopping"] >= one["epochs"]:
            yield (
                f"{key}.tune: makes a configuration ({configuration_name(changes)}) with "
                f"early_stopping {one['early_stopping']} in {one['epochs']} epochs, expected fewer "
                "than epochs"
            )
            return


def _run_faults(config: Mapping) -> Iterator[str]:
    """Yield which tuned models have no validation images, or more configurations than others."""
    models, budgets = config["models"], {}
    for dataset, protocol, name in combinations(config):
        tune = models.get(name, {}).get("tune")
        if not tune:
            continue
        entry = config["protocols"].get(protocol, {"validation_fraction": 1})
        if not entry["validation_fraction"] and "validation_parts" not in entry:
            yield (
                f"models.{name}.tune: needs validation images, but protocols.{protocol}."
                "validation_fraction is 0; expected a fraction above 0, or no tune"
            )
        first, budget = budgets.setdefault((dataset, protocol), (name, budget_of(tune)))
        if budget_of(tune) != budget:
            yield (
                f"models.{name}.tune: trains {budget_of(tune)} configurations, but models.{first} "
                f"trains {budget} on {dataset} under {protocol}; expected the same number, set "
                "budget"
            )
    for position, experiment in enumerate(config["experiments"]):
        for name in experiment["models"] if experiment["permutations"] else ():
            if models.get(name, {}).get("tune"):
                yield (
                    f"experiments.{position}.permutations: received {experiment['permutations']} "
                    f"with models.{name}, whose settings are chosen (tune); expected a model "
                    "without tune, or canaries: true, which chooses them on permuted labels too"
                )
