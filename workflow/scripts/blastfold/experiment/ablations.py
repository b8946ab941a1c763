"""Ablations in the config: the product of what varies becomes models, shares become protocols."""

import copy
import itertools
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from blastfold.experiment.config_schema import STRICT

KINDS = {"datasets": "data sets", "protocols": "protocols"}
"""Lists of names that an ablation holds."""

FACTOR_TITLES = {
    "weights": "Start weights",
    "train": "Trained layers",
    "preprocessing": "Pre-processing",
}
LEVEL_TITLES = {
    ("weights", "none"): "random weights",
    ("weights", "imagenet"): "ImageNet",
    ("train", "head"): "head",
    ("train", "staged"): "staged",
    ("train", "all"): "all layers",
    ("preprocessing", "mean_image"): "mean image",
    ("preprocessing", "mean_image_plain"): "mean image, not scaled",
    ("preprocessing", "mean_image_scaled"): "mean image, scaled",
    ("preprocessing", "mean_image_imagenet"): "mean image in ImageNet's units",
    ("preprocessing", "none"): "no mean image",
    ("preprocessing", "imagenet"): "ImageNet scaling",
    ("preprocessing", "weights"): "scaling of the weights",
}


def expand_ablations(config: dict, schema: Mapping) -> dict:
    """Add the models, protocols and experiments that the ablations ask for.

    Args:
        config: The config as read from YAML, not checked yet.
        schema: The config's schema, which describes the keys of a model.

    Returns:
        A copy. Every cell of an ablation is a model ``<ablation>_<level>_<level>...``; every
        share of the training groups below 1 is a protocol ``<protocol>_share_<percent>`` with
        the same folds, under which the ablation's own model is trained. What cannot be
        understood is left to the check.
    """
    expanded = copy.deepcopy(config)
    for name, entry, faults in _read_entries(expanded, schema):
        if faults:
            continue
        experiments = expanded.setdefault("experiments", [])
        places = {kind: list(entry[kind]) for kind in KINDS}
        cells = ablation_cells(name, entry)
        base = expanded["models"][entry["model"]]
        for cell in cells:
            titles = [
                level_title(factor, value, expanded) for factor, value in cell["values"].items()
            ]
            title = ", ".join([base.get("title", base.get("architecture", name)), *titles])
            expanded["models"][cell["model"]] = {**base, **cell["values"], "title": title}
        if cells:
            experiments.append({**places, "models": [cell["model"] for cell in cells]})
        if shares := training_shares(entry):
            protocols = [_add_share(expanded, *one) for one in _product(entry, shares)]
            models = [entry["model"]]
            experiments.append({**places, "protocols": protocols, "models": models})
    return expanded


def check_ablations(config: dict, schema: Mapping) -> Iterator[str]:
    """Yield what is wrong with the ablations of a config that is not expanded."""
    for _, _, faults in _read_entries(config, schema):
        yield from faults


def ablation_cells(name: str, entry: Mapping) -> list[dict]:
    """List the cells of an ablation, the reference of all factors first.

    Args:
        name: Name of the ablation.
        entry: The ablation; only ``vary`` is read.

    Returns:
        Dicts with model (its name), values and levels (the values as plain words), by factor.
    """
    vary = entry.get("vary", {})
    cells = []
    for chosen in itertools.product(*vary.values()) if vary else ():
        values = dict(zip(vary, chosen, strict=True))
        levels = {factor: level_word(value) for factor, value in values.items()}
        cells.append(
            {"model": "_".join([name, *levels.values()]), "values": values, "levels": levels}
        )
    return cells


def ablation_contrasts(entry: Mapping) -> list[tuple[str, str, str]]:
    """List what is compared: every level with its factor's reference, then the wanted pairs.

    Returns:
        Factor, level and what it is compared with.
    """
    words = {factor: [level_word(v) for v in values] for factor, values in entry["vary"].items()}
    wanted = entry.get("contrasts", {})
    return [
        (factor, *pair)
        for factor, levels in words.items()
        for pair in dict.fromkeys(
            [*((level, levels[0]) for level in levels[1:]), *map(tuple, wanted.get(factor, []))]
        )
    ]


def training_shares(entry: Mapping) -> list[float]:
    """Return the shares of a learning curve in rising order; the whole is always one of them."""
    shares = entry.get("training_shares", [])
    return sorted({*shares, 1}) if shares else []


