"""Pre-training in the config: source tasks become experiments, start weights are resolved."""

import copy
from collections.abc import Iterator, Mapping

from blastfold.core.names import LEAK_CONTRAST, plain_name
from blastfold.core.preprocessing_kinds import (
    DECLARED,
    IMAGENET,
    KINDS,
    PLAIN,
    mean_image_in,
    of_source,
)
from blastfold.core.settings import OWN_BACKBONES

DECIDED_BY_WEIGHTS = ("mean_image", "weights")
"""Values of ``preprocessing`` whose meaning depends on the start weights."""


def pretraining_name(source: str, architecture: str) -> str:
    """Return the name of the model that is trained on a source task."""
    return f"{source}_{plain_name(architecture)}"


def source_of(model: Mapping) -> str | None:
    """Return the entry of ``pretraining`` that a model starts from; None for other weights."""
    weights = model.get("weights", "none")
    return weights.get("pretrained_on") if isinstance(weights, Mapping) else None


def expand_pretraining(config: dict) -> dict:
    """Add the source tasks that models in the experiments start from, as models and experiments.

    Each network that starts from ``{pretrained_on: <source>}`` is first trained on the source's
    data set under the source's protocol. It is a model like any other, with history, test metrics
    and record.

    Args:
        config: The config as read from YAML, not checked yet.

    Returns:
        A copy, with models named ``<source>_<architecture>`` and an experiment a source. What
        cannot be understood is left to the check.
    """
    expanded = copy.deepcopy(config)
    sources = expanded.get("pretraining")
    models, experiments = expanded.get("models"), expanded.get("experiments")
    if not (
        isinstance(sources, dict) and isinstance(models, dict) and isinstance(experiments, list)
    ):
        return expanded
    tasks: dict[str, list[str]] = {}
    waiting = _asked_models(experiments)
    while waiting:
        model = models.get(waiting.pop(0))
        source = source_of(model) if isinstance(model, dict) else None
        entry = sources.get(source)
        if not isinstance(entry, dict) or not isinstance(model.get("architecture"), str):
            continue
        name = pretraining_name(source, model["architecture"])
        if name in tasks.get(source, []):
            continue
        training = entry.get("training", {})
        title = f"{_network_title(models, model)} on {entry.get('title', source)}"
        models[name] = {"architecture": model["architecture"], "title": title, **training}
        # A source task has one fold.
        models[name]["folds_in_one_job"] = False
        tasks.setdefault(source, []).append(name)
        # A source task may start from another one.
        waiting.append(name)
    for source, names in tasks.items():
        entry = sources[source]
        places = {"datasets": [entry.get("dataset")], "protocols": [entry.get("protocol")]}
        experiments.append({**places, "models": names})
    return expanded


def check_source_names(config: dict, expanded: dict) -> Iterator[str]:
    """Yield every model of the config whose name a source task takes.

    Args:
        config: The config before :func:`expand_pretraining`.
        expanded: The config after it.
    """
    for name, model in config["models"].items():
        if expanded["models"][name] != model:
            yield (
                f"models.{name}: pretraining makes a model of this name "
                "(<source>_<architecture>), expected another name"
            )


def _network_title(models: Mapping, model: Mapping) -> str:
    """Return the title of the first model with a network, before those that were made from it."""
    alike = [
        other
        for other in models.values()
        if isinstance(other, dict) and other.get("architecture") == model["architecture"]
    ]
    return alike[0].get("title", model["architecture"])


def _asked_models(experiments: list) -> list[str]:
    return [
        name
        for experiment in experiments
        if isinstance(experiment, dict)
        for name in experiment.get("models", [])
        if isinstance(name, str)
    ]


def check_pretraining(config: dict) -> Iterator[str]:
    """Yield what is wrong with source tasks and with who starts from them.

    Args:
        config: A config that the schema has accepted, expanded.
    """
    sources = config["pretraining"]
    for name, entry in sources.items():
        key = f"pretraining.{name}"
        for kind in ("dataset", "protocol"):
            if entry[kind] not in config[f"{kind}s"]:
                known = sorted(config[f"{kind}s"])
                yield f"{key}.{kind}: received {entry[kind]!r}, expected one of {known}"
        protocol = config["protocols"].get(entry["protocol"])
        if protocol and _has_folds(protocol):
            yield (
                f"{key}.protocol: {entry['protocol']} has several folds and so several networks, "
                "expected kind holdout, or predefined with one part to test on"
            )
        if protocol and protocol["repeats"] > 1:
            yield (
                f"{key}.protocol: {entry['protocol']} has {protocol['repeats']} repeats and so "
                "several networks, expected repeats: 1"
            )
        if entry["training"].get("train") == "head":
            yield f"{key}.training.train: 'head' teaches no backbone, expected all or staged"
        if "architecture" in entry["training"]:
            yield f"{key}.training.architecture: is that of the transferred model, leave it out"
        if "folds_in_one_job" in entry["training"]:
            yield f"{key}.training.folds_in_one_job: a source task has one fold, leave it out"
    yield from _check_circles(sources)
    yield from _check_overlap(config)
    for name, model in config["models"].items():
        source = source_of(model)
        if source is not None and source not in sources:
            yield (
                f"models.{name}.weights.pretrained_on: received {source!r:.200}, "
                f"expected one of the entries under pretraining: {sorted(sources)}"
            )
        unknown = source is None and model["weights"] not in ("none", "imagenet")
        if unknown and model["preprocessing"] in DECIDED_BY_WEIGHTS:
            yield (
                f"models.{name}.preprocessing: received {model['preprocessing']!r}, but the "
                f"pre-processing of the file {model['weights']} is not known; expected one that "
                "does not depend on it: mean_image_imagenet, mean_image_scaled, "
                "mean_image_plain, imagenet or none"
            )


