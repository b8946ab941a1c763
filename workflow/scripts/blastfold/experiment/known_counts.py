"""What a config asks of its images, checked at plan time as far as their counts are known.

Counts are known of data sets that were imported before. Of a public data set only the names of its
parts are known: a folder may hold a sample of its images. Everything else is checked by the import
and by the jobs right after it, which run before any training.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from blastfold.core.parts import parts_of_fold, unknown_parts
from blastfold.experiment.combinations import combinations
from blastfold.experiment.config_locked_tests import OPEN


class Counts(NamedTuple):
    """What is known of a data set.

    Attributes:
        classes: Images by class; empty where they are not known.
        parts: Names of its official parts; None where they are not known.
    """

    classes: Mapping[str, int]
    parts: tuple[str, ...] | None


def known_counts(name: str, config: Mapping, public: Mapping, results: str | Path) -> Counts:
    """Return what is known of a data set that is not made from another one.

    Args:
        name: Its name.
        config: A config as :func:`blastfold.experiment.config.check_config` returns it.
        public: Counts of public data sets by format.
        results: The folder of results, where an import left its summary.
    """
    entry = config["datasets"][name]
    found = summary_of_import(Path(results, "datasets", name, "dataset.json"))
    if entry["format"] == OPEN:
        whole = known_counts(entry["of"], config, public, results)
        locked = entry["locked_test"].get("parts", ())
        kept = whole.parts and tuple(part for part in whole.parts if part not in locked)
        return Counts(found.get("class_images", {}) if found else {}, kept)
    if found is not None:
        return Counts(found.get("class_images", {}), tuple(found.get("parts", {})))
    known = public.get(entry["format"], {}).get("parts")
    return Counts({}, tuple(entry.get("parts") or known) if known else None)


def summary_of_import(path: Path) -> dict | None:
    """Return what an import wrote; None where it is missing, unfinished or damaged.

    A plan must not fail because of it: the jobs that read the file say what is wrong with it.
    """
    try:
        found = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def count_problems(config: Mapping, public: Mapping, results: str | Path) -> Iterator[str]:
    """Yield a sentence for everything that a config asks for and its images cannot give.

    Args:
        config: A config as :func:`blastfold.experiment.config.check_config` returns it.
        public: Counts of public data sets by format.
        results: The folder of results.
    """
    datasets = config["datasets"]
    for name, entry in datasets.items():
        if entry["format"] == "grown":
            counts = known_counts(entry["of"], config, public, results)
            yield from growth_problems(f"datasets.{name}.grow", entry["grow"], counts.classes)
    for name, protocol in dict.fromkeys((run[0], run[1]) for run in combinations(config)):
        entry = datasets[name]
        own = entry["format"] == OPEN or "of" not in entry
        counts = known_counts(name if own else entry["of"], config, public, results)
        settings = config["protocols"][protocol]
        if own:
            yield from _fold_problems(f"protocols.{protocol}.folds", settings, name, counts)
        yield from _part_problems(f"protocols.{protocol}", settings, name, counts)


def growth_problems(key: str, grow: Mapping, classes: Mapping[str, int]) -> Iterator[str]:
    """Yield a sentence for each class that has more images than a grown data set is to have.

    Args:
        key: The config's key.
        grow: The entry ``grow``: a number for each class, or ``times``.
        classes: Images of the original data set by class.
    """
    for class_name, number in grow.items():
        found = classes.get(class_name)
        if class_name not in ("augmentation", "times") and found is not None and found > number:
            yield (
                f"{key}.{class_name}: received {number}, but the data set has {found} "
                f"{class_name} images, and growing keeps all of them. Expected at least {found}, "
                "or times: 2"
            )


def _fold_problems(key: str, protocol: Mapping, name: str, counts: Counts) -> Iterator[str]:
    if protocol["kind"] != "kfold" or not counts.classes:
        return
    fewest = min(counts.classes, key=counts.classes.get)
    if counts.classes[fewest] < protocol["folds"]:
        yield (
            f"{key}: received {protocol['folds']}, but data set {name} has "
            f"{counts.classes[fewest]} {fewest} images. Expected no more folds than that"
        )


def _part_problems(key: str, protocol: Mapping, name: str, counts: Counts) -> Iterator[str]:
    if protocol["kind"] != "predefined" or counts.parts is None:
        return
    known = list(counts.parts)
    if unknown := unknown_parts(protocol, known):
        yield (
            f"{key}: received the parts {unknown}, but data set {name} has {known or 'no parts'}. "
            "Expected names among these"
        )
        return
    for fold, part in enumerate(protocol["test_parts"]):
        if not parts_of_fold(protocol, known, fold).train:
            yield (
                f"{key}.train_parts: nothing is left to train on when {part!r} of data set {name} "
                f"is tested, whose parts are {known}. Expected a part that is neither tested nor "
                "validated"
            )