def share_protocol(protocol: str, share: float) -> str:
    """Return the name of the protocol that trains on a share of another one's training groups."""
    return protocol if share == 1 else f"{protocol}_share_{100 * share:g}".replace(".", "_")


def places_of(entry: Mapping) -> list[tuple[str, str]]:
    """Return data set and protocol of every place where an ablation is trained."""
    return list(itertools.product(entry["datasets"], entry["protocols"]))


def cells_in_place(name: str, entry: Mapping) -> list[dict]:
    """Return dataset, protocol, model and levels of every cell in every place."""
    return [
        {"dataset": dataset, "protocol": protocol, "model": cell["model"], "levels": cell["levels"]}
        for dataset, protocol in places_of(entry)
        for cell in ablation_cells(name, entry)
    ]


def curve_in_place(entry: Mapping) -> list[dict]:
    """Return the points of a learning curve in every place.

    Each has dataset, protocol, trained_under (the protocol of its share), model and share.
    """
    return [
        {
            **{"dataset": dataset, "protocol": protocol, "model": entry["model"], "share": share},
            "trained_under": share_protocol(protocol, share),
        }
        for dataset, protocol in places_of(entry)
        for share in training_shares(entry)
    ]


def level_word(value: object) -> str:
    """Return a value of a model's key as a plain word; empty where it has none."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if value is None:
        return "none"
    if isinstance(value, Mapping):
        return level_word(value["pretrained_on"]) if set(value) == {"pretrained_on"} else ""
    if isinstance(value, list):
        return "_".join(map(level_word, value)) or "none"
    text = f"{value:g}" if isinstance(value, (int, float)) else str(value)
    if "/" in text or text.endswith(".h5"):
        text = PurePosixPath(text).name.split(".")[0]
    return re.sub("[^a-z0-9]+", "_", text.lower()).strip("_")


def level_title(factor: str, value: object, config: Mapping) -> str:
    """Return what tables and figures call a value of a model's key."""
    word = level_word(value)
    if isinstance(value, Mapping):
        source = config.get("pretraining", {}).get(word, {})
        return source.get("title", word) if isinstance(source, Mapping) else word
    return LEVEL_TITLES.get((factor, word), f"{factor} {word}".replace("_", " "))


def factor_title(factor: str) -> str:
    """Return what tables and figures call a model's key."""
    return FACTOR_TITLES.get(factor, factor.replace("_", " ").capitalize())


def _add_share(config: dict, protocol: str, share: float) -> str:
    name = share_protocol(protocol, share)
    if name != protocol:
        base = config["protocols"][protocol]
        config["protocols"][name] = {
            **base,
            "title": f"{base.get('title', protocol)}, {100 * share:g} % of the training groups",
            # The folds are drawn by the name of the first protocol in the chain.
            "same_folds_as": base.get("same_folds_as", protocol),
            "training_share": share,
        }
    return name


def _product(entry: Mapping, shares: list[float]) -> Iterator[tuple[str, float]]:
    return itertools.product(entry["protocols"], shares)


def _read_entries(config: Mapping, schema: Mapping) -> Iterator[tuple[str, dict, list[str]]]:
    """Yield every ablation whose keys have the right types, with what is wrong with it."""
    ablations = config.get("ablations")
    kinds = [config.get(kind) for kind in (*KINDS, "models")]
    listed = isinstance(config.get("experiments", []), list)
    if not (isinstance(ablations, dict) and listed and all(isinstance(k, dict) for k in kinds)):
        return
    # Fixed before the caller adds to it: cells of one ablation are no models of the next.
    given = {kind: dict(config[kind]) for kind in (*KINDS, "models")}
    named: dict[str, str] = {}
    for name, entry in ablations.items():
        if not _is_understood(entry):
            continue
        faults = [f"ablations.{name}{fault}" for fault in _faults(entry, given, schema)]
        if not faults:
            faults = list(_name_faults(name, entry, given, named))
        yield name, entry, faults


