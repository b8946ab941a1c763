"""Where the backbone of every network comes from, for the schematic of the transfer."""

from collections.abc import Mapping

from blastfold.core.names import plain_name
from blastfold.experiment.combinations import combinations
from blastfold.experiment.pretraining import source_of
from blastfold.experiment.random_backbones import model_title


def starts_from_sources(config: Mapping) -> bool:
    """Return whether any model that is trained starts from a source task."""
    models = dict.fromkeys(run[2] for run in combinations(config))
    return any(source_of(config["models"][model]) for model in models)


def transfers(config: Mapping) -> list[dict]:
    """Describe every way from start weights to the data sets that networks are tested on.

    Args:
        config: A config as :func:`blastfold.experiment.config.check_config` returns it.

    Returns:
        Dicts with architecture, start (``none``, ``imagenet``, ``file`` or ``source``), source and
        source_dataset (titles; empty without a source task), train (``head``, ``staged`` or
        ``all``) and targets: titles of the models with their data sets, by data set. Models on
        permuted labels are left out, and so are source tasks, which are the start of others.
    """
    datasets, models = config["datasets"], config["models"]
    sources = {entry["dataset"] for entry in config["pretraining"].values()}
    found: dict[tuple, dict] = {}
    for dataset, _, name in combinations(config):
        if datasets[dataset]["format"] == "permuted" or dataset in sources:
            continue
        model = models[name]
        source = config["pretraining"].get(source_of(model))
        start = "source" if source else model["weights"]
        way = {
            "architecture": model["architecture"],
            "start": start if start in ("none", "imagenet", "source") else "file",
            "source": source.get("title", source_of(model)) if source else "",
            "source_dataset": datasets[source["dataset"]]["title"] if source else "",
            "train": model["train"],
        }
        key = (plain_name(model["architecture"]), *list(way.values())[1:])
        targets = found.setdefault(key, {**way, "targets": {}})["targets"]
        tested = targets.setdefault(datasets[dataset]["title"], [])
        tested += [] if model_title(model) in tested else [model_title(model)]
    return sorted(found.values(), key=lambda way: way["start"] != "source")