def _check_circles(sources: dict) -> Iterator[str]:
    """Yield every source task whose start weights are learnt from its own, by any way."""
    for name in sources:
        chain = [name]
        while (start := source_of(sources[chain[-1]]["training"])) in sources:
            chain.append(start)
            if start in chain[:-1]:
                break
        if chain[-1] == name and len(chain) > 1:
            yield (
                f"pretraining.{name}.training.weights: {' -> '.join(chain)} is a circle, expected "
                "that one of them starts from other weights"
            )


def _check_overlap(config: dict) -> Iterator[str]:
    """Yield every model that is tested on images which its start weights were learnt from."""
    datasets, sources = config["datasets"], config["pretraining"]

    def origin(name: str) -> str:
        return datasets.get(name, {}).get("of", name)

    for experiment in config["experiments"]:
        for name in experiment["models"]:
            learnt = {
                origin(sources[source]["dataset"]): source
                for source in sources_behind(config["models"].get(name, {}), config)
            }
            for dataset in experiment["datasets"]:
                if origin(dataset) in learnt:
                    yield (
                        f"models.{name}.weights.pretrained_on: {learnt[origin(dataset)]} learns "
                        f"from images of {origin(dataset)}, on which an experiment tests this "
                        "model; expected another data set"
                    )


def sources_behind(model: Mapping, config: dict) -> list[str]:
    """Return the source tasks behind a model's start weights, the last one first."""
    found: list[str] = []
    while (source := source_of(model)) in config["pretraining"] and source not in found:
        found.append(source)
        model = config["models"].get(pretraining_name(source, model["architecture"]), {})
    return found


def _has_folds(protocol: Mapping) -> bool:
    if protocol["kind"] == "predefined":
        return len(protocol.get("test_parts", [])) > 1
    return protocol["kind"] in ("kfold", LEAK_CONTRAST)


def resolve_weights(config: dict) -> None:
    """Replace what depends on start weights by what it means, in every model.

    A backbone that is a file becomes the start weights, with the pre-processing that is declared of
    it. ``preprocessing: weights`` and ``mean_image`` become one of
    :data:`blastfold.core.preprocessing_kinds.KINDS`; ``batch_normalisation: auto`` becomes
    ``frozen`` or ``trained``.

    Args:
        config: A valid config; changed in place.
    """
    for model in config["models"].values():
        if own := OWN_BACKBONES.get(model["architecture"]):
            model["weights"], model["preprocessing"] = model[own]["file"], DECLARED
        if model["batch_normalisation"] == "auto":
            scratch = model["weights"] == "none"
            model["batch_normalisation"] = "trained" if scratch else "frozen"
    for model in config["models"].values():
        model["preprocessing"] = _preprocessing(model, config)


def _preprocessing(model: Mapping, config: dict) -> str:
    """Return the kind of pre-processing that a model has, which its start weights may decide."""
    given = model["preprocessing"]
    if given == "mean_image":
        return mean_image_in(_units_of_weights(model, config))
    if given != "weights":
        return given
    if source_of(model) is None:
        return model["weights"]
    return of_source(_preprocessing(_source_model(model, config), config))


def _units_of_weights(model: Mapping, config: dict) -> str:
    """Return the units in which the start weights of a model expect images."""
    if source_of(model) is None:
        return PLAIN if model["weights"] == "none" else IMAGENET
    return KINDS[_preprocessing(_source_model(model, config), config)].units


def _source_model(model: Mapping, config: dict) -> Mapping:
    """Return the entry of the network that a model starts from."""
    source = source_of(model)
    name = pretraining_name(source, model["architecture"])
    # A model that no experiment asks for has no source task that is trained.
    defaults = {"weights": "none", "preprocessing": "mean_image"}
    unasked = {**model, **defaults, **config["pretraining"][source]["training"]}
    return config["models"].get(name, unasked)