def _is_understood(entry: object) -> bool:
    if not isinstance(entry, dict) or not isinstance(entry.get("model"), str):
        return False
    vary, shares = entry.get("vary", {}), entry.get("training_shares", [])
    contrasts = entry.get("contrasts", {})
    names = [entry.get(kind) for kind in KINDS]
    return (
        all(isinstance(one, list) and all(isinstance(n, str) for n in one) for one in names)
        and isinstance(vary, dict)
        and all(isinstance(levels, list) for levels in vary.values())
        and isinstance(contrasts, dict)
        and all(isinstance(pairs, list) for pairs in contrasts.values())
        and all(isinstance(pair, list) for pairs in contrasts.values() for pair in pairs)
        and isinstance(shares, list)
        and all(isinstance(share, (int, float)) and 0 < share <= 1 for share in shares)
    )


def _faults(entry: Mapping, given: Mapping, schema: Mapping) -> Iterator[str]:
    for kind, plural in KINDS.items():
        for name in entry[kind]:
            if name not in given[kind]:
                yield f".{kind}: received {name!r}, expected one of the {plural} " + _known(
                    given[kind]
                )
    if not isinstance(given["models"].get(entry["model"]), dict):
        yield f".model: received {entry['model']!r}, expected one of the models " + _known(
            given["models"]
        )
    if not entry.get("vary") and not entry.get("training_shares"):
        yield ": has nothing to vary, expected vary or training_shares"
    for factor, levels in entry.get("vary", {}).items():
        yield from (f".vary.{factor}: {fault}" for fault in _level_faults(factor, levels, schema))
    yield from _contrast_faults(entry)
    for protocol in entry["protocols"] if entry.get("training_shares") else ():
        if "training_share" in (given["protocols"].get(protocol) or {}):
            yield (
                f".training_shares: the protocol {protocol} has a training_share of its own, "
                "expected one that trains on all"
            )


def _contrast_faults(entry: Mapping) -> Iterator[str]:
    vary = entry.get("vary", {})
    for factor, pairs in entry.get("contrasts", {}).items():
        if factor not in vary:
            yield f".contrasts.{factor}: expected one of the keys that vary: {_known(vary)}"
            continue
        words = [level_word(value) for value in vary[factor]]
        for level in dict.fromkeys(level for pair in pairs for level in pair):
            if level not in words:
                yield f".contrasts.{factor}: received {level!r}, expected two of {words}"


def _level_faults(factor: str, levels: list, schema: Mapping) -> Iterator[str]:
    keys = schema["$defs"]["model"]["properties"]
    if factor not in keys or factor == "title":
        yield f"unknown key, expected one of a model's: {sorted(set(keys) - {'title'})}"
        return
    if len(levels) < 2:
        yield f"received {levels}, expected two values or more, the reference first"
    validator = STRICT({**keys[factor], "$defs": schema["$defs"]})
    for value in levels:
        if not validator.is_valid(value):
            expected = keys[factor].get("enum") or keys[factor].get("description")
            yield f"received {value!r}, expected one of {expected}"
        elif not level_word(value):
            yield f"received {value!r}, which has no plain name, expected simple values"
    words = [level_word(value) for value in levels]
    for word in sorted({word for word in words if words.count(word) > 1}):
        yield f"two values are both called {word!r}, expected values with names of their own"


def _name_faults(name: str, entry: Mapping, given: Mapping, named: dict[str, str]) -> Iterator[str]:
    """Yield which names are taken; remembers those of this ablation."""
    own = [cell["model"] for cell in ablation_cells(name, entry)]
    for model in dict.fromkeys(own):
        if model in given["models"]:
            yield f"ablations.{name}: makes a model {model}, but models.{model} exists; rename it"
        elif model in named or own.count(model) > 1:
            other = named.get(model, name)
            yield f"ablations.{name}: makes a model {model}, as {other} does; rename one of them"
        named[model] = name
    for protocol, share in _product(entry, training_shares(entry)):
        made = share_protocol(protocol, share)
        same = [s for s in training_shares(entry) if share_protocol(protocol, s) == made]
        if len(same) > 1 or not re.fullmatch(r"\w+", made):
            yield (
                f"ablations.{name}.training_shares: received {share!r}, for which a protocol would "
                f"be called {made!r}; expected shares of at least 0.0001 with few digits"
            )
        if made != protocol and made in given["protocols"]:
            yield (
                f"ablations.{name}.training_shares: makes a protocol {made}, but "
                f"protocols.{made} exists; rename it"
            )


def _known(entries: Mapping) -> str:
    return str(sorted(entries))
